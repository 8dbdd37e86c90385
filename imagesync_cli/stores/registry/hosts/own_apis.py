"""What hosts can do by APIs of their own, and which of them is asked: by its name, and by what it answers.

Deleting:

1. Everybody is asked by the distribution API first: DELETE manifests/TAG (end-9). Most do it.
2. An answer that means "not here", 400 or 405, is read: DIGEST_INVALID is distribution 2.x, which takes the tag for a
   digest. It alone is given tombstones (delete/tombstone.py).
3. Some hosts have an API of their own for it, and are known by their name (values/hosts.py). Harbor and Pulp may have
   any name: they are known by their answer, 400 UNSUPPORTED and 400 INVALID_REQUEST, and by the form of what their own
   APIs say.
4. Whoever is left deletes manifests only, together with all their tags.

When an image was pushed no image and no tag list tells. What a host does not tell is None, and so is what it tells
nobody but others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from imagesync_cli.stores.registry.hosts import acr, docker_hub, ecr, ghcr, harbor, pulp
from imagesync_cli.stores.registry.hosts.host_api import HostApi
from imagesync_cli.stores.store import Untagged
from imagesync_cli.values.errors import ContentError, Denied, NotFound, Refused
from imagesync_cli.values.hosts import AMAZON, AZURE, GITHUB, HUB, known_host

# The registry's own guard against a digest's deletion, or no deletion at all: the manifest stays, and that is fine.
GUARDED = frozenset({400, 403, 405, 409, 412})
# "I delete no tags": 400 UNSUPPORTED or DIGEST_INVALID, or 405. 401, 403, 409 and 412 say "not this one": errors.
NO_TAG_DELETION = frozenset({400, 405})


@dataclass(frozen=True)
class OwnApi:
    """What a host's own API can do.

    ``untag`` removes a tag from a digest; ``delete`` takes a manifest with no tags on it but those it is given, and
    gives the reason if it stays. ``pushed_at`` tells when a digest was pushed, under a tag where that matters.
    """

    untag: Callable[[HostApi, str, str], Awaitable[Untagged]] | None = None
    delete: Callable[[HostApi, str, Collection[str]], Awaitable[str]] | None = None
    pushed_at: Callable[[HostApi, str, str], Awaitable[datetime | None]] | None = None


_BY_NAME = {
    HUB.name: OwnApi(untag=docker_hub.untag, pushed_at=docker_hub.pushed_at),
    GITHUB.name: OwnApi(delete=ghcr.delete, pushed_at=ghcr.pushed_at),
    AZURE.name: OwnApi(untag=acr.untag),
    AMAZON.name: OwnApi(untag=ecr.untag, pushed_at=ecr.pushed_at),
}
_BY_ANSWER = {"UNSUPPORTED": OwnApi(untag=harbor.untag), "INVALID_REQUEST": OwnApi(untag=pulp.untag)}


def api_of(registry: str) -> OwnApi | None:
    """The own API of a host that is known by its name."""
    host = known_host(registry)
    return _BY_NAME.get(host.name) if host else None


def api_by_answer(registry: str, status: int, codes: frozenset[str]) -> OwnApi | Untagged:
    """What to do about a tag that the distribution API would not remove: ask the host's own API, or what it means."""
    if "DIGEST_INVALID" in codes:
        return Untagged.ONLY_BY_DIGEST
    if (api := api_of(registry)) is not None:
        return api
    known = [api for code, api in _BY_ANSWER.items() if status == 400 and code in codes]
    return known[0] if known else Untagged.NOT_OFFERED


async def pushed_at(api: HostApi, tag: str, digest: str) -> datetime | None:
    """When this digest was pushed; None where nobody tells. An unknown host may be Harbor: others answer 404."""
    own = api_of(api.client.registry)
    ask = own.pushed_at if own else None if known_host(api.client.registry) else harbor.pushed_at
    with contextlib.suppress(NotFound, Denied, Refused, ContentError):
        return await ask(api, tag, digest) if ask else None
    return None

"""What a registry can do when it comes to deleting: decided here, from its name and from what it answers.

1. Everybody is asked by the distribution API first: DELETE manifests/TAG (end-9). Most do it.
2. An answer that means "not here", 400 or 405, is read: DIGEST_INVALID is distribution 2.x, which takes the tag for a
   digest. It alone is given tombstones (delete/tombstone.py).
3. Some hosts have an API of their own for it, and are known by their name (values/hosts.py). Harbor and Pulp may have
   any name: they are known by their answer, 400 UNSUPPORTED and 400 INVALID_REQUEST, and by the form of what their own
   APIs say.
4. Whoever is left deletes manifests only, together with all their tags.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from imagesync_cli.stores.registry.hosts import acr, docker_hub, ecr, ghcr, harbor, pulp
from imagesync_cli.stores.registry.hosts.host_api import HostApi
from imagesync_cli.stores.store import Untagged
from imagesync_cli.values.hosts import AMAZON, AZURE, GITHUB, HUB, known_host

# The registry's own guard against a digest's deletion, or no deletion at all: the manifest stays, and that is fine.
GUARDED = frozenset({400, 403, 405, 409, 412})
# "I delete no tags": 400 UNSUPPORTED or DIGEST_INVALID, or 405. 401, 403, 409 and 412 say "not this one": errors.
NO_TAG_DELETION = frozenset({400, 405})


async def _not_offered(_: HostApi, _tag: str, _digest: str) -> Untagged:
    return Untagged.NOT_OFFERED


@dataclass(frozen=True)
class DeletionApi:
    """What a host's own API can do.

    ``untag`` removes a tag from a digest; ``delete`` takes a manifest with no tags on it but those it is given, and
    gives the reason if it stays.
    """

    untag: Callable[[HostApi, str, str], Awaitable[Untagged]] = _not_offered
    delete: Callable[[HostApi, str, Collection[str]], Awaitable[str]] | None = None

    @property
    def untags(self) -> bool:
        """Whether a tag can be removed alone."""
        return self.untag is not _not_offered


_BY_NAME = {
    HUB.name: DeletionApi(untag=docker_hub.untag),
    GITHUB.name: DeletionApi(delete=ghcr.delete),
    AZURE.name: DeletionApi(untag=acr.untag),
    AMAZON.name: DeletionApi(untag=ecr.untag),
}
_BY_ANSWER = {"UNSUPPORTED": DeletionApi(untag=harbor.untag), "INVALID_REQUEST": DeletionApi(untag=pulp.untag)}


def api_of(registry: str) -> DeletionApi | None:
    """The own API of a host that is known by its name."""
    host = known_host(registry)
    return _BY_NAME.get(host.name) if host else None


def api_by_answer(registry: str, status: int, codes: frozenset[str]) -> DeletionApi | Untagged:
    """What to do about a tag that the distribution API would not remove: ask the host's own API, or what it means."""
    if "DIGEST_INVALID" in codes:
        return Untagged.ONLY_BY_DIGEST
    if (api := api_of(registry)) is not None:
        return api
    known = [api for code, api in _BY_ANSWER.items() if status == 400 and code in codes]
    return known[0] if known else Untagged.NOT_OFFERED

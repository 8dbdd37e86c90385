"""What a registry can do when it comes to deleting: decided here, from its name and from what it answers.

1. Everybody is asked by the distribution API first: DELETE manifests/TAG (end-9). Most do it.
2. An answer that means "not here", 400 or 405, is read: DIGEST_INVALID is distribution 2.x, which takes the tag for a
   digest. It alone is given tombstones (delete/tombstone.py).
3. Some hosts have an API of their own for it, and are known by their name. Harbor may have any name: it is known by its
   answer, 400 UNSUPPORTED, and by the form in which its own API says that something is not there.
4. Whoever is left deletes manifests only, together with all their tags.

A login goes to a kind's ``api``, so no option and no variable changes that: KINDS is all there is. Tests put their
doubles in front of it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from imagesync_cli.stores.registry.hosts import acr, docker_hub, ecr, ghcr, harbor
from imagesync_cli.stores.registry.hosts.host_api import Place
from imagesync_cli.stores.store import Untagged

# The registry's own guard against a digest's deletion, or no deletion at all: the manifest stays, and that is fine.
GUARDED = frozenset({400, 403, 405, 409, 412})
# "I delete no tags": 400 UNSUPPORTED or DIGEST_INVALID, or 405. 401, 403, 409 and 412 say "not this one": errors.
NO_TAG_DELETION = frozenset({400, 405})


@dataclass(frozen=True)
class Kind:
    """Hosts with an API of their own.

    ``untag`` removes a tag from a digest; ``delete`` takes a manifest with no tags on it but those it is given, and
    gives the reason if it stays. ``api`` is where that API lives, "" for the registry's own address.
    """

    name: str
    hosts: re.Pattern[str]
    untag: Callable[[Place, str, str], Awaitable[Untagged]] | None = None
    delete: Callable[[Place, str, Collection[str]], Awaitable[str]] | None = None
    api: str = ""


HARBOR = Kind("Harbor", re.compile(r".*"), untag=harbor.untag)
KINDS = [
    Kind("Docker Hub", re.compile(r"docker\.io"), untag=docker_hub.untag, api="https://hub.docker.com"),
    Kind("GitHub", re.compile(r"ghcr\.io"), delete=ghcr.delete, api="https://api.github.com"),
    Kind("Azure", re.compile(r"[a-z0-9-]+\.azurecr\.(io|cn|us)"), untag=acr.untag),
    Kind("Amazon ECR", ecr.HOSTS, untag=ecr.untag),
]


def kind_of(registry: str) -> Kind | None:
    """The kind of a host that has an API of its own, by its name."""
    return next((kind for kind in KINDS if kind.hosts.fullmatch(registry)), None)


def own_untag(registry: str, status: int, codes: frozenset[str]) -> Kind | Untagged:
    """What to do about a tag that the distribution API would not remove: ask the host's own API, or what it means."""
    if "DIGEST_INVALID" in codes:
        return Untagged.ONLY_BY_DIGEST
    kind = kind_of(registry)
    if kind is not None:
        return kind if kind.untag else Untagged.NOT_OFFERED
    return HARBOR if status == 400 and "UNSUPPORTED" in codes else Untagged.NOT_OFFERED

"""Who uses which manifest of a repository: what every tag reaches, and what referrers are about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from imagesync_cli.errors import NotFound
from imagesync_cli.gather import gather
from imagesync_cli.manifest import Descriptor, Manifest
from imagesync_cli.stores import Store

# What clients name the list of an image's referrers where there is no Referrers API (distribution-spec,
# "Referrers Tag Schema"), and with a suffix what cosign names its signatures.
_ABOUT = re.compile(r"(sha256|sha512)-([0-9a-f]{64,128})(\..+)?")


@dataclass
class Usage:
    """``users`` says of each digest in use who uses it first; ``tags`` what each tag pointed at when it was asked."""

    tags: Mapping[str, Descriptor]
    users: dict[str, str] = field(default_factory=dict)

    def tags_at(self, digest: str) -> list[str]:
        """The tags that point at the digest itself."""
        return [tag for tag, descriptor in self.tags.items() if descriptor.digest == digest]


class Readings:
    """Manifests that were read, by digest: an index that many tags share is asked for once a run."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Manifest] = {}

    def keep(self, manifest: Manifest) -> None:
        """Remember what was read elsewhere."""
        self._known[manifest.digest] = manifest

    async def manifest(self, digest: str) -> Manifest | None:
        """The manifest, or None where it is gone."""
        if digest not in self._known:
            try:
                self._known[digest] = await self._store.manifest(digest)
            except NotFound:
                return None
        return self._known[digest]


async def usage_of(tags: Mapping[str, Descriptor], readings: Readings) -> Usage:
    """Everything that these tags reach: one GET for each distinct index; any error but "not there" is the caller's."""
    usage = Usage(tags)
    roots: dict[str, str] = {}
    for tag, descriptor in tags.items():
        usage.users.setdefault(descriptor.digest, f"tag {tag}")
        if descriptor.is_index:
            roots.setdefault(descriptor.digest, f"tag {tag}")
        if about := _ABOUT.fullmatch(tag):
            usage.users.setdefault(f"{about[1]}:{about[2]}", f"its referrers' tag {tag}")
    await gather(_descend(readings, digest, why, usage) for digest, why in roots.items())
    return usage


async def _descend(readings: Readings, digest: str, why: str, usage: Usage) -> None:
    index = await readings.manifest(digest)
    for child in index.manifests if index else ():
        if child.digest not in usage.users:
            usage.users[child.digest] = f"index {digest} of {why}"
            if child.is_index:
                await _descend(readings, child.digest, why, usage)

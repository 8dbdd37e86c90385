"""Manifests of one repository, read by digest; a few megabytes of their bytes are remembered.

What is remembered is bytes: a parsed manifest takes several times as much, and nobody needs it for longer than a turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from imagesync_cli.concurrency import gather_few
from imagesync_cli.look.walk import Place, Room, Walk
from imagesync_cli.stores import Store
from imagesync_cli.values.digest import parse_digest
from imagesync_cli.values.errors import ContentError, NotFound
from imagesync_cli.values.manifest import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    SCHEMA_1_TYPES,
    Descriptor,
    Manifest,
    parse_manifest,
)

AT_ONCE = 64
# Bytes remembered, and bytes arriving at the same time; what comes without a size is first expected to be small.
_MOST_BYTES = _ARRIVING_BYTES = 8 * 1024 * 1024
_EXPECTED_BYTES = 512 * 1024
# A page of referrers may have 4 MiB, and nothing tells it beforehand.
_REFERRERS_AT_ONCE = 4
_LISTS_NOTHING = frozenset(MANIFEST_TYPES) - INDEX_TYPES | SCHEMA_1_TYPES


def may_list(target: Descriptor) -> bool:
    """Whether this may list manifests: all but what is known to be an image. Not every registry names the type."""
    return target.media_type not in _LISTS_NOTHING


class Readings:
    """What was read is asked for once a run, as long as it fits."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[bytes, str]] = {}
        self._known_bytes = 0
        self._read: set[str] = set()
        self._arriving = Room(_ARRIVING_BYTES)
        self._asking = asyncio.Semaphore(_REFERRERS_AT_ONCE)

    def keep(self, manifest: Manifest) -> None:
        """Remember what was read, if it fits."""
        self._read.add(manifest.digest)
        if manifest.digest not in self._known and self._known_bytes + manifest.size <= _MOST_BYTES:
            self._known[manifest.digest] = manifest.content, manifest.media_type
            self._known_bytes += manifest.size

    async def manifest(self, digest: str, size: int = 0) -> Manifest | None:
        """The manifest, or None where it is gone; ``size`` is what was said of it, 0 for nothing."""
        manifest = await self.once(digest, size)
        if manifest is not None:
            self.keep(manifest)
        return manifest

    async def again(self, digest: str) -> Manifest | None:
        """The manifest if it was read before."""
        return await self.manifest(digest) if digest in self._read else None

    async def once(self, digest: str, size: int = 0) -> Manifest | None:
        """The same, for what nobody needs again."""
        if digest in self._known:
            content, media_type = self._known[digest]
            return parse_manifest(content, media_type, digest=digest)
        expected = size or _EXPECTED_BYTES
        try:
            async with self._arriving.taken(expected):
                return await self._store.manifest(digest, most_bytes=expected)
        except NotFound:
            return None
        except ContentError:
            pass  # longer than was said, perhaps; then it is read while nothing else is
        try:
            async with self._arriving.taken(_ARRIVING_BYTES):
                return await self._store.manifest(digest)
        except NotFound:
            return None

    async def referrers(self, digest: str) -> list[str]:
        """What names this manifest as its subject, as far as the store itself can tell."""
        async with self._asking:
            return [entry.digest for entry in await self._store.referrers(digest)]

    async def below(self, digests: Iterable[str]) -> set[str]:
        """These and all that they list, at any depth. ContentError for what lists more than any image does."""
        reached: set[str] = set()

        async def walk_below(digest: str) -> None:
            async def visit(place: Place) -> None:
                manifest = await self.manifest(place.digest, place.target.size) if may_list(place.target) else None
                if manifest is not None:
                    following = walk.below(manifest, place)
                    del manifest
                    await following

            async with Walk(visit, what=digest) as walk:
                await walk.visit(Descriptor("", parse_digest(digest), 0))
            reached.update(walk.places)

        await gather_few(AT_ONCE, (walk_below(digest) for digest in digests))
        return reached

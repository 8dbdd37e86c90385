"""Manifests of one repository, read by digest; a few megabytes of their bytes are remembered.

What is remembered is bytes: a parsed manifest takes several times as much, and nobody needs it for longer than a turn.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from functools import partial

from imagesync_cli.concurrency import ByteLimit, Crowd, gather_few, take_room
from imagesync_cli.look.walk import Place, Walk
from imagesync_cli.stores import Store
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
# What one removal may have to think of: digests, together.
MOST_DIGESTS = 50_000
# Bytes remembered, and the most of one manifest: large ones are few, and read again.
_MOST_BYTES = 4 * 1024 * 1024
_MOST_BYTES_OF_ONE = 128 * 1024
# What manifests that are held take of the memory. One that is nothing but descriptors takes eight times its bytes.
_HELD_BYTES = 16 * 1024 * 1024
_PARSED = 8
_EXPECTED_BYTES = 64 * 1024  # of what comes without a size
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
        self.digests: set[str] = set()  # of all that was read
        self._room = ByteLimit(_HELD_BYTES)
        self.crowd = Crowd()  # of what follows what manifests list
        self._asking = asyncio.Semaphore(_REFERRERS_AT_ONCE)
        self.an_index = ""  # the digest of one that was read

    def keep(self, manifest: Manifest) -> None:
        """Remember what was read, if it fits."""
        self.digests.add(manifest.digest)
        self.an_index = manifest.digest if manifest.descriptor.is_index else self.an_index
        is_new = manifest.digest not in self._known and manifest.size <= _MOST_BYTES_OF_ONE
        if is_new and self._known_bytes + manifest.size <= _MOST_BYTES:
            self._known[manifest.digest] = manifest.content, manifest.media_type
            self._known_bytes += manifest.size

    async def manifest(self, digest: str, size: int = 0) -> Manifest | None:
        """The manifest, or None where it is gone; ``size`` is what was said of it, 0 for nothing."""
        manifest = await self.once(digest, size)
        if manifest is not None:
            self.keep(manifest)
        return manifest

    async def once(self, digest: str, size: int = 0) -> Manifest | None:
        """The same, for what nobody needs again."""
        if digest in self._known:
            content, media_type = self._known[digest]
            take_room(content)
            return parse_manifest(content, media_type, digest=digest)
        try:
            async with self.held(digest, size) as manifest:
                return manifest
        except NotFound:
            return None

    @contextlib.asynccontextmanager
    async def held(self, wanted: str, size: int = 0) -> AsyncIterator[Manifest]:
        """The manifest, for which there is room until the block ends. NotFound where it is gone."""
        expected = size or _EXPECTED_BYTES
        async with contextlib.AsyncExitStack() as room:
            await room.enter_async_context(self._room.held(_PARSED * expected))
            try:
                manifest = await self._store.manifest(wanted, most_bytes=expected)
            except ContentError:  # longer than was said, perhaps; then it is read while nothing else is
                await room.aclose()
                await room.enter_async_context(self._room.held(_HELD_BYTES))
                manifest = await self._store.manifest(wanted)
            yield manifest

    async def referrers(self, digest: str) -> list[str]:
        """What names this manifest as its subject, as far as the store itself can tell."""
        async with self._asking:
            return [entry.digest for entry in await self._store.referrers(digest)]

    async def below(self, digests: Iterable[str]) -> set[str]:
        """These and all that they list, at any depth. ContentError for what lists more than images do."""
        reached: set[str] = set()

        async def walk_below(digest: str) -> None:
            reached.update(await self.walk(digest, lambda manifest: manifest.manifests))
            if len(reached) > MOST_DIGESTS:
                raise ContentError(f"what is to be removed names more than {MOST_DIGESTS} manifests")

        await gather_few(AT_ONCE, (self.crowd.run(partial(walk_below, digest)) for digest in digests))
        return reached

    async def walk(self, root: str, further: Callable[[Manifest], Iterable[Descriptor]]) -> Collection[str]:
        """Read this manifest and what each leads ``further`` to, at any depth; gives all that it came to."""

        async def visit(place: Place) -> None:
            manifest = await self.manifest(place.digest, place.target.size) if may_list(place.target) else None
            if manifest is not None:
                targets = [target.bare for target in further(manifest)]
                del manifest
                await walk.on(place, targets)

        async with Walk(visit, what=root) as walk:
            await walk.visit(Descriptor.of(root))
        return walk.places

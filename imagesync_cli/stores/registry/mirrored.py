"""A repository whose bytes may come from elsewhere: from mirrors of it, or from where a copy has just arrived.

1. What a tag is, the repository itself says, and says once. Nobody else's word counts for that.
2. Manifests and blobs are asked for by digest, of each mirror in turn. What a mirror gives is checked against the
   digest, as from anywhere.
3. What no mirror has comes from the repository.
4. A mirror that fails in any other way than by not having something is left out for the rest of the run.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

from imagesync_cli.concurrency import having
from imagesync_cli.stores.registry.client import Client
from imagesync_cli.stores.registry.repository import Repository
from imagesync_cli.stores.store import Store
from imagesync_cli.stores.transport.retry import longest_wait_s
from imagesync_cli.values.digest import is_digest
from imagesync_cli.values.errors import ContentError, ImagesyncError, NotFound, Unavailable
from imagesync_cli.values.manifest import Descriptor, Manifest, parse_manifest
from imagesync_cli.values.progress import note
from imagesync_cli.values.reference import RegistryReference

# Of the manifests of one image, which several copies of it need; what does not fit is read again.
_MOST_KEPT_BYTES = 64 * 1024
# A mirror that asks for a longer pause, as one does that has a limit, is left out.
_LONGEST_WAIT_S = 5.0


class Mirrored(Repository):
    """Reads one image, or a few. ``left_out`` names mirrors that are not asked any more, for the whole run."""

    def __init__(self, client: Client, reference: RegistryReference, actions: str, left_out: set[str]) -> None:
        super().__init__(client, reference, actions)
        self._mirrors: list[Store] = []
        self._left_out = left_out
        self._heads: dict[str, Descriptor] = {}
        self._kept: dict[str, Manifest] = {}
        self._left_bytes = _MOST_KEPT_BYTES
        self._only_here: set[str] = set()  # blobs of which a mirror has given a part

    def add_mirror(self, mirror: Store) -> None:
        """Ask this one as well, after those that are known."""
        self._mirrors.append(mirror)

    async def head(self, wanted: str) -> Descriptor:
        """What the repository itself says; for a tag, what it said first."""
        if wanted not in self._heads:
            descriptor = await super().head(wanted)
            if is_digest(wanted):
                return descriptor
            self._heads[wanted] = descriptor
        return self._heads[wanted]

    async def manifest(self, wanted: str, most_bytes: int | None = None) -> Manifest:
        """The manifest of a digest, from whoever has it; of a tag, by the digest that the repository tells.

        Small ones are read once, however many copies of the image need them.
        """
        if wanted in self._kept:
            return self._kept[wanted]
        if is_digest(wanted):
            manifest = await self._by_digest(wanted, most_bytes)
        elif self._mirrors or wanted in self._heads:
            told = await self._told(wanted)
            manifest = await self._by_digest(told.digest, most_bytes, told.media_type)
        else:
            manifest = await super().manifest(wanted, most_bytes)
        if not is_digest(wanted):
            self._heads[wanted] = manifest.descriptor
        if manifest.size <= self._left_bytes:
            self._left_bytes -= manifest.size
            self._kept[wanted] = manifest
        return manifest

    async def _told(self, tag: str) -> Descriptor:
        try:
            return await self.head(tag)
        except Unavailable as error:
            error.hint = error.hint or "its mirrors are asked by digest alone: name one in the source, or use --locked"
            raise

    async def _by_digest(self, digest: str, most_bytes: int | None, media_type: str = "") -> Manifest:
        """The media type is what the manifest says, else the ``media_type`` that the repository has told."""
        for mirror in self._in_turn():
            try:
                with having(longest_wait_s, _LONGEST_WAIT_S):
                    content = (await mirror.manifest(digest, most_bytes)).content
                return parse_manifest(content, media_type, digest=digest)
            except ImagesyncError as error:  # noqa: PERF203
                self._leave_out(mirror, error)
        return await super().manifest(digest, most_bytes)

    async def read_blob(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        """Stream a blob; ContentError where a mirror breaks off: then it comes from the repository the next time."""
        sources = [] if blob.digest in self._only_here else self._in_turn()
        for mirror in sources:
            begun = False
            try:
                async with contextlib.aclosing(mirror.read_blob(blob)) as chunks:
                    while (chunk := await _next(chunks)) is not None:
                        begun = True
                        yield chunk
            except ImagesyncError as error:
                self._leave_out(mirror, error)
                if begun:
                    self._only_here.add(blob.digest)
                    raise ContentError(f"{mirror.name} gave a part of blob {blob.digest}: {error.reason}") from error
            else:
                return
        async with contextlib.aclosing(super().read_blob(blob)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def has_blob(self, blob: Descriptor) -> bool:
        """Whether the repository says so itself: its word is proof that the image may have the blob."""
        try:
            return await super().has_blob(blob)
        except Unavailable:
            if not self._mirrors:
                raise
            return False  # then the bytes are proof enough, from wherever they come

    def _in_turn(self) -> list[Store]:
        return [mirror for mirror in self._mirrors if mirror.name not in self._left_out]

    def _leave_out(self, mirror: Store, error: ImagesyncError) -> None:
        if not isinstance(error, NotFound) and mirror.name not in self._left_out:
            self._left_out.add(mirror.name)
            note(f"{mirror.name} is not read again in this run: {error}")


async def _next(chunks: AsyncGenerator[bytes, None]) -> bytes | None:
    """The next chunk, None at the end. The generator is never ahead of us, so the limit holds for it alone."""
    with having(longest_wait_s, _LONGEST_WAIT_S):
        return await anext(chunks, None)

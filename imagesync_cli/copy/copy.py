"""Copy the content of one image: children before parents, each digest once however often the image names it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING

from imagesync_cli.copy.present import Destination
from imagesync_cli.look.walk import Place, Walk
from imagesync_cli.stores import Store, Written, twice
from imagesync_cli.values.errors import Incomplete
from imagesync_cli.values.manifest import Descriptor, Manifest
from imagesync_cli.values.progress import Progress

if TYPE_CHECKING:
    from imagesync_cli.copy.sync import SyncReport

# Many small blobs at once hide the round trips; a few large ones fill the wire.
_LARGE_BYTES = 64 * 1024 * 1024
_LARGE_AT_ONCE = 4
_SMALL_AT_ONCE = 16


class Copy:
    """One image on its way; ``read_foreign`` gives the bytes of foreign layers, which else are left where they are."""

    def __init__(
        self,
        here: Store,
        destination: Destination,
        report: SyncReport,
        progress: Progress,
        *,
        fresh: bool,
        read_foreign: Callable[[Descriptor], AsyncGenerator[bytes, None]] | None = None,
    ) -> None:
        self.here = here
        self._destination = destination
        self.there = destination.store
        self.report = report
        self.progress = progress
        self._read_foreign = read_foreign
        self._small = asyncio.Semaphore(_SMALL_AT_ONCE)
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)
        # The destination had no such tag: asking it for each child would find nothing.
        self._fresh = fresh
        self.kept: list[Descriptor] = []  # children that the destination had, and that were left as they are
        self._walk = Walk(self._child, self._blob, asks=here)
        self._again = Walk(self._child_again, self._blob_again, asks=here)

    async def __aenter__(self) -> Copy:
        return self

    async def __aexit__(self, *failure: object) -> None:
        """Leave nothing running."""
        await self._walk.__aexit__(*failure)
        await self._again.__aexit__(*failure)

    async def referrer(self, manifest: Manifest) -> bool:
        """A referrer with all that it names; whether the destination lists it by itself."""
        await self.below(manifest)
        return await self.put(manifest)

    async def below(self, manifest: Manifest, at: Place | None = None) -> None:
        """Everything that this manifest names."""
        self.there.warm(len(manifest.blobs) + len(manifest.manifests))
        self.here.warm(len(manifest.manifests) + (len(manifest.blobs) if self._fresh else 0))
        await self._walk.below(manifest, at)

    async def foreign_layers(self, digest: str) -> None:
        """The foreign layers of an image that is there already, whose manifests say which."""

        async def manifest(place: Place) -> None:
            await walk.below(await walk.read(self.there, place), place)

        async def blob(place: Place) -> None:
            if place.target.is_foreign:
                await self.send(place.target)

        async with Walk(manifest, blob, asks=self.there) as walk:
            await walk.visit(Descriptor.of(digest))

    async def _child(self, place: Place) -> None:
        written = await self._destination.manifest(place.digest, lambda: self._write_child(place))
        if not written and not self.report.dry_run:  # there, or brought by another image of the run
            self.kept.append(place.target)

    async def _write_child(self, place: Place) -> bool:
        """Whether it had to be written: False where the destination has it.

        An index may have lost what it lists: without a tag, nothing keeps that from being deleted.
        """
        is_there = not self._fresh and await self.there.has_manifest(place.target)
        if is_there and self.report.dry_run:  # what another image would bring is not there to be looked at
            self.kept.append(place.target)
        if not is_there or place.target.may_be_index:
            manifest = await self._walk.read(self.here, place)
            await self.below(manifest, place)
            if not is_there:
                await self.put(manifest)
        return not is_there

    async def _blob(self, place: Place) -> None:
        if place.target.is_foreign and self._read_foreign is None:
            self.report.foreign += 1
        else:
            await self.send(place.target)

    async def send(self, blob: Descriptor, *, anew: bool = False) -> None:
        """Move a blob unless it is there; ``anew`` although the destination may say that it is."""
        if anew:
            written = await self._write_blob(blob, None, anew=True)
        else:
            written = await self._destination.blob(blob, self.here, lambda sibling: self._write_blob(blob, sibling))
        self.report.blobs[written] += 1
        if blob.is_foreign and written is not Written.THERE:
            self.report.foreign_copied += 1
        if written is Written.SENT:
            self.report.sent_bytes += blob.size
        elif written is Written.MOUNTED:
            self.report.mounted_bytes += blob.size

    async def _write_blob(self, blob: Descriptor, sibling: Store | None, *, anew: bool = False) -> Written:
        """Bring a blob the shortest way; a ``sibling`` on the destination's registry has it."""
        if not self.report.dry_run:
            return await self._transfer(blob, sibling, anew=anew)
        if not anew and await self.there.has_blob(blob):
            return Written.THERE
        return Written.MOUNTED if sibling else Written.SENT

    async def _transfer(self, blob: Descriptor, sibling: Store | None, *, anew: bool) -> Written:
        """Move a blob, a bounded number at once; bytes that arrive wrong are fetched once more, then ContentError."""
        progress, moved_bytes, written = self.progress, 0, None
        read = self._read_foreign if self._read_foreign and blob.is_foreign else self.here.read_blob
        progress.total += 1
        progress.total_bytes += blob.size

        def take_back() -> None:
            nonlocal moved_bytes
            progress.moved_bytes -= moved_bytes
            moved_bytes = 0

        async def content() -> AsyncGenerator[bytes, None]:
            """The bytes, counted as they pass; a try that begins anew takes back what the last one had counted."""
            nonlocal moved_bytes
            take_back()
            async with contextlib.aclosing(read(blob)) as chunks:
                async for chunk in chunks:
                    moved_bytes += len(chunk)
                    progress.moved_bytes += len(chunk)
                    yield chunk

        try:
            async with self._large if blob.size >= _LARGE_BYTES else self._small:
                written = await twice(lambda: self.there.write_blob(blob, content, sibling or self.here, anew=anew))
        finally:
            if written is not Written.SENT:
                take_back()
        if written is not Written.SENT:
            progress.total_bytes -= blob.size
        progress.done += 1
        return written

    async def put(self, manifest: Manifest, tag: str = "") -> bool:
        """Write a manifest; whether the destination lists it by itself among the referrers of its subject."""
        self.report.manifests += 1
        return self.report.dry_run or await self.write(manifest, tag)

    async def write(self, manifest: Manifest, tag: str = "") -> bool:
        """Write a manifest and count it nowhere. What the destination says it misses is sent again, once."""
        try:
            return await self.there.put_manifest(manifest, tag)
        except Incomplete:
            await self._again.below(manifest)
        try:
            return await self.there.put_manifest(manifest, tag)
        except Incomplete as error:
            error.hint = self._advice(manifest) or error.hint
            raise

    def _advice(self, manifest: Manifest) -> str:
        """What may help where a destination misses what it cannot have."""
        if manifest.descriptor.is_index and manifest.blobs:
            return "it takes no index that lists anything but manifests, such as an older build cache"
        if not any(blob.is_foreign for blob in manifest.blobs):
            return ""
        # distribution takes a foreign layer's absence for a fault, too, where it does not allow the layer's URL.
        wants = "" if self._read_foreign else "it may want the foreign layers too, which --foreign-layers copies; "
        return f"{wants}distribution takes them only from URLs that its option validation.manifests.urls allows"

    # What the destination had, or said it had, and has no longer.

    async def look_again(self) -> None:
        """A delete that ran meanwhile may have taken what was there before and so was not written."""
        async with Walk(self._child_again, self._blob_again, asks=self.here) as self._again:
            await self._again.visit(*self.kept)

    async def _child_again(self, place: Place) -> None:
        if not await self.there.has_manifest(place.target):
            manifest = await self._again.read(self.here, place)
            await self._again.below(manifest, place)
            await self.there.put_manifest(manifest)

    async def _blob_again(self, place: Place) -> None:
        blob = place.target
        if (self._read_foreign or not blob.is_foreign) and not await self.there.has_blob(blob):
            await self.send(blob, anew=True)

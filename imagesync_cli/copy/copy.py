"""Copy the content of one image: children before parents, each digest once however often the image names it."""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from imagesync_cli.concurrency import gather, gather_few
from imagesync_cli.copy.present import Destination
from imagesync_cli.copy.sync_report import SyncReport
from imagesync_cli.copy.transfer import Read, Transfers
from imagesync_cli.stores import Store, Written
from imagesync_cli.values.errors import ContentError, Incomplete
from imagesync_cli.values.manifest import MAX_DEPTH, MAX_DESCRIPTORS, Descriptor, Manifest
from imagesync_cli.values.progress import Progress

if TYPE_CHECKING:
    from imagesync_cli.copy.copy_referrers import Attach
    from imagesync_cli.copy.repair import Mend

_AT_ONCE = 64
# What is below an index is in memory at once; a hundred platforms have less than a megabyte of manifests.
_MOST_MANIFEST_BYTES = 16 * 1024 * 1024


class Copy:
    """One image on its way. Each digest is copied once, however often the image names it."""

    def __init__(
        self,
        here: Store,
        destination: Destination,
        report: SyncReport,
        progress: Progress,
        *,
        fresh: bool,
        read_foreign: Read | None = None,
    ) -> None:
        """``read_foreign`` gives the bytes of foreign layers; without it they are left where they are."""
        self.here = here
        self._destination = destination
        self.there = there = destination.store
        self.report = report
        self.progress = progress
        self._transfers = Transfers(here, there, progress)
        self._foreign = Transfers(here, there, progress, read_foreign) if read_foreign else None
        # The destination had no such tag: asking it for each child would find nothing.
        self._fresh = fresh
        self.found: list[Descriptor] = []  # children that the destination had, and that were left as they are
        self._once: dict[str, asyncio.Task[None]] = {}
        self._restored: dict[str, asyncio.Task[None]] = {}
        self._manifest_bytes = 0

    async def __aenter__(self) -> Copy:
        return self

    async def __aexit__(self, *failure: object) -> None:
        """Leave nothing running."""
        tasks = [*self._once.values(), *self._restored.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def image(
        self,
        root: Manifest,
        tag: str,
        *,
        in_place: bool = False,
        mend: Mend | None = None,
        attach: Attach | None = None,
    ) -> None:
        """Everything below the root, then the root under its tag; ``in_place``, the repository has it all already.

        ``mend`` looks at all that is below the root before the tag is there. ``attach`` brings what belongs to the
        image besides, before the tag too, and once more after that: by then somebody else may have taken what it found.
        """
        if not in_place:
            await self.below(root)
        if mend is not None:
            await mend.below(root)
        if attach is not None:
            await self._put_early(root)
            await attach.complete()
        await self.put(root, tag)
        # A delete that ran meanwhile may have taken what was found here and so was not written.
        self._restored.clear()
        await gather(self._restore_child(child) for child in self.found)
        if attach is not None:
            await attach.complete()

    async def attached(self, manifest: Manifest) -> bool:
        """A referrer with all that it names; whether the destination lists it by itself."""
        await self.below(manifest)
        return await self.put(manifest)

    async def below(self, manifest: Manifest) -> None:
        """Everything that this manifest names."""
        await self._below(manifest, 0)

    async def foreign_layers(self, digest: str) -> None:
        """The foreign layers of an image that is there already, whose manifests say which."""
        manifest = await self.there.manifest(digest)
        await gather(self.send(blob) for blob in dict.fromkeys(manifest.blobs) if blob.is_foreign)
        for child in manifest.manifests:
            await self.foreign_layers(child.digest)

    async def _put_early(self, root: Manifest) -> None:
        """The root without its tag, for registries that take no referrer before its subject (GitLab once did not)."""
        if not self.report.dry_run:
            await self._put(root)

    async def _below(self, manifest: Manifest, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise ContentError(f"{manifest.digest} lies more than {MAX_DEPTH} indexes deep")
        self.there.warm(len(manifest.blobs) + len(manifest.manifests))
        self.here.warm(len(manifest.manifests) + (len(manifest.blobs) if self._fresh else 0))
        blobs = (self._task(blob, functools.partial(self.send, blob)) for blob in self._own_blobs(manifest))
        children = (self._task(child, functools.partial(self._child, child, depth + 1)) for child in manifest.manifests)
        # Not all at once: each costs memory from when it begins, and more than this never run.
        at_once = min(_AT_ONCE, len(manifest.blobs) + len(manifest.manifests))
        await gather_few(at_once, itertools.chain(blobs, children))

    def _own_blobs(self, manifest: Manifest) -> Iterable[Descriptor]:
        for blob in manifest.blobs:
            if blob.is_foreign and self._foreign is None:
                self.report.foreign += 1
            else:
                yield blob

    def _task(self, target: Descriptor, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        if target.digest not in self._once:
            self._once[target.digest] = asyncio.create_task(work())
        if len(self._once) > MAX_DESCRIPTORS:
            raise ContentError(f"the image names more than {MAX_DESCRIPTORS} manifests and blobs")
        return self._once[target.digest]

    async def _child(self, child: Descriptor, depth: int) -> None:
        if not await self._destination.manifest(child.digest, lambda: self._write_child(child, depth)):
            self.found.append(child)

    async def _write_child(self, child: Descriptor, depth: int) -> bool:
        """Whether it had to be written: False where the destination has it."""
        if not self._fresh and await self.there.has_manifest(child):
            return False
        self._manifest_bytes += child.size
        if self._manifest_bytes > _MOST_MANIFEST_BYTES:
            raise ContentError(f"the image names more than {_MOST_MANIFEST_BYTES} bytes of manifests")
        manifest = await self.here.manifest(child.digest)
        if manifest.size != child.size:
            raise ContentError(f"{child.digest} has {manifest.size} bytes, its descriptor says {child.size}")
        await self._below(manifest, depth)
        await self.put(manifest)
        return True

    async def send(self, blob: Descriptor, *, anew: bool = False) -> None:
        """Move a blob unless it is there; ``anew`` although the destination may say that it is."""
        if anew:
            written = Written.SENT if self.report.dry_run else await self._moving(blob).transfer(blob, anew=True)
        else:
            written = await self._destination.blob(blob.digest, lambda sibling: self._write_blob(blob, sibling))
        self.report.blobs[written] += 1
        if blob.is_foreign and written is not Written.THERE:
            self.report.foreign_copied += 1
        if written is Written.SENT:
            self.report.sent_bytes += blob.size
        elif written is Written.MOUNTED:
            self.report.mounted_bytes += blob.size

    async def _write_blob(self, blob: Descriptor, sibling: Store | None) -> Written:
        if not self.report.dry_run:
            return await self._moving(blob).transfer(blob, sibling)
        if await self.there.has_blob(blob):
            return Written.THERE
        return Written.MOUNTED if sibling else Written.SENT

    def _moving(self, blob: Descriptor) -> Transfers:
        return self._foreign if self._foreign is not None and blob.is_foreign else self._transfers

    async def put(self, manifest: Manifest, tag: str = "") -> bool:
        """Write a manifest; whether the destination lists it by itself among the referrers of its subject."""
        self.report.manifests += 1
        return self.report.dry_run or await self._put(manifest, tag)

    async def _put(self, manifest: Manifest, tag: str = "") -> bool:
        """What the destination says it misses is sent again, once."""
        try:
            return await self.there.put_manifest(manifest, tag)
        except Incomplete:
            await self._restore(manifest)
            return await self._put_again(manifest, tag)

    async def _put_again(self, manifest: Manifest, tag: str) -> bool:
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
        wants = "" if self._foreign else "it may want the foreign layers too, which --foreign-layers copies; "
        return f"{wants}distribution takes them only from URLs that its option validation.manifests.urls allows"

    async def _restore(self, manifest: Manifest) -> None:
        """Send again what the destination had, or said it had, and has no longer."""
        for blob in manifest.blobs:
            if (self._foreign or not blob.is_foreign) and not await self.there.has_blob(blob):
                await self.send(blob, anew=True)
        await gather(self._restore_child(child) for child in manifest.manifests)

    async def _restore_child(self, child: Descriptor) -> None:
        """Once each, or an index of indexes that name the same ones would multiply."""
        if child.digest not in self._restored:
            self._restored[child.digest] = asyncio.create_task(self._restore_whole(child))
        await asyncio.shield(self._restored[child.digest])

    async def _restore_whole(self, child: Descriptor) -> None:
        if not await self.there.has_manifest(child):
            manifest = await self.here.manifest(child.digest)
            await self._restore(manifest)
            await self.there.put_manifest(manifest)

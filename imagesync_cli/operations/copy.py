"""Copy the content of one image: children before parents, each digest once however often the image names it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

from imagesync_cli.errors import ContentError, ImagesyncError
from imagesync_cli.gather import gather
from imagesync_cli.manifest import MAX_DEPTH, Descriptor, Manifest
from imagesync_cli.operations.inspect import Findings, Inspection
from imagesync_cli.operations.progress import Progress
from imagesync_cli.operations.shared import Destination
from imagesync_cli.operations.sync_report import SyncReport
from imagesync_cli.operations.transfer import Transfers
from imagesync_cli.stores import Store, Written

_MOST_DESCRIPTORS = 10_000
# What registries call a manifest that names something they do not have.
_MISSING = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"})
# distribution 2.8 and 3 take a blob that they have a file for, answer 201, and keep that file as it is. A file that is
# gone they write again.
_KEPT = (
    "the registry took the right bytes and kept the wrong ones: remove that file from its storage, or delete every "
    "image that uses it and collect the registry's garbage, then sync again"
)


@dataclass(frozen=True)
class Verify:
    """What the destination has is looked at and mended, not trusted; ``read`` hashes its blobs too."""

    read: bool = False


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
        verify: Verify | None = None,
    ) -> None:
        self._here = here
        self._destination = destination
        self._there = there = destination.store
        self._report = report
        self._progress = progress
        self._verify = verify
        self._transfers = Transfers(here, there, progress)
        # The destination had no such tag: asking it for each child would find nothing.
        self._fresh = fresh
        self._found: list[Descriptor] = []
        self._once: dict[str, asyncio.Task[None]] = {}

    async def image(self, root: Manifest, tag: str) -> None:
        """Everything below the root, then the root under its tag."""
        try:
            await self._below(root, 0)
            await self.mend_below(root)
            await self.put(root, tag)
            # A delete that ran meanwhile may have taken what was found here and so was not written.
            await gather(self._restore_child(child) for child in self._found)
        finally:
            for task in self._once.values():
                task.cancel()
            await asyncio.gather(*self._once.values(), return_exceptions=True)

    async def _below(self, manifest: Manifest, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise ContentError(f"{manifest.digest} lies more than {MAX_DEPTH} indexes deep")
        self._there.warm(len(manifest.blobs) + len(manifest.manifests))
        self._here.warm(len(manifest.manifests) + (len(manifest.blobs) if self._fresh else 0))
        blobs = [self._task(blob, self._blob(blob)) for blob in self._own_blobs(manifest)]
        children = [self._task(child, self._child(child, depth + 1)) for child in manifest.manifests]
        await asyncio.gather(*blobs, *children)

    def _own_blobs(self, manifest: Manifest) -> Iterable[Descriptor]:
        for blob in manifest.blobs:
            if blob.is_foreign:
                self._report.foreign += 1
            else:
                yield blob

    def _task(self, target: Descriptor, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        if target.digest in self._once:
            work.close()
        else:
            self._once[target.digest] = asyncio.create_task(work)
        if len(self._once) > _MOST_DESCRIPTORS:
            raise ContentError(f"the image names more than {_MOST_DESCRIPTORS} manifests and blobs")
        return self._once[target.digest]

    async def _child(self, child: Descriptor, depth: int) -> None:
        if not await self._destination.manifest(child.digest, lambda: self._write_child(child, depth)):
            self._found.append(child)

    async def _write_child(self, child: Descriptor, depth: int) -> bool:
        """Whether it had to be written: False where the destination has it."""
        if not self._fresh and await self._there.has_manifest(child):
            return False
        manifest = await self._here.manifest(child.digest)
        await self._below(manifest, depth)
        await self.put(manifest)
        return True

    async def _blob(self, blob: Descriptor, *, anew: bool = False) -> None:
        if anew:
            written = Written.SENT if self._report.dry_run else await self._transfers.transfer(blob, anew=True)
        else:
            written = await self._destination.blob(blob.digest, lambda sibling: self._write_blob(blob, sibling))
        self._report.blobs[written] += 1
        if written is Written.SENT:
            self._report.sent_bytes += blob.size
        elif written is Written.MOUNTED:
            self._report.mounted_bytes += blob.size

    async def _write_blob(self, blob: Descriptor, sibling: Store | None) -> Written:
        if not self._report.dry_run:
            return await self._transfers.transfer(blob, sibling)
        if await self._there.has_blob(blob):
            return Written.THERE
        return Written.MOUNTED if sibling else Written.SENT

    async def put(self, manifest: Manifest, tag: str = "") -> None:
        """Write a manifest; what the destination says it misses is sent again, once."""
        self._report.manifests += 1
        if self._report.dry_run:
            return
        try:
            await self._there.put_manifest(manifest, tag)
        except ImagesyncError as error:
            if not error.codes & _MISSING:
                raise
            await self._restore(manifest)
            await self._there.put_manifest(manifest, tag)

    async def mend(self, root: Descriptor, known: Manifest | None) -> None:
        """Look at an image that the destination has, and send anew what it lacks or holds wrongly.

        ``known`` is its root where that has been made here, and so cannot be read at the source.
        Raises ContentError if the destination keeps the damage.
        """
        if await self._send_again(await self._inspection(known).images(root)):
            self._check_mended(await self._inspection(known).images(root))

    async def mend_below(self, root: Manifest) -> None:
        """The same, if it is to be verified, for what is below an image that has no tag yet.

        A dry run has put nothing there to look at; it looks at what it would have left as it was.
        """
        if self._verify is None:
            return
        if self._report.dry_run:
            await self._send_again(await self._inspection().images(*self._found))
        elif await self._send_again(await self._inspection().below(root)):
            self._check_mended(await self._inspection().below(root))

    def _inspection(self, known: Manifest | None = None) -> Inspection:
        read = self._verify is not None and self._verify.read
        return Inspection(self._there, self._progress, read=read, origin=self._here, known=known)

    async def _send_again(self, found: Findings) -> bool:
        """Send what is lost; gives whether there is reason to look again."""
        self._report.damage += found.problems
        await gather(self._blob(blob, anew=True) for blob in found.lost_blobs)
        await gather(self.put(manifest) for manifest in found.lost_manifests if not manifest.manifests)
        for index in found.lost_manifests:
            if index.manifests:
                await self.put(index)
        return bool(found.problems) and not self._report.dry_run

    def _check_mended(self, found: Findings) -> None:
        if found.problems:
            worst = found.problems[0]
            raise ContentError(
                f"{self._there.name} is damaged even after it was sent again: {worst} ({worst.why})",
                hint="" if worst.kind == "missing" else _KEPT,
            )

    async def _restore(self, manifest: Manifest) -> None:
        """Send again what the destination had, or said it had, and has no longer."""
        for blob in manifest.blobs:
            if not blob.is_foreign and not await self._there.has_blob(blob):
                await self._blob(blob, anew=True)
        await gather(self._restore_child(child) for child in manifest.manifests)

    async def _restore_child(self, child: Descriptor) -> None:
        if not await self._there.has_manifest(child):
            manifest = await self._here.manifest(child.digest)
            await self._restore(manifest)
            await self._there.put_manifest(manifest)

"""Copy the content of one image: children before parents, each digest once however often the image names it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

from imagesync_cli.errors import ContentError, ImagesyncError
from imagesync_cli.gather import gather
from imagesync_cli.manifest import MAX_DEPTH, Descriptor, Manifest
from imagesync_cli.operations.inspect import Findings, Inspection
from imagesync_cli.operations.progress import Progress
from imagesync_cli.operations.sync_report import SyncReport
from imagesync_cli.operations.transfer import Transfers
from imagesync_cli.stores import Store, Written

_MOST_DESCRIPTORS = 10_000
# What registries call a manifest that names something they do not have.
MISSING = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"})
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
        there: Store,
        report: SyncReport,
        progress: Progress,
        *,
        fresh: bool,
        verify: Verify | None = None,
    ) -> None:
        self.here = here
        self.there = there
        self.report = report
        self._progress = progress
        self._verify = verify
        self._transfers = Transfers(here, there, progress)
        # The destination had no such tag: asking it for each child would find nothing.
        self._fresh = fresh
        self._found: list[Descriptor] = []
        self._once: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Copy:
        return self

    async def __aexit__(self, *failure: object) -> None:
        """Leave nothing running."""
        for task in self._once.values():
            task.cancel()
        await asyncio.gather(*self._once.values(), return_exceptions=True)

    async def image(self, root: Manifest, tag: str, attach: Callable[[], Awaitable[None]] | None = None) -> None:
        """Everything below the root, then the root under its tag.

        ``attach`` brings what belongs to the image besides. It is called before the tag is there, and once more after
        that: by then somebody else may have taken what it found.
        """
        await self._below(root, 0)
        await self.mend_below(root)
        if attach is not None:
            await self._put_early(root)
            await attach()
        await self.put(root, tag)
        # A delete that ran meanwhile may have taken what was found here and so was not written.
        await gather(self._restore_child(child) for child in self._found)
        if attach is not None:
            await attach()

    async def attached(self, manifest: Manifest) -> bool:
        """A referrer with all that it names; whether the destination lists it by itself."""
        await self.below(manifest)
        return await self.put(manifest)

    async def below(self, manifest: Manifest) -> None:
        """Everything that this manifest names."""
        await self._below(manifest, 0)

    async def _put_early(self, root: Manifest) -> None:
        """The root without its tag, for registries that take no referrer before its subject (GitLab once did not)."""
        if not self.report.dry_run:
            await self._put(root)

    async def _below(self, manifest: Manifest, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise ContentError(f"{manifest.digest} lies more than {MAX_DEPTH} indexes deep")
        self.there.warm(len(manifest.blobs) + len(manifest.manifests))
        self.here.warm(len(manifest.manifests) + (len(manifest.blobs) if self._fresh else 0))
        blobs = [self._task(blob, self._blob(blob)) for blob in self._own_blobs(manifest)]
        children = [self._task(child, self._child(child, depth + 1)) for child in manifest.manifests]
        await asyncio.gather(*blobs, *children)

    def _own_blobs(self, manifest: Manifest) -> Iterable[Descriptor]:
        for blob in manifest.blobs:
            if blob.is_foreign:
                self.report.foreign += 1
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
        if not self._fresh and await self.there.has_manifest(child):
            self._found.append(child)
            return
        manifest = await self.here.manifest(child.digest)
        await self._below(manifest, depth)
        await self.put(manifest)

    async def _blob(self, blob: Descriptor, *, anew: bool = False) -> None:
        if self.report.dry_run:
            written = Written.THERE if not anew and await self.there.has_blob(blob) else Written.SENT
        else:
            written = await self._transfers.transfer(blob, anew=anew)
        self.report.blobs[written] += 1
        if written is Written.SENT:
            self.report.sent_bytes += blob.size

    async def put(self, manifest: Manifest, tag: str = "") -> bool:
        """Write a manifest; whether the destination lists it by itself among the referrers of its subject."""
        self.report.manifests += 1
        return self.report.dry_run or await self._put(manifest, tag)

    async def _put(self, manifest: Manifest, tag: str = "") -> bool:
        """What the destination says it misses is sent again, once."""
        try:
            return await self.there.put_manifest(manifest, tag)
        except ImagesyncError as error:
            if not error.codes & MISSING:
                raise
            await self._restore(manifest)
            return await self.there.put_manifest(manifest, tag)

    async def mend(self, known: Manifest | None, *roots: Descriptor) -> None:
        """Look at images that the destination has, and send anew what it lacks or holds wrongly.

        ``known`` is the root where that has been made here, and so cannot be read at the source.
        Raises ContentError if the destination keeps the damage.
        """
        if await self._send_again(await self._inspection(known).images(*roots)):
            self._check_mended(await self._inspection(known).images(*roots))

    async def mend_below(self, root: Manifest) -> None:
        """The same, if it is to be verified, for what is below an image that has no tag yet.

        A dry run has put nothing there to look at; it looks at what it would have left as it was.
        """
        if self._verify is None:
            return
        if self.report.dry_run:
            await self._send_again(await self._inspection().images(*self._found))
        elif await self._send_again(await self._inspection().below(root)):
            self._check_mended(await self._inspection().below(root))

    def _inspection(self, known: Manifest | None = None) -> Inspection:
        read = self._verify is not None and self._verify.read
        return Inspection(self.there, self._progress, read=read, origin=self.here, known=known)

    async def _send_again(self, found: Findings) -> bool:
        """Send what is lost; gives whether there is reason to look again."""
        self.report.damage += found.problems
        await gather(self._blob(blob, anew=True) for blob in found.lost_blobs)
        await gather(self.put(manifest) for manifest in found.lost_manifests if not manifest.manifests)
        for index in found.lost_manifests:
            if index.manifests:
                await self.put(index)
        return bool(found.problems) and not self.report.dry_run

    def _check_mended(self, found: Findings) -> None:
        if found.problems:
            worst = found.problems[0]
            raise ContentError(
                f"{self.there.name} is damaged even after it was sent again: {worst} ({worst.why})",
                hint="" if worst.kind == "missing" else _KEPT,
            )

    async def _restore(self, manifest: Manifest) -> None:
        """Send again what the destination had, or said it had, and has no longer."""
        for blob in manifest.blobs:
            if not blob.is_foreign and not await self.there.has_blob(blob):
                await self._blob(blob, anew=True)
        await gather(self._restore_child(child) for child in manifest.manifests)

    async def _restore_child(self, child: Descriptor) -> None:
        if not await self.there.has_manifest(child):
            manifest = await self.here.manifest(child.digest)
            await self._restore(manifest)
            await self.there.put_manifest(manifest)

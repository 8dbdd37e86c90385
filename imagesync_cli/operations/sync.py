"""Copy an image whole: every platform, every other manifest in the index, byte for byte.

1. HEAD the destination; HEAD the source if there is something to compare. Equal: done.
2. Children before parents: a manifest is written when all that it names is there.
3. The tag comes last, so the destination is at every moment the old image or the new one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from imagesync_cli.errors import ContentError, ImagesyncError, NotFound, UsageError
from imagesync_cli.gather import gather
from imagesync_cli.manifest import Descriptor, Manifest
from imagesync_cli.operations.progress import Progress
from imagesync_cli.operations.transfer import Transfers
from imagesync_cli.reference import Reference
from imagesync_cli.stores import Access, Side, Store, Stores, Written

_DEEPEST = 16
# A config and a layer: what even a small image uploads, and connecting takes as long as reading its manifest.
_LIKELY_UPLOADS = 2
_MOST_DESCRIPTORS = 10_000
# What registries call a manifest that names something they do not have.
_MISSING = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"})


@dataclass
class SyncReport:
    """What a sync did, or with ``dry_run`` would do; sizes in bytes."""

    source: str
    destination: str
    id: str
    digest: str
    before: str  # the digest the destination's tag pointed at, "" for none
    changed: bool
    dry_run: bool
    manifests: int = 0
    blobs: Counter[Written] = field(default_factory=Counter)
    sent_bytes: int = 0
    foreign: int = 0


async def sync(
    stores: Stores,
    source: Reference,
    destination: Reference,
    *,
    digest: str = "",
    dry_run: bool = False,
    progress: Progress | None = None,
) -> SyncReport:
    """Make the destination's tag point at the source's image; ``digest`` copies that one wherever the tag is now.

    Raises UsageError for a destination by digest; every other error names the side and the step.
    """
    if destination.digest:
        raise UsageError(f"destination {destination} is given by digest", hint="a destination takes a tag")
    if digest and source.digest not in ("", digest):
        raise UsageError(f"source {source} and --digest {digest} name two images", hint="leave one of them out")
    wanted, tag = digest or source.wanted, destination.tag or "latest"
    here = stores.open(source)
    there = stores.open(destination, Access.READ if dry_run else Access.WRITE, Side.DESTINATION)
    here.warm(1)
    before = await _current(there, tag)
    if before and not digest and not source.digest:
        wanted = (await here.head(wanted)).digest
    changed = not before or before != wanted  # wanted may be "" too: the only image of a layout
    report = SyncReport(str(source), str(destination), "", wanted, before, changed=changed, dry_run=dry_run)
    if report.changed:
        copy = _Copy(here, there, report, progress or Progress(), fresh=not before)
        there.warm(_LIKELY_UPLOADS)
        root = await here.manifest(wanted)
        report.digest = root.digest
        if source.location == destination.location:
            await copy.put(root, tag)
        else:
            await copy.image(root, tag)
    report.id = f"{destination.name}@{report.digest}"
    return report


async def _current(store: Store, tag: str) -> str:
    """The digest that the tag points at now, "" if there is none."""
    try:
        return (await store.head(tag)).digest
    except NotFound:
        return ""


class _Copy:
    """One image on its way. Each digest is copied once, however often the image names it."""

    def __init__(self, here: Store, there: Store, report: SyncReport, progress: Progress, *, fresh: bool) -> None:
        self._here = here
        self._there = there
        self._report = report
        self._transfers = Transfers(here, there, progress)
        # The destination had no such tag: asking it for each child would find nothing.
        self._fresh = fresh
        self._found: list[Descriptor] = []
        self._once: dict[str, asyncio.Task[None]] = {}

    async def image(self, root: Manifest, tag: str) -> None:
        """Everything below the root, then the root under its tag."""
        try:
            await self._below(root, 0)
            await self.put(root, tag)
            # A delete that ran meanwhile may have taken what was found here and so was not written.
            await gather(self._restore_child(child) for child in self._found)
        finally:
            for task in self._once.values():
                task.cancel()
            await asyncio.gather(*self._once.values(), return_exceptions=True)

    async def _below(self, manifest: Manifest, depth: int) -> None:
        if depth > _DEEPEST:
            raise ContentError(f"{manifest.digest} lies more than {_DEEPEST} indexes deep")
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
        if not self._fresh and await self._there.has_manifest(child):
            self._found.append(child)
            return
        manifest = await self._here.manifest(child.digest)
        await self._below(manifest, depth)
        await self.put(manifest)

    async def _blob(self, blob: Descriptor, *, anew: bool = False) -> None:
        if self._report.dry_run:
            written = Written.THERE if await self._there.has_blob(blob) else Written.SENT
        else:
            written = await self._transfers.transfer(blob, anew=anew)
        self._report.blobs[written] += 1
        if written is Written.SENT:
            self._report.sent_bytes += blob.size

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

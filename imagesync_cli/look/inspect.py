"""Look whether a store holds an image whole. Nothing is written.

Every manifest below the image is read by its digest, so its bytes are checked; every blob is asked for its size, or
read and hashed. Many at once, each digest once, however often the image names it.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from imagesync_cli.concurrency import within
from imagesync_cli.look.walk import MOST_BYTES, Place, Walk
from imagesync_cli.stores import Store, Stores
from imagesync_cli.values.errors import ContentError, ImagesyncError, NotFound, Unavailable
from imagesync_cli.values.manifest import Descriptor, Manifest
from imagesync_cli.values.progress import Progress

if TYPE_CHECKING:
    from imagesync_cli.look.resolve import Resolved

_READ_AT_ONCE = 16
_MOST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Problem:
    """One digest that a store should hold, and does not as it should.

    ``kind`` is missing, wrong or unreadable; ``what`` is manifest or blob; ``parent`` is the digest of the manifest
    that names it first, "" for the image itself; ``platform`` is what it belongs to, "" where no index says.
    """

    kind: str
    what: str
    digest: str
    parent: str
    platform: str
    why: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what} {self.digest}{f' of {self.platform}' if self.platform else ''}"


@dataclass(frozen=True)
class Findings:
    """How many manifests and blobs were looked at, and what is wrong: children before what names them.

    ``lost_blobs`` and ``lost_manifests`` are the same problems, as what has to be sent for them.
    """

    manifests: int = 0
    blobs: int = 0
    problems: tuple[Problem, ...] = ()
    lost_blobs: tuple[Descriptor, ...] = field(default=(), repr=False)
    lost_manifests: tuple[Manifest, ...] = field(default=(), repr=False)


@dataclass
class Inspection:
    """One look at one image. ``read`` hashes every blob; with ``origin``, manifests that are lost are read from there.

    Without an origin, what lies below a lost manifest is not known and not looked at. ``known`` need not be read.
    """

    store: Store
    progress: Progress | None = None
    read: bool = False
    origin: Store | None = None
    known: Manifest | None = None

    def __post_init__(self) -> None:
        self._progress = self.progress or Progress()
        self._reading = asyncio.Semaphore(_READ_AT_ONCE)
        # What is lost is held until it is sent; all else is let go of at once.
        most_bytes = MOST_BYTES if self.origin else _MOST_BYTES
        self._walk = Walk(self._manifest, self._blob, most_bytes=most_bytes, asks=self.origin or self.store)
        self._faults: dict[str, tuple[str, str]] = {}  # by Place.key, as what is lost
        self._lost: dict[str, Manifest] = {}

    async def images(self, *roots: Descriptor) -> Findings:
        """Look at these manifests and everything below them.

        Raises ContentError for an image without end, and Unavailable where the store does not answer.
        """
        async with self._walk:
            await self._walk.visit(*roots)
        return self._findings()

    async def below(self, root: Manifest) -> Findings:
        """Look at everything below this manifest, which itself need not be there."""
        async with self._walk:
            await self._walk.below(root)
        return self._findings()

    async def _manifest(self, place: Place) -> None:
        manifest = await self._manifest_at(place)
        if manifest is not None:
            self.store.warm(len(manifest.blobs) + len(manifest.manifests))
            below = self._walk.below(manifest, place)
            del manifest
            await below

    async def _manifest_at(self, place: Place) -> Manifest | None:
        try:
            return await self._walk.read(self.store, place)
        except ImagesyncError as error:
            self._walk.check_bytes()
            self._faults[place.key] = _fault(error)
        if self.origin is None:
            return None
        is_known = self.known is not None and self.known.digest == place.digest
        lost = self.known if is_known else await self._walk.read(self.origin, place)
        if lost is not None:
            self._lost[place.key] = lost
        return lost

    async def _blob(self, place: Place) -> None:
        blob = place.target
        if blob.is_foreign:
            return
        self._progress.total += 1
        try:
            if self.read and blob.size:
                try:
                    await self._hash(blob)
                except ContentError:  # on the way here, perhaps, and not in the store
                    await self._hash(blob)
            elif (size := await self.store.blob_size(blob)) not in (None, blob.size):
                raise ContentError(f"it has {size} bytes, its descriptor says {blob.size}")
        except ImagesyncError as error:
            self._faults[place.key] = _fault(error)
        self._progress.done += 1

    async def _hash(self, blob: Descriptor) -> None:
        self._progress.total_bytes += blob.size
        async with self._reading, contextlib.aclosing(self.store.read_blob(blob)) as chunks:
            async for chunk in chunks:
                self._progress.moved_bytes += len(chunk)

    def _findings(self) -> Findings:
        places = self._walk.places.values()
        bad = [place for place in places if place.key in self._faults]
        bad.sort(key=lambda place: (-len(place.order), place.order))
        blobs = sum(place.is_blob and not place.target.is_foreign for place in places)
        return Findings(
            sum(not place.is_blob for place in places),
            blobs,
            tuple(_problem(place, *self._faults[place.key]) for place in bad),
            tuple(place.target for place in bad if place.is_blob),
            tuple(self._lost[place.key] for place in bad if place.key in self._lost),
        )


async def inspect_within(deadline_s: float, stores: Stores, resolved: Resolved) -> Findings:
    """Look at the image that was resolved, and at what is attached to it if that was asked for.

    Unavailable if that takes longer.
    """
    reference, attached = resolved.reference, resolved.attached.referrers if resolved.attached else []
    roots = [Descriptor.of(resolved.source_digest), *(each.target for each in attached)]
    said = f"looking at all of {reference}: no end within the time that is left"
    late = Unavailable(said, hint="it has many parts; see IMAGESYNC_TIMEOUT")
    return await within(deadline_s, Inspection(stores.open(reference)).images(*roots), late)


def _problem(place: Place, kind: str, why: str) -> Problem:
    return Problem(kind, "blob" if place.is_blob else "manifest", place.digest, place.parent, place.platform, why)


def _fault(error: ImagesyncError) -> tuple[str, str]:
    """The kind of problem and why. A store that gives no answer is not a problem of the image: that is raised again."""
    # distribution 2.8 and 3 answer 500, for ever, where a manifest's file is cut short.
    if isinstance(error, Unavailable) and not error.is_fault:
        raise error
    kind = "missing" if isinstance(error, NotFound) else "wrong" if isinstance(error, ContentError) else "unreadable"
    return kind, error.reason

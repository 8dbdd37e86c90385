"""Look whether a store holds an image whole. Nothing is written.

Every manifest below the image is read by its digest, so its bytes are checked; every blob is asked for its size, or
read and hashed. Many at once, each digest once, however often the image names it.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from imagesync_cli.concurrency import gather_few, within
from imagesync_cli.stores import Store, Stores
from imagesync_cli.values.errors import ContentError, ImagesyncError, NotFound, Unavailable
from imagesync_cli.values.manifest import MAX_DEPTH, MAX_DESCRIPTORS, Descriptor, Manifest
from imagesync_cli.values.progress import Progress

if TYPE_CHECKING:
    from imagesync_cli.look.resolve import Resolved

_AT_ONCE = 64
_READ_AT_ONCE = 16


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


@dataclass(frozen=True)
class _Place:
    """Where an image names a digest; ``order`` is the way there, by position in each manifest."""

    target: Descriptor
    what: str
    parent: str = ""
    platform: str = ""
    order: tuple[int, ...] = ()


class Inspection:
    """One look at one image. ``read`` hashes every blob; with ``origin``, manifests that are lost are read from there.

    Without an origin, what lies below a lost manifest is not known and not looked at. ``known`` need not be read.
    """

    def __init__(
        self,
        store: Store,
        progress: Progress | None = None,
        *,
        read: bool = False,
        origin: Store | None = None,
        known: Manifest | None = None,
    ) -> None:
        self._store = store
        self._progress = progress or Progress()
        self._read = read
        self._origin = origin
        self._known = known
        self._reading = asyncio.Semaphore(_READ_AT_ONCE)
        self._once: dict[str, asyncio.Task[None]] = {}
        self._places: dict[str, _Place] = {}
        self._faults: dict[str, tuple[str, str]] = {}
        self._lost: dict[str, Manifest] = {}

    async def images(self, *roots: Descriptor) -> Findings:
        """Look at these manifests and everything below them.

        Raises ContentError for an image without end, and Unavailable where the store does not answer.
        """
        return await self._found([_Place(root, "manifest", order=(number,)) for number, root in enumerate(roots)])

    async def below(self, root: Manifest) -> Findings:
        """Look at everything below this manifest, which itself need not be there."""
        return await self._found(_named(root, _Place(root.descriptor, "manifest", order=(0,))))

    async def _found(self, places: list[_Place]) -> Findings:
        try:
            await self._all(places)
        finally:
            for task in self._once.values():
                task.cancel()
            await asyncio.gather(*self._once.values(), return_exceptions=True)
        return self._findings()

    async def _all(self, places: list[_Place]) -> None:
        self._store.warm(len(places))
        for place in places:
            self._note(place)
        # Not all at once: each costs memory from when it begins, and more than this never run.
        looks = (self._task(place) for place in places if not self._is_done(place))
        await gather_few(min(_AT_ONCE, len(places)), looks)

    def _note(self, place: _Place) -> None:
        """Keep the first place of a digest. Answers come in any order; what is said of them does not depend on it."""
        digest = place.target.digest
        self._places[digest] = min(place, self._places.get(digest, place), key=lambda each: each.order)
        if len(self._places) > MAX_DESCRIPTORS:
            raise ContentError(f"the image names more than {MAX_DESCRIPTORS} manifests and blobs")

    def _is_done(self, place: _Place) -> bool:
        digest = place.target.digest
        return digest in self._once and self._once[digest].done()

    def _task(self, place: _Place) -> asyncio.Task[None]:
        digest = place.target.digest
        if digest not in self._once:
            look = self._manifest if place.what == "manifest" else self._blob
            self._once[digest] = asyncio.create_task(look(place))
        return self._once[digest]

    async def _manifest(self, place: _Place) -> None:
        await self._all(await self._below(place))

    async def _below(self, place: _Place) -> list[_Place]:
        """What this manifest names; its bytes are let go of unless somebody will have to send them."""
        digest = place.target.digest
        if len(place.order) > MAX_DEPTH + 1:
            raise ContentError(f"{digest} lies more than {MAX_DEPTH} indexes deep")
        try:
            return _named(await self._store.manifest(digest), place)
        except ImagesyncError as error:
            self._faults[digest] = _fault(error)
        if self._origin is None:
            return []
        lost = self._known if self._known and self._known.digest == digest else await self._origin.manifest(digest)
        self._lost[digest] = lost
        return _named(lost, place)

    async def _blob(self, place: _Place) -> None:
        blob = place.target
        self._progress.total += 1
        try:
            if self._read and blob.size:
                try:
                    await self._hash(blob)
                except ContentError:  # on the way here, perhaps, and not in the store
                    await self._hash(blob)
            elif (size := await self._store.blob_size(blob)) not in (None, blob.size):
                raise ContentError(f"it has {size} bytes, its descriptor says {blob.size}")
        except ImagesyncError as error:
            self._faults[blob.digest] = _fault(error)
        self._progress.advance()

    async def _hash(self, blob: Descriptor) -> None:
        self._progress.total_bytes += blob.size
        async with self._reading, contextlib.aclosing(self._store.read_blob(blob)) as chunks:
            async for chunk in chunks:
                self._progress.moved_bytes += len(chunk)

    def _findings(self) -> Findings:
        whats = [place.what for place in self._places.values()]
        bad = [place for digest, place in self._places.items() if digest in self._faults]
        bad.sort(key=lambda place: (-len(place.order), place.order))
        return Findings(
            whats.count("manifest"),
            whats.count("blob"),
            tuple(self._problem(place) for place in bad),
            tuple(place.target for place in bad if place.what == "blob"),
            tuple(self._lost[place.target.digest] for place in bad if place.target.digest in self._lost),
        )

    def _problem(self, place: _Place) -> Problem:
        kind, why = self._faults[place.target.digest]
        return Problem(kind, place.what, place.target.digest, place.parent, place.platform, why)


async def inspect_within(deadline_s: float, stores: Stores, found: Resolved) -> Findings:
    """Look at the image that was found, and at what is attached to it if that was asked for.

    Unavailable if that takes longer.
    """
    reference, attached = found.reference, found.attached.attachments if found.attached else []
    roots = [Descriptor("", found.source_digest, 0), *(each.manifest.descriptor for each in attached)]
    try:
        return await within(deadline_s, Inspection(stores.open(reference)).images(*roots))
    except asyncio.TimeoutError:
        hint = "it has many parts; see IMAGESYNC_TIMEOUT"
        raise Unavailable(f"looking at all of {reference}: no end within the time that is left", hint=hint) from None


def _named(manifest: Manifest, at: _Place) -> list[_Place]:
    """Everything that a manifest names and a registry must hold."""
    blobs = [
        _Place(_bare(blob), "blob", manifest.digest, at.platform) for blob in manifest.blobs if not blob.is_foreign
    ]
    children = [
        _Place(_bare(child), "manifest", manifest.digest, _platform(child) or at.platform)
        for child in manifest.manifests
    ]
    return [replace(place, order=(*at.order, number)) for number, place in enumerate(blobs + children)]


def _bare(entry: Descriptor) -> Descriptor:
    """The descriptor alone: what else stands in it may be long."""
    return replace(entry, raw={})


def _platform(entry: Descriptor) -> str:
    """What an index says that its entry runs on, "" where it says nothing, or nothing that makes sense."""
    told = entry.raw.get("platform")
    if not isinstance(told, dict):
        return ""
    from imagesync_cli.values.platforms import read_platform  # only who looks waits for it

    platform = read_platform(told)
    return "" if platform is None or platform.os == "unknown" else str(platform)  # as BuildKit's attestations say


def _fault(error: ImagesyncError) -> tuple[str, str]:
    """The kind of problem and why. A store that gives no answer is not a problem of the image: that is raised again."""
    # distribution 2.8 and 3 answer 500, for ever, where a manifest's file is cut short.
    if isinstance(error, Unavailable) and not error.is_fault:
        raise error
    kind = "missing" if isinstance(error, NotFound) else "wrong" if isinstance(error, ContentError) else "unreadable"
    return kind, error.reason

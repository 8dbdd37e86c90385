"""The one walk over what hangs below a manifest: each digest once, bounded in depth, number, bytes and parallel work.

A digest that is named both as a manifest and as a blob is two things: registries keep them in two places.

Whoever walks says what a visit to a manifest and to a blob does. A visit to a manifest reads it (``read``) and goes on
with what it names (``below``): what stands before that call happens to parents first, what follows it to children
first, and without it nothing below is visited.

Nothing here lasts longer than a manifest's turn: what it names is noted by digest, its bytes belong to the visit.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from imagesync_cli.concurrency import ByteLimit, gather_few
from imagesync_cli.stores import Store
from imagesync_cli.values.errors import ContentError, Denied, NotFound, Refused
from imagesync_cli.values.manifest import MAX_DEPTH, MAX_DESCRIPTORS, Descriptor, Manifest

# Many small requests in parallel hide the round trips. Manifests beyond that are visited one after the other.
_BLOBS_AT_ONCE = 64
_MANIFESTS_AT_ONCE = 64
_ASKED_AT_ONCE = 16
# A hundred platforms have less than a megabyte of manifests.
MOST_BYTES = 16 * 1024 * 1024
_ARRIVING_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image names a digest first; ``order`` is the way there, by position in each manifest.

    ``parent`` is the manifest that names it, "" for a root; ``platform`` is what the nearest index says of it.
    """

    target: Descriptor
    order: tuple[int, ...] = (0,)
    parent: str = ""
    platform: str = ""
    is_blob: bool = False

    @property
    def digest(self) -> str:
        """The digest of what is named."""
        return self.target.digest

    @property
    def key(self) -> str:
        """What is visited once: a digest, as a manifest or as a blob."""
        return f"blob {self.digest}" if self.is_blob else self.digest


Visit = Callable[[Place], Coroutine[Any, Any, None]]


class Walk:
    """One walk, with as many entries as one likes; leaving it ends all that it has begun.

    ``most_bytes`` bounds the manifests that it reads, together, and ``at_once`` those that are visited in parallel;
    ``what`` names in an error what they belong to. Without a visit for blobs these are passed over. ``asks`` is the
    store that tells what an index lists under a type of its own: a manifest there is visited as one.
    """

    def __init__(
        self,
        manifest: Visit,
        blob: Visit | None = None,
        *,
        most_bytes: int = MOST_BYTES,
        at_once: int = _MANIFESTS_AT_ONCE,
        what: str = "the image",
        asks: Store | None = None,
    ) -> None:
        self._manifest = manifest
        self._blob = blob
        self._most_bytes = most_bytes
        self._what = what
        self._asks = asks
        self.places: dict[str, Place] = {}  # by Place.key
        self._begun: set[str] = set()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._error: BaseException | None = None
        self._blob_slots = asyncio.Semaphore(_BLOBS_AT_ONCE)
        self._manifest_slots = asyncio.Semaphore(at_once)
        self._arriving = ByteLimit(_ARRIVING_BYTES)
        self._read_bytes = 0

    async def __aenter__(self) -> Walk:
        return self

    async def __aexit__(self, *failure: object) -> None:
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        # The visits refer to this walk, and it to them: such a circle would hold all that was noted for long.
        self._manifest, self._blob, self._error = _over, None, None

    async def visit(self, *roots: Descriptor) -> None:
        """Visit these manifests, and all that their visits go on with. ContentError for an image without end."""
        await self._begin_all([self._noted(Place(root, order=(number,))) for number, root in enumerate(roots)])
        while self._running:
            await self._end_of(self._running.values())

    async def below(self, manifest: Manifest, at: Place | None = None) -> None:
        """Visit all that a manifest names and wait for it; what was visited from elsewhere is not visited again."""
        among = await self._manifests_among(manifest.blobs) if manifest.descriptor.is_index else frozenset[str]()
        named = _named(manifest, at or Place(manifest.descriptor), among, blobs=self._blob is not None)
        del manifest
        places = [self._named_alike(place) for place in named]
        await self._begin_all(places)
        while running := [self._running[place.key] for place in places if place.key in self._running]:
            await self._end_of(running)

    async def on(self, at: Place, targets: Iterable[Descriptor]) -> None:
        """Begin to visit manifests that this place leads to by more than its content; ``visit`` waits for them.

        By content nothing leads back to where one came from. By tags, and what names a subject, it may.
        """
        further = (Place(target, (*at.order, number), at.digest) for number, target in enumerate(targets))
        await self._begin_all([self._noted(place) for place in further])

    async def read(self, store: Store, place: Place) -> Manifest:
        """The manifest at this place. What arrives is what counts: not a byte more than the descriptor says."""
        size = place.target.size if place.parent else 0  # a root may have been named without its size
        self._count(size)
        async with self._arriving.held(size or _ARRIVING_BYTES):
            manifest = await store.manifest(place.digest, most_bytes=size or None)
        if not size:
            self._count(manifest.size)
        if place.parent and manifest.size != size:
            raise ContentError(f"{place.digest} has {manifest.size} bytes, its descriptor says {size}")
        return manifest

    async def _manifests_among(self, entries: Collection[Descriptor]) -> frozenset[str]:
        """Those of an index that no known type tells apart from a blob, and that can be read as a manifest."""
        found: set[str] = set()

        async def ask(store: Store, entry: Descriptor) -> None:
            with contextlib.suppress(ContentError, Denied, NotFound, Refused):
                async with self._arriving.held(entry.size or _ARRIVING_BYTES):
                    found.add((await store.manifest(entry.digest, most_bytes=entry.size or None)).digest)
            if entry.digest in found:
                self._count(entry.size)

        if store := self._asks:
            await gather_few(_ASKED_AT_ONCE, (ask(store, entry) for entry in entries if entry.may_be_manifest))
        return frozenset(found)

    def _count(self, size: int) -> None:
        self._read_bytes += size
        self.check_bytes()

    def check_bytes(self) -> None:
        """Raise ContentError where it read more than it may, for a visit that takes other errors of reading as such."""
        if self._read_bytes > self._most_bytes:
            raise ContentError(f"{self._what} names more than {self._most_bytes} bytes of manifests")

    def _noted(self, place: Place) -> Place:
        """The first such place. Answers come in any order; what is said of them does not depend on it."""
        first = self.places.get(place.key)
        if first is None and len(self.places) >= MAX_DESCRIPTORS:
            raise ContentError(f"{self._what} names more than {MAX_DESCRIPTORS} manifests and blobs")
        if first is None and len(place.order) - 1 > MAX_DEPTH and not place.is_blob:
            raise ContentError(f"{place.digest} lies more than {MAX_DEPTH} indexes deep")
        if first is None or place.order < first.order:
            first = self.places[place.key] = place
        return first

    def _named_alike(self, place: Place) -> Place:
        """Note it; ContentError where the same digest has another size elsewhere: only one of them can be right."""
        known = self.places.get(place.key)
        if known is not None and known.parent and known.target.size != place.target.size:
            raise ContentError(f"{place.digest} is named with two sizes: {known.target.size} and {place.target.size}")
        return self._noted(place)

    async def _begin_all(self, places: Collection[Place]) -> None:
        for place in places:
            if place.key not in self._begun:
                await self._begin(place)
        self._check()

    async def _end_of(self, tasks: Iterable[asyncio.Task[None]]) -> None:
        await asyncio.wait(list(tasks), return_when=asyncio.FIRST_EXCEPTION)
        self._check()

    async def _begin(self, place: Place) -> None:
        """Begin a visit: each costs memory from then on.

        A blob waits until there is room; nothing waits for a blob that holds some itself. A manifest that finds none
        runs all the same, and whoever comes to it waits for it: otherwise parents would wait for their children.
        """
        if place.is_blob and self._blob is not None:
            await self._blob_slots.acquire()
            if place.key in self._begun or self._error is not None:
                self._blob_slots.release()
            else:
                self._run(place, self._blob, self._blob_slots.release)
        elif not self._manifest_slots.locked():
            await self._manifest_slots.acquire()
            self._run(place, self._manifest, self._manifest_slots.release)
        else:
            await asyncio.wait([self._run(place, self._manifest)])
        self._check()

    def _run(self, place: Place, visit: Visit, free: Callable[[], None] | None = None) -> asyncio.Task[None]:
        self._begun.add(place.key)
        task = self._running[place.key] = asyncio.create_task(visit(place))

        def end(task: asyncio.Task[None]) -> None:
            del self._running[place.key]
            if free is not None:
                free()
            if not task.cancelled() and (error := task.exception()) is not None and self._error is None:
                self._error = error
                for other in self._running.values():
                    other.cancel()

        task.add_done_callback(end)
        return task

    def _check(self) -> None:
        """One visit that fails ends the walk, for all that wait for any part of it."""
        if self._error is not None:
            raise self._error


async def _over(place: Place) -> None:
    """A visit after the end."""
    raise RuntimeError(f"the walk to {place.digest} is over")


def _named(manifest: Manifest, at: Place, among: Collection[str], *, blobs: bool) -> Iterator[Place]:
    """All that a manifest names; of a child no more than its digest, its size and what it runs on.

    Those ``among`` its blobs are manifests.
    """
    for number, blob in enumerate(manifest.blobs if blobs else ()):
        is_blob = blob.digest not in among
        yield Place(blob if is_blob else blob.bare, (*at.order, number), manifest.digest, at.platform, is_blob=is_blob)
    for number, child in enumerate(manifest.manifests, len(manifest.blobs)):
        yield Place(child.bare, (*at.order, number), manifest.digest, _platform(child) or at.platform)


def _platform(entry: Descriptor) -> str:
    """What an index says that its entry runs on, "" where it says nothing, or nothing that makes sense."""
    if not entry.platform:
        return ""
    from imagesync_cli.values.platforms import read_platform  # only who has several platforms waits for it

    platform = read_platform(entry.platform)
    return "" if platform is None or platform.os == "unknown" else str(platform)  # as BuildKit's attestations say

"""What the images of one run have in common: a blob goes to a registry once, however many of them hold it.

Into a second repository of the same registry it is mounted from the first. Whoever comes while it is on its way waits
for that, and does it himself if it fails.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable

from imagesync_cli.stores import Store, Written
from imagesync_cli.values.manifest import Descriptor
from imagesync_cli.values.reference import FORMS

# A registry and a repository in it, or "oci" and a folder (reference.location).
Location = tuple[str, str]
_FILES = frozenset({"oci", *FORMS})


class Present:
    """Who has what by now, as far as this run has seen."""

    def __init__(self) -> None:
        self._blobs: dict[tuple[str, str], dict[Location, Store]] = {}
        self._manifests: set[tuple[Location, str]] = set()
        self._given: set[tuple[Location, str]] = set()
        self._busy: dict[Hashable, asyncio.Future[None]] = {}

    def at(self, location: Location, store: Store, source: Location) -> Destination:
        """The destination at which this store writes what comes from ``source``."""
        return Destination(self, location, store, source)

    def holders(self, location: Location, digest: str) -> dict[Location, Store]:
        """The repositories from which the blob could be mounted into this one, and this one itself if it has it."""
        # A folder or an archive mounts from nowhere: it shares with itself alone.
        registry = "/".join(location) if location[0] in _FILES else location[0]
        return self._blobs.setdefault((registry, digest), {})

    async def gives(self, source: Location, here: Store, blob: Descriptor) -> bool:
        """Whether the source has this blob: it has given it to this run, or says so now.

        An image may name any digest. Without this, one in a public repository would be given a layer of a private one.
        """
        if (source, blob.digest) not in self._given and await here.has_blob(blob):
            self.note_given(source, blob.digest)
        return (source, blob.digest) in self._given

    def note_given(self, source: Location, digest: str) -> None:
        """The source has given the bytes of this blob."""
        self._given.add((source, digest))

    def written(self, location: Location, digest: str) -> bool:
        """Whether the manifest is there."""
        return (location, digest) in self._manifests

    def note_manifest(self, location: Location, digest: str) -> None:
        """The manifest is there, with all that it names."""
        self._manifests.add((location, digest))

    async def settled(self, key: Hashable) -> bool:
        """Wait until nobody is at work on this any more; whether there was somebody."""
        busy = self._busy.get(key)
        if busy is not None:
            await asyncio.wait({busy})
        return busy is not None

    @contextlib.asynccontextmanager
    async def at_work(self, key: Hashable) -> AsyncIterator[None]:
        """Let others wait until the block ends, however it does."""
        done = self._busy[key] = asyncio.get_running_loop().create_future()
        try:
            yield
        finally:
            del self._busy[key]
            done.set_result(None)


class Destination:
    """Where one image goes, with what the others of the run have brought there."""

    def __init__(self, present: Present, location: Location, store: Store, source: Location) -> None:
        self._present = present
        self._location = location
        self._source = source
        self.store = store

    async def blob(self, blob: Descriptor, here: Store, write: Callable[[Store | None], Awaitable[Written]]) -> Written:
        """Have the blob written unless somebody did; ``write`` is given a repository that has it, or None."""
        holders = self._present.holders(self._location, blob.digest)
        while self._location not in holders:
            # The first to send it keeps all others waiting; those that mount it, only their own repository.
            key = (*self._location, blob.digest) if holders else id(holders)
            if await self._present.settled(key):
                continue
            async with self._present.at_work(key):
                sibling = next(iter(holders.values()), None)
                if sibling is not None and not await self._present.gives(self._source, here, blob):
                    sibling = None
                written = await write(sibling)
                if written is Written.SENT:
                    self._present.note_given(self._source, blob.digest)
                holders[self._location] = self.store
                return written
        return Written.THERE

    async def manifest(self, digest: str, write: Callable[[], Awaitable[bool]]) -> bool:
        """Have the manifest written unless somebody did; what ``write`` gives, False if it was not called."""
        key = (*self._location, digest, "manifest")
        while not self._present.written(self._location, digest):
            if await self._present.settled(key):
                continue
            async with self._present.at_work(key):
                written = await write()
                self._present.note_manifest(self._location, digest)
                return written
        return False

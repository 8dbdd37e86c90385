"""What the images of one run have in common: a blob goes to a registry once, however many of them hold it.

Into a second repository of the same registry it is mounted from the first. Whoever comes while it is on its way waits
for that, and does it himself if it fails.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Hashable

from imagesync_cli.stores import Store, Written
from imagesync_cli.values.manifest import Descriptor
from imagesync_cli.values.reference import FORMS

# A registry and a repository in it, or "oci" and a folder (reference.location).
Location = tuple[str, str]
_FILES = frozenset({"oci", *FORMS})


class Present:
    """Who has what by now, as far as this run has seen."""

    def __init__(self) -> None:
        self.blobs: dict[tuple[str, str], dict[Location, Store]] = {}  # by registry and digest, the repositories
        self.manifests: set[tuple[Location, str]] = set()  # that are there, with all that they name
        self.given: set[tuple[Location, str]] = set()  # the blobs of which a source has given the bytes
        self.before: dict[tuple[Location, str], str] = {}  # what each tag pointed at when this run came to it
        self._busy = weakref.WeakValueDictionary[Hashable, asyncio.Lock]()  # each as long as somebody has or wants it

    def alone(self, key: Hashable) -> asyncio.Lock:
        """What lets one after the other be at work on this."""
        return self._busy.setdefault(key, asyncio.Lock())


class Destination:
    """Where one image goes, with what the others of the run have brought there."""

    def __init__(self, present: Present, location: Location, store: Store, source: Location) -> None:
        self._present = present
        # Until its tag is put, each image of an archive is in a new file of its own, and takes from those of others.
        self._location = (location[0], f"{location[1]}:{id(store)}") if location[0] in FORMS else location
        self._source = source
        self.store = store
        # A folder or an archive shares with itself alone.
        self._registry = "/".join(location) if location[0] in _FILES else location[0]

    async def blob(self, blob: Descriptor, here: Store, write: Callable[[Store | None], Awaitable[Written]]) -> Written:
        """Have the blob written unless somebody did; ``write`` is given a repository that has it, or None."""
        holders = self._present.blobs.setdefault((self._registry, blob.digest), {})
        while self._location not in holders:
            # The first to send it keeps all others waiting; those that mount it, only their own repository.
            is_first = not holders
            async with self._present.alone(id(holders) if is_first else (*self._location, blob.digest)):
                if self._location in holders or is_first == bool(holders):
                    continue
                sibling = next(iter(holders.values()), None)
                if sibling is not None and not await self._is_given(blob, here):
                    sibling = None
                written = await write(sibling)
                if written is Written.SENT:
                    self._present.given.add((self._source, blob.digest))
                holders[self._location] = self.store
                return written
        return Written.THERE

    async def _is_given(self, blob: Descriptor, here: Store) -> bool:
        """Whether the source has this blob: it has given it to this run, or says so now.

        An image may name any digest. Without this, one in a public repository would be given a layer of a private one.
        """
        given, known = (self._source, blob.digest), self._present.given
        if given not in known and await here.has_blob(blob):
            known.add(given)
        return given in known

    async def manifest(self, digest: str, write: Callable[[], Awaitable[bool]]) -> bool:
        """Have the manifest written unless somebody did; what ``write`` gives, False if it was not called."""
        there = (self._location, digest)
        async with self._present.alone((*there, "manifest")):
            if there in self._present.manifests:
                return False
            written = await write()
            self._present.manifests.add(there)
            return written

"""One blob, from where it is to where it should be."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator, Callable

from imagesync_cli.stores import Store, Written, twice
from imagesync_cli.values.manifest import Descriptor
from imagesync_cli.values.progress import Progress

# Many small blobs at once hide the round trips; a few large ones fill the wire.
_LARGE_BYTES = 64 * 1024 * 1024
_LARGE_AT_ONCE = 4
_SMALL_AT_ONCE = 16
Read = Callable[[Descriptor], AsyncGenerator[bytes, None]]


class Transfers:
    """Moves blobs from one store to another, a bounded number at a time.

    ``read_foreign`` gives the bytes of foreign layers, which need not come from the source.
    """

    def __init__(self, source: Store, destination: Store, progress: Progress, read_foreign: Read | None) -> None:
        self._source = source
        self._read_foreign = read_foreign or source.read_blob
        self._destination = destination
        self._progress = progress
        self._small = asyncio.Semaphore(_SMALL_AT_ONCE)
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)

    async def transfer(self, blob: Descriptor, sibling: Store | None = None, *, anew: bool = False) -> Written:
        """Move the blob unless it is there; bytes that arrive wrong are fetched once more, then ContentError.

        A ``sibling`` on the destination's registry has it. ``anew`` sends it although the destination may claim to
        have it.
        """
        origin, moved, written = sibling or self._source, _Moved(self._progress), None
        self._progress.total += 1
        self._progress.total_bytes += blob.size
        read = self._read_foreign if blob.is_foreign else self._source.read_blob
        write = functools.partial(
            self._destination.write_blob, blob, lambda: moved.counted(read(blob)), origin, anew=anew
        )
        try:
            async with self._large if blob.size >= _LARGE_BYTES else self._small:
                written = await twice(write)
        finally:
            if written is not Written.SENT:
                moved.take_back()
        if written is not Written.SENT:
            self._progress.total_bytes -= blob.size
        self._progress.done += 1
        return written


class _Moved:
    """How much of one blob has been moved; a try that begins anew takes back what the last one had counted."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bytes = 0

    async def counted(self, content: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """The same bytes, counted as they pass."""
        self.take_back()
        async with contextlib.aclosing(content) as chunks:
            async for chunk in chunks:
                self._bytes += len(chunk)
                self._progress.moved_bytes += len(chunk)
                yield chunk

    def take_back(self) -> None:
        """Nothing of it counts any more."""
        self._progress.moved_bytes -= self._bytes
        self._bytes = 0

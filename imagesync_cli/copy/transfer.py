"""One blob, from where it is to where it should be."""

from __future__ import annotations

import asyncio
import contextlib
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
        origin, moved_bytes, written = sibling or self._source, 0, None
        read = self._read_foreign if blob.is_foreign else self._source.read_blob
        self._progress.total += 1
        self._progress.total_bytes += blob.size

        def take_back() -> None:
            """Nothing of it counts any more."""
            nonlocal moved_bytes
            self._progress.moved_bytes -= moved_bytes
            moved_bytes = 0

        async def content() -> AsyncGenerator[bytes, None]:
            """The bytes, counted as they pass; a try that begins anew takes back what the last one had counted."""
            nonlocal moved_bytes
            take_back()
            async with contextlib.aclosing(read(blob)) as chunks:
                async for chunk in chunks:
                    moved_bytes += len(chunk)
                    self._progress.moved_bytes += len(chunk)
                    yield chunk

        try:
            async with self._large if blob.size >= _LARGE_BYTES else self._small:
                written = await twice(lambda: self._destination.write_blob(blob, content, origin, anew=anew))
        finally:
            if written is not Written.SENT:
                take_back()
        if written is not Written.SENT:
            self._progress.total_bytes -= blob.size
        self._progress.done += 1
        return written

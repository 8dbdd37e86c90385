"""A gate between what many may do at once and what one does alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Gate:
    """Many may be inside at once; whoever closes it waits until all have left, and lets nobody in meanwhile."""

    def __init__(self) -> None:
        self._inside = 0
        self._left = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()
        self._closing = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def inside(self) -> AsyncIterator[None]:
        """Be one of many."""
        while not self._open.is_set():
            await self._open.wait()
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            self._left.set()

    @contextlib.asynccontextmanager
    async def closed(self) -> AsyncIterator[None]:
        """Be alone."""
        async with self._closing:
            self._open.clear()
            try:
                while self._inside:
                    self._left.clear()
                    await self._left.wait()
                yield
            finally:
                self._open.set()

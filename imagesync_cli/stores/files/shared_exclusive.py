"""A lock that many hold together, or one alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class SharedExclusive:
    """Whoever wants it alone waits until all others have left, and lets nobody in meanwhile."""

    def __init__(self) -> None:
        self._holders = 0
        self._left = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()
        self._turns = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Hold it with others."""
        while not self._open.is_set():
            await self._open.wait()
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            self._left.set()

    @contextlib.asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Hold it alone."""
        async with self._turns:
            self._open.clear()
            try:
                while self._holders:
                    self._left.clear()
                    await self._left.wait()
                yield
            finally:
                self._open.set()

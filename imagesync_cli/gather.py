"""Several things at once: the first failure stops the rest, and nothing is left running."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any, TypeVar

_T = TypeVar("_T")


async def gather(coroutines: Iterable[Coroutine[Any, Any, _T]]) -> list[_T]:
    """The results in order. Unlike asyncio.gather, a failure cancels and awaits the others before it is raised."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def gather_few(at_once: int, awaitables: Iterable[Awaitable[object]]) -> None:
    """Run them all, so many at a time. The iterable is drawn on as they end: what has not begun takes no memory."""
    waiting = iter(awaitables)

    async def next_ones() -> None:
        for awaitable in waiting:
            await awaitable

    await gather(next_ones() for _ in range(at_once))

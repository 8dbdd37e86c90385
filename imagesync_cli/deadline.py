"""A limit on how long something may take, and a little time for what must still be done.

asyncio.wait_for of Python 3.10 and 3.11 can lose a cancellation that comes as its work ends; what was to stop goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


async def within(timeout_s: float, work: Coroutine[Any, Any, _T] | asyncio.Future[_T]) -> _T:
    """The work's result, or asyncio.TimeoutError after so many seconds; a cancellation always arrives."""
    task = asyncio.ensure_future(work)
    expired = False

    def expire() -> None:
        nonlocal expired
        expired = task.cancel()

    timer = asyncio.get_running_loop().call_later(timeout_s, expire)
    try:
        return await task
    except asyncio.CancelledError:
        if expired:
            raise asyncio.TimeoutError(f"nothing within {timeout_s:g} s") from None
        raise
    finally:
        timer.cancel()


async def finish(timeout_s: float, task: asyncio.Future[Any]) -> bool:
    """Give the task so many seconds to end, however often we are cancelled meanwhile; whether that has happened.

    The caller raises CancelledError then, as soon as there is nothing more to be done.
    """
    ends, cancelled = asyncio.get_running_loop().time() + timeout_s, False
    while not task.done() and (left_s := ends - asyncio.get_running_loop().time()) > 0:
        try:
            await asyncio.wait({task}, timeout=left_s)
        except asyncio.CancelledError:  # noqa: PERF203
            cancelled = True
    task.cancel()
    return cancelled

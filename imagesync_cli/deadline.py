"""A limit on how long something may take.

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

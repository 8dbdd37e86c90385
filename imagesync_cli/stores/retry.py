"""What is tried again, how often and how long after.

Errors say of themselves whether they may pass (errors.Unavailable); this is the only place that acts on it. tenacity
is imported at the first failure: most runs have none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from imagesync_cli.errors import Unavailable

if TYPE_CHECKING:
    import tenacity

ATTEMPTS = 5
LONGEST_WAIT_S = 120.0
_T = TypeVar("_T")


async def persist(attempt: Callable[[], Awaitable[_T]]) -> _T:
    """Try until it works, or raise what the last attempt raised; what cannot pass is raised at once.

    Waits between 0 and 0.5 s, then up to twice as long each time; as long as the server asked for, if it did, up to
    120 s.
    """
    try:
        return await attempt()
    except Unavailable as error:
        if not _may_pass(error):
            raise
        return await _again(attempt, error)


async def _again(attempt: Callable[[], Awaitable[_T]], first: Unavailable) -> _T:
    import tenacity

    failed = [first]

    async def next_attempt() -> _T:
        if failed:
            raise failed.pop()
        return await attempt()

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_s if isinstance(error, Unavailable) else None
        return backoff_s(state.attempt_number) if asked is None else asked

    retrying = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(_may_pass),
        wait=wait,
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        sleep=pause,
        reraise=True,
    )
    try:
        return await retrying(next_attempt)
    except Unavailable as error:
        # Tried often enough: a caller that persists as well must not begin to count anew.
        error.may_pass = False
        raise


async def pause(seconds: float) -> None:
    """Wait before another attempt. Nothing else waits here, so tests replace this and see how long it would be."""
    await asyncio.sleep(seconds)


async def back_off(failures: int) -> None:
    """Wait as long as so many failures in a row ask for."""
    await pause(backoff_s(failures))


def backoff_s(failures: int) -> float:
    """How long to wait after so many failures in a row: full jitter, from 0.5 s up to 30 s."""
    import random

    return random.uniform(0, min(30.0, 0.5 * 2 ** (failures - 1)))  # noqa: S311


def _may_pass(error: BaseException) -> bool:
    return (
        isinstance(error, Unavailable)
        and error.may_pass
        and (error.retry_after_s is None or error.retry_after_s <= LONGEST_WAIT_S)
    )

"""What is tried again, how often and how long after.

Errors say of themselves whether they may pass (errors.Unavailable), statuses here; this is the only place that acts on
it. tenacity is imported at the first failure: most runs have none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from imagesync_cli.stores.transport import tally
from imagesync_cli.values.errors import Unavailable

if TYPE_CHECKING:
    import tenacity

ATTEMPTS = 5
LONGEST_WAIT_S = 120.0
# Every 5xx is worth another try but the two that say "never"; of the 4xx these alone are.
_LASTING = frozenset({501, 505})
_PASSING = frozenset({408, 425, 429, 499})
_T = TypeVar("_T")


def status_may_pass(status: int) -> bool:
    """Whether a server that answers with this status may answer otherwise soon."""
    return status in _PASSING or (status >= 500 and status not in _LASTING)


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
        tally.retried()
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


class Budget:
    """How often in a row something that advances bit by bit may fail without getting further."""

    def __init__(self) -> None:
        self._failures = 0

    def renew(self) -> None:
        """It got further: whatever failed before does not count any more."""
        self._failures = 0

    async def spend(self, error: Unavailable) -> None:
        """Wait before another attempt, or raise the error: it cannot pass, or was met too often."""
        self._failures += 1
        if not _may_pass(error) or self._failures >= ATTEMPTS:
            error.may_pass = False
            raise error
        tally.retried()
        await pause(backoff_s(self._failures) if error.retry_after_s is None else error.retry_after_s)


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

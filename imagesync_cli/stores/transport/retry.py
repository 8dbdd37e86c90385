"""What is tried again, how often and how long after.

Errors say of themselves whether they may pass (errors.Unavailable), statuses here; this is the only place that acts on
it. tenacity is imported at the first failure: most runs have none.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

from imagesync_cli.concurrency import having
from imagesync_cli.stores.transport.patience import SLOWEST_BYTES_A_SECOND
from imagesync_cli.stores.transport.tally import count
from imagesync_cli.values.errors import ContentError, Unavailable

if TYPE_CHECKING:
    import tenacity

ATTEMPTS = 5
# What the failures in a row must have brought together, or they go on counting.
_WORTH_BYTES = 64 * 1024
# Every 5xx is worth another try but the two that say "never"; of the 4xx these alone are.
_LASTING = frozenset({501, 505})
_PASSING = frozenset({408, 425, 429, 499})
# Pulp's tasks wait for a worker and for each other: some two seconds, and longer where many are deleted at once.
_LOOKS_AFTER_S = (0.2, 0.3, 0.5, *(1.0,) * 23)
_T = TypeVar("_T")
# Which attempt this is, for the log.
attempt_number: ContextVar[int] = ContextVar("attempt_number", default=1)
# A server that asks for a longer wait is not waited for: somebody else can be asked, perhaps.
longest_wait_s: ContextVar[float] = ContextVar("longest_wait_s", default=120.0)


def status_may_pass(status: int) -> bool:
    """Whether a server that answers with this status may answer otherwise soon."""
    return status in _PASSING or (status >= 500 and status not in _LASTING)


async def persist(attempt: Callable[[], Awaitable[_T]]) -> _T:
    """Try until it works, or raise what the last attempt raised; what cannot pass is raised at once."""
    budget = Budget()
    with having(attempt_number, 1):
        while True:
            try:
                return await attempt()
            except Unavailable as error:  # noqa: PERF203
                await budget.spend(error)
                attempt_number.set(attempt_number.get() + 1)


class Budget:
    """How often in a row something may fail without getting on as fast as a failure costs.

    Waits between 0 and 0.5 s, then up to twice as long each time, at most 30 s; as long as the server asked for, if it
    did, up to 120 s.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._state: tenacity.RetryCallState | None = None
        self._clock = clock
        self._began_at = clock()
        self._paid_bytes = 0

    def advance(self, done_bytes: int) -> None:
        """Take in how far it has come: what failed before no longer counts if this was worth it.

        A server that lets each try get a byte further, or a few in a minute, would otherwise keep it for ever.
        """
        in_time = done_bytes >= SLOWEST_BYTES_A_SECOND * (self._clock() - self._began_at)
        if in_time and done_bytes - self._paid_bytes >= _WORTH_BYTES:
            self._paid_bytes, self._state = done_bytes, None

    async def spend(self, error: Unavailable) -> None:
        """Wait before another attempt, or raise the error: it cannot pass, or was met too often."""
        if self._state is None:
            import tenacity

            stop, wait = tenacity.stop_after_attempt(ATTEMPTS), tenacity.wait_random_exponential(0.5, max=30)
            self._state = tenacity.RetryCallState(tenacity.AsyncRetrying(stop=stop, wait=wait), None, (), {})
        rules = self._state.retry_object
        is_too_long = error.retry_after_s is not None and error.retry_after_s > longest_wait_s.get()
        if not error.may_pass or is_too_long or rules.stop(self._state):
            error.may_pass = False  # a caller that persists as well must not begin to count anew
            raise error
        count(retries=1)
        wait_s = error.retry_after_s
        await pause(rules.wait(self._state) if wait_s is None else wait_s)
        self._state.prepare_for_next_attempt()


async def pause(seconds: float) -> None:
    """Wait before another attempt, or another look. Tests replace this, and see how long it would be."""
    await asyncio.sleep(seconds)


async def twice(attempt: Callable[[], Awaitable[_T]]) -> _T:
    """Once more where content arrives that is not right: it was damaged on the way, perhaps."""
    try:
        return await attempt()
    except ContentError:
        count(retries=1)
        return await attempt()


async def comes_true(look: Callable[[], Awaitable[bool]]) -> bool:
    """Look again and again whether a registry has done what it accepted; False if it has not after some 24 s."""
    for wait_s in _LOOKS_AFTER_S:
        await pause(wait_s)
        if await look():
            return True
    return False

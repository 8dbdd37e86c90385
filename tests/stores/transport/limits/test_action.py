"""How many requests of one action are under way at once, and in a second: learned from what the host refuses."""

from __future__ import annotations

import asyncio
from collections import deque

import pytest

from imagesync_cli.stores.transport.limits.action import Action, LearnedPace
from imagesync_cli.stores.transport.limits.host_limit import HostLimit
from tests.fake_time import run_in_fake_time

PUT = "PUT manifests"


class Strict:
    """A double of a host that answers within a millisecond, and takes so many requests in any second."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._came: deque[float] = deque()
        self.refused_at: list[float] = []
        self.took = 0

    async def answer(self) -> int:
        await asyncio.sleep(0.0005)
        now = asyncio.get_running_loop().time()
        while self._came and self._came[0] <= now - 1:
            self._came.popleft()
        self._came.append(now)
        await asyncio.sleep(0.0005)
        if len(self._came) <= self._per_second:
            self.took += 1
            return 200
        self.refused_at.append(now)
        return 429


async def put(limit: HostLimit, host: Strict) -> int:
    """A request as connections.py sends it."""
    action = limit.action(PUT)
    await limit.take(action)
    try:
        async with limit.turn(action) as sent:
            sent()
            status = await host.answer()
            action.answered(status)
            return status
    finally:
        limit.free(action)


@pytest.mark.parametrize("per_second", [1, 10, 50])
def test_a_limit_that_nobody_has_told(per_second: int) -> None:
    """After one crowd of refusals nothing is refused any more for half a minute, and nobody has to give up."""

    async def work() -> Strict:
        limit, host = HostLimit(), Strict(per_second)

        async def persist() -> None:
            for tries in range(5):  # as often as retry.py does
                if await put(limit, host) == 200:
                    return
                await asyncio.sleep(0.3 * 2**tries)
            pytest.fail("one has given up")

        await asyncio.gather(*(persist() for _ in range(25 * per_second + 30)))
        return host

    host = run_in_fake_time(work())
    assert host.took == 25 * per_second + 30
    assert host.refused_at
    assert all(at < 1001 or at > 1030 for at in host.refused_at)


@pytest.mark.parametrize("refusals", [7, 8])
def test_a_few_refusals_teach_nothing(refusals: int) -> None:
    """A host that refuses now and then is no slower afterwards; a crowd of refusals within a second is a limit."""

    async def work() -> bool:
        limit = HostLimit()
        for _ in range(100):
            limit.action("PUT manifests").answered(200)
        for _ in range(refusals):
            limit.action("PUT manifests").answered(429)
        return bool(limit.action("PUT manifests").paces)

    assert run_in_fake_time(work()) == (refusals == 8)


def test_a_pace_that_was_learned_changes() -> None:
    """A refusal later makes it slower, half a minute without one a little faster; there is always one a second."""

    async def work() -> list[float]:
        learned, seen = LearnedPace(), []
        for status in (*[200] * 10, *[429] * 8):
            learned.answered(status, asyncio.get_running_loop().time())
        seen.append(learned._per_second)
        for wait_s, status in ((1, 429), (5, 429), (31, 200), *[(5, 429)] * 20):
            await asyncio.sleep(wait_s)
            learned.answered(status, asyncio.get_running_loop().time())
            seen.append(learned._per_second)
        return seen

    seen = run_in_fake_time(work())
    assert seen[:4] == [10, 10, 7.5, 8.5]
    assert seen[-1] == 1


def test_too_many_requests() -> None:
    """A host that says "too many" gets half as many at once, once for all that were under way, and then more again."""

    async def limits() -> list[int]:
        action, seen = Action(32), []
        for pause_s, status, times in [(0, 429, 30), (2, 429, 1), (0, 200, 9), (0, 200, 2000)]:
            await asyncio.sleep(pause_s)
            for _ in range(times):
                action.answered(status)
            seen.append(action.limit)
        return seen

    assert run_in_fake_time(limits()) == [16, 8, 9, 32]


def test_a_host_that_never_stops_saying_so() -> None:
    """One request at a time always goes on."""

    async def limit() -> int:
        action = Action(32)
        for _ in range(20):
            await asyncio.sleep(2)
            action.answered(429)
        return action.limit

    assert run_in_fake_time(limit()) == 1

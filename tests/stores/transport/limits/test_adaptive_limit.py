"""How many requests of one action are under way at once."""

from __future__ import annotations

import asyncio

from imagesync_cli.stores.transport.limits.action import Action
from tests.fake_time import run_in_fake_time


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

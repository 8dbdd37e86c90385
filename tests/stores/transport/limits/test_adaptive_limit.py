"""How many requests to one host are under way at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from imagesync_cli.stores.transport.limits.adaptive_limit import AdaptiveLimit


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_no_more_than_there_are() -> None:
    """Whoever finds no place waits, in the order of coming."""

    async def work() -> None:
        few, order = AdaptiveLimit(2), []

        async def visit(name: int) -> None:
            await few.take()
            assert few.taken <= 2
            order.append(name)
            await asyncio.sleep(0)
            few.free()

        await asyncio.gather(*(visit(name) for name in range(10)))
        assert order == list(range(10))
        assert few.taken == 0

    run(work())


def test_too_many_requests() -> None:
    """A host that says "too many" gets half as many at once, once for all that were under way, and then more again."""
    now = [100.0]
    host = AdaptiveLimit(32, lambda: now[0])
    for _ in range(30):
        host.answered(429)
    assert host.limit == 16
    now[0] += 2
    host.answered(429)
    assert host.limit == 8
    for _ in range(9):
        host.answered(200)
    assert host.limit == 9
    for _ in range(2000):
        host.answered(200)
    assert host.limit == 32


def test_a_host_that_never_stops_saying_so() -> None:
    """One request at a time always goes on."""
    now = [100.0]
    host = AdaptiveLimit(32, lambda: now[0])
    for _ in range(20):
        now[0] += 2
        host.answered(429)
    assert host.limit == 1


def test_whoever_leaves_the_queue_takes_no_place() -> None:
    """A request that is cancelled while it waits, or just as its turn comes, blocks nobody."""

    async def work() -> None:
        one = AdaptiveLimit(1)
        await one.take()
        waiting = [asyncio.ensure_future(one.take()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        one.free()
        waiting[1].cancel()
        await asyncio.gather(*waiting[:2], return_exceptions=True)
        await waiting[2]
        assert one.taken == 1

    run(work())

"""All limits of one host together: none of them makes one action wait for another."""

from __future__ import annotations

import asyncio

import pytest

from imagesync_cli.stores.transport.limits.host_limit import HostLimit
from imagesync_cli.values.hosts import Rate
from tests.fake_time import run_in_fake_time

PUT, GET = "PUT manifests", "GET blobs"


async def ask(limit: HostLimit, action: str) -> float:
    """When one request is sent."""
    known = limit.action(action)
    await limit.take(known)
    try:
        async with limit.turn(known) as sent:
            sent()
            return asyncio.get_running_loop().time() - 1000
    finally:
        limit.free(known)


@pytest.mark.parametrize(("connections", "per_second"), [(2, None), (32, 10.0)])
@pytest.mark.parametrize("is_learned", [False, True])
def test_a_slow_action_leaves_the_host_to_others(connections: int, per_second: float | None, is_learned: bool) -> None:
    """Fifty of an action that may have one a second hold neither the connections nor the pace of the whole host."""

    async def work() -> tuple[float, float]:
        limit = HostLimit(connections, per_second, () if is_learned else [Rate("Put", 1, (PUT,))])
        for status in (200, *[429] * 8, *[200] * 1000) if is_learned else ():
            limit.action(PUT).answered(status)
        slow = [asyncio.ensure_future(ask(limit, PUT)) for _ in range(50)]
        await asyncio.sleep(0)
        others = await asyncio.gather(*(ask(limit, GET) for _ in range(5)))
        return max(others), max(await asyncio.gather(*slow))

    others_s, slow_s = run_in_fake_time(work())
    assert others_s == 0
    assert 49 <= slow_s < 52 + is_learned


def test_whoever_leaves_the_line_lets_the_next_one_in() -> None:
    """A request that is cancelled while it waits for its turn, or for its place, blocks nobody."""

    async def work() -> float:
        limit = HostLimit(1, None, [Rate("Put", 1, (PUT,))])
        await ask(limit, PUT)
        waiting = [asyncio.ensure_future(ask(limit, PUT)) for _ in range(4)]
        await asyncio.sleep(0)
        for one in waiting[:3]:
            one.cancel()
        await asyncio.gather(*waiting[:3], return_exceptions=True)
        return await waiting[3]

    assert run_in_fake_time(work()) < 1.1

"""All limits of one host together: none of them makes one action wait for another, and nobody waits for himself."""

from __future__ import annotations

import asyncio

import pytest

from imagesync_cli.stores.transport.limits.action import Action
from imagesync_cli.stores.transport.limits.host_limit import HostLimit
from imagesync_cli.values.hosts import Rate
from tests.fake_time import run_in_fake_time

ANY = Action(100)
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


def test_no_more_than_there_are() -> None:
    """Whoever finds no place waits, in the order of coming."""

    async def work() -> list[int]:
        places, order = HostLimit(2), list[int]()

        async def visit(name: int) -> None:
            await places.take(ANY)
            assert places.taken <= 2
            order.append(name)
            await asyncio.sleep(0)
            places.free(ANY)

        await asyncio.gather(*map(visit, range(10)))
        assert places.taken == 0
        return order

    assert run_in_fake_time(work()) == list(range(10))


@pytest.mark.parametrize(("most", "taken"), [(1, 2), (2, 2), (5, 5)])
def test_senders_leave_a_place_for_what_they_read(most: int, taken: int) -> None:
    """However many bodies wait to be sent, what they are read from goes on; one place alone becomes two."""

    async def work() -> int:
        places, at_most = HostLimit(most), 0

        async def upload() -> None:
            nonlocal at_most
            await places.take(ANY, keeps=True)
            await asyncio.sleep(0)
            await places.take(ANY, is_needed=True)
            at_most = max(at_most, places.taken)
            await asyncio.sleep(1)
            places.free(ANY)
            places.free(ANY, keeps=True)

        await asyncio.gather(*(upload() for _ in range(12)))
        assert places.taken == 0
        return at_most

    assert run_in_fake_time(work()) == taken


def test_senders_keep_nobody_else_waiting() -> None:
    """A body that must wait for its place lets a HEAD go ahead that finds one."""

    async def work() -> float:
        places, began = HostLimit(2), asyncio.get_running_loop().time()
        await places.take(ANY, keeps=True)
        waiting = asyncio.ensure_future(places.take(ANY, keeps=True))
        await asyncio.sleep(0)
        await places.take(ANY)
        places.free(ANY)
        places.free(ANY, keeps=True)
        await waiting
        return asyncio.get_running_loop().time() - began

    assert run_in_fake_time(work()) == 0


def test_whoever_leaves_the_queue_takes_no_place() -> None:
    """A request that is cancelled while it waits, or just as its turn comes, blocks nobody."""

    async def work() -> int:
        one = HostLimit(1)
        await one.take(ANY)
        waiting = [asyncio.ensure_future(one.take(ANY)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        one.free(ANY)
        waiting[1].cancel()
        await asyncio.gather(*waiting[:2], return_exceptions=True)
        await waiting[2]
        return one.taken

    assert run_in_fake_time(work()) == 1


@pytest.mark.parametrize("most", [1, 2, 5])
def test_what_is_read_in_pieces_leaves_a_place_for_the_pieces(most: int) -> None:
    """However many blobs are sent in pieces to the host that they are read from, all of them arrive."""

    async def work() -> int:
        places = HostLimit(most)

        async def upload() -> None:
            await places.take(ANY, keeps=True)
            for _ in range(3):
                await places.take(ANY, is_needed=True)
                await asyncio.sleep(1)
                places.free(ANY)
            places.free(ANY, keeps=True)

        await asyncio.gather(*(upload() for _ in range(12)))
        return places.taken

    assert run_in_fake_time(work()) == 0


def test_nobody_has_one_and_waits_for_the_other() -> None:
    """One that waits for a place does not count as under way, so it keeps nobody waiting who is needed."""

    async def work() -> int:
        places, reading, sending = HostLimit(1), Action(1), Action(1)
        await places.take(sending, keeps=True)
        behind = asyncio.ensure_future(places.take(reading))
        await asyncio.sleep(0)
        await places.take(reading, is_needed=True)
        places.free(reading)
        places.free(sending, keeps=True)
        await behind
        return places.taken

    assert run_in_fake_time(work()) == 1

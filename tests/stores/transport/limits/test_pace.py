"""How many requests reach a host in a second."""

from __future__ import annotations

import asyncio
import random

import pytest

from imagesync_cli.stores.transport.limits.pace import Pace
from tests.fake_time import run_in_fake_time


class Host:
    """Notes when each request reaches it; how long the way there and back takes is nobody's choice."""

    def __init__(self, seed: int = 0, slowest_s: float = 0.3) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self._slowest_s = slowest_s
        self.reached_at: list[float] = []

    async def ask(self, pace: Pace) -> None:
        turn = await pace.turn()
        turn.sent()
        await asyncio.sleep(self._random.uniform(0, self._slowest_s))
        self.reached_at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self._random.uniform(0, self._slowest_s))
        turn.end()

    def most_in(self, window_s: float) -> int:
        """In any window of this length, its two ends included."""
        at = sorted(self.reached_at)
        return max(sum(begin <= other <= begin + window_s for other in at) for begin in at)


async def ask_at_once(host: Host, pace: Pace, number: int) -> float:
    """How long they take, all sent as soon as they may be."""
    began = asyncio.get_running_loop().time()
    await asyncio.gather(*(host.ask(pace) for _ in range(number)))
    return asyncio.get_running_loop().time() - began


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("per_second", [1, 3, 10, 100])
def test_no_second_has_more(per_second: int, seed: int) -> None:
    """However long each request is under way, a host that counts in any second never counts one too many."""
    host = Host(seed)
    run_in_fake_time(ask_at_once(host, Pace(per_second), 4 * per_second + 1))
    assert host.most_in(1.0) <= per_second
    assert len(host.reached_at) == 4 * per_second + 1


def test_a_second_is_used() -> None:
    """As many as may be go out at once, and 100 requests at ten a second take little more than nine seconds."""
    host = Host(slowest_s=0.01)
    assert 9 <= run_in_fake_time(ask_at_once(host, Pace(10), 100)) < 9.5
    assert sorted(host.reached_at)[9] < 1000.02


@pytest.mark.parametrize(("per_second", "window_s", "most"), [(0.5, 2.0, 1), (0.01, 100.0, 1), (2.5, 1.0, 2)])
def test_fractions(per_second: float, window_s: float, most: int) -> None:
    """Half a request in a second is one in two; of two and a half only two fit into any second."""
    host = Host()
    run_in_fake_time(ask_at_once(host, Pace(per_second), 6))
    assert host.most_in(window_s) == most


def test_an_answer_that_takes_long_keeps_nobody_waiting() -> None:
    """An upload may take an hour; what it is read from must go on meanwhile, at the same host too."""

    async def work() -> float:
        pace, began = Pace(1), asyncio.get_running_loop().time()
        (await pace.turn()).sent()
        await pace.turn()
        return asyncio.get_running_loop().time() - began

    assert run_in_fake_time(work()) == pytest.approx(2.0, abs=0.05)


def test_whoever_leaves_takes_no_turn() -> None:
    """A request that is cancelled while it waits, just as its turn comes, or before it was sent, costs nobody time."""

    async def work() -> float:
        pace = Pace(1)
        began, first = asyncio.get_running_loop().time(), await pace.turn()
        waiting = [asyncio.ensure_future(pace.turn()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        first.end()
        waiting[1].cancel()
        await asyncio.gather(*waiting[:2], return_exceptions=True)
        await waiting[2]
        return asyncio.get_running_loop().time() - began

    assert run_in_fake_time(work()) < 0.01


def test_whoever_waits_longest_is_next() -> None:
    """Nobody overtakes."""

    async def work() -> list[int]:
        pace, order = Pace(2), list[int]()

        async def ask(number: int) -> None:
            turn = await pace.turn()
            order.append(number)
            turn.sent()
            turn.end()

        await asyncio.gather(*map(ask, range(9)))
        return order

    assert run_in_fake_time(work()) == list(range(9))

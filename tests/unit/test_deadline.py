"""Limits on how long something may take."""

from __future__ import annotations

import asyncio

import pytest

from imagesync_cli.deadline import within


def test_in_time() -> None:
    """What is done in time gives its result."""

    async def answer() -> int:
        return 42

    assert asyncio.run(within(60, answer())) == 42


def test_too_late() -> None:
    """What takes longer is stopped, and the error says how long it had."""
    with pytest.raises(asyncio.TimeoutError, match=r"nothing within 0.01 s"):
        asyncio.run(within(0.01, asyncio.sleep(60)))


def test_cancelled_as_it_ends() -> None:
    """A cancellation that comes in the moment in which the work is done is not lost."""

    async def run() -> bool:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = asyncio.ensure_future(within(60, done))
        await asyncio.sleep(0)
        done.set_result(None)
        waiting.cancel()
        await asyncio.wait({waiting})
        return waiting.cancelled()

    assert asyncio.run(run())

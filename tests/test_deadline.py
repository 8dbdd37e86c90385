"""Limits on how long something may take."""

from __future__ import annotations

import asyncio

import pytest

from imagesync_cli.concurrency import finish, within


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


def test_finished_although_cancelled() -> None:
    """What must still be done is done, however often its caller is cancelled, and that is told."""

    async def run() -> tuple[bool, bool]:
        cleaned = asyncio.Event()
        cleaning = asyncio.ensure_future(cleaned.wait())
        waiting = asyncio.ensure_future(finish(60, cleaning))
        for _ in range(3):
            await asyncio.sleep(0)
            waiting.cancel()
        await asyncio.sleep(0)
        cleaned.set()
        return await waiting, cleaning.result()

    assert asyncio.run(run()) == (True, True)


def test_not_finished_in_time() -> None:
    """What does not end is not waited for without end."""

    async def run() -> bool:
        return await finish(0.01, asyncio.ensure_future(asyncio.sleep(60)))

    assert asyncio.run(run()) is False

"""Limits on how long something may take."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time

import pytest

from imagesync_cli.concurrency import ByteLimit, finish, within


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


def test_cancelled_in_the_moment_of_the_timeout() -> None:
    """A cancellation that comes together with the timeout is not taken for it."""

    async def run() -> bool:
        loop = asyncio.get_running_loop()
        waiting = asyncio.ensure_future(within(0, loop.create_future()))
        await asyncio.sleep(0)
        cancelling = loop.call_later(0, waiting.cancel)
        while loop.time() <= cancelling.when():  # so that the next step of the loop has both
            pass
        await asyncio.wait({waiting})
        return waiting.cancelled()

    assert asyncio.run(run())


def test_cancelled_after_the_timeout() -> None:
    """A cancellation arrives while what has taken too long is still on its way to its end."""

    async def run() -> bool:
        ending, never = asyncio.Event(), asyncio.Event()

        async def ends_slowly() -> None:
            try:
                await never.wait()
            finally:
                ending.set()
                await never.wait()

        waiting = asyncio.ensure_future(within(0, ends_slowly()))
        await ending.wait()
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


RESOLVER = """
import socket, sys, threading
released = threading.Event()
def lost(*_, **__):
    released.wait(60)
    raise socket.gaierror(socket.EAI_AGAIN, "too late")
socket.getaddrinfo = lost
from imagesync_cli.__main__ import main
main()
"""


def test_a_resolver_that_does_not_answer() -> None:
    """A name that is looked up for ever does not hold up the answer beyond its deadline."""
    query = json.dumps({"images": json.dumps({"a": "registry.example.com/app:1"})})
    began_at = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", RESOLVER, "external"],
        input=query,
        env={**os.environ, "IMAGESYNC_TIMEOUT": "12"},  # a connection has 10 s, and the second try is another lookup
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    assert time.monotonic() - began_at < 40
    assert json.loads(json.loads(done.stdout)["a"])["kind"] == "unreachable"


def test_no_more_bytes_than_there_is_room_for() -> None:
    """Who needs bytes waits until there is room; one who needs more than there can be has it alone, and all get it."""

    async def run() -> list[int]:
        limit, held, seen = ByteLimit(10), [0], []

        async def hold(size_bytes: int) -> None:
            async with limit.held(size_bytes):
                held[0] += size_bytes
                seen.append(held[0])
                try:
                    await asyncio.sleep(0)
                finally:
                    held[0] -= size_bytes

        waiting = [asyncio.ensure_future(hold(size)) for size in (4, 4, 4, 25, 10, 1)]
        await asyncio.sleep(0)
        waiting.pop(1).cancel()
        await asyncio.gather(*waiting)
        return seen

    seen = asyncio.run(run())
    assert max(size for size in seen if size != 25) <= 10
    assert 25 in seen

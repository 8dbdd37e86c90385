"""A connection that is given up while it is made leaves no socket behind, at whatever step that happens."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import Future
from typing import Any

import pytest

from imagesync_cli.concurrency import within
from imagesync_cli.stores.transport.wire import Wire


@pytest.mark.parametrize("steps", range(1, 12))
def test_given_up_as_a_begun_connection_is_taken_over(steps: int) -> None:
    """Cancelled after so many steps of the event loop, the socket is closed or somebody has it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        here = socket.create_connection(listener.getsockname())
        there = listener.accept()[0]
    here.setblocking(False)
    early: Future[socket.socket] = Future()
    early.set_result(here)

    async def take_over() -> None:
        taking = asyncio.create_task(Wire.connect("127.0.0.1", 1, 10, early))
        for _ in range(steps):
            await asyncio.sleep(0)
        taking.cancel()
        (taken,) = await asyncio.gather(taking, return_exceptions=True)
        if isinstance(taken, Wire):
            taken.close()

    with there:
        asyncio.run(take_over())
        there.settimeout(5)
        assert there.recv(1) == b""
        assert here.fileno() == -1


@pytest.mark.parametrize("steps", [0, 9])
def test_nobody_at_the_other_end(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """A connection that ended as it was made has no address to look at: it is one that broke, and no bug.

    So it is where the event loop goes on for some steps before anybody looks.
    """

    async def within_and_on(timeout_s: float, work: Any) -> Any:
        result = await within(timeout_s, work)
        for _ in range(steps):
            await asyncio.sleep(0)
        return result

    monkeypatch.setattr("imagesync_cli.stores.transport.wire.within", within_and_on)

    async def look() -> None:
        early: Future[socket.socket] = Future()
        early.set_result(socket.socket())
        wire = await Wire.connect("127.0.0.1", 1, 10, early)
        try:
            with pytest.raises(ConnectionResetError, match="closed by the other side"):
                assert wire.peer
        finally:
            wire.close()

    asyncio.run(look())

"""Large bodies over one connection: read straight from the socket, in order, and without keeping all else waiting."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import threading
from collections.abc import Callable, Iterator

import httpx
import pytest

from imagesync_cli.stores.transport.http1 import Connection
from imagesync_cli.stores.transport.wire import Wire

BODY = random.Random(1).randbytes(8 * 1024 * 1024)  # noqa: S311  (filling, not secrets)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY)
Serve = Callable[[socket.socket], None]


def answer(client: socket.socket, parts: Iterator[int]) -> None:
    """Read one request and answer it with the body, in parts of these sizes."""
    client.recv(65536)
    client.sendall(HEAD)
    left = memoryview(BODY)
    while left:
        size = next(parts)
        client.sendall(left[:size])
        left = left[size:]


def connected(serve: Serve) -> tuple[threading.Thread, int]:
    """Serve one connection in a thread; gives the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with listener, listener.accept()[0] as client:
            serve(client)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, listener.getsockname()[1]


async def get(connection: Connection) -> bytes:
    """Fetch the body."""
    answered = await connection.exchange(httpx.Request("GET", "http://127.0.0.1/"), b"/")
    return b"".join([chunk async for chunk in answered])


def sizes(seed: int) -> Iterator[int]:
    """Sizes of writes as a network makes them: some tiny, some large."""
    chance = random.Random(seed)  # noqa: S311  (filling, not secrets)
    while True:
        yield chance.choice((1, 1448, 64 * 1024, 3 * 1024 * 1024))


@pytest.mark.parametrize("seed", range(3))
def test_bodies_arrive_in_order_one_after_another(seed: int) -> None:
    """Two large bodies that come in writes of all sizes arrive whole and in order over the same connection."""

    def serve(client: socket.socket) -> None:
        for turn in range(2):
            answer(client, sizes(seed + turn))

    async def copy(port: int) -> tuple[bytes, bytes]:
        with contextlib.closing(Connection(await Wire.connect("127.0.0.1", port, 10))) as connection:
            return await get(connection), await get(connection)

    thread, port = connected(serve)
    assert asyncio.run(copy(port)) == (BODY, BODY)
    thread.join()


def test_a_connection_that_closes_after_a_body_is_not_used_again() -> None:
    """A server that closes its side after a large body is noticed although nothing is asked of it any more."""
    closing = threading.Event()

    def serve(client: socket.socket) -> None:
        answer(client, iter([len(BODY)]))
        closing.wait(60)

    async def use(port: int) -> tuple[bool, bool]:
        with contextlib.closing(Connection(await Wire.connect("127.0.0.1", port, 10))) as connection:
            await get(connection)
            before = connection.idle
            closing.set()
            await asyncio.to_thread(thread.join)
            for _ in range(3):  # turns of the event loop: its end is in the socket, and has to be looked at
                await asyncio.sleep(0)
            return before, connection.idle

    thread, port = connected(serve)
    assert asyncio.run(asyncio.wait_for(use(port), 60)) == (True, False)


def test_a_body_that_is_always_there_keeps_nothing_else_waiting() -> None:
    """While a body is read that is faster than its reader, everything else goes on: other blobs, time-outs, signals."""

    async def count(port: int) -> int:
        turns = 0

        def turn() -> None:
            nonlocal turns
            turns += 1
            loop.call_soon(turn)

        loop = asyncio.get_running_loop()
        with contextlib.closing(Connection(await Wire.connect("127.0.0.1", port, 10))) as connection:
            answered = await connection.exchange(httpx.Request("GET", "http://127.0.0.1/"), b"/")
            chunks = aiter(answered)
            await anext(chunks)
            loop.call_soon(turn)
            chunk_count = len([chunk async for chunk in chunks])
        return turns - chunk_count

    thread, port = connected(lambda client: answer(client, iter([len(BODY)])))
    assert asyncio.run(count(port)) >= 0
    thread.join()


class _Clock:
    """Time that passes with each read."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


class _Dripping(Wire):
    """A connection over which, after these bytes, the same one comes every second for ever."""

    def __init__(self, begins: bytes, goes_on: bytes, clock: _Clock) -> None:
        super().__init__()
        self._coming = [begins]
        self._goes_on, self._clock = goes_on, clock

    async def read(self, timeout_s: float) -> bytes:
        self._clock.now += 1
        if timeout_s < 1:
            raise asyncio.TimeoutError
        return self._coming.pop() if self._coming else self._goes_on

    readable, unsent_bytes = True, 0

    def write(self, data: bytes) -> None:
        """Nobody listens."""


@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [(b"5;", b"x"), (b"2\r\nok\r\n0\r\nA: ", b"x"), (b"2\r\nok\r\n", b"0")],
    ids=["extension", "trailer", "size"],
)
def test_a_body_that_drips_between_its_chunks(monkeypatch: pytest.MonkeyPatch, begins: bytes, goes_on: bytes) -> None:
    """A server that sends only what stands between chunks, or after the last one, is given up after half a minute."""
    clock = _Clock()
    monkeypatch.setattr("imagesync_cli.stores.transport.http1.time", clock)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(get(Connection(_Dripping(head + begins, goes_on, clock))))
    assert clock.now < 60

"""Bodies on their way to a server that is slow, speaks before the end, or takes nothing more."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from imagesync_cli.stores.transport import patience
from imagesync_cli.stores.transport.http1 import Answer, Connection
from imagesync_cli.stores.transport.wire import Wire
from tests.stores.transport.test_bodies import connected

# More than the kernels of both sides take for a reader that does not read.
BODY = bytes(16 * 1024 * 1024)
CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
# What a system takes of it without that the server has it.
HELD = 1536 * 1024


async def stream() -> AsyncIterator[bytes]:
    for start in range(0, len(BODY), 1024 * 1024):
        yield BODY[start : start + 1024 * 1024]


def put(port: int, body: bytes | AsyncIterator[bytes]) -> tuple[int, bool]:
    """Send the body; gives the answer's status, and whether the connection can be used again."""

    async def exchange() -> Answer:
        wire = await Wire.connect("127.0.0.1", port, 5.0)
        headers = {"Content-Length": str(len(BODY))}
        request = httpx.Request("PUT", "http://127.0.0.1/", headers=headers, content=body)
        try:
            answer = await Connection(wire).exchange(request, b"/")
            await answer.aclose()
        finally:
            wire.close()
            await asyncio.sleep(0)
        return answer

    answer = asyncio.run(exchange())
    return answer.status, answer.reusable


def read(client: socket.socket) -> int:
    """Read the whole request; gives how many bytes the body had."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += client.recv(1024)
    size = len(received) - received.index(b"\r\n\r\n") - 4
    while size < len(BODY):
        size += len(client.recv(1024 * 1024))
    return size


@pytest.fixture(params=["whole", "stream"])
def body(request: pytest.FixtureRequest) -> bytes | AsyncIterator[bytes]:
    return BODY if request.param == "whole" else stream()


class _Line(Wire):
    """A connection on which each wait takes as long as it may, and the server takes so many bytes in that time."""

    def __init__(self, takes: int) -> None:
        super().__init__()
        self.now = 0.0
        self._left, self._takes = 0, takes

    @property
    def unsent_bytes(self) -> int:
        return self._left

    def monotonic(self) -> float:
        return self.now

    def write(self, data: bytes) -> None:
        self._left += len(data)
        self.full = self._left > HELD

    async def settle(self, timeout_s: float) -> None:
        self._pass(timeout_s)
        self.full = self._left > HELD
        if self.full:
            raise asyncio.TimeoutError

    async def news(self, timeout_s: float) -> None:
        if not self.readable:
            self._pass(timeout_s)
            if self._left:
                raise asyncio.TimeoutError
            self.data_received(CREATED)

    def _pass(self, seconds: float) -> None:
        self.now += seconds
        self._left = max(0, self._left - self._takes)


def send_over(monkeypatch: pytest.MonkeyPatch, line: _Line, body: bytes | AsyncIterator[bytes]) -> int:
    monkeypatch.setattr(patience, "time", line)
    request = httpx.Request("PUT", "http://127.0.0.1/", headers={"Content-Length": str(len(BODY))}, content=body)
    return asyncio.run(Connection(line).exchange(request, b"/")).status


def test_a_slow_line(monkeypatch: pytest.MonkeyPatch, body: bytes | AsyncIterator[bytes]) -> None:
    """A server that takes a body little by little is not silent, however long this takes and the answer with it."""
    line = _Line(takes=64 * 1024)
    assert send_over(monkeypatch, line, body) == 201
    assert line.now > 3600


@pytest.mark.parametrize("takes", [0, 20 * 1024])
def test_a_line_that_is_too_slow(
    monkeypatch: pytest.MonkeyPatch, body: bytes | AsyncIterator[bytes], takes: int
) -> None:
    """A server that takes less than 1 KiB a second is given up after half a minute."""
    line = _Line(takes)
    with pytest.raises(asyncio.TimeoutError, match="nothing moved for 30 s"):
        send_over(monkeypatch, line, body)
    assert line.now < 35


def test_no_answer_to_a_small_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that has taken a manifest and says nothing is given up after half a minute, as one without a body is."""

    class Mute(_Line):
        async def news(self, timeout_s: float) -> None:
            self._pass(timeout_s)
            raise asyncio.TimeoutError

    line = Mute(takes=HELD)
    with pytest.raises(asyncio.TimeoutError, match="nothing moved for 30 s"):
        send_over(monkeypatch, line, bytes(4096))
    assert line.now < 35


@pytest.mark.skipif(sys.platform != "linux", reason="no other system tells")
@pytest.mark.parametrize("over_tls", [False, True])
def test_what_the_system_holds(tmp_path: Path, *, over_tls: bool) -> None:
    """What was handed to the system, or to TLS, and is not taken by the server counts as unsent."""
    goes_on = threading.Event()
    if over_tls:
        pytest.importorskip("cryptography")
        from tests.security.authority import Authority

        authority = Authority(tmp_path)

    def serve(client: socket.socket) -> None:
        if over_tls:
            client = authority.server_context("127.0.0.1").wrap_socket(client, server_side=True)
        with client:
            goes_on.wait(60)
            read(client)
            client.sendall(CREATED)

    async def send() -> tuple[int, int]:
        wire = await Wire.connect("127.0.0.1", port, 5.0)
        if over_tls:
            await wire.start_tls(ssl.create_default_context(cafile=authority.ca_file), "127.0.0.1", 5.0)
        wire.write(b"\r\n\r\n" + BODY)
        before = wire.unsent_bytes
        goes_on.set()
        await wire.news(60)
        after = wire.unsent_bytes
        wire.close()
        await asyncio.sleep(0)
        return before, after

    thread, port = connected(serve)
    before, after = asyncio.run(send())
    thread.join()
    assert before > len(BODY) // 2
    assert after == 0


def test_an_answer_before_the_end(body: bytes | AsyncIterator[bytes]) -> None:
    """A server that refuses a body, and does not read it, is heard at once."""
    heard = threading.Event()

    def serve(client: socket.socket) -> None:
        client.recv(1024)
        client.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        heard.wait(60)

    thread, port = connected(serve)
    assert put(port, body) == (413, False)
    heard.set()
    thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems may drop what has come before the break")
def test_an_answer_before_the_connection_breaks() -> None:
    """A server that refuses a body, and is gone before the next part of it, is heard: it has said why."""
    gone = threading.Event()

    def serve(client: socket.socket) -> None:
        client.recv(1)  # what it leaves unread makes the system break the connection
        client.sendall(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        client.close()
        gone.set()

    async def body() -> AsyncIterator[bytes]:
        gone.wait(60)  # the event loop too: it learns of nothing before the next part is sent
        for _ in range(len(BODY) // HELD + 1):
            yield bytes(HELD)

    thread, port = connected(serve)
    assert put(port, body()) == (413, False)
    thread.join()


def test_interim_answers_before_the_end(body: bytes | AsyncIterator[bytes]) -> None:
    """A server may say "100 Continue" unasked, and "102 Processing" in between: the body is sent to its end."""

    def serve(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
        assert read(client) == len(BODY)
        client.sendall(CREATED)

    thread, port = connected(serve)
    assert put(port, body) == (201, True)
    thread.join()

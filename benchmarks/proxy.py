"""A small HTTP/1.1 proxy in front of one registry that adds a delay and counts.

    python -m benchmarks.proxy LISTEN_PORT UPSTREAM_PORT

Each request and each new connection is held for the delay; after that, bytes stream through as they come. The Host
header passes unchanged, so that the registry's Location headers lead back here. It answers two paths itself:
``/-/start?DELAY_MS`` sets the delay and forgets the counts, ``/-/counts`` tells them as JSON.

It does not speak TLS and does not look into bodies.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys

BUFFER_BYTES = 256 * 1024
_TLS = b"\x16"
_ENDS = (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError)


class Proxy:
    """The delay and the counts of one upstream, shared by all connections."""

    def __init__(self, upstream_port: int) -> None:
        self._upstream_port = upstream_port
        self._start(0)

    def _start(self, delay_ms: int) -> None:
        self._delay_s = delay_ms / 1000
        self._requests: dict[str, int] = {}
        self._connections = self._received_bytes = self._sent_bytes = 0

    def _counts(self) -> dict[str, object]:
        return {
            "requests": self._requests,
            "connections": self._connections,
            "received_bytes": self._received_bytes,
            "sent_bytes": self._sent_bytes,
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side closes it."""
        ready_at_s = asyncio.get_running_loop().time() + self._delay_s
        with contextlib.suppress(*_ENDS):
            first = await reader.readexactly(1)
            if first == _TLS:
                # skopeo and crane try TLS before plain HTTP: refused like a server does, for a connection's delay.
                await _sleep_until(ready_at_s)
                writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
                writer.close()
                return
            head = first + await reader.readuntil(b"\r\n\r\n")
            if b" /-/" in head.partition(b"\r\n")[0]:
                writer.write(self._control(head))
            else:
                await self._pass_on(head, reader, writer, ready_at_s)
        writer.close()

    def _control(self, head: bytes) -> bytes:
        path = head.split(b" ", 2)[1].decode()
        if path.startswith("/-/start?"):
            self._start(int(path.partition("?")[2]))
        body = json.dumps(self._counts()).encode()
        return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    async def _pass_on(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ready_at_s: float
    ) -> None:
        self._connections += 1
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream_port, limit=BUFFER_BYTES)
        answers = asyncio.create_task(self._answers(up_reader, writer))
        try:
            await _sleep_until(ready_at_s)
            while True:
                self._count(head)
                await asyncio.sleep(self._delay_s)
                up_writer.write(head)
                await self._body(head, reader, up_writer)
                head = await reader.readuntil(b"\r\n\r\n")
        finally:
            if self._gone(reader):
                answers.cancel()
            up_writer.close()
            with contextlib.suppress(asyncio.CancelledError, *_ENDS):
                await answers

    @staticmethod
    def _gone(reader: asyncio.StreamReader) -> bool:
        return reader.at_eof() or reader.exception() is not None

    def _count(self, head: bytes) -> None:
        method = head.split(b" ", 1)[0].decode("ascii", "replace")
        self._requests[method] = self._requests.get(method, 0) + 1
        self._received_bytes += len(head)

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what the registry says; one answer follows the other, so their frames do not matter."""
        while chunk := await reader.read(BUFFER_BYTES):
            self._sent_bytes += len(chunk)
            writer.write(chunk)
            await writer.drain()
        writer.close()

    async def _body(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        headers = _headers(head)
        if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
            await self._chunks(reader, writer)
        else:
            await self._bytes(int(headers.get(b"content-length", b"0")), reader, writer)

    async def _chunks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = 1
        while size:
            line = await reader.readuntil(b"\r\n")
            writer.write(line)
            size = int(line.partition(b";")[0], 16)
            await self._bytes(size + 2, reader, writer)

    async def _bytes(self, left: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while left:
            chunk = await reader.read(min(left, BUFFER_BYTES))
            if not chunk:
                raise ConnectionResetError
            left -= len(chunk)
            self._received_bytes += len(chunk)
            writer.write(chunk)
            await writer.drain()


async def _sleep_until(at_s: float) -> None:
    await asyncio.sleep(at_s - asyncio.get_running_loop().time())


def _headers(head: bytes) -> dict[bytes, bytes]:
    lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in lines}


async def _main(listen_port: int, upstream_port: int) -> None:
    loop = asyncio.get_running_loop()
    stopped = loop.create_future()
    loop.add_signal_handler(signal.SIGTERM, stopped.set_result, None)
    proxy = Proxy(upstream_port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", listen_port, limit=BUFFER_BYTES, backlog=1024)
    await stopped
    server.close()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2])))

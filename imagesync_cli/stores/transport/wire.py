"""Bytes to and from a socket, as the event loop delivers them: no copies, no tasks, and never more than is asked for.

It knows TCP and TLS; what the bytes mean is http1.py's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections import deque
from typing import TYPE_CHECKING, cast

from imagesync_cli.concurrency import within
from imagesync_cli.values.hosts import is_address

if TYPE_CHECKING:
    import ssl

    from imagesync_cli.stores.transport.preconnect import Preconnected

# Reading pauses when this much is waiting: the slower side of a copy sets the pace, not the memory.
_HIGH_WATER_BYTES = 512 * 1024
# What a body is read in: as much as hashing and sending take without a step of the event loop in between.
_BODY_BYTES = 1024 * 1024
_CLOSED = "the connection was closed by the other side"


class Wire(asyncio.Protocol):
    """One connection. Failures are OSError (ssl's errors among them) and asyncio.TimeoutError."""

    _transport: asyncio.Transport = cast(asyncio.Transport, None)  # until it is made
    _descriptor = -1  # of the socket, where a body may be read from it directly

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._below: list[asyncio.Transport] = []  # what TLS writes to
        self._waiting_bytes = 0
        self._paused = False
        self.full = False  # what was written last is not sent yet
        self._ended = False
        self._error: Exception | None = None
        self._readable: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None

    @classmethod
    async def connect(cls, host: str, port: int, timeout_s: float, preconnected: Preconnected | None = None) -> Wire:
        """Connect to the first address of the host that answers, or take over a connection that was begun early."""
        loop, wire = asyncio.get_running_loop(), cls()
        if preconnected is not None:
            try:
                connected = await within(timeout_s, asyncio.wrap_future(preconnected))
            except BaseException:
                from imagesync_cli.stores.transport.preconnect import close_unused

                close_unused([preconnected])
                raise
            connecting = loop.create_connection(lambda: wire, sock=connected)
        else:
            # Between addresses there is a race; asyncio leaves its losers open when it is given up, so not for one.
            delay_s = None if is_address(host) else 0.25
            connecting = loop.create_connection(lambda: wire, host, port, happy_eyeballs_delay=delay_s)
        try:
            transport, _ = await within(timeout_s, connecting)
        except BaseException:
            wire.close()  # it may have been made in the moment in which it was given up
            if preconnected is not None and not wire._transport:
                connected.close()  # it has not: nobody else knows of the socket
            raise
        connected = transport.get_extra_info("socket")
        if not transport.is_closing():  # it may have ended as it was made
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if sys.platform != "win32":
                wire._descriptor = connected.fileno()
        return wire

    async def start_tls(self, context: ssl.SSLContext, server_name: str, timeout_s: float) -> None:
        """Speak TLS from here on; the certificate must be the server name's, as the context says."""
        upgrade = asyncio.get_running_loop().start_tls(self._transport, self, context, server_hostname=server_name)
        transport = await within(timeout_s, upgrade)
        if transport is None:
            raise ConnectionResetError("the connection was closed during the TLS handshake")
        transport.set_write_buffer_limits(high=_HIGH_WATER_BYTES)
        self._below.append(self._transport)
        self._transport, self._descriptor = transport, -1

    @property
    def peer(self) -> str:
        """The address at the other end; ConnectionResetError where there is nobody any more."""
        name = self._transport.get_extra_info("peername")
        if name is None:
            raise ConnectionResetError(_CLOSED)
        return str(name[0])

    @property
    def readable(self) -> bool:
        """Bytes are waiting, or none will come any more: on an idle connection, that its server has closed it."""
        return self._ended or bool(self._chunks)

    @property
    def closed(self) -> bool:
        return self._transport.is_closing()

    async def news(self, timeout_s: float) -> None:
        """Wait until something can be read, or the end."""
        if not self.readable:
            self._readable = asyncio.get_running_loop().create_future()
            await _within(self._readable, timeout_s)

    async def read(self, timeout_s: float) -> bytes:
        """The next bytes as they came, b"" at the end."""
        await self.news(timeout_s)
        if not self._chunks:
            if self._error is not None:
                raise self._error
            return b""
        chunk = self._chunks.popleft()
        self._waiting_bytes -= len(chunk)
        if self._paused and self._waiting_bytes <= _HIGH_WATER_BYTES // 2:
            self._paused = False
            self._transport.resume_reading()
        return chunk

    async def read_body(self, most_bytes: int, timeout_s: float) -> bytes:
        """Like read, but straight from the socket and not ahead of being asked: what is still warm is cheap to hash.

        TLS has buffers of its own, so over TLS it is read.
        """
        if self._descriptor >= 0 and not self._chunks:
            await asyncio.sleep(0)  # a socket that is always ready would keep all else from running, signals too
            self._transport.pause_reading()
            if not self._chunks and not self._transport.is_closing():
                with contextlib.suppress(BlockingIOError):
                    return os.read(self._descriptor, min(most_bytes, _BODY_BYTES))
            self._transport.resume_reading()
        return await self.read(timeout_s)

    def watch(self) -> None:
        """Notice from here on what comes unasked; for after a body."""
        if self._descriptor >= 0:
            self._transport.resume_reading()

    def write(self, data: bytes) -> None:
        """Send; while ``full``, too much is still unsent."""
        if self._transport.is_closing():
            raise self._error or ConnectionResetError(_CLOSED)
        self._transport.write(data)

    async def settle(self, timeout_s: float) -> None:
        """Wait until no more is too much, or something comes from the other side."""
        if self.full and not self.readable:
            self._writable = asyncio.get_running_loop().create_future()
            await _within(self._writable, timeout_s)
        if self._transport.is_closing():
            raise self._error or ConnectionResetError(_CLOSED)

    @property
    def unsent_bytes(self) -> int:
        """What the other side has not taken yet, as far as this system tells."""
        sock, queued = self._transport.get_extra_info("socket"), 0
        if sock is None:  # the connection has ended
            return 0
        with contextlib.suppress(ImportError, OSError, ValueError):  # Linux alone counts what a socket holds like that
            import fcntl
            import termios

            queued = int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        return queued + sum(each.get_write_buffer_size() for each in (self._transport, *self._below))

    def close(self) -> None:
        """Drop the connection, if there is one, and what came unread; what is unsent is not worth waiting for."""
        self._chunks.clear()
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # other loops' transports are not its children
        self._transport.set_write_buffer_limits(high=0)  # the kernel's buffer is large enough

    def data_received(self, data: bytes) -> None:
        """Keep the bytes for the next read, and stop reading where too many wait."""
        self._chunks.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > _HIGH_WATER_BYTES and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        _wake(self._readable, self._writable)

    def eof_received(self) -> None:
        self._ended = True
        _wake(self._readable, self._writable)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None and self._descriptor >= 0:
            # It broke as something was sent: what the other side has said before, such as why, is still to be had.
            with contextlib.suppress(OSError):
                if said := os.read(self._descriptor, _HIGH_WATER_BYTES):
                    self._chunks.append(said)
        self._ended = True
        self._error = exc
        _wake(self._readable, self._writable)

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        _wake(self._writable)


def _wake(*futures: asyncio.Future[None] | None) -> None:
    for future in futures:
        if future is not None and not future.done():
            future.set_result(None)


async def _within(future: asyncio.Future[None], timeout_s: float) -> None:
    """Await the future or raise TimeoutError. A timer costs a fraction of the task that wait_for makes."""
    timer = asyncio.get_running_loop().call_later(max(0.0, timeout_s), _time_out, future, timeout_s)
    try:
        await future
    finally:
        timer.cancel()


def _time_out(future: asyncio.Future[None], timeout_s: float) -> None:
    if not future.done():
        future.set_exception(asyncio.TimeoutError(f"nothing moved for {timeout_s:.0f} s"))

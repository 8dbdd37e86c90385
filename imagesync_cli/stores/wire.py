"""Bytes to and from a socket, as httpcore's network backend.

httpcore's own backend hands bytes through anyio and, over TLS, through a second copy of them; an asyncio protocol
that keeps the chunks as the event loop delivers them moves several times as much with the same CPU.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Iterable
from typing import Any

import httpcore

# Reading pauses when this much is waiting: the slower side of a copy sets the pace, not the memory.
_HIGH_WATER_BYTES = 1024 * 1024


class StreamBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections for httpcore."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers, or raise httpcore.ConnectError or ConnectTimeout."""
        loop = asyncio.get_running_loop()
        connecting = loop.create_connection(_Wire, host, port, happy_eyeballs_delay=0.25)
        try:
            transport, wire = await asyncio.wait_for(connecting, timeout)
        except asyncio.TimeoutError as error:
            raise httpcore.ConnectTimeout(f"no connection within {timeout:.0f} s") from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _Stream(wire)


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next chunk as it came; more than ``max_bytes`` where the event loop delivered more."""
        return await self._wire.read(timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._wire.write(buffer, timeout)

    async def aclose(self) -> None:
        self._wire.close()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        try:
            await self._wire.start_tls(ssl_context, server_hostname, timeout)
        except (OSError, asyncio.TimeoutError) as error:
            self._wire.close()
            raise httpcore.ConnectError(str(error) or "TLS handshake failed") from error
        return self

    def get_extra_info(self, info: str) -> Any:
        # httpcore asks this before it uses an idle connection again: readable means closed by the server.
        return self._wire.ended if info == "is_readable" else None


class _Wire(asyncio.Protocol):
    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._paused = False
        self._error: Exception | None = None
        self.ended = False
        self._readable: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._full = False

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  (for the type checker)
        self._transport = transport
        transport.set_write_buffer_limits(high=_HIGH_WATER_BYTES)

    def data_received(self, data: bytes) -> None:
        self._chunks.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > _HIGH_WATER_BYTES and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        _wake(self._readable)

    def eof_received(self) -> None:
        self.ended = True
        _wake(self._readable)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self._error = exc
        _wake(self._readable)
        _wake(self._writable)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        _wake(self._writable)

    # What the stream calls.

    async def read(self, timeout_s: float | None) -> bytes:
        if not self._chunks and not self.ended:
            self._readable = asyncio.get_running_loop().create_future()
            await _within(self._readable, timeout_s, httpcore.ReadTimeout)
        if not self._chunks:
            if self._error is not None:
                raise httpcore.ReadError(str(self._error)) from self._error
            return b""
        chunk = self._chunks.popleft()
        self._waiting_bytes -= len(chunk)
        if self._paused and self._waiting_bytes <= _HIGH_WATER_BYTES // 2:
            self._paused = False
            self._transport.resume_reading()
        return chunk

    async def write(self, data: bytes, timeout_s: float | None) -> None:
        if self._transport.is_closing():
            raise httpcore.WriteError("the connection was closed by the other side")
        self._transport.write(data)
        if self._full:
            self._writable = asyncio.get_running_loop().create_future()
            await _within(self._writable, timeout_s, httpcore.WriteTimeout)
            if self._transport.is_closing():
                raise httpcore.WriteError("the connection was closed by the other side")

    async def start_tls(self, context: ssl.SSLContext, name: str | None, timeout_s: float | None) -> None:
        loop = asyncio.get_running_loop()
        upgrade = loop.start_tls(self._transport, self, context, server_hostname=name)
        transport = await asyncio.wait_for(upgrade, timeout_s)
        if transport is None:
            raise ConnectionResetError("the connection was closed during the TLS handshake")
        transport.set_write_buffer_limits(high=_HIGH_WATER_BYTES)
        self._transport = transport

    def close(self) -> None:
        # Nothing that is still buffered is worth waiting for: a finished exchange has flushed its request.
        self._transport.abort()


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)


async def _within(future: asyncio.Future[None], timeout_s: float | None, error: type[Exception]) -> None:
    """Await the future, or raise ``error``. A timer costs a fraction of the task that wait_for makes."""
    timer = None
    if timeout_s is not None:
        reason = error(f"nothing moved for {timeout_s:.0f} s")
        timer = asyncio.get_running_loop().call_later(timeout_s, _fail, future, reason)
    try:
        await future
    finally:
        if timer is not None:
            timer.cancel()


def _fail(future: asyncio.Future[None], reason: Exception) -> None:
    if not future.done():
        future.set_exception(reason)

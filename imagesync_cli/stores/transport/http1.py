"""HTTP/1.1 over one connection: h11 reads and writes what frames a message, bodies of known length pass it by.

One exchange at a time; no redirects, no decoding, no retries (RFC 9112).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import h11
import httpx

from imagesync_cli.stores.transport.patience import SILENCE_S, Silence
from imagesync_cli.stores.transport.wire import Wire

# So much of a body that nobody reads is still read to its end, because then the connection can be used again.
_WORTH_DRAINING_BYTES = 16 * 1024
_DRAIN_TIMEOUT_S = 1.0


class Connection:
    """Serves one exchange after another. Failures are OSError, asyncio.TimeoutError and h11.ProtocolError."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._between = True  # no exchange is under way, and the last one left nothing behind
        self.served = 0

    @property
    def idle(self) -> bool:
        """The next exchange may begin."""
        return self._between and not self.wire.readable

    async def exchange(self, request: httpx.Request, target: bytes) -> Answer:
        """Send the request; gives the answer as soon as its head is there.

        The head may take as long as the extension ``patience_s`` says, SILENCE_S without one.
        """
        has_body = request.headers.get("content-length", "0") != "0"
        silence_s = request.extensions.get("patience_s", SILENCE_S)
        self._between = False
        protocol = h11.Connection(h11.CLIENT)
        head = protocol.send(h11.Request(method=request.method, target=target, headers=request.headers.raw))
        early: h11.Response | None = None
        sent = False
        try:
            early = await self._send(protocol, head or b"", request)
            sent = early is None
        except asyncio.TimeoutError:
            raise
        except OSError as error:
            # A server that refuses a body may answer and close without reading it.
            with contextlib.suppress(OSError):
                early = await self._head(protocol, silence_s)
            if early is None:
                raise error from None
        answer = early or await self._head(protocol, silence_s, self.wire if has_body else None)
        return Answer(self, protocol, answer, request.method, sent=sent)

    def release(self) -> None:
        """Both messages are over and the server keeps the connection."""
        self._between = True
        self.served += 1
        self.wire.watch()

    def close(self) -> None:
        self.wire.close()

    async def _send(self, protocol: h11.Connection, head: bytes, request: httpx.Request) -> h11.Response | None:
        """Send head and body; gives the head of an answer that comes before the body's end."""
        if isinstance(request.stream, httpx.ByteStream):
            return await self._pass(protocol, b"".join([head, *request.stream]))
        # The head goes ahead of a stream: this server gets ready while the stream's own source does.
        early = await self._pass(protocol, head)
        if early is None:
            async for chunk in request.stream:  # type: ignore[union-attr]
                if (early := await self._pass(protocol, chunk)) is not None:
                    break
        return early

    async def _pass(self, protocol: h11.Connection, data: bytes) -> h11.Response | None:
        """Send as fast as the server takes it; gives the head of an answer that is there before that."""
        early = await self._heard(protocol)
        if early is not None:
            return early
        self.wire.write(data)
        if self.wire.full:
            silence = Silence(self.wire, SILENCE_S)
            while self.wire.full and early is None:
                await self._until(silence, self.wire.settle)
                early = await self._heard(protocol) if self.wire.full else None
        return early

    async def _head(self, protocol: h11.Connection, silence_s: float, sending: Wire | None = None) -> h11.Response:
        """The head of the answer; interim answers (1xx) may come for ever, and are no news."""
        silence, head = Silence(sending, silence_s), None
        while head is None:
            await self._until(silence, self.wire.news)
            head = await self._heard(protocol)
        return head

    async def _until(self, silence: Silence, happens: Callable[[float], Awaitable[None]]) -> None:
        """Wait for something as long as the server may be silent, or takes what it was sent."""
        left_s = silence.left_s()
        try:
            await happens(left_s)
        except asyncio.TimeoutError:
            if self.wire.readable:  # it is the connection's own end
                raise

    async def _heard(self, protocol: h11.Connection) -> h11.Response | None:
        """The head of the answer, as far as it has come; interim answers are passed over."""
        while self.wire.readable:
            data = await self.wire.read(SILENCE_S)
            if not data:
                raise ConnectionResetError("the connection was closed without an answer")
            protocol.receive_data(data)
            while (event := protocol.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.Response):
                    return event
        return None


class Answer:
    """Status, headers as pairs of bytes, and a body that is still on the wire."""

    def __init__(
        self, connection: Connection, protocol: h11.Connection, head: h11.Response, method: str, *, sent: bool
    ) -> None:
        self.status = head.status_code
        self.headers = head.headers.raw_items()
        self._connection = connection
        self._wire = connection.wire
        self._protocol = protocol
        fields = dict(iter(head.headers))
        kept = head.http_version == b"1.1" and b"close" not in fields.get(b"connection", b"").lower()
        self.reusable = sent and kept  # after half a request, nothing else can follow on this connection
        self._left: int | None = None  # bytes of a body whose length is known; h11 finds the end of any other
        if method == "HEAD" or self.status in (204, 304):
            self._left = 0
        elif b"content-length" in fields and b"transfer-encoding" not in fields:
            self._left = int(fields[b"content-length"])
        self._early = protocol.trailing_data[0] if self._left is not None else b""
        self._ended = False
        if self._left == 0:
            self._end()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        deadline = time.monotonic() + SILENCE_S
        while not self._ended:
            if time.monotonic() > deadline:  # what stands between chunks, or after them, may come for ever
                raise asyncio.TimeoutError(f"nothing of the body for {SILENCE_S:.0f} s")
            if chunk := await self._next(deadline - time.monotonic()):
                yield chunk
                deadline = time.monotonic() + SILENCE_S

    async def aclose(self) -> None:
        """Read a short rest for the connection's sake; close the connection where that is not worth it."""
        if self._left is not None and self._left <= _WORTH_DRAINING_BYTES and self.reusable:
            deadline = time.monotonic() + _DRAIN_TIMEOUT_S
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                while not self._ended:
                    await self._next(deadline - time.monotonic())
        if not self._ended:
            self._ended = True
            self._connection.close()

    async def _next(self, timeout_s: float) -> bytes:
        if self._left is None:
            return await self._framed(timeout_s)
        chunk, self._early = self._early or await self._wire.read_body(self._left, timeout_s), b""
        if not chunk:
            raise ConnectionResetError(f"the connection was closed {self._left} bytes before the end")
        if len(chunk) > self._left:
            chunk, self.reusable = chunk[: self._left], False
        self._left -= len(chunk)
        if self._left == 0:
            self._end()
        return chunk

    async def _framed(self, timeout_s: float) -> bytes:
        event = self._protocol.next_event()
        if event is h11.NEED_DATA:
            self._protocol.receive_data(await self._wire.read(timeout_s))
        elif isinstance(event, h11.Data):
            return bytes(event.data)
        elif not isinstance(event, h11.InformationalResponse):
            self.reusable = self.reusable and not self._protocol.trailing_data[0]
            self._end()
        return b""

    def _end(self) -> None:
        self._ended = True
        if self.reusable and not self._early:
            self._connection.release()
        else:
            self._connection.close()

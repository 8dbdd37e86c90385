"""A proxy in front of one registry that does one thing wrong, so that every tool meets the same fault.

Threads and plain sockets, because it must be able to do what no HTTP library does. The Host header passes unchanged, so
that the registry's Location headers lead back here. It speaks HTTP/1.1 without TLS; where a fault wants tokens, it
gives them itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import json
import re
import socket
import struct
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import BinaryIO

from benchmarks.listener import Listener

_PIECE_BYTES = 64 * 1024
_DELIVERED_WITHIN_S = 10
_TLS = b"\x16"


class _EndError(Exception):
    """Nothing more goes over this connection."""


@dataclass(frozen=True)
class Fault:
    """What happens to requests with this method and a path in which the pattern is found; ``times`` 0 is for ever.

    Of the rest, one is set. ``cut_at`` counts bytes of the answer's body, a negative one from its end.
    """

    method: str = ""
    path: str = ""
    times: int = 1
    status: int = 0
    headers: tuple[str, ...] = ()
    code: str = "UNKNOWN"
    cut_at: int | None = None
    reset: bool = True
    stall_at: int | None = None
    flip: bool = False
    too_long: bool = False
    no_length: bool = False
    compress: bool = False
    upload_cut_at: int | None = None
    lose_answer: bool = False


@dataclass
class TokenService:
    """Wants a token for everything. ``refusals``: how often asking for one fails first; ``uses`` of the first token."""

    refusals: int = 0
    uses: int = 0
    given: int = 0
    used: int = 0

    def token(self) -> tuple[int, str]:
        """What /token answers."""
        if self.refusals:
            self.refusals -= 1
            return 503, ""
        self.given += 1
        return 200, f"token-{self.given}"

    def accepts(self, authorization: str) -> bool:
        """Whether the request may pass; the first token ends before its time."""
        if not self.given or authorization != f"Bearer token-{self.given}":
            return False
        self.used += 1
        return not (self.uses and self.given == 1 and self.used > self.uses)


@dataclass(frozen=True)
class _Head:
    """The first line and the fields of a message, as they came."""

    line: str
    fields: tuple[str, ...]

    def get(self, name: str) -> str:
        values = [text.partition(":")[2].strip() for text in self.fields if text.lower().startswith(f"{name}:")]
        return values[0] if values else ""

    def without(self, name: str) -> _Head:
        return replace(self, fields=tuple(text for text in self.fields if not text.lower().startswith(f"{name}:")))

    def with_field(self, text: str) -> _Head:
        return replace(self.without(text.partition(":")[0].lower()), fields=(*self.fields, text))

    def encode(self) -> bytes:
        return "\r\n".join([self.line, *self.fields, "", ""]).encode("latin-1")


@dataclass
class FaultProxy:
    """Listens on a free loopback port while the ``with`` block lasts.

    ``seen`` are the requests that passed, ``sent_bytes`` are those of blobs.
    """

    upstream: str
    fault: Fault = field(default_factory=Fault)
    tokens: TokenService | None = None
    seen: list[str] = field(default_factory=list)
    sent_bytes: int = 0

    def __enter__(self) -> FaultProxy:
        self._lock = threading.Lock()
        self._happened = 0
        self._listener = Listener(self._serve)
        self.host = self._listener.host
        self._listener.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.__exit__(kind, error, trace)

    @property
    def happened(self) -> int:
        """How often the fault was met."""
        return self._happened

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(_EndError, ValueError):
            if client.recv(1, socket.MSG_PEEK) == _TLS:
                # skopeo and crane try TLS before plain HTTP.
                client.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
                return
            with self._listener.connect(self.upstream) as server:
                exchange = _Exchange(self, client, server)
                while exchange.one():
                    pass

    def due(self, method: str, path: str) -> Fault | None:
        """The fault, if it is for this request."""
        fault = self.fault
        with self._lock:
            self.seen.append(f"{method} {path}")
            hit = re.fullmatch(fault.method, method) and re.search(fault.path, path)
            if not hit or (fault.times and self._happened >= fault.times):
                return None
            self._happened += 1
            return fault

    def stall(self) -> None:
        """Say nothing more until the proxy is closed."""
        self._listener.ending.wait()
        raise _EndError

    def count(self, size: int) -> None:
        with self._lock:
            self.sent_bytes += size


class _Exchange:
    """The requests of one connection, one after the other."""

    def __init__(self, proxy: FaultProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._from_client: BinaryIO = client.makefile("rb")
        self._from_server: BinaryIO = server.makefile("rb")

    def one(self) -> bool:
        """Pass one request and its answer on; False where the connection is over."""
        head = _read_head(self._from_client)
        if head is None:
            return False
        method, path, _ = head.line.split(" ")
        if head.get("expect"):
            self._client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            head = head.without("expect")
        if self._proxy.tokens is not None and not self._signed_in(self._proxy.tokens, head, path):
            return True
        fault = self._proxy.due(method, path.partition("?")[0]) or Fault()
        body = _body(head, self._from_client)
        if fault.upload_cut_at is not None:
            self._server.sendall(head.encode())
            self._upload_part(body, fault.upload_cut_at)
        if fault.status:
            for _ in body:
                pass
            self._say(fault.status, {"errors": [{"code": fault.code, "message": "on purpose"}]}, fault.headers)
            return True
        if fault.stall_at == -1:
            self._proxy.stall()
        self._server.sendall(head.without("authorization").encode())
        for piece in body:
            self._server.sendall(piece)
        return self._answer(method, path, fault)

    def _upload_part(self, body: Iterator[bytes], size: int) -> None:
        for piece in body:
            self._server.sendall(piece[:size])
            size -= len(piece)
            if size <= 0:
                break
        self._reset()

    def _signed_in(self, tokens: TokenService, head: _Head, path: str) -> bool:
        if path.partition("?")[0] == "/token":
            for _ in _body(head, self._from_client):
                pass
            status, token = tokens.token()
            self._say(status, {"token": token, "access_token": token, "expires_in": 300})
            return False
        if tokens.accepts(head.get("authorization")):
            return True
        for _ in _body(head, self._from_client):
            pass
        realm = f'WWW-Authenticate: Bearer realm="http://{self._proxy.host}/token",service="s"'
        self._say(401, {"errors": [{"code": "UNAUTHORIZED", "message": "a token is needed"}]}, (realm,))
        return False

    def _say(self, status: int, document: object, fields: tuple[str, ...] = ()) -> None:
        content = json.dumps(document).encode()
        kept = ("Content-Type: application/json", f"Content-Length: {len(content)}", *fields)
        self._client.sendall(_Head(f"HTTP/1.1 {status} On Purpose", kept).encode() + content)

    def _answer(self, method: str, path: str, fault: Fault) -> bool:
        head = _read_head(self._from_server)
        if head is None:
            return False
        if fault.lose_answer:
            self._reset()
        status = head.line.split(" ")[1]
        without_body = method == "HEAD" or status in ("204", "304")
        body = iter(()) if without_body else _body(head, self._from_server)
        if status.startswith("3"):
            fault = Fault()
        size = int(head.get("content-length") or 0)
        if fault.compress:
            content = gzip.compress(b"".join(body), 1)
            head = head.with_field("Content-Encoding: gzip").with_field(f"Content-Length: {len(content)}")
            body = iter([content])
        if fault.too_long:
            head = head.with_field(f"Content-Length: {size + 1000}")
        if fault.no_length:
            head = head.without("content-length").with_field("Connection: close")
        self._client.sendall(head.encode())
        self._pass_on(body, size, fault, blob="/blobs/" in path)
        return not (fault.too_long or fault.no_length)

    def _pass_on(self, body: Iterator[bytes], size: int, fault: Fault, *, blob: bool) -> None:
        """Send the body as far as the fault lets it."""
        ends_at = fault.cut_at if fault.cut_at is not None else fault.stall_at
        left = ends_at + size if ends_at is not None and ends_at < 0 else ends_at
        flip = fault.flip
        for piece in body:
            sent = piece if left is None else piece[:left]
            if flip and sent:
                sent, flip = bytes([sent[0] ^ 1]) + sent[1:], False
            self._client.sendall(sent)
            if blob:
                self._proxy.count(len(sent))
            if left is not None:
                left -= len(sent)
                if left == 0:
                    self._end(fault)

    def _end(self, fault: Fault) -> None:
        if fault.stall_at is not None:
            self._proxy.stall()
        if fault.reset:
            self._reset()
        raise _EndError

    def _reset(self) -> None:
        """RST instead of FIN, so that the client cannot take it for the end of the message.

        What was sent before arrives before: a reset drops what the kernel still holds.
        """
        deadline = time.monotonic() + _DELIVERED_WITHIN_S
        while _undelivered(self._client) and time.monotonic() < deadline:
            time.sleep(0.005)
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._from_client.close()
        self._client.close()
        raise _EndError


def _undelivered(sock: socket.socket) -> int:
    """How many sent bytes the other side's kernel has not taken yet."""
    count: int = struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))[0]
    return count


def _read_head(stream: BinaryIO) -> _Head | None:
    lines = []
    while (line := stream.readline(_PIECE_BYTES)) not in (b"\r\n", b""):
        lines.append(line.decode("latin-1").rstrip("\r\n"))
    return _Head(lines[0], tuple(lines[1:])) if lines else None


def _body(head: _Head, stream: BinaryIO) -> Iterator[bytes]:
    """The pieces of a body as they go over the wire, with the frames of its chunks."""
    if head.get("transfer-encoding").lower() == "chunked":
        return _chunks(stream)
    return _exactly(int(head.get("content-length") or 0), stream)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    size = 1
    while size:
        line = stream.readline(_PIECE_BYTES)
        size = int(line.partition(b";")[0], 16)
        yield line
        yield from _exactly(size + 2, stream)


def _exactly(size: int, stream: BinaryIO) -> Iterator[bytes]:
    while size:
        piece = stream.read(min(size, _PIECE_BYTES))
        if not piece:
            raise _EndError
        size -= len(piece)
        yield piece

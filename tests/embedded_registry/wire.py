"""HTTP/1.1 on a socket: read a request, write an answer.

Only as much of HTTP as registries and their clients speak; no routing and no registry knowledge.
A parser of its own, not http.server, because faults need the bare socket and benchmarks need quick answers.
"""

from __future__ import annotations

import gzip
import http
import json
import socket
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, unquote

HEAD_LIMIT_BYTES = 64 * 1024
READ_SIZE_BYTES = 256 * 1024

# crane and skopeo try TLS first and fall back at once when plain HTTP answers, as Go's servers do.
_TO_TLS_CLIENTS = b"HTTP/1.0 400 Bad Request\r\n\r\nthis port speaks plain HTTP\n"


class ConnectionEndedError(Exception):
    """The other side closed, or sent something that is not HTTP."""


@dataclass
class Request:
    """One request as it came; header names are lower case; ``status`` and ``body_size`` come later."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    target: str = ""
    status: int = 0
    body_size: int = 0
    body: bytes | bytearray = field(default=b"", repr=False)

    def __str__(self) -> str:
        return f"{self.method} {self.target}"


@dataclass(frozen=True)
class Response:
    """An answer; ``length`` overrides Content-Length (HEAD, bad framing), and "" leaves the header out.

    ``close`` ends the connection after it, as bad framing needs.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | memoryview = b""
    length: str | None = None
    close: bool = False

    def head(self) -> bytes:
        phrase = http.HTTPStatus(self.status).phrase if self.status in _STATUSES else "Unknown"
        lines = [f"HTTP/1.1 {self.status} {phrase}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.length != "" and self.status != 204:
            lines.append(f"Content-Length: {len(self.body) if self.length is None else self.length}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


_STATUSES = frozenset(status.value for status in http.HTTPStatus)


def json_response(status: int, document: object, headers: dict[str, str] | None = None) -> Response:
    body = json.dumps(document).encode()
    return Response(status, {"Content-Type": "application/json", **(headers or {})}, body)


def without_body(response: Response) -> Response:
    """Make the answer to a HEAD: every header of the GET, and no body."""
    length = str(len(response.body)) if response.length is None else response.length
    return replace(response, body=b"", length=length)


def compressed(response: Response) -> Response:
    """Encode an answer as a proxy with gzip switched on would."""
    body = gzip.compress(bytes(response.body), mtime=0)
    return replace(response, headers={**response.headers, "Content-Encoding": "gzip"}, body=body)


class Connection:
    """One client's socket with the bytes that were read ahead of their use."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self._ahead = bytearray()

    def read_request(self) -> Request | None:
        """Read one request up to its body; None when the client has no more."""
        while (end := self._ahead.find(b"\r\n\r\n")) < 0:
            if len(self._ahead) > HEAD_LIMIT_BYTES:
                raise ConnectionEndedError("the request head is too long")
            if not self._read_more():
                return None
            if not self._ahead[:1].isalpha():
                self.sock.sendall(_TO_TLS_CLIENTS)
                raise ConnectionEndedError("not HTTP: most likely a client that tries TLS first")
        head = self._ahead[:end].decode("latin-1")
        del self._ahead[: end + 4]
        return _parse_head(head)

    def read_body(self, request: Request, at_most: int | None = None) -> bytearray:
        """Read the body, or its first ``at_most`` bytes when a fault wants no more."""
        if request.headers.get("expect", "").lower() == "100-continue":
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in request.headers.get("transfer-encoding", "").lower():
            return self._read_chunks(at_most)
        length = int(request.headers.get("content-length", "0"))
        return self._read_exactly(length if at_most is None else min(length, at_most))

    def send(self, response: Response) -> None:
        """Write head and body, in one packet where they are small."""
        if len(response.body) <= READ_SIZE_BYTES:
            self.sock.sendall(response.head() + response.body)
        else:
            self.sock.sendall(response.head())
            self.sock.sendall(response.body)

    def reset(self) -> None:
        """End the connection so that the client sees "connection reset by peer"."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def _read_more(self) -> bool:
        received = self.sock.recv(READ_SIZE_BYTES)
        self._ahead += received
        return bool(received)

    def _read_exactly(self, size: int) -> bytearray:
        body = bytearray(size)
        filled = min(size, len(self._ahead))
        body[:filled] = self._ahead[:filled]
        del self._ahead[:filled]
        with memoryview(body) as view:
            while filled < size:
                received = self.sock.recv_into(view[filled:])
                if not received:
                    raise ConnectionEndedError("the body ended early")
                filled += received
        return body

    def _read_line(self) -> bytes:
        while (end := self._ahead.find(b"\r\n")) < 0:
            if not self._read_more():
                raise ConnectionEndedError("the body ended early")
        line = bytes(self._ahead[:end])
        del self._ahead[: end + 2]
        return line

    def _read_chunks(self, at_most: int | None) -> bytearray:
        body = bytearray()
        while size := int(self._read_line().split(b";")[0], 16):
            if at_most is not None and len(body) + size >= at_most:
                return body + self._read_exactly(at_most - len(body))
            body += self._read_exactly(size)
            self._read_line()
        while self._read_line():
            pass  # trailers
        return body


def _parse_head(head: str) -> Request:
    line, *fields = head.split("\r\n")
    try:
        method, target, _version = line.split(" ")
        headers = {}
        for text in fields:
            name, value = text.split(":", 1)
            headers[name.lower()] = value.strip()
    except ValueError as error:
        raise ConnectionEndedError(f"not HTTP: {line[:80]!r}") from error
    path, _, query = target.partition("?")
    return Request(method, unquote(path), dict(parse_qsl(query, keep_blank_values=True)), headers, target)

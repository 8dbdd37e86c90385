"""What stands between a client and a registry: a line, the end of a TLS connection, a proxy that is asked to CONNECT.

Both pass bytes on to a loopback server that speaks plain HTTP and knows nothing of it.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from benchmarks.listener import Listener, shut

# What Go's servers answer to plain HTTP on a TLS port.
_GO_SAYS = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
_TLS_HANDSHAKE = 0x16
_R = TypeVar("_R", bound="Relay")


class Relay:
    """Listens on a free loopback port while the ``with`` block lasts."""

    def __init__(self) -> None:
        self.listener = Listener(self.serve)
        self.port, self.host = self.listener.port, self.listener.host

    def __enter__(self: _R) -> _R:
        self.listener.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.listener.__exit__(kind, error, trace)

    def serve(self, client: socket.socket) -> None:
        raise NotImplementedError

    def join(self, client: socket.socket, address: str) -> None:
        """Pass bytes both ways until one side has no more."""
        with self.listener.connect(address) as server:
            back = self.listener.start(self.pass_on, server, client)
            self.pass_on(client, server, self.hear)
            back.join()

    def hear(self, data: bytes) -> None:
        """Take note of what a client says, before it goes on."""

    def pass_on(self, source: socket.socket, target: socket.socket, hear: Callable[[bytes], object] = len) -> None:
        """One way of it."""
        with contextlib.suppress(OSError):
            while data := source.recv(256 * 1024):
                hear(data)
                target.sendall(data)
        for sock in (source, target):
            shut(sock)


class TlsFront(Relay):
    """Ends TLS in front of a server; answers plain HTTP as Go does. ``shown`` are certificates of clients."""

    def __init__(self, backend: str, context: ssl.SSLContext) -> None:
        super().__init__()
        self._backend = backend
        self._context = context
        self.shown: list[object] = []

    def serve(self, client: socket.socket) -> None:
        first = client.recv(1, socket.MSG_PEEK)
        if first and first[0] != _TLS_HANDSHAKE:
            client.recv(64 * 1024)
            client.sendall(_GO_SAYS)
            return
        wrapped = self._context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        with self.listener.own(wrapped):
            wrapped.do_handshake()
            if certificate := wrapped.getpeercert():
                self.shown.append(certificate)
            self.join(wrapped, self._backend)


class ConnectProxy(Relay):
    """Connects HOST:PORT to the address that ``backends`` has for it, and remembers what it was asked."""

    def __init__(self, backends: dict[str, str]) -> None:
        super().__init__()
        self._backends = backends
        self.asked: list[str] = []
        self.heads: list[bytes] = []

    def serve(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (more := client.recv(4096)):
                return
            head += more
        self.heads.append(head)
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        self.asked.append(f"{method} {target}")
        if method != "CONNECT" or target not in self._backends:
            client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        self.join(client, self._backends[target])

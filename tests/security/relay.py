"""What stands between a client and a registry: a line, the end of a TLS connection, a proxy that is asked to CONNECT.

Both pass bytes on to a loopback server that speaks plain HTTP and knows nothing of it.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

# What Go's servers answer to plain HTTP on a TLS port.
_GO_SAYS = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
_TLS_HANDSHAKE = 0x16
_R = TypeVar("_R", bound="Relay")


class Relay:
    """Listens on a free loopback port while the ``with`` block lasts."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self._open: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self: _R) -> _R:
        self._accepting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # ends accept()
        self._accepting.join()
        for sock in self._open:
            _close(sock)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self.serve(client)
        _close(client)

    def serve(self, client: socket.socket) -> None:
        raise NotImplementedError

    def join(self, client: socket.socket, address: str) -> None:
        """Pass bytes both ways until one side has no more."""
        host, _, port = address.rpartition(":")
        with socket.create_connection((host, int(port))) as server:  # __exit__ may have closed all others by now
            self._open.append(server)
            back = threading.Thread(target=self.pass_on, args=(server, client), daemon=True)
            back.start()
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
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


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
        with self._context.wrap_socket(client, server_side=True) as safe:
            if certificate := safe.getpeercert():
                self.shown.append(certificate)
            self.join(safe, self._backend)


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


def _close(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()

"""A small SOCKS 5 proxy (RFC 1928, 1929) that leads every connection to one place and notes what it is asked."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from types import TracebackType
from typing import Any

_NO_LOGIN, _WITH_LOGIN, _NOTHING_FITS = 0, 2, 255


class SocksProxy:
    """Serves while its ``with`` block lasts; ``login`` is what it wants, ``refuses`` what it answers instead of 0."""

    def __init__(self, upstream: str, login: tuple[str, str] | None = None, refuses: int = 0) -> None:
        self.asked: list[tuple[str, int]] = []
        self._server = _Server(("127.0.0.1", 0), _handler(self, upstream, login, refuses))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> SocksProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


def _handler(proxy: SocksProxy, upstream: str, login: tuple[str, str] | None, refuses: int) -> type[Any]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            _, count = self.rfile.read(2)
            method = _WITH_LOGIN if login else _NO_LOGIN
            if method not in self.rfile.read(count):
                self.wfile.write(bytes([5, _NOTHING_FITS]))
                return
            self.wfile.write(bytes([5, method]))
            if login and not self.knows():
                return
            self.rfile.read(4)  # CONNECT to a name
            name = self.rfile.read(self.rfile.read(1)[0]).decode()
            proxy.asked.append((name, int.from_bytes(self.rfile.read(2), "big")))
            self.wfile.write(bytes([5, refuses, 0, 1, 0, 0, 0, 0, 0, 0]))
            if not refuses:
                self.relay()

        def knows(self) -> bool:
            self.rfile.read(1)
            given = tuple(self.rfile.read(self.rfile.read(1)[0]).decode() for _ in range(2))
            self.wfile.write(bytes([1, given != login]))
            return given == login

        def relay(self) -> None:
            address, _, port = upstream.rpartition(":")
            with socket.create_connection((address, int(port))) as there:
                back = threading.Thread(target=_pump, args=(there, self.connection), daemon=True)
                back.start()
                _pump(self.connection, there)
                back.join(5)

    return Handler


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)

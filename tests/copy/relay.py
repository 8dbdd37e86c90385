"""What a copy costs: how many requests each side got, on registries of which only the outside can be seen.

A counting proxy would change what is counted; a relay of bytes that reads the request lines on their way does not.
"""

from __future__ import annotations

import re
import socket
import threading
from types import TracebackType

_REQUEST_LINE = re.compile(rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE) /v2/\S* HTTP/1\.1\r\n")


class Relay:
    """Relays to a registry while its ``with`` block lasts; ``lines`` are the requests that went through."""

    def __init__(self, upstream: str) -> None:
        address, _, port = upstream.rpartition(":")
        self._upstream = (address, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.lines: list[str] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._pumps: list[threading.Thread] = []

    def __enter__(self) -> Relay:
        self._accepting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        for opened in self._open:
            _end(opened)
        for pump in self._pumps:
            pump.join()
        for opened in (self._listener, *self._open):
            opened.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._upstream)
            self._open += [client, server]
            for source, target, watched in ((client, server, True), (server, client, False)):
                pump = threading.Thread(target=self._pump, args=(source, target, watched), daemon=True)
                self._pumps.append(pump)
                pump.start()

    def _pump(self, source: socket.socket, target: socket.socket, watched: bool) -> None:
        try:
            while data := source.recv(256 * 1024):
                if watched:  # the client sends a request's head at once, with the body's beginning or without
                    self.lines += [line.decode().rpartition(" ")[0] for line in _REQUEST_LINE.findall(data)]
                target.sendall(data)
        except OSError:
            pass
        _end(target)


def _end(opened: socket.socket) -> None:
    try:
        opened.shutdown(socket.SHUT_RDWR)
    except OSError:
        return

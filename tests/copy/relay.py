"""What a copy costs: how many requests each side got, on registries of which only the outside can be seen.

A counting proxy would change what is counted; a relay of bytes that reads the request lines on their way does not.
"""

from __future__ import annotations

import re
import socket

from tests.security.relay import Relay

_REQUEST_LINE = re.compile(rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE) /v2/\S* HTTP/1\.1\r\n")


class CountingRelay(Relay):
    """Relays to a registry while its ``with`` block lasts; ``lines`` are the requests that went through."""

    def __init__(self, upstream: str) -> None:
        super().__init__()
        self._upstream = upstream
        self.lines: list[str] = []

    def serve(self, client: socket.socket) -> None:
        self.join(client, self._upstream)

    def hear(self, data: bytes) -> None:
        """A client sends a request's head at once, with the body's beginning or without."""
        self.lines += [line.decode().rpartition(" ")[0] for line in _REQUEST_LINE.findall(data)]

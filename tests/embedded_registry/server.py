"""A loopback HTTP server on threads: accepts, records, applies faults, and hands requests to a function.

It knows nothing of registries. One thread a connection; keep-alive.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType

from benchmarks.listener import Listener
from tests.embedded_registry.faults import NOT_EVEN_THE_HEAD, Fault, FaultHook
from tests.embedded_registry.wire import Connection, ConnectionEndedError, Request, Response, without_body

Handler = Callable[[Request], Response]


class LoopbackServer:
    """Serve one handler on 127.0.0.1 while the ``with`` block lasts."""

    def __init__(self, handler: Handler, delay_ms: float = 0, port: int = 0) -> None:
        self.handler = handler
        self.delay_s = delay_ms / 1000
        self.fault: FaultHook | None = None
        self.requests: list[Request] = []
        self._listener = Listener(self._serve, port)
        self.host = self._listener.host

    def __enter__(self) -> LoopbackServer:
        self._listener.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.__exit__(kind, error, trace)

    @property
    def connections_opened(self) -> int:
        return self._listener.accepted

    def wait(self) -> None:
        """Serve until the process is told to end."""
        self._listener.ending.wait()

    def _serve(self, sock: socket.socket) -> None:
        connection = Connection(sock)
        with contextlib.suppress(ConnectionEndedError):
            while (request := connection.read_request()) is not None:
                self.requests.append(request)
                if not self._exchange(connection, request):
                    return

    def _exchange(self, connection: Connection, request: Request) -> bool:
        """Answer one request; False when the connection is to be closed."""
        fault = (self.fault and self.fault(request)) or Fault()
        if fault.drop_request_after is not None:
            if fault.drop_request_after:
                connection.read_body(request, fault.drop_request_after)
            return self._end(connection, fault)
        if not fault.unread:
            request.body = connection.read_body(request)
            request.body_size = len(request.body)
        if self.delay_s:
            time.sleep(self.delay_s)
        if fault.stall and fault.cut_answer_after is None:
            self._hold(fault.stall)
        response = self._answer(request, fault)
        if fault.cut_answer_after is not None:
            return self._cut(connection, response, fault)
        if fault.drops_every_s:
            return self._drip(connection, response, fault.drops_every_s)
        connection.send(response)
        closing = fault.unread or response.close or request.headers.get("connection", "").lower() == "close"
        return not closing

    def _answer(self, request: Request, fault: Fault) -> Response:
        response = fault.answer or self.handler(request)
        if fault.change:
            response = fault.change(response)
        request.status = response.status
        request.body = b""  # the record keeps the size, not the gigabytes
        return without_body(response) if request.method == "HEAD" else response

    def _cut(self, connection: Connection, response: Response, fault: Fault) -> bool:
        """Send a part of the answer; then go on once the stall is released, or end the connection."""
        sent = fault.cut_answer_after or 0
        if sent != NOT_EVEN_THE_HEAD:
            connection.sock.sendall(response.head() + response.body[:sent])
        if fault.stall is None:
            return self._end(connection, fault)
        self._hold(fault.stall)
        connection.sock.sendall(response.body[sent:] if sent >= 0 else response.head() + response.body)
        return True

    def _drip(self, connection: Connection, response: Response, every_s: float) -> bool:
        connection.sock.sendall(response.head())
        for byte in bytes(response.body):
            connection.sock.sendall(bytes([byte]))
            if self._listener.ending.wait(every_s):
                return False
        return True

    def _end(self, connection: Connection, fault: Fault) -> bool:
        if fault.ending == "reset":
            connection.reset()
        return False

    def _hold(self, released: threading.Event) -> None:
        while not released.wait(0.02) and not self._listener.ending.is_set():
            pass

"""A loopback port and a thread for each of its connections: what every server of tests and benchmarks stands on.

What is opened here is closed here, whoever fails: after its end nothing is open, runs, or can be opened any more. A
socket that outlives a test is found by the garbage collector in the middle of another one, which then fails.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from types import TracebackType


class Listener:
    """Hands each connection to ``serve`` in a thread of its own, while the ``with`` block lasts."""

    def __init__(self, serve: Callable[[socket.socket], object], port: int = 0) -> None:
        self._serve = serve
        self._accepting = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port: int = self._accepting.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.ending = threading.Event()
        self.accepted = 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._errors: list[Exception] = []

    def __enter__(self) -> Listener:
        self.start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self.ending.set()
            for sock in self._open:
                shut(sock)
        with contextlib.suppress(OSError):  # wakes accept() on every platform
            socket.create_connection(self._accepting.getsockname(), timeout=1).close()
        for thread in self._threads:
            thread.join()
        self._accepting.close()
        if self._errors and kind is None:
            raise self._errors[0]

    def start(self, work: Callable[..., object], *arguments: object) -> threading.Thread:
        """Run it in a thread. A connection that ended is no error there; everything else is raised at the end."""
        thread = threading.Thread(target=self._run, args=(work, *arguments), daemon=True)
        with self._lock:
            self._check_that_it_goes_on()
            self._threads = [known for known in self._threads if known.is_alive()] + [thread]
            thread.start()
        return thread

    @contextlib.contextmanager
    def own(self, sock: socket.socket) -> Iterator[socket.socket]:
        """Close a socket with the end of the block; nothing more comes over it once all of this ends."""
        with sock:
            with self._lock:
                self._check_that_it_goes_on()
                self._open.add(sock)
            try:
                yield sock
            finally:
                with self._lock:
                    self._open.remove(sock)

    def connect(self, host: str) -> contextlib.AbstractContextManager[socket.socket]:
        """Open a connection to HOST:PORT for as long as the block lasts."""
        address, _, port = host.rpartition(":")
        return self.own(socket.create_connection((address, int(port))))

    def _check_that_it_goes_on(self) -> None:
        if self.ending.is_set():
            raise ConnectionAbortedError(f"{self.host} has ended")

    def _run(self, work: Callable[..., object], *arguments: object) -> None:
        try:
            with contextlib.suppress(OSError):
                work(*arguments)
        except Exception as error:  # noqa: BLE001  (raised again by __exit__)
            self._errors.append(error)

    def _accept(self) -> None:
        while not self.ending.is_set():
            sock, _ = self._accepting.accept()
            with contextlib.ExitStack() as unserved:
                unserved.callback(sock.close)
                self.start(self._serve_one, sock)
                self.accepted += 1
                unserved.pop_all()

    def _serve_one(self, sock: socket.socket) -> None:
        with self.own(sock):
            self._serve(sock)


def shut(sock: socket.socket) -> None:
    """End both directions, which wakes who waits for either; as of a plain socket, since TLS has more to forget.

    ssl.SSLSocket forgets at once what another thread is just reading with, and that one fails of it.
    """
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)

"""What tests and benchmarks listen with leaves nothing behind for the next one, and says what went wrong in it."""

from __future__ import annotations

import gc
import socket
import threading

import pytest

from benchmarks import registries
from benchmarks.listener import Listener


def test_nothing_is_opened_after_the_end() -> None:
    """A connection that is still being served at the end opens no other one: it ends, and so does its thread."""
    reached, opened = threading.Event(), list[socket.socket]()

    def serve(client: socket.socket) -> None:
        reached.set()
        listener.ending.wait()
        with listener.connect(there.host) as server:
            opened.append(server)

    with (
        Listener(lambda client: client.recv(1)) as there,
        Listener(serve) as listener,
        socket.create_connection(("127.0.0.1", listener.port)),
    ):
        assert reached.wait(20)
    gc.collect()  # pytest fails the test for a socket that is found now
    assert (opened, [thread for thread in listener._threads if thread.is_alive()]) == ([], [])


def test_what_waits_for_the_other_side_ends_too() -> None:
    """A silent client keeps nobody waiting at the end, and is told that it is over."""
    reached = threading.Event()

    def serve(client: socket.socket) -> None:
        reached.set()
        client.recv(1)

    listener = Listener(serve).__enter__()
    with socket.create_connection(("127.0.0.1", listener.port), timeout=20) as client:
        assert reached.wait(20)
        listener.__exit__(None, None, None)
        assert client.recv(1) == b""


def test_an_error_in_a_thread_is_raised_at_the_end() -> None:
    """What fails while a connection is served fails the test that it belongs to."""

    def serve(client: socket.socket) -> None:
        raise LookupError("in a thread")

    listener = Listener(serve).__enter__()
    with socket.create_connection(("127.0.0.1", listener.port), timeout=20) as client:
        assert client.recv(1) == b""
    with pytest.raises(LookupError, match="in a thread"):
        listener.__exit__(None, None, None)


def test_no_port_is_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that was given and is not used yet is given to nobody else."""
    first = registries.free_port()
    monkeypatch.setattr(registries, "_PORTS", (first, first + 40))
    assert len({first, *(registries.free_port() for _ in range(20))}) == 21

"""Interim answers (1xx) are passed over, but not for ever."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from imagesync_cli.stores.transport import http1
from imagesync_cli.stores.transport.wire import Wire

INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"


class Chatty(Wire):
    """A server that says the same again and again, and then something else."""

    def __init__(self, times: int, last: bytes) -> None:
        super().__init__()
        self._times = times
        self._last = last

    unsent_bytes = 0

    async def news(self, timeout_s: float) -> None:
        await asyncio.sleep(0)
        if not self.readable:
            self._times -= 1
            self.data_received(INTERIM if self._times >= 0 else self._last)

    def write(self, data: bytes) -> None:
        """Nobody listens."""


def answer(times: int) -> int:
    request = httpx.Request("GET", "http://registry.example.com/", extensions={"patience_s": 0.1})
    wire = Chatty(times, b"HTTP/1.1 204 No Content\r\n\r\n")
    return asyncio.run(http1.Connection(wire).exchange(request, b"/")).status


def test_some_interim_answers() -> None:
    """What a server says before its answer is not the answer."""
    assert answer(times=3) == 204


def test_interim_answers_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says "100 Continue" for ever is given up like one that says nothing."""
    monkeypatch.setattr(http1, "SILENCE_S", 0.1)
    with pytest.raises(asyncio.TimeoutError):
        answer(times=10**9)

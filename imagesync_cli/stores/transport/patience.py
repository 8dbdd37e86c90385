"""How long a server may take: a body must keep coming, and a host that has never answered is not waited for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from imagesync_cli.values.errors import Unavailable

if TYPE_CHECKING:
    from imagesync_cli.stores.transport.wire import Wire

# The whole head of an answer, and each next part of a body, has this long: a silent server is given up in 35 s.
SILENCE_S = 30.0
# A body slower than this for a whole window is given up; a blob is resumed on another connection.
SLOWEST_BYTES_A_SECOND = 1024
_WINDOW_S = 30.0
# Two tries for the first answer of a host. Later ones may take longer: then there is somebody who works on them.
_FIRST_ANSWER_S = 15.0
# A try that would be shorter is none.
_LAST_TRY_S = 1.0


async def fast_enough(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same chunks; Unavailable when they come by drops."""
    window_ends = time.monotonic() + _WINDOW_S
    seen_bytes = 0
    async for chunk in chunks:
        seen_bytes += len(chunk)
        now = time.monotonic()
        if now > window_ends:
            if seen_bytes < SLOWEST_BYTES_A_SECOND * _WINDOW_S:
                raise Unavailable(f"only {seen_bytes} bytes in {_WINDOW_S:.0f} s")
            window_ends, seen_bytes = now + _WINDOW_S, 0
        yield chunk


class Silence:
    """How long a server may say nothing: so many seconds, and again as many while it takes what it was sent.

    A line that is slow takes minutes for what this machine holds of a body, and no answer can come before. What any
    line takes in that time, such as a manifest, is no reason to wait for longer. ``sending`` is None without a body.
    """

    def __init__(self, sending: Wire | None, most_s: float) -> None:
        self._sending = sending
        self._most_s = most_s
        self._begin()

    def left_s(self) -> float:
        """How many seconds are left; asyncio.TimeoutError for none."""
        left_s = self._ends - time.monotonic()
        if left_s > 0:
            return left_s
        before = self._unsent_bytes
        self._begin()
        if before - self._unsent_bytes < SLOWEST_BYTES_A_SECOND * self._most_s:
            raise asyncio.TimeoutError(f"nothing moved for {self._most_s:.0f} s")
        return self._most_s

    def _begin(self) -> None:
        self._ends = time.monotonic() + self._most_s
        self._unsent_bytes = self._sending.unsent_bytes if self._sending else 0


class Patience:
    """Whether one host has ever answered, and for how long it has been asked in vain."""

    def __init__(self) -> None:
        self.answered = False
        self._asked_at: float | None = None

    def wait_s(self, longer_s: float) -> float:
        """How long to wait for the answer to a request that goes out now, and whose answer takes longer than usual."""
        if self.answered:
            return SILENCE_S + longer_s
        if self._asked_at is None:
            self._asked_at = time.monotonic()
        return min(_FIRST_ANSWER_S, max(_LAST_TRY_S, self._asked_at + 2 * _FIRST_ANSWER_S - time.monotonic()))

    def heard(self, *, answer: bool) -> None:
        """Take in an answer, or anything else that is not silence, such as a connection that was refused."""
        self.answered = self.answered or answer
        self._asked_at = None

    @property
    def is_dead(self) -> bool:
        """It was asked for as long as a host that has never answered is."""
        asked_s = 0.0 if self._asked_at is None else time.monotonic() - self._asked_at
        return asked_s >= 2 * _FIRST_ANSWER_S - _LAST_TRY_S

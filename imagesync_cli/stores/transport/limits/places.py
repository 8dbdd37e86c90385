"""How many connections to one host may be in use.

A copy holds two: one that sends a body, and one that this is read from. If all places of a host were held by such as
send, and what they read waited for one of them, nobody would go on: within one host, or between two that copy from each
other. So one place is left for others than senders. Where there is one place alone, what is read meanwhile has another.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Places:
    """At most ``most``."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0
        self._senders = 0
        self._waiting: deque[tuple[asyncio.Future[None], bool, bool]] = deque()

    async def take(self, *, sends: bool = False, is_read: bool = False) -> None:
        """Wait for a place; whoever waits longest is next.

        ``sends`` says that it is for a body that comes piece by piece, ``is_read`` that such a one waits for it.
        """
        if not self._waiting and self._is_free(sends=sends, is_read=is_read):
            self._grant(sends=sends)
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((place, sends, is_read))
        self._serve()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.free(sends=sends)  # it was given to us at the moment we left
            raise

    def free(self, *, sends: bool = False) -> None:
        """Give a place back."""
        self.taken -= 1
        self._senders -= sends
        self._serve()

    def _serve(self) -> None:
        """Give places to those who may have one; who sends keeps nobody waiting that does not."""
        still_waiting = deque[tuple[asyncio.Future[None], bool, bool]]()
        while self._waiting:
            place, sends, is_read = self._waiting.popleft()
            if place.done():
                continue
            if self._is_free(sends=sends, is_read=is_read):
                self._grant(sends=sends)
                place.set_result(None)
            else:
                still_waiting.append((place, sends, is_read))
        self._waiting = still_waiting

    def _is_free(self, *, sends: bool, is_read: bool) -> bool:
        if sends and self._senders >= max(1, self.most - 1):
            return False
        return self.taken < self.most or (is_read and self.taken == self._senders)

    def _grant(self, *, sends: bool) -> None:
        self.taken += 1
        self._senders += sends

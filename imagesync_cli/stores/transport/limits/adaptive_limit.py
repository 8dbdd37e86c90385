"""How many requests may be under way: fewer after a host said "too many", more again while all is well."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

# Answers that were under way together say "too many" together: that is one reason to go slower, not thirty.
_AT_ONCE_S = 1.0


class AdaptiveLimit:
    """At most ``most`` places; halved by each refusal, and one more after as many successes as there are places."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._limit = float(most)
        self._slower_at = float("-inf")
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.taken = 0

    @property
    def limit(self) -> int:
        """How many may be taken now."""
        return int(self._limit)

    async def take(self) -> None:
        """Wait for a place; whoever waits longest is next."""
        if self.taken < self.limit and not self._waiting:
            self.taken += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.free()  # it was given to us at the moment we left
            raise

    def free(self) -> None:
        """Give a place back."""
        self.taken -= 1
        while self._waiting and self.taken < self.limit:
            place = self._waiting.popleft()
            if not place.done():
                self.taken += 1
                place.set_result(None)

    def answered(self, status: int) -> None:
        """Take note of an answer."""
        if status != 429:
            self._limit = min(self._most, self._limit + 1 / self._limit)
        elif self._clock() - self._slower_at > _AT_ONCE_S:
            self._slower_at = self._clock()
            self._limit = max(1.0, self._limit / 2)

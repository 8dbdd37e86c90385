"""How many requests may be under way: fewer after a host said "too many", more again while all is well."""

from __future__ import annotations

import time
from collections.abc import Callable

# Answers that were under way together say "too many" together: that is one reason to go slower, not thirty.
_AT_ONCE_S = 1.0


class AdaptiveLimit:
    """At most ``most``; halved by each refusal, and one more after as many successes as it is."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._limit = float(most)
        self._slower_at = float("-inf")

    @property
    def limit(self) -> int:
        """How many may be under way now."""
        return int(self._limit)

    def answered(self, status: int) -> None:
        """Take note of an answer."""
        if status != 429:
            self._limit = min(self._most, self._limit + 1 / self._limit)
        elif self._clock() - self._slower_at > _AT_ONCE_S:
            self._slower_at = self._clock()
            self._limit = max(1.0, self._limit / 2)

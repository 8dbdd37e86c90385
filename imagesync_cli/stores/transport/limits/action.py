"""What one host allows of one action, such as a GET of a manifest or a PUT of a blob."""

from __future__ import annotations

import time
from collections.abc import Callable

from imagesync_cli.stores.transport.limits.learned_pace import LearnedPace
from imagesync_cli.stores.transport.limits.pace import Pace

# Answers that were under way together say "too many" together: that is one reason to go slower, not thirty.
_AT_ONCE_S = 1.0


class AdaptiveLimit:
    """How many requests may be under way: ``most``, half after each refusal, more again while all is well."""

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


class Action:
    """Its requests at the same time, at most ``most``, and its paces: the documented one and the one it has shown.

    One request at a time waits for its turn at these paces with a connection in hand. The others wait without one, so
    that a slow action leaves the connections to the other actions.
    """

    def __init__(self, most: int, documented: Pace | None = None) -> None:
        self._adaptive = AdaptiveLimit(most)
        self._learned = LearnedPace()
        self._documented = documented
        self._under_way = self._in_line = 0

    @property
    def limit(self) -> int:
        """How many of its requests may be under way now."""
        return self._adaptive.limit

    @property
    def paces(self) -> list[Pace]:
        """Those that its requests keep, beside the one of the whole host."""
        return [pace for pace in (self._learned.pace, self._documented) if pace is not None]

    @property
    def is_free(self) -> bool:
        """Whether one more may begin."""
        return self._under_way < self.limit and not (self._in_line and self.paces)

    def begin(self) -> None:
        """One more has its connection, and gets in line for its turn."""
        self._under_way += 1
        self.queue()

    def queue(self) -> None:
        """One gets in line for its turn."""
        self._in_line += 1

    def leave_line(self) -> None:
        """It has its turn, or wants none any more."""
        self._in_line -= 1

    def end(self) -> None:
        """It is over."""
        self._under_way -= 1

    def answered(self, status: int) -> None:
        """Take note of an answer."""
        self._adaptive.answered(status)
        self._learned.answered(status)

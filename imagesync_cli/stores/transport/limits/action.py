"""What one host allows of one action, such as a GET of a manifest or a PUT of a blob."""

from __future__ import annotations

import asyncio
from collections import deque

from imagesync_cli.stores.transport.limits import pace as paces
from imagesync_cli.stores.transport.limits.pace import Pace

# One or two are an accident, or those of a host that is overloaded: then a wait helps, and retry.py waits.
_CROWD = 8
_MORE_AFTER_S = 30.0
_SLOWER = 0.75
# Answers that were under way together say "too many" together: that is one reason to go slower, not thirty.
_AT_ONCE_S = 1.0


class LearnedPace:
    """What one host takes of one action in a second, where nobody has told; ``pace`` is None until it has shown that.

    Ten connections are too many for a host that takes ten requests in a second and answers each within a millisecond:
    what it limits is no number of connections. A crowd of refusals within a second says so. What it took in that second
    is what it takes, and after a second in which nothing is sent, no more is. Now and then a little more is tried.
    """

    def __init__(self) -> None:
        self.pace: Pace | None = None
        self._taken: deque[float] = deque(maxlen=1024)
        self._refused: deque[float] = deque(maxlen=_CROWD)
        self._per_second = 0.0
        self._changed_at = float("-inf")

    def answered(self, status: int, now: float) -> None:
        if status != 429:
            self._taken.append(now)
            if self.pace is not None and now - self._changed_at > _MORE_AFTER_S:
                self._change(self._per_second + max(1.0, self._per_second / 10), now)
            return
        self._refused.append(now)
        if now - self._changed_at <= paces.ARRIVES_WITHIN_S + paces.SECOND_S:
            return  # it was on its way by then
        if self.pace is not None:
            self._change(self._per_second * _SLOWER, now)
        elif len(self._refused) == _CROWD and now - self._refused[0] <= paces.SECOND_S:
            self._change(sum(now - at <= paces.SECOND_S for at in self._taken), now)

    def _change(self, per_second: float, now: float) -> None:
        faster = per_second > self._per_second > 0
        self._per_second, self._changed_at = max(1.0, per_second), now
        if self.pace is None:
            self.pace = Pace(self._per_second)
        self.pace.allow(self._per_second)
        if not faster:
            self.pace.rest()


class Action:
    """Its requests at the same time, and its paces: the documented one and the one it has shown.

    At most ``most`` are under way, half as many after each refusal, and more again while all is well. One request at a
    time waits for its turn at the paces with a connection in hand. The others wait without one, so that a slow action
    leaves the connections to the other actions.
    """

    def __init__(self, most: int, documented: Pace | None = None) -> None:
        self._most = most
        self._limit = float(most)
        self._slower_at = float("-inf")
        self._learned = LearnedPace()
        self._documented = documented
        self._under_way = self._in_line = 0

    @property
    def limit(self) -> int:
        """How many of its requests may be under way now."""
        return int(self._limit)

    @property
    def paces(self) -> list[Pace]:
        """Those that its requests keep, beside the one of the whole host."""
        return [pace for pace in (self._learned.pace, self._documented) if pace is not None]

    @property
    def is_free(self) -> bool:
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
        self._under_way -= 1

    def answered(self, status: int) -> None:
        now = asyncio.get_running_loop().time()
        if status != 429:
            self._limit = min(self._most, self._limit + 1 / self._limit)
        elif now - self._slower_at > _AT_ONCE_S:
            self._slower_at = now
            self._limit = max(1.0, self._limit / 2)
        self._learned.answered(status, now)

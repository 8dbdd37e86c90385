"""A pace that a host has shown by its refusals, where nobody has told one.

Ten connections are too many for a host that takes ten requests in a second and answers each within a millisecond: what
it limits is no number of connections. A crowd of refusals within a second says so. What it took in that second is what
it takes, and after a second in which nothing is sent, no more is. Now and then a little more is tried.
"""

from __future__ import annotations

import asyncio
from collections import deque

from imagesync_cli.stores.transport.limits import pace as paces
from imagesync_cli.stores.transport.limits.pace import Pace

# One or two are an accident, or those of a host that is overloaded: then a wait helps, and retry.py waits.
_CROWD = 8
_MORE_AFTER_S = 30.0
_SLOWER = 0.75


class LearnedPace:
    """What one host takes of one action in a second; ``pace`` is None until it has shown that."""

    def __init__(self) -> None:
        self.pace: Pace | None = None
        self._taken: deque[float] = deque(maxlen=1024)
        self._refused: deque[float] = deque(maxlen=_CROWD)
        self._per_second = 0.0
        self._changed_at = float("-inf")

    def answered(self, status: int) -> None:
        """Take note of an answer."""
        now = asyncio.get_running_loop().time()
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

"""How many requests may reach a host in a second, wherever in that second a strict host begins to count.

Nobody here knows when a request reaches the host: after it was sent, and before its answer is here. So a request counts
from the moment it is sent until a second after its answer. Then no second has more of them than it may, however long
each was under way. An answer that takes long, such as that to an upload, says little: then the request counts as
having arrived soon after it was sent.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque

ARRIVES_WITHIN_S = 1.0
SECOND_S = 1.0
# Clocks tick: a second of ours is to be none that ends too early.
_MARGIN_S = 0.005


class Turn:
    """The right to send one request: to be told when that is ``sent``, and to ``end``, sent and answered or not."""

    __slots__ = ("_is_sent", "_pace", "counts")

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._is_sent = False
        self.counts = True

    def sent(self) -> None:
        self._is_sent = True
        self._pace.end(self, ARRIVES_WITHIN_S + self._pace.window_s)

    def end(self) -> None:
        self._pace.end(self, self._pace.window_s if self._is_sent else 0.0)


class Pace:
    """At most ``per_second`` requests in any second; for less than one, a request in as many seconds as that takes.

    A fraction above one is rounded down: there is no second with two and a half requests.
    """

    def __init__(self, per_second: float) -> None:
        self.allow(per_second)
        self._counted = 0
        self._ends: list[tuple[float, int, Turn]] = []  # a heap; the first end of a turn is the one that holds
        self._numbers = itertools.count()
        self._waiting: deque[asyncio.Future[Turn]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def allow(self, per_second: float) -> None:
        """As many in a second from now on."""
        self._most = max(1, int(per_second))
        self.window_s = max(SECOND_S, SECOND_S / per_second) + _MARGIN_S

    def rest(self) -> None:
        """Send nothing until a second after what is on its way has arrived."""
        for _ in range(self._most):
            self._grant().sent()

    async def turn(self) -> Turn:
        """Wait for the right to send; whoever waits longest is next."""
        self._forget()
        if self._counted < self._most and not self._waiting:
            return self._grant()
        mine: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        self._serve()
        try:
            return await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                mine.result().end()  # it was given to us at the moment we left
            raise

    def end(self, turn: Turn, in_s: float) -> None:
        """Count the turn no longer after so many seconds."""
        if turn.counts:
            heapq.heappush(self._ends, (_now_s() + in_s, next(self._numbers), turn))
            self._serve()

    def _grant(self) -> Turn:
        self._counted += 1
        return Turn(self)

    def _forget(self) -> None:
        """Count no longer what reached the host more than a second ago."""
        now = _now_s()
        while self._ends and self._ends[0][0] <= now:
            turn = heapq.heappop(self._ends)[2]
            self._counted -= turn.counts
            turn.counts = False

    def _serve(self) -> None:
        """Let those go on who may, and look again when the next may."""
        self._forget()
        while self._waiting and self._counted < self._most:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(self._grant())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting and self._ends:
            self._timer = asyncio.get_running_loop().call_later(self._ends[0][0] - _now_s(), self._serve)


def _now_s() -> float:
    return asyncio.get_running_loop().time()

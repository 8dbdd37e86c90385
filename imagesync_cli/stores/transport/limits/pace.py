"""How many requests may reach a host in a second, wherever in that second a strict host begins to count.

Nobody here knows when a request reaches the host: after it was sent, and before its answer is here. So a request counts
from the moment it is sent until a second after its answer. Then no second has more of them than it may, however long
each was under way. An answer that takes long, such as that to an upload, says little: then the request counts as
having arrived soon after it was sent.
"""

from __future__ import annotations

import asyncio
from collections import deque

ARRIVES_WITHIN_S = 1.0
SECOND_S = 1.0
# Clocks tick: a second of ours is to be none that ends too early.
_MARGIN_S = 0.005


class Turn:
    """The right to send one request: to be told when that is ``sent``, and to ``end``, sent and answered or not."""

    __slots__ = ("_counts", "_pace")

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._counts: asyncio.TimerHandle | None = None  # until then

    def sent(self) -> None:
        self._count_for(ARRIVES_WITHIN_S + self._pace.window_s)

    def end(self) -> None:
        self._count_for(self._pace.window_s if self._counts else 0.0)

    def _count_for(self, seconds: float) -> None:
        """Count no longer after so many seconds, or what was said before if that is less."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        if self._counts is None or until < self._counts.when():
            if self._counts is not None:
                self._counts.cancel()
            self._counts = loop.call_at(until, self._pace.free)


class Pace:
    """At most ``per_second`` requests in any second; for less than one, a request in as many seconds as that takes.

    A fraction above one is rounded down: there is no second with two and a half requests.
    """

    def __init__(self, per_second: float) -> None:
        self.allow(per_second)
        self._counted = 0
        self._waiting: deque[asyncio.Future[Turn]] = deque()

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
        mine: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        self._serve()
        try:
            return await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                mine.result().end()  # it was given to us at the moment we left
            raise

    def free(self) -> None:
        """One of them counts no longer."""
        self._counted -= 1
        self._serve()

    def _grant(self) -> Turn:
        self._counted += 1
        return Turn(self)

    def _serve(self) -> None:
        """Let those go on who may."""
        while self._waiting and self._counted < self._most:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(self._grant())

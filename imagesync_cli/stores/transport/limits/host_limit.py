"""All limits of one host, whichever connection a request takes.

1. An action (a GET of a manifest, a PUT of a blob) of which the host said "too many" is asked for less often, by fewer
   requests at once and at the pace that it has shown. Others go on as before: ECR counts each by itself, Docker Hub
   counts pulls alone.
2. So many connections are in use at the same time.
3. So many requests are sent in a second: of all kinds, or of an action for which the host documents a number.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextvars import ContextVar

from imagesync_cli.stores.transport.limits.adaptive_limit import AdaptiveLimit
from imagesync_cli.stores.transport.limits.learned_pace import LearnedPace
from imagesync_cli.stores.transport.limits.pace import Pace, Turn
from imagesync_cli.stores.transport.limits.places import Places
from imagesync_cli.values.hosts import Rate

PER_HOST = 32
# Whether this task sends a body: what it asks for then is a piece of that.
_is_sending: ContextVar[bool] = ContextVar("is_sending", default=False)


class HostLimit:
    """The limits of one host and port. ``per_second`` is None for none; ``rates`` are of single actions."""

    def __init__(
        self, connections: int | None = None, per_second: float | None = None, rates: Sequence[Rate] = ()
    ) -> None:
        self._most = connections or PER_HOST
        self.places = Places(self._most)
        self._actions: dict[str, AdaptiveLimit] = {}
        self._learned: defaultdict[str, LearnedPace] = defaultdict(LearnedPace)
        self._pace = Pace(per_second) if per_second else None
        self._paces = {action: pace for rate in rates for pace in [Pace(rate.per_second)] for action in rate.actions}

    def action(self, name: str) -> AdaptiveLimit:
        """How many requests of this action may be under way."""
        if name not in self._actions:
            self._actions[name] = AdaptiveLimit(self._most)
        return self._actions[name]

    async def take(self, action: str, *, sends: bool) -> None:
        """Wait for a place; give it back by ``free``. ``sends`` says that a body goes out piece by piece."""
        await self.action(action).take()
        try:
            await self.places.take(sends=sends, is_read=_is_sending.get())
        except BaseException:
            self.action(action).free()
            raise

    def free(self, action: str, *, sends: bool) -> None:
        """Give a place back."""
        self.places.free(sends=sends)
        self.action(action).free()

    def answered(self, action: str, status: int) -> None:
        """Take note of an answer."""
        self.action(action).answered(status)
        self._learned[action].answered(status)

    @contextlib.asynccontextmanager
    async def turn(self, action: str) -> AsyncIterator[Turns]:
        """Wait until the pace allows one more request, which is sent in the block."""
        turns = Turns()
        try:
            for pace in filter(None, (self._pace, self._paces.get(action), self._learned[action].pace)):
                turns.add(pace, await pace.turn())
            yield turns
        finally:
            turns.end()


@contextlib.contextmanager
def sending() -> Iterator[None]:
    """Mark the block as one that sends a body which is read meanwhile."""
    token = _is_sending.set(True)
    try:
        yield
    finally:
        _is_sending.reset(token)


class Turns:
    """The turns of one request at each pace that it keeps."""

    def __init__(self) -> None:
        self._turns: list[tuple[Pace, Turn]] = []
        self._sent = False

    def add(self, pace: Pace, turn: Turn) -> None:
        """One more."""
        self._turns.append((pace, turn))

    def sent(self) -> None:
        """The request goes out now."""
        self._sent = True
        for pace, turn in self._turns:
            pace.sent(turn)

    def end(self) -> None:
        """It was answered, or never sent."""
        for pace, turn in self._turns:
            (pace.answered if self._sent else pace.forgo)(turn)

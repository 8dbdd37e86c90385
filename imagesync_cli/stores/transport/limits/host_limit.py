"""All limits of one host, whichever connection a request takes.

1. An action (a GET of a manifest, a PUT of a blob) of which the host said "too many" is asked for less often, by fewer
   requests at once and at the pace that it has shown. Others go on as before: ECR counts each by itself, Docker Hub
   counts pulls alone.
2. So many connections are in use at the same time.
3. So many requests are sent in a second: of all kinds, or of an action for which the host documents a number.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar

from imagesync_cli.concurrency import having
from imagesync_cli.stores.transport.limits.action import Action
from imagesync_cli.stores.transport.limits.pace import Pace, Turn
from imagesync_cli.stores.transport.limits.places import Places
from imagesync_cli.values.hosts import Rate

PER_HOST = 32
_is_needed: ContextVar[bool] = ContextVar("is_needed", default=False)
_is_kept: ContextVar[bool] = ContextVar("is_kept", default=False)


class HostLimit:
    """The limits of one host and port. ``per_second`` is None for none; ``rates`` are of single actions."""

    def __init__(
        self, connections: int | None = None, per_second: float | None = None, rates: Sequence[Rate] = ()
    ) -> None:
        self._most = connections or PER_HOST
        self.places = Places(self._most)
        self._actions: dict[str, Action] = {}
        self._pace = Pace(per_second) if per_second else None
        self._paces = {action: pace for rate in rates for pace in [Pace(rate.per_second)] for action in rate.actions}

    def action(self, name: str) -> Action:
        """What is allowed of this action."""
        if name not in self._actions:
            self._actions[name] = Action(self._most, self._paces.get(name))
        return self._actions[name]

    async def take(self, action: str, *, keeps: bool) -> None:
        """Wait for a place; give it back by ``free``. ``keeps`` says that it is kept while another one is needed."""
        await self.places.take(self.action(action), keeps=keeps, is_needed=_is_needed.get())

    def free(self, action: str, *, keeps: bool) -> None:
        """Give a place back."""
        self.places.free(self.action(action), keeps=keeps)

    def answered(self, action: str, status: int) -> None:
        """Take note of an answer."""
        self.action(action).answered(status)

    @contextlib.asynccontextmanager
    async def turn(self, action: str) -> AsyncIterator[Turns]:
        """Wait until the paces allow one more request, which is sent in the block.

        Its action's come first: whoever waits for those takes no turn of the whole host from the other actions.
        """
        turns, known = Turns(), self.action(action)
        try:
            try:
                await turns.wait_at(known.paces)
            finally:
                known.leave_line()
                self.places.serve()
            await turns.wait_at([self._pace] if self._pace else [])
            yield turns
        finally:
            turns.end()


def is_kept() -> bool:
    """Whether this task keeps what it asks for while it needs another connection."""
    return _is_kept.get()


def needed() -> AbstractContextManager[None]:
    """Mark the block as one that keeps a connection: what it asks for is needed to go on."""
    return having(_is_needed, value=True)


def kept() -> AbstractContextManager[None]:
    """Mark the block as one that reads what is kept open while others are asked, in ``needed``."""
    return having(_is_kept, value=True)


class Turns:
    """The turns of one request at each pace that it keeps."""

    def __init__(self) -> None:
        self._turns: list[tuple[Pace, Turn]] = []
        self._sent = False

    async def wait_at(self, paces: Iterable[Pace]) -> None:
        """One more at each of these."""
        for pace in paces:
            self._turns.append((pace, await pace.turn()))

    def sent(self) -> None:
        """The request goes out now."""
        self._sent = True
        for pace, turn in self._turns:
            pace.sent(turn)

    def end(self) -> None:
        """It was answered, or never sent."""
        for pace, turn in self._turns:
            (pace.answered if self._sent else pace.forgo)(turn)

"""All limits of one host, whichever connection a request takes.

1. An action (a GET of a manifest, a PUT of a blob) of which the host said "too many" is asked for less often, by fewer
   requests at once and at the pace that it has shown. Others go on as before: ECR counts each by itself, Docker Hub
   counts pulls alone.
2. So many connections are in use at the same time.
3. So many requests are sent in a second: of all kinds, or of an action for which the host documents a number.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar

from imagesync_cli.concurrency import having
from imagesync_cli.stores.transport.limits.action import Action
from imagesync_cli.stores.transport.limits.pace import Pace, Turn
from imagesync_cli.stores.transport.limits.places import Places
from imagesync_cli.values.hosts import Rate

PER_HOST = 32
is_needed: ContextVar[bool] = ContextVar("is_needed", default=False)
is_kept: ContextVar[bool] = ContextVar("is_kept", default=False)


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

    @contextlib.asynccontextmanager
    async def turn(self, action: Action) -> AsyncIterator[Callable[[], None]]:
        """Wait until the paces allow one more request, which is sent in the block; to be called as it goes out.

        Its action's come first: whoever waits for those takes no turn of the whole host from the other actions.
        """
        turns: list[tuple[Pace, Turn]] = []
        is_sent = False

        async def wait_at(pace: Pace) -> None:
            turns.append((pace, await pace.turn()))

        def sent() -> None:
            nonlocal is_sent
            is_sent = True
            for pace, turn in turns:
                pace.sent(turn)

        try:
            try:
                for pace in action.paces:
                    await wait_at(pace)
            finally:
                action.leave_line()
                self.places.serve()
            if self._pace is not None:
                await wait_at(self._pace)
            yield sent
        finally:
            for pace, turn in turns:
                (pace.answered if is_sent else pace.forgo)(turn)


def needed() -> AbstractContextManager[None]:
    """Mark the block as one that keeps a connection: what it asks for is needed to go on."""
    return having(is_needed, value=True)


def kept() -> AbstractContextManager[None]:
    """Mark the block as one that reads what is kept open while others are asked, in ``needed``."""
    return having(is_kept, value=True)

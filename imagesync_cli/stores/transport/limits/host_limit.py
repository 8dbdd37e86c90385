"""All limits of one host, whichever connection a request takes.

1. An action (a GET of a manifest, a PUT of a blob) of which the host said "too many" is asked for less often, by fewer
   requests at once and at the pace that it has shown. Others go on as before: ECR counts each by itself, Docker Hub
   counts pulls alone.
2. So many connections are in use at the same time.
3. So many requests are sent in a second: of all kinds, or of an action for which the host documents a number.

A copy holds two connections: one that sends a body, and one that this is read from; or, where it is sent in pieces, one
that is read from all the while, and another for each piece. If all places of a host were kept by such as need another
one, nobody would go on: within one host, or between two that copy from each other. So one place is left for others than
those. Where there is one place alone, what somebody needs who keeps it has another.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextvars import ContextVar
from typing import NamedTuple

from imagesync_cli.stores.transport.limits.action import Action
from imagesync_cli.stores.transport.limits.pace import Pace, Turn
from imagesync_cli.values.hosts import Rate

PER_HOST = 32
# What is asked for is needed to go on by somebody who keeps a connection.
is_needed: ContextVar[bool] = ContextVar("is_needed", default=False)
# What is read is kept open while others are asked that are needed.
is_kept: ContextVar[bool] = ContextVar("is_kept", default=False)


class _Waiting(NamedTuple):
    place: asyncio.Future[None]
    action: Action
    keeps: bool
    is_needed: bool


class HostLimit:
    """The limits of one host and port. ``per_second`` is None for none; ``rates`` are of single actions.

    At most ``most`` connections are ``taken``, and of each action as many as that allows: nobody has the one and waits
    for the other.
    """

    def __init__(
        self, connections: int | None = None, per_second: float | None = None, rates: Sequence[Rate] = ()
    ) -> None:
        self.most = connections or PER_HOST
        self.taken = 0
        self._keepers = 0
        self._waiting: deque[_Waiting] = deque()
        self._actions: dict[str, Action] = {}
        self._pace = Pace(per_second) if per_second else None
        self._paces = {action: pace for rate in rates for pace in [Pace(rate.per_second)] for action in rate.actions}

    def action(self, name: str) -> Action:
        """What is allowed of this action."""
        if name not in self._actions:
            self._actions[name] = Action(self.most, self._paces.get(name))
        return self._actions[name]

    async def take(self, action: Action, *, keeps: bool = False, is_needed: bool = False) -> None:
        """Wait for a place; of those who may have it, whoever waits longest is next.

        ``keeps`` says that it is kept while another one is waited for; ``is_needed``, that this is the other one.
        """
        one = _Waiting(asyncio.get_running_loop().create_future(), action, keeps, is_needed)
        self._waiting.append(one)
        self._serve()
        try:
            await one.place
        except asyncio.CancelledError:
            if one.place.done() and not one.place.cancelled():  # it was given to us at the moment we left
                action.leave_line()
                self.free(action, keeps=keeps)
            raise

    def free(self, action: Action, *, keeps: bool = False) -> None:
        action.end()
        self.taken -= 1
        self._keepers -= keeps
        self._serve()

    @contextlib.asynccontextmanager
    async def turn(self, action: Action) -> AsyncIterator[Callable[[], None]]:
        """Wait until the paces allow one more request, which is sent in the block; to be called as it goes out.

        Its action's come first: whoever waits for those takes no turn of the whole host from the other actions.
        """
        turns: list[Turn] = []

        def sent() -> None:
            for turn in turns:
                turn.sent()

        try:
            try:
                for pace in action.paces:
                    turns.append(await pace.turn())  # noqa: PERF401  (one that was given is to end, whatever comes)
            finally:
                action.leave_line()
                self._serve()
            if self._pace is not None:
                turns.append(await self._pace.turn())
            yield sent
        finally:
            for turn in turns:
                turn.end()

    def _serve(self) -> None:
        """Give places to those who may have one; whoever may not keeps nobody waiting who may."""
        passed = []
        while self._waiting and (self.taken < self.most or self.taken == self._keepers):
            one = self._waiting.popleft()
            if one.place.done():
                continue
            if self._is_free(one):
                self.taken += 1
                self._keepers += one.keeps
                one.action.begin()
                one.place.set_result(None)
            else:
                passed.append(one)
        self._waiting.extendleft(reversed(passed))

    def _is_free(self, one: _Waiting) -> bool:
        if not one.action.is_free or (one.keeps and self._keepers >= max(1, self.most - 1)):
            return False
        return self.taken < self.most or (one.is_needed and self.taken == self._keepers)

"""How many connections to one host may be in use.

A copy holds two: one that sends a body, and one that this is read from; or, where it is sent in pieces, one that is
read from all the while, and another for each piece. If all places of a host were kept by such as need another one,
nobody would go on: within one host, or between two that copy from each other. So one place is left for others than
those. Where there is one place alone, what somebody needs who keeps it has another.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple

from imagesync_cli.stores.transport.limits.action import Action


class _Waiting(NamedTuple):
    place: asyncio.Future[None]
    action: Action
    keeps: bool
    is_needed: bool


class Places:
    """At most ``most``, and of each action as many as that allows: nobody has the one and waits for the other."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0
        self._keepers = 0
        self._waiting: deque[_Waiting] = deque()

    async def take(self, action: Action, *, keeps: bool = False, is_needed: bool = False) -> None:
        """Wait for a place; of those who may have it, whoever waits longest is next.

        ``keeps`` says that it is kept while another one is waited for; ``is_needed``, that this is the other one.
        """
        one = _Waiting(asyncio.get_running_loop().create_future(), action, keeps, is_needed)
        self._waiting.append(one)
        self.serve()
        try:
            await one.place
        except asyncio.CancelledError:
            if one.place.done() and not one.place.cancelled():  # it was given to us at the moment we left
                action.leave_line()
                self.free(action, keeps=keeps)
            raise

    def free(self, action: Action, *, keeps: bool = False) -> None:
        """Give a place back."""
        action.end()
        self.taken -= 1
        self._keepers -= keeps
        self.serve()

    def serve(self) -> None:
        """Give places to those who may have one; whoever may not keeps nobody waiting who may."""
        passed = []
        while self._waiting and self._is_any_free:
            one = self._waiting.popleft()
            if one.place.done():
                continue
            if self._is_free(one):
                self._grant(one)
            else:
                passed.append(one)
        self._waiting.extendleft(reversed(passed))

    @property
    def _is_any_free(self) -> bool:
        return self.taken < self.most or self.taken == self._keepers

    def _is_free(self, one: _Waiting) -> bool:
        if not one.action.is_free or (one.keeps and self._keepers >= max(1, self.most - 1)):
            return False
        return self.taken < self.most or (one.is_needed and self.taken == self._keepers)

    def _grant(self, one: _Waiting) -> None:
        self.taken += 1
        self._keepers += one.keeps
        one.action.begin()
        one.place.set_result(None)

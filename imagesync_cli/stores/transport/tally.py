"""What a piece of work costs: its requests, what was tried again, and what was continued where it had broken off.

A count belongs to whoever asked for it, with all the tasks that come of it. A count inside another one is in both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from imagesync_cli.concurrency import having


class Tally:
    """Requests with every try counted, retries beyond each first attempt, blobs that came in several pieces.

    ``pulls`` are the manifests that were read, by registry.
    """

    def __init__(self, outer: Tally | None = None) -> None:
        self._outer = outer
        self.requests = 0
        self.retries = 0
        self.resumed = 0
        self.pulls: dict[str, int] = {}

    def add(self, requests: int = 0, retries: int = 0, resumed: int = 0, pulls_of: str = "") -> None:
        """Count this here, and in whatever this count is a part of."""
        self.requests += requests
        self.retries += retries
        self.resumed += resumed
        if pulls_of:
            self.pulls[pulls_of] = self.pulls.get(pulls_of, 0) + 1
        if self._outer is not None:
            self._outer.add(requests, retries, resumed, pulls_of)


_current: ContextVar[Tally | None] = ContextVar("tally", default=None)


@contextlib.contextmanager
def counting() -> Iterator[Tally]:
    """Count what the block, and the tasks that are begun in it, cost."""
    tally = Tally(_current.get())
    with having(_current, tally):
        yield tally


def count(requests: int = 0, retries: int = 0, resumed: int = 0, pulls_of: str = "") -> None:
    """Count for whoever wants to know; ``pulls_of`` is a registry of which a manifest was read."""
    if (tally := _current.get()) is not None:
        tally.add(requests, retries, resumed, pulls_of)

"""What a piece of work costs: its requests, what was tried again, and what was continued where it had broken off.

A count belongs to whoever asked for it, with all the tasks that come of it. A count inside another one is in both.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from contextvars import ContextVar

from imagesync_cli.concurrency import having


class Tally:
    """Requests with every try counted, retries beyond each first attempt, blobs that came in several pieces.

    ``pulls`` are the manifests that were read, by registry.
    """

    def __init__(self, outer: Tally | None) -> None:
        self.outer = outer  # what this count is a part of
        self.requests = self.retries = self.resumed = 0
        self.pulls: Counter[str] = Counter()


_current: ContextVar[Tally | None] = ContextVar("tally", default=None)


@contextlib.contextmanager
def counting() -> Iterator[Tally]:
    """Count what the block, and the tasks that are begun in it, cost."""
    tally = Tally(_current.get())
    with having(_current, tally):
        yield tally


def count(requests: int = 0, retries: int = 0, resumed: int = 0, pulls_of: str = "") -> None:
    """Count for whoever wants to know; ``pulls_of`` is a registry of which a manifest was read."""
    tally = _current.get()
    while tally is not None:
        tally.requests += requests
        tally.retries += retries
        tally.resumed += resumed
        if pulls_of:
            tally.pulls[pulls_of] += 1
        tally = tally.outer

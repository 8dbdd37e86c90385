"""What a piece of work cost: its requests, what was tried again, and what was continued where it had broken off.

A count belongs to whatever asked for it, with all the tasks that come of it; beside it others count for themselves.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar


class Effort:
    """``retries`` are attempts beyond the first, ``resumed`` are blobs that came in more than one piece."""

    def __init__(self) -> None:
        self.retries = 0
        self.resumed = 0


_effort: ContextVar[Effort | None] = ContextVar("effort", default=None)


def counting() -> Effort:
    """Count what the current task, and the tasks that it starts from now on, have to do again."""
    effort = Effort()
    _effort.set(effort)
    return effort


def retried() -> None:
    """Take note of another attempt."""
    if (effort := _effort.get()) is not None:
        effort.retries += 1


def resumed() -> None:
    """Take note of a blob that is continued."""
    if (effort := _effort.get()) is not None:
        effort.resumed += 1


class Meter:
    """Requests that went out, every try counted."""

    def __init__(self) -> None:
        self.requests = 0


_meter: ContextVar[Meter | None] = ContextVar("meter", default=None)


def count_request() -> None:
    """Note one request."""
    meter = _meter.get()
    if meter is not None:
        meter.requests += 1


@contextlib.contextmanager
def metered(meter: Meter) -> Iterator[None]:
    """Count what the block and the tasks begun in it ask."""
    token = _meter.set(meter)
    try:
        yield
    finally:
        _meter.reset(token)

"""How much trouble a piece of work had: what was tried again, and what was continued where it had broken off.

The count belongs to whatever asked for it, with all the tasks that come of it; beside it others count for themselves.
"""

from __future__ import annotations

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

"""How many requests a piece of work makes: counted for whoever set a meter, and all that is begun under it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar


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

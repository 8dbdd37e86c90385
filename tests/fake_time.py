"""An event loop whose time passes only while everybody waits, and then at once: an hour takes no longer than a line."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


class FakeTimeLoop(asyncio.SelectorEventLoop):
    """For works without sockets."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 1000.0
        self._really_select = self._selector.select  # type: ignore[attr-defined]
        self._selector.select = self._select  # type: ignore[attr-defined]

    def time(self) -> float:
        return self._now_s

    def _select(self, timeout: float | None) -> Any:
        assert timeout is not None, "everybody waits, and for nothing"
        self._now_s += max(0.0, timeout)
        return self._really_select(0)


def run_in_fake_time(work: Coroutine[Any, Any, _T]) -> _T:
    loop = FakeTimeLoop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()

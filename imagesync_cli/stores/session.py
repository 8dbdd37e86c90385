"""One run: its event loop, the stores that it needs, and the signals that end it. The only asyncio.run."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio

    from imagesync_cli.settings import Settings
    from imagesync_cli.stores import Stores
    from imagesync_cli.values.reference import Reference

# What a signal leaves to be cleaned up may take so long, whatever a registry, a disk or a resolver is up to.
_LEAVE_WITHIN_S = 4.5
_T = TypeVar("_T")


def run(settings: Settings, references: Iterable[Reference], work: Callable[[Stores], Awaitable[_T]]) -> _T:
    """Run an operation with the stores it needs; SIGTERM and its kin end it like Ctrl-C, cleanly.

    Connections to the ``references`` begin now, while the rest is still being loaded: ``work`` imports its operation
    itself.
    """
    from imagesync_cli.stores.transport.preconnect import preconnect

    preconnected = preconnect(references, settings)
    import asyncio  # a third of the start-up: --help and --version go without

    from imagesync_cli.stores import Stores

    async def main() -> _T:
        stores = Stores(settings, preconnected)
        with _Signals():
            try:
                return await work(stores)
            finally:
                await stores.aclose()

    return asyncio.run(main())


class _Signals:
    """Turns a signal into the cancellation of the running task, and that into the exit code."""

    def __init__(self) -> None:
        self._received = 0

    def __enter__(self) -> None:
        import asyncio
        import signal

        task = asyncio.current_task()
        assert task is not None  # noqa: S101  (for the type checker)
        if sys.platform != "win32":
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, self._receive, number, task)

    def _receive(self, number: int, task: asyncio.Task[Any]) -> None:
        if self._received:
            return  # it is on its way, and a second one must not interrupt the cleaning up
        import threading

        self._received = number
        task.cancel()
        last = threading.Timer(_LEAVE_WITHIN_S, os._exit, [128 + number])
        last.daemon = True
        with contextlib.suppress(RuntimeError):  # no more threads: then nothing hurries it
            last.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        import asyncio

        if self._received and isinstance(error, asyncio.CancelledError):
            raise SystemExit(128 + self._received)

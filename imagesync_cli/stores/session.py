"""One run: its event loop, the stores that it needs, and the signals that end it. The only asyncio.run."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from imagesync_cli.values.progress import note

if TYPE_CHECKING:
    from imagesync_cli.settings import Settings
    from imagesync_cli.stores import Stores
    from imagesync_cli.values.reference import Reference

# What a signal leaves to be cleaned up may take so long, whatever a registry, a disk or a resolver is up to.
_LEAVE_WITHIN_S = 4.5
# A step of the event loop that is still under way by then is broken off, a system call too.
_HEED_WITHIN_S = 1.5
_T = TypeVar("_T")


def run(
    settings: Settings,
    references: Iterable[Reference],
    work: Callable[[Stores], Awaitable[_T]],
    interrupted: Callable[[], str] = lambda: "interrupted: nothing was changed",
) -> _T:
    """Run an operation with the stores it needs; SIGTERM and its kin end it like Ctrl-C, cleanly.

    ``interrupted`` is what is said at once, before the cleaning up: what is there by then, and how to go on.

    Connections to the ``references`` begin now, while the rest is still being loaded: ``work`` imports its operation
    itself.
    """
    from imagesync_cli.stores.transport.preconnect import preconnect

    preconnected = preconnect(references, settings)
    import asyncio  # a third of the start-up: --help and --version go without

    from imagesync_cli.stores import Stores
    from imagesync_cli.stores.transport.daemon_threads import DaemonThreads

    async def main() -> _T:
        asyncio.get_running_loop().set_default_executor(DaemonThreads())
        stores = Stores(settings, preconnected)
        with _Signals(interrupted):
            try:
                return await work(stores)
            finally:
                await stores.aclose()

    return asyncio.run(main())


class _Signals:
    """Turns a signal into the cancellation of the running task, and that into the exit code.

    By Python's own handlers, not by the event loop's: they run even while the loop is held up by one long step.
    """

    def __init__(self, interrupted: Callable[[], str]) -> None:
        import asyncio

        self._interrupted = interrupted
        self._received = 0
        self._held_up = False
        self._heeded = False
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        import signal

        if sys.platform != "win32":
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                self._before[number] = signal.signal(number, self._receive)

    def _receive(self, number: int, _: object) -> None:
        import _thread
        import asyncio

        if not self._received:
            self._received = number
            self._loop.call_soon_threadsafe(self._cancel)
            with contextlib.suppress(RuntimeError):  # no more threads: then nothing hurries it
                _thread.start_new_thread(self._hurry, (number,))
        elif self._held_up and not self._heeded:
            self._heeded = True
            raise asyncio.CancelledError
        # Otherwise it is on its way, and a second signal must not interrupt the cleaning up.

    def _cancel(self) -> None:
        if self._task is not None and not self._heeded:
            self._heeded = True
            note(self._interrupted())
            self._task.cancel()

    def _hurry(self, number: int) -> None:
        """Break off what holds up the loop; leave without cleaning up if that is held up as well."""
        import signal
        import threading
        import time

        time.sleep(_HEED_WITHIN_S)
        if not self._heeded and (main := threading.main_thread().ident):
            self._held_up = True
            signal.pthread_kill(main, number)
        time.sleep(_LEAVE_WITHIN_S - _HEED_WITHIN_S)
        os._exit(128 + number)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        import asyncio
        import signal

        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._received and isinstance(error, asyncio.CancelledError):
            raise SystemExit(128 + self._received)

"""Threads that nobody waits for: a name that is looked up for minutes must hold up neither a deadline nor a signal.

asyncio's own wait for the last of them, once when the event loop closes and once when the process ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.thread import ThreadPoolExecutor
from typing import Any


class DaemonThreads(ThreadPoolExecutor):
    """One thread for each call, gone with the process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        threading.Thread(target=_run, args=(future, fn, args, kwargs), daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  (as inherited)
        """Leave them."""


def _run(future: Future[Any], work: Callable[..., Any], args: Any, kwargs: Any) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work(*args, **kwargs)
    except BaseException as error:  # noqa: BLE001  (whatever it is, it is the caller's)
        future.set_exception(error)
    else:
        future.set_result(result)

"""Locks that every process on this machine respects; the operating system frees them at any death."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from imagesync_cli.stores.files.folder import Place

# All that waiting takes is loaded by who waits: a process that only asks for a lock goes without.
if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_AGAIN_AFTER_S = 0.01
_SAID_AFTER_S = 1.0


@contextlib.asynccontextmanager
async def locked(place: Place, what: str) -> AsyncIterator[None]:
    """Hold a lock that is a file here, gone afterwards. Whoever waits is told so, with ``what`` is held.

    The waiting can be interrupted, and lasts as long as one index.json or archive takes to write.
    """
    handle = await _acquired(place, what)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows keeps what is open
            place.unlink()
        os.close(handle)


async def _acquired(place: Place, what: str) -> int:
    import asyncio
    import time

    from imagesync_cli.values.progress import note

    since, said = time.monotonic(), False
    while True:
        handle = _try(place)
        if handle >= 0:
            return handle
        if not said and time.monotonic() - since > _SAID_AFTER_S:
            said = True
            note(f"waiting for {what}: another process is writing it")
        # Not by a call that blocks, since a signal must end the waiting; and other processes set no events.
        await asyncio.sleep(_AGAIN_AFTER_S)


@contextlib.contextmanager
def briefly_locked(place: Place) -> Iterator[None]:
    """Hold a lock that is a file here, for as long as a small file takes to write; the file stays."""
    import time

    while (handle := _try(place)) < 0:
        time.sleep(_AGAIN_AFTER_S)
    try:
        yield
    finally:
        os.close(handle)


def _try(place: Place) -> int:
    """An open file here that we have locked; -1 where somebody else has."""
    with contextlib.ExitStack() as opened:
        handle = place.open(os.O_RDWR | os.O_CREAT)
        opened.callback(os.close, handle)
        if try_lock(handle) and is_named(handle, place.name, place.at):
            opened.pop_all()
            return handle
    return -1


def is_named(handle: int, name: str, at: int | None = None) -> bool:
    """Whether an open file still has this name.

    Whoever held it before may have removed it: a lock on what has no name any more excludes nobody.
    """
    try:
        return os.path.samestat(os.fstat(handle), os.stat(name, dir_fd=at, follow_symlinks=False))
    except FileNotFoundError:
        return False


def try_lock(handle: int) -> bool:
    """Lock an open file until it is closed; False where somebody else has."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True

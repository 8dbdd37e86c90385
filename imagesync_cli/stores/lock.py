"""Locks that every process on this machine respects; the operating system frees them at any death."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_LOOK_AGAIN_S = 0.05


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; waits while somebody else does (for as long as one index.json takes to write)."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / ".imagesync.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(handle)
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(handle, msvcrt.LK_LOCK, 1)
    else:
        fcntl.flock(handle, fcntl.LOCK_EX)


@contextlib.asynccontextmanager
async def locked_file(path: Path) -> AsyncIterator[None]:
    """Hold a lock that is a file of this name, gone afterwards; whoever waits can be interrupted."""
    handle = await _acquired(path)
    try:
        yield
    finally:
        _release(handle, path)


def _release(handle: int, path: Path) -> None:
    with contextlib.suppress(OSError):  # Windows keeps what is open
        path.unlink()
    os.close(handle)


async def _acquired(path: Path) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        # Whoever held it before has removed the file: a lock on what has no name any more excludes nobody.
        if try_lock(handle) and _is_at(handle, path):
            return handle
        os.close(handle)
        await asyncio.sleep(_LOOK_AGAIN_S)


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def try_lock(handle: int) -> bool:
    """Lock an open file unless another process does; it is free again when it is closed."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True

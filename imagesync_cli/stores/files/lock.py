"""Locks that every process on this machine respects; the operating system frees them at any death."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

# asyncio waits until something waits: a process that only asks for a lock goes without.
if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_AGAIN_AFTER_S = 0.01


@contextlib.asynccontextmanager
async def locked(folder: Path) -> AsyncIterator[None]:
    """Hold the folder's lock; waits while somebody else does (for as long as one index.json takes to write)."""
    import asyncio

    handle = _open(folder)
    try:
        # Not by a call that blocks, since a signal must end the waiting; and other processes set no events.
        while not try_lock(handle):  # noqa: ASYNC110
            await asyncio.sleep(_AGAIN_AFTER_S)
        yield
    finally:
        os.close(handle)


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
    import asyncio

    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        # Whoever held it before has removed the file: a lock on what has no name any more excludes nobody.
        if try_lock(handle) and is_at(handle, path):
            return handle
        os.close(handle)
        await asyncio.sleep(_AGAIN_AFTER_S)


def is_at(handle: int, path: Path | str) -> bool:
    """Whether the open file still has this name."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))  # noqa: PTH116
    except FileNotFoundError:
        return False


def _open(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(folder / ".imagesync.lock", os.O_RDWR | os.O_CREAT, 0o644)


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

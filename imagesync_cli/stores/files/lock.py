"""Locks that every process on this machine respects; the operating system frees them at any death."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

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
    import time

    since = time.monotonic()
    while (handle := _try(place)) < 0:
        await _wait(since, f"waiting for {what}: another process is writing it")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows keeps what is open
            place.unlink()
        os.close(handle)


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


@contextlib.asynccontextmanager
async def apart(folder: Path, about: str, doing: str, other: str, *, patience_s: float) -> AsyncIterator[None]:
    """Do something beside one's like, and not while ``other`` is done ``about`` the same, by processes of this user.

    1. Whoever works holds a lock that it shares with its like: a file in ``folder``, which is this user's alone.
    2. Then it looks whether anybody holds the other lock. Of two that see each other, the one whose word comes first
       in the alphabet waits, and the other one lets go and comes back.
    3. Nobody waits for longer than ``patience_s``, and nobody waits at all where there can be no such file: this closes
       what it can, and keeps nobody from working.
    """
    place, others, handle = folder / f"{doing}-{about}", folder / f"{other}-{about}", -1
    with contextlib.suppress(OSError):
        if _is_private(folder):
            handle = await _alone(place, others, patience_s, waits=doing < other)
    try:
        yield
    finally:
        if handle >= 0:
            with contextlib.suppress(OSError):
                if try_lock(handle):  # nobody shares it any more
                    place.unlink()
            os.close(handle)


async def _alone(place: Path, others: Path, patience_s: float, *, waits: bool) -> int:
    """A handle that shares the lock of ``place``, when nobody has that of ``others`` or after this long."""
    import time

    since, handle = time.monotonic(), -1
    while True:
        handle = handle if handle >= 0 else _share(place)
        is_over = time.monotonic() - since > patience_s
        if handle >= 0 and (is_over or not _is_shared(others)):
            return handle
        if handle >= 0 and not waits:
            os.close(handle)
            handle = -1
        await _wait(since, "waiting for another imagesync on this machine, which works in the same repository")


async def _wait(since: float, why: str) -> None:
    """Not by a call that blocks, since a signal must end the waiting; and other processes set no events."""
    import asyncio
    import time

    from imagesync_cli.values.progress import note

    if time.monotonic() - since > _SAID_AFTER_S:
        note(why)
    await asyncio.sleep(_AGAIN_AFTER_S)


def _share(path: Path) -> int:
    """A handle that shares this lock; -1 where somebody looks at it or removes it at this moment."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if is_named(handle, str(path)):
            return handle
    os.close(handle)
    return -1


def _is_shared(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        return not try_lock(handle)
    finally:
        os.close(handle)


def _is_private(folder: Path) -> bool:
    """Whether this folder is there, made if need be, and nobody else can do anything in it; never on Windows."""
    if sys.platform == "win32":
        return False
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077


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


def new_locked(beside: Place, prefix: str) -> tuple[int, Place]:
    """A new file of a name that begins so, with our lock on it."""
    while True:
        place = beside.beside(f"{prefix}{os.urandom(8).hex()}")
        handle = place.open(os.O_RDWR | os.O_CREAT | os.O_EXCL)
        # Between making and locking it, somebody may have taken it for what a dead process left.
        if sys.platform == "win32" or (try_lock(handle) and os.fstat(handle).st_nlink):
            return handle, place
        os.close(handle)


def removed_if_free(place: Place) -> bool:
    """Remove a file that nobody has locked; False where somebody has. Who was about to lock it makes another one."""
    if sys.platform == "win32":  # which removes no file that somebody has open
        with contextlib.suppress(PermissionError):
            place.unlink()
            return True
        return False
    handle = place.open(os.O_RDWR)
    try:
        is_free = try_lock(handle)
        if is_free:
            place.unlink()
        return is_free
    finally:
        os.close(handle)


# Files that say that somebody is at work: each is locked by its process, and the lock ends with it. A file that nobody
# has locked is what a killed process left, and is removed by whoever meets it.


@contextlib.contextmanager
def being_at_work(folder: Path, about: str) -> Iterator[None]:
    """Be at work until the block ends; the folder must exist."""
    from imagesync_cli.stores.files.folder import Place

    handle, place = new_locked(Place(str(folder / about)), f"{about}-")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows keeps what is open
            place.unlink()
        os.close(handle)


def at_work(folder: Path, about: str) -> list[Path]:
    """The files of those who are at work now."""
    return [path for path in sorted(folder.glob(f"{about}-*")) if is_at_work(path)]


def is_at_work(path: Path) -> bool:
    """Whether this file's process has neither ended its work nor died."""
    from imagesync_cli.stores.files.folder import Place

    try:
        return not removed_if_free(Place(str(path)))
    except FileNotFoundError:
        return False

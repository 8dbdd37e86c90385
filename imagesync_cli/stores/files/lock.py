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
    with _held(handle, place):
        yield


@contextlib.contextmanager
def _held(handle: int, place: Place) -> Iterator[None]:
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


async def _wait(since: float, why: str) -> None:
    """Not by a call that blocks, since a signal must end the waiting; and other processes set no events."""
    import asyncio
    import time

    from imagesync_cli.values.progress import note

    if time.monotonic() - since > _SAID_AFTER_S:
        note(why)
    await asyncio.sleep(_AGAIN_AFTER_S)


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
        with contextlib.ExitStack() as undo:
            handle = place.open(os.O_RDWR | os.O_CREAT | os.O_EXCL)
            undo.callback(os.close, handle)
            undo.callback(place.unlink)  # no lock may be to be had here, as on some network file systems
            # Between making and locking it, somebody may have taken it for what a dead process left.
            if sys.platform == "win32" or (try_lock(handle) and os.fstat(handle).st_nlink):
                undo.pop_all()
                return handle, place


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


# Copies into a repository and removals from it keep apart, in all processes that meet in one folder.
#
# 1. Whoever works says so by a file of its own, which its process has locked; the lock ends with the process. A file
#    that nobody has locked is what a killed process left, and is removed by whoever meets it.
# 2. Then it looks who does the other thing. Of two that see each other, the copy waits for the end of what has begun,
#    and the removal lets go and comes back.

COPY, REMOVE = "copy", "remove"


@contextlib.asynccontextmanager
async def apart(folder: Path, doing: str, repository: str, *, patience_s: float) -> AsyncIterator[None]:
    """Copy or remove apart from processes of this user; the folder is this user's alone, and made if need be.

    Nobody waits for longer than ``patience_s``, and nobody waits at all where there can be no such file: this closes
    what it can, and keeps nobody from working.
    """
    from imagesync_cli.values.errors import ContentError

    with contextlib.ExitStack() as work:
        with contextlib.suppress(OSError, ContentError):
            if _is_private(folder):
                await begin(work, folder, doing, repository, patience_s=patience_s)
        yield


async def begin(
    work: contextlib.ExitStack, folder: Path, doing: str, repository: str, *, patience_s: float = float("inf")
) -> None:
    """Copy or remove until ``work`` is closed, as soon as nobody does the other thing or after this long."""
    import time

    since, why = time.monotonic(), "waiting for another imagesync on this machine, which works in the same repository"
    work.enter_context(_at_work(folder, doing, repository))
    others = at_work(folder, REMOVE if doing == COPY else COPY, repository)
    while others and time.monotonic() - since < patience_s:
        if doing == COPY:
            await _wait(since, why)
            others = list(filter(is_at_work, others))
        else:
            work.close()
            await _wait(since, why)
            work.enter_context(_at_work(folder, doing, repository))
            others = at_work(folder, COPY, repository)


def _is_private(folder: Path) -> bool:
    """Whether this folder is there, made if need be, and nobody else can do anything in it; never on Windows."""
    if sys.platform == "win32":
        return False
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077


def _at_work(folder: Path, doing: str, repository: str) -> contextlib.AbstractContextManager[None]:
    from imagesync_cli.stores.files.folder import Place

    return _held(*new_locked(Place(str(folder / doing)), _prefix(doing, repository)))


def at_work(folder: Path, doing: str, repository: str = "") -> list[Path]:
    """The files of those who do this now, in this repository or anywhere."""
    prefix = _prefix(doing, repository) if repository else f"{doing}-"
    return [path for path in sorted(folder.glob(f"{prefix}*")) if is_at_work(path)]


def is_at_work(path: Path) -> bool:
    """Whether this file's process has neither ended its work nor died."""
    from imagesync_cli.stores.files.folder import Place

    try:
        return not removed_if_free(Place(str(path)))
    except FileNotFoundError:
        return False


def _prefix(doing: str, repository: str) -> str:
    import hashlib

    return f"{doing}-{hashlib.sha256(repository.encode()).hexdigest()[:32]}-"

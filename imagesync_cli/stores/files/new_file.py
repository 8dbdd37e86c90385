"""Files that appear whole or not at all, whenever the process or the machine dies; and what a killed process left.

A file is written beside its place, flushed, and renamed. Its writer holds a lock on it, which the operating system
frees at any death: what is named like one of ours and is not locked has no writer any more.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from imagesync_cli.stores.files.lock import try_lock

PREFIX = ".imagesync-new-"


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Any]:
    """A file that takes its name when the block ends well, and leaves nothing when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _claimed(path.parent) as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o644)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def flush_folders(folders: Iterable[Path]) -> None:
    """Make what was renamed into these folders outlast a power failure, where the platform can do so."""
    for folder in folders:
        with contextlib.suppress(OSError):  # Windows opens no folders, and some network file systems flush none
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def sweep(folders: Iterable[Path]) -> None:
    """Remove what writers that are dead have left in these folders."""
    for folder in folders:
        for path in folder.glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):  # not ours to remove, or gone meanwhile
                _remove_unless_locked(path)


def _remove_unless_locked(path: Path) -> None:
    if sys.platform == "win32":  # which removes no file that somebody has open
        path.unlink()
        return
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        if try_lock(handle):
            path.unlink()
    finally:
        os.close(handle)


def _claimed(folder: Path) -> Any:
    """A new file with our lock on it."""
    while True:
        file = tempfile.NamedTemporaryFile(dir=folder, prefix=PREFIX, delete=False)  # noqa: SIM115
        # Between making and locking it, somebody's sweep may have taken it.
        if sys.platform == "win32" or (try_lock(file.fileno()) and os.fstat(file.fileno()).st_nlink):
            return file
        file.close()

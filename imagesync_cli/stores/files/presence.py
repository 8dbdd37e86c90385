"""Files that say that somebody is at work: each is locked by its process, and a lock ends with its process.

What such a file is about is told by the start of its name. A file that nobody has locked is what a killed process
left, and is removed by whoever meets it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from imagesync_cli.stores.files.lock import try_lock


@contextlib.contextmanager
def present(folder: Path, about: str) -> Iterator[Path]:
    """Be at work until the block ends; the folder must exist."""
    handle, path = _locked_new(folder, about)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def at_work(folder: Path, about: str) -> list[Path]:
    """The files of those who are at work now."""
    return [path for path in sorted(folder.glob(f"{about}-*")) if is_at_work(path)]


def is_at_work(path: Path) -> bool:
    """Whether this file's process has neither ended its work nor died."""
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        if try_lock(handle):
            # Its maker may be about to lock it, and makes another one where it is gone (_locked_new).
            path.unlink(missing_ok=True)
            return False
    except PermissionError:  # Windows removes no file that is open: its maker lives
        pass
    finally:
        os.close(handle)
    return True


def _locked_new(folder: Path, about: str) -> tuple[int, Path]:
    while True:
        handle, name = tempfile.mkstemp(dir=folder, prefix=f"{about}-")
        if try_lock(handle) and Path(name).exists():
            return handle, Path(name)
        os.close(handle)

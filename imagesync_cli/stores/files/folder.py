"""Files by an open folder and their name in it: no link is followed, and nothing can be swapped in on the way.

What others may write into a folder is opened step by step from its root. Only regular files are opened, at once: a pipe
would keep its reader waiting. Where the platform has no such calls (Windows), paths are looked at before they are used.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from imagesync_cli.values.errors import ContentError

_HAS_OPEN_AT = os.open in os.supports_dir_fd
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_FOLDER = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_WALK = _FOLDER | getattr(os, "O_PATH", os.O_RDONLY)  # a folder need not be readable to lead on
# What opening answers for a link, a socket and a folder; and for what is to be a folder and is none.
_NO_FILE = frozenset({errno.ELOOP, errno.ENXIO, errno.EISDIR})
_NO_FOLDER = frozenset({errno.ELOOP, errno.ENOTDIR})


@dataclass(frozen=True)
class Place:
    """Where a file is, or will be: ``name`` in the open folder ``at``, or a path where that is None.

    ``path`` is what it is called in errors, where that is more than its name.
    """

    name: str
    at: int | None = None
    path: Path | None = None

    def beside(self, name: str) -> Place:
        """Another name in the same folder."""
        return Place(os.path.join(os.path.dirname(self.name), name), self.at)  # noqa: PTH118,PTH120  (not a path)

    @contextlib.contextmanager
    def folder(self) -> Iterator[int]:
        """A handle of the folder; Windows has none."""
        handle = os.open(self._folder_name, os.O_RDONLY, dir_fd=self.at)
        try:
            yield handle
        finally:
            os.close(handle)

    def names(self) -> list[str]:
        """All names in the folder."""
        if self.at is None:
            return os.listdir(self._folder_name)  # noqa: PTH208  (names, as below)
        with self.folder() as folder:
            return os.listdir(folder)  # noqa: PTH208  (a handle)

    @property
    def _folder_name(self) -> str:
        return os.path.dirname(self.name) or "."  # noqa: PTH120

    def open(self, flags: int = os.O_RDONLY, *, follow: bool = False) -> int:
        """A handle of the regular file here; ContentError for anything else. New files get the user's umask."""
        try:
            handle = os.open(self.name, flags | _FLAGS | (0 if follow else _NO_FOLLOW), 0o666, dir_fd=self.at)
        except OSError as error:
            if error.errno not in _NO_FILE:
                raise
            raise self.strange() from error
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise self.strange()
        return handle

    def status(self) -> os.stat_result:
        """What the file system tells of the regular file here; ContentError for anything else."""
        status = os.stat(self.name, dir_fd=self.at, follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            raise self.strange()
        return status

    def unlink(self) -> None:
        """Remove the name, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.name, dir_fd=self.at)

    def strange(self) -> ContentError:
        """The error for what is not as it should be."""
        return ContentError(f"{self.path or self.name} is not a regular file")


class Folder:
    """A folder, and what is below it by names such as ``blobs/sha256/…``; the folder itself may be a link."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def place(self, name: str, *, make: bool = False) -> Iterator[Place]:
        """Where this name leads, valid within the block; ``make`` the folders that lack on the way."""
        if make:
            self.path.mkdir(parents=True, exist_ok=True)
        if not _HAS_OPEN_AT:
            yield self._looked_at(name, make=make)
            return
        *folders, last = name.split("/")
        with contextlib.ExitStack() as opened:
            at = _opened(opened, str(self.path), None)
            for folder in folders:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(folder, dir_fd=at)
                at = self._step(opened, folder, at)
            yield Place(last, at, self.path / name)

    def _step(self, opened: contextlib.ExitStack, folder: str, at: int) -> int:
        try:
            return _opened(opened, folder, at, _NO_FOLLOW)
        except OSError as error:
            if error.errno not in _NO_FOLDER:
                raise
            raise ContentError(f"{self.path}: {folder} in it is a link, or no folder") from error

    def _looked_at(self, name: str, *, make: bool) -> Place:
        path = self.path / name
        for part in (path, *path.parents):
            if part == self.path:
                break
            if part.is_symlink():
                raise ContentError(f"{part} is a link")
        if make:
            path.parent.mkdir(parents=True, exist_ok=True)
        return Place(str(path))

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[BinaryIO]:
        """The regular file of this name, open for reading."""
        with self._named(name), self.place(name) as place:
            handle = place.open()
        with os.fdopen(handle, "rb") as file:
            yield file

    def status(self, name: str) -> os.stat_result:
        """What the file system tells of the regular file of this name."""
        with self._named(name), self.place(name) as place:
            status = place.status()
        return status  # noqa: RET504  (type checkers take the block for one that may swallow its errors)

    def unlink(self, name: str) -> None:
        """Remove this name, if it is there."""
        with contextlib.suppress(FileNotFoundError), self.place(name) as place:
            place.unlink()

    @contextlib.contextmanager
    def _named(self, name: str) -> Iterator[None]:
        """Say of a file that is not there which one it is."""
        try:
            yield
        except FileNotFoundError as error:
            error.filename = str(self.path / name)
            raise


def _opened(opened: contextlib.ExitStack, name: str, at: int | None, flags: int = 0) -> int:
    handle = os.open(name, _WALK | flags, dir_fd=at)
    opened.callback(os.close, handle)
    return handle


def obstacle(path: Path) -> str:
    """What keeps this user from making this folder, or something in it; "" for nothing. Nothing is made.

    Root, whom no rights keep from anything, may fail all the same.
    """
    there = next(each for each in (path.absolute(), *path.absolute().parents) if os.path.lexists(each))
    if not there.is_dir():
        return f"{there} is not a folder"
    return "" if os.access(there, os.W_OK | os.X_OK) else f"this user may not write to {there}"

"""The one writer of new files: whole or not at all, whenever the process or the machine dies.

A file is written beside its place, flushed, and renamed; it has the mode of what it replaces, else that of the user's
umask. Its writer holds a lock on it, which the operating system frees at any death: what is named like one of ours and
is not locked has no writer any more, and is removed by the next one.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from imagesync_cli.stores.files.folder import Place
from imagesync_cli.stores.files.lock import new_locked, removed_if_free
from imagesync_cli.values.errors import ContentError, UsageError

PREFIX = ".imagesync-new-"


class NewFile:
    """A file in the making: ``file`` is open for reading and writing. Unless it is published, nothing remains of it."""

    def __init__(self, place: Place, *, private: bool = False) -> None:
        self._place = place
        handle, self._temporary = new_locked(place, PREFIX)
        self.file = cast(BinaryIO, os.fdopen(handle, "w+b"))
        if private and sys.platform != "win32":
            os.fchmod(self.file.fileno(), 0o600)

    def publish(self) -> None:
        """Give it its name."""
        self.file.flush()
        os.fsync(self.file.fileno())
        at = self._place.at
        with contextlib.suppress(FileNotFoundError):
            replaced = os.stat(self._place.name, dir_fd=at, follow_symlinks=False)
            if stat.S_ISREG(replaced.st_mode):
                os.chmod(self._temporary.name, replaced.st_mode & 0o777, dir_fd=at)
        os.replace(self._temporary.name, self._place.name, src_dir_fd=at, dst_dir_fd=at)
        self.file.close()

    def discard(self) -> None:
        if not self.file.closed:
            self._temporary.unlink()
            with contextlib.suppress(OSError):  # a full disk, as it was before
                self.file.close()


@contextlib.contextmanager
def new_file(place: Place, *, private: bool = False) -> Iterator[BinaryIO]:
    """A file that takes its name when the block ends well, and leaves nothing when it does not."""
    new = NewFile(place, private=private)
    try:
        yield new.file
        new.publish()
    finally:
        new.discard()


def replace_file(path: Path, text: str | Iterator[str], *, private: bool = False) -> None:
    """Put a text in place of the file's; UsageError if that fails. A new one that is ``private`` is its owner's."""
    parts = (text,) if isinstance(text, str) else text
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as pipe:  # such as /dev/stdout
                pipe.writelines(part.encode() for part in parts)
            return
        place = Place(str(path))
        sweep(place)
        with new_file(place, private=private) as file:
            file.writelines(part.encode() for part in parts)
        flush_folder(place)
    except OSError as error:
        hint = "make room on the disk, give this user the right to write there, or name another place"
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint=hint) from error


def flush_folder(place: Place) -> None:
    """Make what was renamed there outlast a power failure, where the platform can do so."""
    # Windows opens no folders, some network file systems flush none, and some are not readable.
    with contextlib.suppress(OSError), place.folder() as handle:
        os.fsync(handle)


def sweep(place: Place) -> None:
    """Remove what writers that are dead have left beside this place."""
    with contextlib.suppress(OSError):
        for name in place.names():
            if name.startswith(PREFIX):
                with contextlib.suppress(OSError, ContentError):  # not ours to remove, or gone meanwhile
                    removed_if_free(place.beside(name))

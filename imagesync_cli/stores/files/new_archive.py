"""A tar file in the making, beside the one that it replaces: members of known size, several of them at once.

A descriptor tells a blob's size before the blob comes, so each gets its room in the file and is written there in its
own time: nothing is spooled, and nothing waits for its turn. Members have no time and no owner. Their order is that in
which they were begun.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from imagesync_cli.stores.files.folder import Place
from imagesync_cli.stores.files.new_file import NewFile, flush_folder, sweep
from imagesync_cli.stores.files.tar import READ_BYTES
from imagesync_cli.values.errors import ContentError

_COPY_BYTES = 64 * 1024 * 1024
_LARGEST_BYTES = 2**62  # of a file, that places in it are numbers to every call


@dataclass
class _Room:
    offset: int
    size: int
    is_full: bool = False


class NewArchive:
    """Unless it is published, nothing remains of it; what a killed process left is removed by the next one."""

    def __init__(self, path: Path) -> None:
        # A link to the archive stays a link; one that leads nowhere is replaced, and nothing is made where it leads.
        self._path = Path(os.path.realpath(path)) if path.exists() else path
        self._path.parent.mkdir(parents=True, exist_ok=True)
        place = Place(str(self._path))
        sweep(place)
        self._new = NewFile(place)
        self._rooms: dict[str, _Room] = {}
        self._end = 0

    @property
    def _file(self) -> BinaryIO:
        return self._new.file

    @property
    def lock(self) -> Place:
        """What a writer holds while it replaces the archive."""
        return Place(str(self._path.with_name(f".{self._path.name}.lock")))

    @property
    def names(self) -> set[str]:
        """Those of the members that are whole."""
        return {name for name, room in self._rooms.items() if room.is_full}

    def has(self, name: str, size: int | None = None) -> bool:
        """Whether the member is here, whole, and of this size."""
        room = self._rooms.get(name)
        return room is not None and room.is_full and size in (None, room.size)

    def begin(self, name: str, size: int) -> int:
        """Make room for a member, or give that of an earlier try; the offset at which its bytes begin."""
        if name not in self._rooms:
            if self._end + size > _LARGEST_BYTES:
                raise ContentError(f"{name} is to have {size} bytes, and no file can hold that")
            header = tarfile.TarInfo(name)
            header.size = size
            content = header.tobuf(tarfile.PAX_FORMAT)
            self.write(self._end, content)
            self._rooms[name] = _Room(self._end + len(content), size)
            self._end = _rounded(self._end + len(content) + size, tarfile.BLOCKSIZE)
        if self._rooms[name].size != size:  # or it would reach into its neighbour
            raise ContentError(f"{name} has {self._rooms[name].size} bytes and {size}")
        return self._rooms[name].offset

    def write(self, offset: int, chunk: bytes) -> None:
        """Bytes of a member, at their place."""
        self._file.seek(offset)
        self._file.write(chunk)

    def end(self, name: str) -> None:
        """All bytes of the member have been written, and are right."""
        self._rooms[name].is_full = True

    def add(self, name: str, content: bytes) -> None:
        """A small member at once; one that is here already stays as it is."""
        if not self.has(name, len(content)):
            self.write(self.begin(name, len(content)), content)
            self.end(name)

    async def take(self, name: str, size: int, source: int, offset: int) -> None:
        """Take a member over from an open archive, by a copy that the kernel makes where it can."""
        to = self.begin(name, size)
        self._file.flush()
        copied = 0
        while copied < size:
            count = min(_COPY_BYTES, size - copied)
            done = _copy(source, self._file.fileno(), count, offset + copied, to + copied)
            if not done:
                raise ContentError(f"{self._path}: {name} was cut short while it was copied")
            copied += done
            await asyncio.sleep(0)  # a signal may want to end this
        self.end(name)

    async def take_from(self, other: NewArchive, names: Iterable[str]) -> None:
        """Take over those of these members that another one has whole."""
        other._file.flush()
        for name in names:
            if other.has(name) and not self.has(name):
                room = other._rooms[name]
                await self.take(name, room.size, other._file.fileno(), room.offset)

    async def without_torn(self) -> NewArchive:
        """This archive, or one in its place without the members that were begun and will never be whole."""
        if all(room.is_full for room in self._rooms.values()):
            return self
        other = NewArchive(self._path)
        try:
            await other.take_from(self, self._rooms)
        except BaseException:
            other.discard()
            raise
        self.discard()
        return other

    def read(self, name: str) -> bytes:
        """A small member whole; FileNotFoundError if it is not here."""
        room = self._rooms.get(name)
        if room is None or not room.is_full:
            raise FileNotFoundError(name)
        self._file.seek(room.offset)
        return self._file.read(room.size)

    def publish(self) -> None:
        """Put it in the place of the old archive, which until then is untouched."""
        self._file.seek(0)  # writes what is still buffered
        self._file.truncate(_rounded(self._end + 2 * tarfile.BLOCKSIZE, tarfile.RECORDSIZE))
        self._new.publish()
        flush_folder(Place(str(self._path)))

    def discard(self) -> None:
        self._new.discard()


def _rounded(size: int, unit: int) -> int:
    return -(-size // unit) * unit


def _copy(source: int, target: int, count: int, source_offset: int, target_offset: int) -> int:
    """Copy bytes from one open file to another; gives how many, 0 at the end of the source."""
    if hasattr(os, "copy_file_range"):
        with contextlib.suppress(OSError):  # another file system, or one that does not know how
            return os.copy_file_range(source, target, count, source_offset, target_offset)
    os.lseek(source, source_offset, os.SEEK_SET)
    os.lseek(target, target_offset, os.SEEK_SET)
    chunk = os.read(source, min(count, READ_BYTES))
    return os.write(target, chunk)

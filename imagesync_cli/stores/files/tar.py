"""A tar file read where it lies: an index of its members, and their bytes by offset. Nothing is ever extracted.

A name stands for bytes only if it is there once, as a complete regular file. Links, devices, sparse files and what is
there twice are not what an image is made of: asking for one is an error. Names are looked up and never become paths,
so that an absolute one, or one with .., reaches nothing.
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from imagesync_cli.values.errors import ContentError, UsageError

READ_BYTES = 1024 * 1024
_MOST_MEMBERS = 100_000
# tarfile reads a long name, or the attributes before a member, into memory.
_LONGEST_HEADER_BYTES = 1024 * 1024
_PACKED = {b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz", b"\x28\xb5\x2f\xfd": "unzstd"}


@dataclass(frozen=True)
class Member:
    """Where a member's bytes are; ``link`` is what a symbolic or hard link names, from the archive's root."""

    offset: int
    size: int
    is_file: bool
    link: str = ""


class Tar:
    """An open tar file. FileNotFoundError for a file or a member that is not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"{path} is not a file")
        self._file: BinaryIO = path.open("rb", buffering=0)
        try:
            self._members, self._twice = self._index()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    @property
    def is_current(self) -> bool:
        """Whether the path still leads to this very file, unchanged."""
        try:
            now, then = self.path.stat(), self._status
        except OSError:
            return False
        return (now.st_ino, now.st_size, now.st_mtime_ns) == (then.st_ino, then.st_size, then.st_mtime_ns)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def fileno(self) -> int:
        """For copies that the kernel makes."""
        return self._file.fileno()

    def member(self, name: str) -> Member:
        """The one regular file of this name."""
        member = self.entry(name)
        if not member.is_file:
            raise ContentError(f"{self.path}: {name} is not a regular file")
        return member

    def entry(self, name: str) -> Member:
        """The one member of this name, whatever it is."""
        if name not in self._members:
            raise FileNotFoundError(name)
        if name in self._twice:
            raise ContentError(f"{self.path}: {name} is there twice, and may mean either")
        return self._members[name]

    def read(self, name: str, limit_bytes: int) -> bytes:
        """A small file whole; ContentError if it is longer than ``limit_bytes``."""
        member = self.member(name)
        if member.size > limit_bytes:
            raise ContentError(f"{self.path}: {name} is longer than the {limit_bytes} bytes a manifest may have")
        return b"".join(self.chunks(member))

    def chunks(self, member: Member) -> Iterator[bytes]:
        """A member's bytes, at most 1 MiB at a time; fewer than it has where the file was cut meanwhile."""
        offset, end = member.offset, member.offset + member.size
        while offset < end:
            self._file.seek(offset)  # each time: others read this file as well
            chunk = self._file.read(min(READ_BYTES, end - offset))
            if not chunk:
                return
            yield chunk
            offset += len(chunk)

    def _index(self) -> tuple[dict[str, Member], set[str]]:
        self._status = os.fstat(self._file.fileno())
        start = self._file.read(8)
        for magic, command in _PACKED.items():
            if start.startswith(magic):
                raise UsageError(f"{self.path} is compressed", hint=f"unpack it first, with {command}")
        self._file.seek(0)
        members: dict[str, Member] = {}
        twice: set[str] = set()
        try:
            for name, member in self._read_headers():
                if name in members:
                    twice.add(name)
                members[name] = member
                if len(members) > _MOST_MEMBERS:
                    raise ContentError(f"{self.path} has more than {_MOST_MEMBERS} members")
        except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
            raise ContentError(f"{self.path} is not a tar file, or damaged: {error}") from error
        return members, twice

    def _read_headers(self) -> Iterator[tuple[str, Member]]:
        reached_bytes = -1
        with tarfile.open(fileobj=cast(BinaryIO, _Headers(self._file)), mode="r:") as archive:
            while (found := archive.next()) is not None:
                if found.offset <= reached_bytes or found.size < 0:  # a size below zero would lead tarfile round
                    raise tarfile.ReadError("its members overlap")
                reached_bytes = found.offset
                archive.members.clear()  # type: ignore[attr-defined]  # tarfile would keep them all
                if found.offset_data + found.size > self._status.st_size:
                    raise tarfile.ReadError(f"it ends in the middle of {found.name}")
                is_file = found.isreg() and not found.issparse()
                link = found.linkname if found.issym() or found.islnk() else ""
                if found.issym():
                    link = f"{found.name.rpartition('/')[0]}/{link}" if "/" in found.name else link
                yield _plain(found.name), Member(found.offset_data, found.size, is_file, link)


class _Headers:
    """The file as tarfile sees it: for headers alone, so that none of them fills the memory."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell, self._file = file.seek, file.tell, file

    def read(self, size: int) -> Any:
        if not 0 <= size <= _LONGEST_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._file.read(size)


def _plain(name: str) -> str:
    """The name as an image layout has it: ``tar -C folder .`` puts ./ before it."""
    while name.startswith("./"):
        name = name[2:]
    return name

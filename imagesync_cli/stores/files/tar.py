"""A tar file read where it lies: an index of its members, and their bytes by offset. Nothing is ever extracted.

A name stands for bytes only if it is there once, as a complete regular file. Links, devices, sparse files and what is
there twice are not what an image is made of: asking for one is an error. Names are looked up and never become paths,
so that an absolute one, or one with .., reaches nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from imagesync_cli.concurrency import take_room
from imagesync_cli.stores.files.folder import Place
from imagesync_cli.stores.files.tar_headers import Member, read_headers
from imagesync_cli.values.errors import ContentError, UsageError

READ_BYTES = 1024 * 1024
_MOST_MEMBERS = 100_000
_MOST_NAMES_BYTES = 8 * 1024 * 1024
_PACKED = {b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz", b"\x28\xb5\x2f\xfd": "unzstd"}


class Tar:
    """An open tar file. FileNotFoundError for a file or a member that is not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file: BinaryIO = os.fdopen(Place(str(path)).open(follow=True), "rb", buffering=0)
        except ContentError as error:
            raise UsageError(f"{path} is not a file") from error
        try:
            self._members, self._twice = self._index()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
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
        content = b"".join(self.chunks(member))
        take_room(content)
        return content

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
        members: dict[str, Member] = {}
        twice: set[str] = set()
        names_bytes = 0
        try:
            for name, member in read_headers(self._file, self._status.st_size):
                if name in members:
                    twice.add(name)
                members[name] = member
                names_bytes += _kept_bytes(name) + _kept_bytes(member.link)
                if len(members) > _MOST_MEMBERS or names_bytes > _MOST_NAMES_BYTES:
                    raise ContentError(
                        f"{self.path} has more than {_MOST_MEMBERS} members, or {_MOST_NAMES_BYTES} bytes of names"
                    )
        except ValueError as error:
            raise ContentError(f"{self.path} is not a tar file, or damaged: {error}") from error
        return members, twice


def _kept_bytes(text: str) -> int:
    """What a text takes in memory: one character beyond ASCII may make all of them four bytes wide."""
    return len(text) * (1 if text.isascii() else 4)

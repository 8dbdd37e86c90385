"""Damaged and hostile tar files: an index of what is there, or our own error, and never a hang."""

from __future__ import annotations

import contextlib
import random
import tarfile
from pathlib import Path

import pytest

from imagesync_cli.stores.files.tar import Tar
from imagesync_cli.values.errors import ContentError, ImagesyncError
from tests.stores.files.tars import Member, link, write_tar


def members(path: Path) -> dict[str, bytes]:
    """What can be read of an archive."""
    tar, found = Tar(path), {}
    try:
        for name in tar._members:
            with contextlib.suppress(ContentError):
                found[name] = b"".join(tar.chunks(tar.member(name)))
    finally:
        tar.close()
    return found


def test_every_bit(tmp_path: Path) -> None:
    """Of an archive with any byte of it changed, members are read within the file, or the error is ours."""
    path, dice = tmp_path / "a.tar", random.Random(7)  # noqa: S311
    contents: list[Member | tarfile.TarInfo] = [("a" * 150, b"1" * 600), ("b", b"2"), link("c", "b"), ("d", b"")]
    content = write_tar(path, contents).read_bytes()
    outcomes = set()
    for _ in range(1500):
        changed = bytearray(content[: 512 * 12])
        for _ in range(dice.choice([1, 1, 2, 8])):
            changed[dice.randrange(len(changed))] = dice.choice([0, 0x20, 0x30, 0x37, 0x80, 0xFF, dice.randrange(256)])
        path.write_bytes(changed)
        try:
            assert sum(map(len, members(path).values())) <= len(changed)
            outcomes.add("read")
        except ImagesyncError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def raw(name: str, kind: bytes, size: bytes) -> bytes:
    """A header with a size as it is given, however impossible, and a checksum that is right."""
    header = bytearray(tarfile.TarInfo(name).tobuf(tarfile.USTAR_FORMAT))
    header[124:136], header[156:157], header[148:156] = size, kind, b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_SPARSE])
@pytest.mark.parametrize("size", [b"\xff" * 12, b"\xff" * 10 + b"\xfe\0", b"\x80" + b"\xff" * 11, b"77777777777\0"])
def test_impossible_sizes(tmp_path: Path, kind: bytes, size: bytes) -> None:
    """A size below zero, which would lead a reader round in circles, or beyond the file is an error."""
    path = tmp_path / "a.tar"
    path.write_bytes(raw("a", tarfile.REGTYPE, b"00000000000\0") + raw("b", kind, size) + bytes(10240))
    if kind == tarfile.GNUTYPE_SPARSE:  # what it is worth does not matter: it is never read
        with contextlib.suppress(ContentError):
            assert members(path) == {"a": b""}
        return
    with pytest.raises(ContentError):
        members(path)


def test_headers_upon_headers(tmp_path: Path) -> None:
    """Headers about headers about headers are an error, not the end of the program."""
    path = tmp_path / "a.tar"
    path.write_bytes(raw("x", tarfile.XHDTYPE, b"00000000000\0") * 5000 + bytes(10240))
    with pytest.raises(ContentError):
        members(path)

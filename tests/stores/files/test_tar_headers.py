"""Tar headers: what other writers make is read as they meant it, and what is hostile costs little and is an error."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import tarfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from imagesync_cli.stores.files.tar import Tar
from imagesync_cli.values.errors import ContentError, ImagesyncError
from tests.stores.files.test_tar import members, raw

MIB = 1024 * 1024
END = bytes(1024)
NONE = b"00000000000\0"
CPU_S = 10.0  # a tenth of it, where nothing else runs
MOST_BYTES = 48 * MIB  # beside the program itself
NAMES = [
    "a",
    "b" * 99,
    "c" * 100,
    "d" * 101,
    "e/" * 60 + "f",
    "g" * 300,
    "ü" * 40,
    "ü" * 200,
    "blobs/sha512/" + "0" * 128,
]


def extension(kind: bytes, content: bytes) -> bytes:
    """A header about the next member, with its data."""
    return raw("x", kind, b"%011o\0" % len(content)) + content + bytes(-len(content) % 512)


def record(key: str, value: str) -> bytes:
    """One line of a pax header."""
    rest = f" {key}={value}\n".encode()
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", NAMES)
def test_names_of_every_form(tmp_path: Path, form: Literal[0, 1, 2], name: str) -> None:
    """A name is read as it was written, however long, in each of the forms that tar files have."""
    header = tarfile.TarInfo(name)
    header.size = 3
    try:
        content = header.tobuf(form, "utf-8", "surrogateescape")
    except ValueError:
        pytest.skip("this form has no such names")
    path = tmp_path / "a.tar"
    path.write_bytes(content + b"abc" + bytes(509) + END)
    assert members(path) == {name: b"abc"}


@pytest.mark.parametrize("form", ["ustar", "gnu", "pax", "v7", "oldgnu"])
def test_what_tar_writes(tmp_path: Path, form: str) -> None:
    """What Debian's tar writes, in every form it knows, is read like the files that it was given."""
    folder = tmp_path / "folder"
    (folder / "blobs").mkdir(parents=True)
    contents = {f"blobs/{'n' * length}": os.urandom(length * 7) for length in (1, 80, 90)}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "link").symlink_to("blobs/n")
    subprocess.run(["tar", f"--format={form}", "-cf", tmp_path / "a.tar", "-C", folder, "."], check=True)
    assert members(tmp_path / "a.tar") == contents


def test_a_sparse_file_is_none_of_an_images(tmp_path: Path) -> None:
    """A sparse file is passed over, in each of the forms that GNU tar has for it; what follows is read."""
    with (tmp_path / "sparse").open("wb") as file:
        for at in range(0, 400 * 65536, 65536):
            file.seek(at)
            file.write(b"x" * 4096)
    (tmp_path / "b").write_bytes(b"2")
    for form in ("--format=gnu", "--sparse-version=0.0", "--sparse-version=0.1", "--sparse-version=1.0"):
        options = [form] if form.startswith("--format") else ["--format=pax", form]
        files = ["-C", str(tmp_path), "sparse", "b"]
        subprocess.run(["tar", "--sparse", *options, "-cf", tmp_path / "a.tar", *files], check=True)
        tar = Tar(tmp_path / "a.tar")
        assert tar.read("b", 10) == b"2"
        for name in set(tar._members) - {"b"}:
            with pytest.raises(ContentError, match="not a regular file"):
                tar.member(name)
        tar.close()


def test_links_know_their_folder(tmp_path: Path) -> None:
    """A symbolic link counts from its folder, a hard one from the archive's root, also where its name is long."""
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for kind, target in ((tarfile.SYMTYPE, "t" * 120), (tarfile.LNKTYPE, "h" * 120)):
            header = tarfile.TarInfo(f"folder/{target[0]}")
            header.type, header.linkname = kind, target
            archive.addfile(header)
    tar = Tar(tmp_path / "a.tar")
    assert (tar.entry("folder/t").link, tar.entry("folder/h").link) == ("folder/" + "t" * 120, "h" * 120)
    tar.close()


def test_old_checksums_and_large_numbers(tmp_path: Path) -> None:
    """A sum of signed bytes, as old tars wrote it, and a size in GNU's binary form are read."""
    header = bytearray(raw("\xe4" * 3, tarfile.REGTYPE, b"\x80" + bytes(10) + b"\x03"))
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(byte - 256 * (byte > 127) for byte in header)
    (tmp_path / "a.tar").write_bytes(bytes(header) + b"abc" + bytes(509) + END)
    assert list(members(tmp_path / "a.tar").values()) == [b"abc"]


DAMAGED: dict[str, bytes] = {
    "a checksum": raw("a", b"0", NONE)[:-1] + b"x" + END,
    "the end of a header": raw("a", b"0", NONE)[:300],
    "the second header": raw("a", b"0", NONE) + b"plain text" * 52,
    "a size in letters": raw("a", b"0", b"hello\0\0\0\0\0\0\0") + END,
    "a size in two parts": raw("a", b"0", b"0000 0000001") + END,
    "a header of nothing": extension(tarfile.XHDTYPE, b""),
    "a record without end": extension(tarfile.XHDTYPE, b"30 path=a\n") + raw("a", b"0", NONE) + END,
    "a record of no length": extension(tarfile.XHDTYPE, b"0 path=a\n") + raw("a", b"0", NONE) + END,
    "a record before itself": extension(tarfile.XHDTYPE, b"2 path=a\n") + raw("a", b"0", NONE) + END,
    "a record without a key": extension(tarfile.XHDTYPE, b"8 patha\n") + raw("a", b"0", NONE) + END,
    "a record of many digits": extension(tarfile.XHDTYPE, b"9" * 5000 + b" path=a\n") + raw("a", b"0", NONE) + END,
    "a negative pax size": extension(tarfile.XHDTYPE, record("size", "-1")) + raw("a", b"0", NONE) + END,
    "a huge pax size": extension(tarfile.XHDTYPE, record("size", "9" * 19)) + raw("a", b"0", NONE) + END,
    "a long number": extension(tarfile.XHDTYPE, record("size", "9" * 100_000)) + raw("a", b"0", NONE) + END,
    "a pax size of all": extension(tarfile.XGLTYPE, record("size", "9999999")) + raw("a", b"0", NONE) + END,
    "a long name": extension(tarfile.GNUTYPE_LONGNAME, b"n" * 5000 + b"\0") + raw("a", b"0", NONE) + END,
    "a sparse map without end": raw("a", tarfile.GNUTYPE_SPARSE, NONE)[:482] + b"\1" + bytes(29),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged(tmp_path: Path, content: bytes) -> None:
    """What does not follow the grammar of tar is an error, and never the end of the file: blobs may come behind it."""
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(ContentError, match="is not a tar file, or damaged"):
        members(tmp_path / "a.tar")


def of_many_keys() -> bytes:
    return extension(tarfile.XGLTYPE, b"".join(record(f"k{n}", "v") for n in range(80_000)))


def many(count: int, one: Callable[[int], bytes]) -> Callable[[], bytes]:
    return lambda: b"".join(one(n) for n in range(count)) + END


def _sparse_map() -> bytes:
    first = bytearray(raw("s", tarfile.GNUTYPE_SPARSE, NONE))
    first[482], first[148:156] = 1, b" " * 8
    first[148:156] = b"%06o\0 " % sum(first)
    block = b"00000000001\0" * 42
    return bytes(first) + (block + b"\1" + bytes(7)) * 60_000 + block + bytes(8) + END


def _named(content: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    return extension(kind, content) + raw("a", b"0", NONE)


NUMBERED = raw("000000", b"0", NONE)


def numbered(number: int) -> bytes:
    """An empty file that is called by its number; the sum of its header grows by that of the digits."""
    name = b"%06d" % number
    checksum = int(NUMBERED[148:154], 8) + sum(name) - sum(b"000000")
    return name + NUMBERED[6:148] + b"%06o\0 " % checksum + NUMBERED[156:]


COSTLY: dict[str, Callable[[], bytes]] = {
    "a header of all with many keys": lambda: of_many_keys() + raw("a", b"0", NONE) + END,
    "many headers of all": many(12, lambda _: of_many_keys()),
    "a key for each member": many(20_000, lambda n: extension(tarfile.XGLTYPE, record(f"k{n}", "v"))),
    "digits": lambda: _named(b"1" * (MIB - 1)) + END,
    "digits, again and again": lambda: _named((b"1" * 999 + b"\n") * 1000) + END,
    "spaces": lambda: _named(b" " * (MIB - 1)) + END,
    "small records": many(15, lambda _: _named(b"5 a=\n" * 200_000)),
    "a sparse map": _sparse_map,
    "a sparse map of pax": lambda: _named(record("GNU.sparse.map", ",".join("1" * 9 for _ in range(90_000)))) + END,
    "a hundred names of 1 MiB": many(100, lambda _: _named(record("path", "n" * (MIB - 20)))),
    "a hundred long links": many(100, lambda _: _named(b"n" * (MIB - 20), tarfile.GNUTYPE_LONGLINK)),
    "as many members as there may be": many(100_000, numbered),
    "more members than there may be": many(100_001, numbered),
    "names as long as they may be": many(6000, lambda n: _named(record("path", f"{n:04000}"))),
    "wide names": many(9000, lambda n: _named(record("path", f"{n}" + "😀" * 450))),
}


@pytest.mark.parametrize("made", COSTLY.values(), ids=COSTLY.keys())
def test_costly(tmp_path: Path, made: Callable[[], bytes]) -> None:
    """Whatever headers say, reading them takes time that grows with the file alone."""
    (tmp_path / "a.tar").write_bytes(made())
    began = time.process_time()
    with contextlib.suppress(ImagesyncError):
        Tar(tmp_path / "a.tar").close()
    assert time.process_time() - began < CPU_S


@pytest.mark.parametrize("name", ["a sparse map", "as many members as there may be", "wide names"])
def test_what_is_remembered(tmp_path: Path, name: str) -> None:
    """Of any archive no more is remembered than fits beside the program in 80 MiB."""
    (tmp_path / "a.tar").write_bytes(COSTLY[name]())
    tracemalloc.start()
    try:
        with contextlib.suppress(ImagesyncError):
            Tar(tmp_path / "a.tar").close()
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


def test_every_prefix(tmp_path: Path) -> None:
    """An archive cut off anywhere in its headers is read up to there, or refused; never anything else."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("a", "b" * 150):
            header = tarfile.TarInfo(name)
            header.size = 5
            archive.addfile(header, io.BytesIO(b"12345"))
    content = stream.getvalue()[:3500]
    outcomes = set()
    for length in range(0, len(content), 7):
        (tmp_path / "a.tar").write_bytes(content[:length])
        try:
            outcomes.add(len(members(tmp_path / "a.tar")))
        except ContentError:
            outcomes.add(-1)
    assert outcomes == {-1, 0, 1, 2} - {0}

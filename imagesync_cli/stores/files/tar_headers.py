"""The headers of a tar file: ustar, pax (POSIX.1-2001) and GNU, read in one pass, within bounds and to the letter.

Python's tarfile reads pax headers in time that grows with their square, keeps all that it reads, and takes what is
damaged for the end of the file; which of that holds depends on the version of Python. Here a name, a size and a link
are taken from each header, and what does not follow the grammar is an error.

    file   := member* (block of zeros | end of file)
    member := extension* header data                   extension: a header x, g, L or K, and its data
    record := length " " key "=" value "\\n"            in the data of x (of the next member) and g (of all that follow)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

BLOCK_BYTES = 512
# Names, links and all attributes of a whole file; those that images are made of have a few hundred bytes a member.
_MOST_EXTENSION_BYTES = 8 * 1024 * 1024
_LONGEST_EXTENSION_BYTES = 1024 * 1024
_LONGEST_NAME_BYTES = 4096
_MOST_EXTENSIONS = 16  # of one member
_FILE, _LINK, _SYMLINK = (b"0", b"\0", b"7"), b"1", b"2"
_WITHOUT_DATA = frozenset(b"123456")  # whatever size they tell
_PAX, _PAX_OF_ALL, _LONG_NAME, _LONG_LINK, _SPARSE = b"x", b"g", b"L", b"K", b"S"
_PAX_KEYS = frozenset({b"path", b"linkpath", b"size"})
_SPARSE_KEYS = b"GNU.sparse."
_OCTAL = re.compile(rb"[ \0]*([0-7]*)[ \0]*")
_DECIMAL = re.compile(rb"[0-9]{1,19}")
_LENGTH = re.compile(rb"([0-9]{1,9}) ")
_ZEROS = bytes(BLOCK_BYTES)


@dataclass(frozen=True, slots=True)
class Member:
    """Where a member's bytes are; ``link`` is what a symbolic or hard link names, from the archive's root."""

    offset: int
    size: int
    is_file: bool
    link: str = ""


def read_headers(file: BinaryIO, end: int) -> Iterator[tuple[str, Member]]:
    """Every member of a file of so many bytes, by name; ValueError where it is no tar file, or damaged."""
    offset, left = 0, _MOST_EXTENSION_BYTES
    common, own, count = dict[bytes, bytes](), dict[bytes, bytes](), 0  # what the headers before a member say of it
    while offset < end:
        file.seek(offset)
        block = file.read(BLOCK_BYTES)
        if block == _ZEROS:
            break
        kind, size = _checked(block), _number(block[124:136])
        offset += BLOCK_BYTES
        if kind in (_PAX, _PAX_OF_ALL, _LONG_NAME, _LONG_LINK):
            left -= size
            if size > _LONGEST_EXTENSION_BYTES or left < 0 or count >= _MOST_EXTENSIONS:
                raise ValueError(f"a header of {size} bytes, after {count} others")
            content = file.read(size)
            if len(content) < size:
                raise ValueError("it ends in the middle of a header")
            _extend(common if kind == _PAX_OF_ALL else own, kind, content)
            count += 1
            offset += _rounded(size)
            continue
        name, member = _member(block, kind, offset, {**common, **own})
        if kind == _SPARSE:
            member = replace(member, offset=_behind_map(file, block, offset), is_file=False)
        if member.offset + member.size > end:
            raise ValueError(f"it ends in the middle of {name.decode('utf-8', 'replace')}")
        # As an image layout has it: ``tar -C folder .`` puts ./ before it.
        yield _text(re.sub(rb"^(?:\./)+", b"", name)), member
        offset, own, count = member.offset + _rounded(member.size), {}, 0
    if count:
        raise ValueError("it ends after a header of a member that is not there")
    if not offset and not end:
        raise ValueError("it is empty")


def _checked(block: bytes) -> bytes:
    """The type of a header whose sum is right; old tars counted the bytes as signed."""
    if len(block) < BLOCK_BYTES:
        raise ValueError("it ends in the middle of a header")
    rest = block[:148] + b" " * 8 + block[156:]
    told, unsigned = _number(block[148:156]), sum(rest)
    if told != unsigned and told != unsigned - 256 * sum(byte > 127 for byte in rest):
        raise ValueError("a header with a wrong checksum")
    return block[156:157]


def _number(field: bytes) -> int:
    """Octal digits, or GNU's binary form for large numbers."""
    if field[0] == 0x80:
        number = int.from_bytes(field[1:], "big")
    elif octal := _OCTAL.fullmatch(field.partition(b"\0")[0] if field.strip(b"\0 ") else b""):
        number = int(octal[1] or b"0", 8)
    else:
        raise ValueError("a header without a number where one belongs")
    if number >= 1 << 63:
        raise ValueError(f"a size of {number} bytes")
    return number


def _extend(values: dict[bytes, bytes], kind: bytes, content: bytes) -> None:
    if kind in (_LONG_NAME, _LONG_LINK):
        values[b"path" if kind == _LONG_NAME else b"linkpath"] = content.partition(b"\0")[0]
        return
    for key, value in _records(content):
        if key in _PAX_KEYS:
            values[key] = value
        elif key.startswith(_SPARSE_KEYS):
            values[_SPARSE_KEYS] = b""


def _records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(content) and content[at]:
        told = _LENGTH.match(content, at)
        end = at + int(told[1]) if told else 0
        if told is None or not told.end() < end <= len(content) or content[end - 1 : end] != b"\n":
            raise ValueError("a pax header that is none")
        key, equals, value = content[told.end() : end - 1].partition(b"=")
        if not equals:
            raise ValueError("a pax header that is none")
        yield key, value
        at = end


def _member(block: bytes, kind: bytes, offset: int, values: dict[bytes, bytes]) -> tuple[bytes, Member]:
    name, prefix = block[:100].partition(b"\0")[0], block[345:500].partition(b"\0")[0]
    if prefix and block[257:263] == b"ustar\0":
        name = prefix + b"/" + name
    name, link = values.get(b"path", name), values.get(b"linkpath", block[157:257].partition(b"\0")[0])
    if max(len(name), len(link)) > _LONGEST_NAME_BYTES:
        raise ValueError(f"a name of {max(len(name), len(link))} bytes")
    size = _number(block[124:136])
    if b"size" in values:
        if not _DECIMAL.fullmatch(values[b"size"]):
            raise ValueError(f"{values[b'size'][:100]!r} is not a size")
        size = int(values[b"size"])
    if kind in (_LINK, _SYMLINK):
        folder, slash, _ = name.rpartition(b"/")
        return name, Member(offset, 0, is_file=False, link=_text(folder + slash + link if kind == _SYMLINK else link))
    if kind[0] in _WITHOUT_DATA:
        return name, Member(offset, 0, is_file=False)
    is_folder = kind == b"\0" and name.endswith(b"/")  # as in tars that are older than a type for it
    return name, Member(offset, size, is_file=kind in _FILE and not is_folder and _SPARSE_KEYS not in values)


def _behind_map(file: BinaryIO, block: bytes, offset: int) -> int:
    """Behind the blocks that go on telling where the holes of an old GNU sparse file are."""
    goes_on = block[482]
    while goes_on:
        file.seek(offset)
        more = file.read(BLOCK_BYTES)
        if len(more) < BLOCK_BYTES:
            raise ValueError("it ends in the middle of a header")
        offset, goes_on = offset + BLOCK_BYTES, more[504]
    return offset


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _rounded(size: int) -> int:
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES

"""JSON from strangers: read strictly, and only where what it becomes in memory is bounded; and files whole."""

from __future__ import annotations

import codecs
import errno
import json
import os
from pathlib import Path
from typing import Any

# Four MiB of "[],[],…" become a hundred. An index of 8,000 entries with all that usual ones have stays below this.
MOST_VALUES = 100_000
# A lock, a report or a file of images with 100,000 images has half of this.
MOST_FILE_BYTES = 64 * 1024 * 1024


def read_file(path: Path, most_bytes: int = MOST_FILE_BYTES) -> bytes:
    """A small file whole. OSError where it cannot be read, and for one that is longer: a device may never end."""
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return content


def without_mark(content: bytes) -> bytes:
    """A file's content without the mark that some editors begin it with."""
    return content.removeprefix(codecs.BOM_UTF8)


def read_document(content: bytes, most_values: int = MOST_VALUES) -> Any:
    """The document; ValueError that says why for what is no JSON, has a key twice or more values than these."""
    # Every value but the first stands behind one of these. Those within strings count as well: that errs to one side.
    if sum(map(content.count, (b",", b"[", b"{"))) > most_values:
        raise ValueError(f"it has more than {most_values} values")
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_number)
    except (RecursionError, ValueError) as error:
        raise ValueError(why_misread(error)) from error


# What taking the parts of a document raises where it is not what was expected.
MISREAD = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


def why_misread(error: Exception) -> str:
    """What is wrong with a document, from one of MISREAD or an error in words of its own."""
    if isinstance(error, KeyError):
        return f"it has no {error.args[0]!r}"
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if isinstance(error, (TypeError, AttributeError)):
        return "a value in it has the wrong type, or a field is unknown"
    return _why_no_json(error)


def _why_no_json(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    if not isinstance(error, json.JSONDecodeError):
        return "a number in it has thousands of digits" if "int_max_str_digits" in str(error) else str(error)
    if error.doc.startswith("\ufeff"):
        return "it begins with a byte order mark"
    if not error.doc.strip():
        return "it is empty"
    return f"line {error.lineno}, column {error.colno} is not as JSON is written"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """One reading for an object: of a key that comes twice, some parsers take the first, some the last, some both."""
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("it has a key twice")
    return document


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is not a number")

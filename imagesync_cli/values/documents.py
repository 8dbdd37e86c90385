"""JSON from strangers: read strictly, and only where what it becomes in memory is bounded."""

from __future__ import annotations

import json
from typing import Any

# Four MiB of "[],[],…" become a hundred. An index of 8,000 entries with all that usual ones have stays below this.
MOST_VALUES = 100_000


def read_document(content: bytes) -> Any:
    """The document; ValueError for what is no JSON, has a key twice or more than MOST_VALUES values."""
    # Every value but the first stands behind one of these. Those within strings count as well: that errs to one side.
    if sum(map(content.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise ValueError(f"it has more than {MOST_VALUES} values")
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_number)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """One reading for an object: of a key that comes twice, some parsers take the first, some the last, some both."""
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("it has a key twice")
    return document


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")

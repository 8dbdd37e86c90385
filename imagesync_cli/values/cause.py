"""What keeps several images from us at once: a login that a registry lacks, or a registry that is away."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SHARED_KINDS = frozenset({"denied", "unreachable"})
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NAMED = 3


def common_cause(kind: str, error: str, references: Iterable[str]) -> str:
    """The error without what is of one image alone: equal for all images that one cause keeps from us.

    "" where it is about the image itself. The ``references`` are those that it may name.
    """
    if kind not in _SHARED_KINDS:
        return ""
    text = _DIGEST.sub("…", error)
    for reference in references:
        path = reference.partition("/")[2].partition("@")[0]
        for name in (path, path.rpartition(":")[0]):
            text = re.sub(rf"/{re.escape(name)}(?![\w.-])", "/…", text) if name else text
    return text


def named(keys: Sequence[str]) -> str:
    """The first few of these, and how many more there are."""
    more = len(keys) - _NAMED
    return ", ".join(keys[:_NAMED]) + (f" and {more} more" if more > 0 else "")

"""Patterns of sources, as ``allowed_sources`` and the rules of ``trust`` have them.

A pattern means repositories, or references with their tag: ``*`` is anything without a slash, ``**`` anything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from imagesync_cli.values.digest import NO_DIGEST
from imagesync_cli.values.hosts import spellings_of
from imagesync_cli.values.reference import Reference, RegistryReference


def is_among(source: Reference, patterns: Iterable[str], *, in_doubt: bool = False) -> bool:
    """Whether one of the patterns means this source, by any of its spellings.

    ``in_doubt`` is for rules that must not be got around: with HTTPS's own port a host is another name, and no other
    registry.
    """
    names = _names(source, in_doubt=in_doubt)
    return any(re.fullmatch(_pattern(each), name, re.DOTALL) for each in patterns for name in names)


def _names(source: Reference, *, in_doubt: bool) -> set[str]:
    """A source as it is meant, whole, without its digest, and without its tag as well."""
    return {
        name
        for each in _spellings(source, in_doubt=in_doubt)
        for name in (str(each), str(replace(each, digest=NO_DIGEST)), each.name)
    }


def _spellings(source: Reference, *, in_doubt: bool) -> list[Reference]:
    """A registry's own name; a path as it is written and normalized: build/../other is not below build."""
    if isinstance(source, RegistryReference):
        hosts = spellings_of(source.registry) if in_doubt else [source.registry]
        return [replace(source, host=host) for host in hosts]
    normalized = replace(source, path=os.path.normpath(source.path))
    return [normalized] if ".." in Path(source.path).parts else [source, normalized]


def _pattern(text: str) -> str:
    parts = re.split(r"(\*\*|\*)", text)
    return "".join({"*": "[^/]*", "**": ".*"}.get(part, re.escape(part)) for part in parts)

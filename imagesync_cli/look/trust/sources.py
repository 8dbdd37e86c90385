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
from imagesync_cli.values.reference import LayoutReference, Reference, RegistryReference


def is_among(source: Reference, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns means this source, by any of its spellings."""
    names = _names(source)
    return any(re.fullmatch(_pattern(each), name, re.DOTALL) for each in patterns for name in names)


def _names(source: Reference) -> set[str]:
    """A source as it is meant, whole, without its digest, and without its tag as well."""
    return {
        name for each in _spellings(source) for name in (str(each), str(replace(each, digest=NO_DIGEST)), each.name)
    }


def _spellings(source: Reference) -> list[Reference]:
    """A registry's own name; a path as it is written and normalized: build/../other is not below build."""
    if isinstance(source, RegistryReference):
        return [replace(source, host=source.registry)]
    if isinstance(source, LayoutReference):
        path, normal = source.folder, os.path.normpath(source.folder)
        normalized: Reference = replace(source, folder=normal)
    else:
        path, normal = source.file, os.path.normpath(source.file)
        normalized = replace(source, file=normal)
    return [normalized] if ".." in Path(path).parts else [source, normalized]


def _pattern(text: str) -> str:
    parts = re.split(r"(\*\*|\*)", text)
    return "".join({"*": "[^/]*", "**": ".*"}.get(part, re.escape(part)) for part in parts)

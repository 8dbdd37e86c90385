"""What a configuration allows as a source, and what speaks against it in a sentence.

A pattern means repositories, or references with their tag: ``*`` is anything without a slash, ``**`` anything.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from imagesync_cli.values.digest import NO_DIGEST
from imagesync_cli.values.reference import LayoutReference, Reference, RegistryReference, as_meant


@dataclass(frozen=True)
class Rules:
    """``allowed_sources`` are patterns; ``require_digest`` says that a source must name its digest."""

    allowed_sources: tuple[str, ...] = ("**",)
    require_digest: bool = False

    def refusals(self, source: Reference, digest: str) -> list[str]:
        """A sentence for each rule that this source breaks; ``digest`` is what it is now."""
        meant, refused = as_meant(source), list[str]()
        names = _names(source)
        if not any(re.fullmatch(_pattern(each), name, re.DOTALL) for each in self.allowed_sources for name in names):
            allowed = ", ".join(self.allowed_sources)
            refused.append(f"the source {meant} is not one of allowed_sources, which are {allowed}.")
        if self.require_digest and not source.digest:
            refused.append(f"require_digest wants the source {source} with its digest, like {meant}@{digest}.")
        return refused


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


def destination_refusals(destination: Reference, source: Reference | None, others: list[str]) -> list[str]:
    """What speaks against a destination: it is the source, or that of ``others``, entries by their keys."""
    refused = []
    if source is not None and (source.location, source.tag) == (destination.location, destination.tag):
        refused.append(f"its destination {destination} is its source: to remove the entry would remove the source.")
    if others:
        refused.append(f"its destination {destination} is that of {', '.join(others)} as well.")
    return refused

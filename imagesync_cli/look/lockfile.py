"""The lock: which digest each reference of a file of images is, written down (images.lock.json).

    {"version": 1, "images": {"docker.io/library/busybox:1.36": {
        "digest": "sha256:…", "size": 12345, "platforms": ["linux/amd64"], "date": "2026-01-31T12:00:00Z",
        "selected": {"linux/amd64": "sha256:…"}, "first_seen": "2026-01-29T12:00:00Z",
        "pending": {"digest": "sha256:…", "first_seen": "2026-02-01T12:00:00Z"}}}}

``size`` is in bytes, of everything that is wanted of the image. ``selected``, where the file chooses platforms, is what
arrives of it, by their names in order, with commas between. ``pending`` is what the tag has moved on to, while that
is too young to be taken. Keys are in order, so that two locks differ where images do.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from imagesync_cli.values.digest import is_digest, parse_digest
from imagesync_cli.values.documents import MISREAD, MOST_FILE_BYTES, read_document, read_file, why_misread, without_mark
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.platforms import parse_platform
from imagesync_cli.values.reference import Reference, as_meant, parse_reference
from imagesync_cli.values.times import parse_time

FORMAT = 1
# Both sides of a merge that git could not do, the first of them in a group.
_CONFLICT = re.compile(rb"^<{7}[^\n]*\n(.*?)(?:^\|{7}.*?)?^={7}\r?\n.*?^>{7}[^\n]*\n", re.DOTALL | re.MULTILINE)
_HINT = "imagesync lock writes it"


@dataclass(frozen=True)
class Pending:
    """A digest that waits to be old enough; ``first_seen`` is a time in UTC, as RFC 3339 writes it."""

    digest: str
    first_seen: str


@dataclass(frozen=True)
class Locked:
    """One image of the lock; ``date`` is when it was locked at this digest, ``first_seen`` when that was seen first."""

    digest: str
    size: int
    platforms: tuple[str, ...]
    date: str
    selected: dict[str, str] = field(default_factory=dict)
    first_seen: str = ""
    pending: Pending | None = None


@dataclass(frozen=True)
class Lock:
    """Images by reference, spelled whole: docker.io/library/busybox:1.36."""

    images: dict[str, Locked] = field(default_factory=dict)

    def find(self, source: Reference) -> Locked | None:
        """The image that this reference is locked at, however it is spelled."""
        return self.images.get(as_meant(source))

    def tags(self, source: Reference) -> list[str]:
        """The locked tags of a repository."""
        return self._tags.get(source.location, [])

    def repositories(self, registry: str) -> list[str]:
        """The repositories of a registry that have locked images."""
        return [repository for host, repository in self._tags if host == registry]

    @functools.cached_property
    def _tags(self) -> dict[tuple[str, str], list[str]]:
        """The locked tags of each repository that has images here. Asked of a lock that was read, for many entries."""
        tags: dict[tuple[str, str], list[str]] = {}
        for image in map(parse_reference, self.images):
            tags.setdefault(image.location, []).extend([image.tag] if image.tag and not image.digest else [])
        return tags


def read_lock(path: Path, *, must_exist: bool = True) -> Lock:
    """The lock in a file; UsageError for one that is none.

    What need not exist is an empty lock if it does not, and our side where git has left both in it.
    """
    try:
        content = read_file(path)
    except FileNotFoundError as error:
        if must_exist:
            raise UsageError(f"there is no lock {path}", hint=_HINT) from error
        return Lock()
    except OSError as error:
        raise UsageError(f"the lock {path} cannot be read: {error.strerror}") from error
    try:
        content = without_mark(content)
        return _lock(read_document(content if must_exist else _CONFLICT.sub(rb"\1", content), MOST_FILE_BYTES))
    except (*MISREAD, UsageError) as error:
        hint = _HINT if must_exist else "remove it, and run this again"
        hint = "git could not merge it: imagesync lock repairs it" if _CONFLICT.search(content) else hint
        raise UsageError(f"{path} is not a lock: {why_misread(error)}", hint=hint) from error


def _lock(document: Any) -> Lock:
    if document["version"] != FORMAT:
        raise ValueError(f"it has version {document['version']!r}, not {FORMAT}")
    images = document["images"].items()
    return Lock({as_meant(parse_reference(name)): _locked(image) for name, image in images})


def _locked(image: Any) -> Locked:
    pending = image.get("pending")
    if not is_digest(image["digest"]) or type(image["size"]) is not int or image["size"] < 0:
        raise ValueError(f"{image['digest']!r} is not a digest, or its size is not a number of bytes")
    return Locked(
        image["digest"],
        image["size"],
        tuple(map(str, image["platforms"])),
        str(image["date"]),
        {_platforms(names): parse_digest(str(digest)) for names, digest in image.get("selected", {}).items()},
        str(image.get("first_seen", image["date"])),
        _pending(pending) if pending else None,
    )


def _pending(pending: Any) -> Pending:
    if parse_time(pending["first_seen"]) is None:
        raise ValueError(f"{pending['first_seen']!r} is not a time in UTC")
    return Pending(parse_digest(str(pending["digest"])), pending["first_seen"])


def _platforms(names: str) -> str:
    """Platforms in the one form in which they are looked up."""
    return ",".join(sorted(str(parse_platform(name)) for name in names.split(",")))


def lock_text(lock: Lock) -> str:
    """The lock as text, the same for the same images."""
    images = {name: _document(lock.images[name]) for name in sorted(lock.images)}
    return json.dumps({"version": FORMAT, "images": images}, indent=2) + "\n"


def _document(locked: Locked) -> dict[str, Any]:
    document = {**asdict(locked), "selected": dict(sorted(locked.selected.items()))}
    document["first_seen"] = "" if locked.first_seen == locked.date else locked.first_seen
    # The others stand in every lock.
    return {key: said for key, said in document.items() if said or key not in ("selected", "first_seen", "pending")}

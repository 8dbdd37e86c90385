"""Folders of repositories become an entry for each repository that is in them.

A registry is asked once for each path. With a lock nothing is asked: the repositories are those of the lock. A
repository that the file names in an entry of its own, with the same destination, is left to that entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from imagesync_cli.batch.entry import Entry, FolderEntry, ImageEntry
from imagesync_cli.batch.reading.prefix import Prefix, place_of
from imagesync_cli.concurrency import gather
from imagesync_cli.look.lockfile import Lock
from imagesync_cli.stores import Stores
from imagesync_cli.values.errors import ImagesyncError, NotFound

_Rests = Sequence[str] | ImagesyncError


@dataclass(frozen=True)
class Unknown:
    """What a folder comes to is not known, or not for one repository: from ``source`` to ``destination``, and why."""

    folder: FolderEntry
    source: str
    destination: str
    error: ImagesyncError


@dataclass
class Expanded:
    """The entries of a file with those of its folders, and what is not known of these."""

    entries: list[ImageEntry] = field(default_factory=list)
    unknown: list[Unknown] = field(default_factory=list)


async def expand(stores: Stores, entries: Sequence[Entry], lock: Lock | None) -> Expanded:
    """All entries, in the order of the file; with a ``lock`` the repositories are those of the lock."""
    expanded = Expanded()
    named = {(place_of(e.source), place_of(e.destination)) for e in entries if isinstance(e, ImageEntry)}
    folders = dict.fromkeys(entry.source for entry in entries if isinstance(entry, FolderEntry))
    rests = dict(zip(folders, await gather(_rests(stores, each, lock) for each in folders), strict=True))
    for entry in entries:
        if isinstance(entry, ImageEntry):
            expanded.entries.append(entry)
            continue
        below = rests[entry.source]
        if isinstance(below, ImagesyncError):
            expanded.unknown.append(Unknown(entry, entry.name, f"{entry.destination}/**", below))
        else:
            _add(expanded, entry, below, named)
    return expanded


def _add(
    expanded: Expanded, folder: FolderEntry, rests: Iterable[str], named: set[tuple[tuple[str, str], tuple[str, str]]]
) -> None:
    for rest in rests:
        try:
            entry = folder.entry(rest)
        except ImagesyncError as error:
            source, destination = f"{folder.source}/{rest}", f"{folder.destination}/{rest}"
            expanded.unknown.append(Unknown(folder, source, destination, error))
            continue
        if (place_of(entry.source), place_of(entry.destination)) not in named:
            expanded.entries.append(entry)


async def _rests(stores: Stores, folder: Prefix, lock: Lock | None) -> _Rests:
    """What follows the folder in the names of all repositories that are in it, or why that is not known."""
    try:
        if lock is not None:
            names: Iterable[str] = lock.repositories(folder.registry)
        else:
            names = await stores.repositories(folder.registry, folder.path)
    except ImagesyncError as error:
        return error.alone()
    rests = [rest for name in names if (rest := folder.rest((folder.place[0], name)))]
    return rests or NotFound(f"there is no repository in {folder}", hint="or this login may not see it")

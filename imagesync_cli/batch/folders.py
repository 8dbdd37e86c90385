"""Folders of repositories become an entry for each repository that is in them.

A registry is asked once for all of its folders. With a lock nothing is asked: the repositories are those of the lock. A
repository that the file names in an entry of its own, with the same destination, is left to that entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from imagesync_cli.batch.entry import Entry, FolderEntry, ImageEntry
from imagesync_cli.batch.reading.prefix import Prefix
from imagesync_cli.concurrency import gather
from imagesync_cli.look.lockfile import Lock
from imagesync_cli.stores import Stores
from imagesync_cli.stores.places import place_of
from imagesync_cli.values.errors import ImagesyncError, NotFound
from imagesync_cli.values.names import names_below

_Names = Sequence[str] | ImagesyncError


@dataclass(frozen=True)
class Unknown:
    """What a folder comes to is not known, or not for one repository: from ``source`` to ``destination``, and why."""

    folder: FolderEntry
    source: str
    destination: str
    error: ImagesyncError


async def expand(stores: Stores, entries: Sequence[Entry], lock: Lock | None) -> list[ImageEntry | Unknown]:
    """All entries, in the order of the file, with what is not known of its folders.

    With a ``lock`` the repositories are those of the lock.
    """
    named = {_ends(entry) for entry in entries if isinstance(entry, ImageEntry)}
    folders = {entry.source for entry in entries if isinstance(entry, FolderEntry)}
    paths: dict[str, set[str]] = {}
    for folder in folders:
        paths.setdefault(folder.registry, set()).add(folder.path)
    names = dict(zip(paths, await gather(_names(stores, *each, lock) for each in paths.items()), strict=True))
    rests = {each: _rests(each, names[each.registry][each.path]) for each in folders}
    expanded = list[ImageEntry | Unknown]()
    for entry in entries:
        if isinstance(entry, ImageEntry):
            expanded.append(entry)
        else:
            own = _in_folder(entry, rests[entry.source])
            expanded += (each for each in own if isinstance(each, Unknown) or _ends(each) not in named)
    return expanded


def _ends(entry: ImageEntry) -> tuple[object, object]:
    return place_of(entry.source), place_of(entry.destination)


def _in_folder(folder: FolderEntry, rests: _Names) -> Iterator[ImageEntry | Unknown]:
    if isinstance(rests, ImagesyncError):
        yield Unknown(folder, folder.name, f"{folder.destination}/**", rests)
        return
    for rest in rests:
        try:
            yield folder.entry(rest)
        except ImagesyncError as error:  # noqa: PERF203
            yield Unknown(folder, f"{folder.source}/{rest}", f"{folder.destination}/{rest}", error)


async def _names(stores: Stores, registry: str, paths: set[str], lock: Lock | None) -> Mapping[str, _Names]:
    """The repositories of a registry below each path, or why these are not known."""
    if lock is not None:
        return names_below(paths, lock.repositories(registry))
    return await stores.repositories(registry, paths)


def _rests(folder: Prefix, names: _Names) -> _Names:
    """What follows the folder in the names of all repositories that are in it."""
    if isinstance(names, ImagesyncError):
        return names
    rests = [rest for name in names if (rest := folder.rest((folder.place[0], name)))]
    return rests or NotFound(f"there is no repository in {folder}", hint="or this login may not see it")

"""Folders of repositories become an entry for each repository that is in them.

A registry is asked once for each path. With a lock nothing is asked: the repositories are those of the lock. A
repository that the file names in an entry of its own, with the same destination, is left to that entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from imagesync_cli.batch.entry import Entry, FolderEntry, ImageEntry
from imagesync_cli.batch.reading.prefix import Prefix
from imagesync_cli.concurrency import gather
from imagesync_cli.look.lockfile import Lock
from imagesync_cli.stores import Stores
from imagesync_cli.stores.places import place_of
from imagesync_cli.values.errors import ImagesyncError, NotFound

_Rests = Sequence[str] | ImagesyncError


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
    folders = dict.fromkeys(entry.source for entry in entries if isinstance(entry, FolderEntry))
    rests = dict(zip(folders, await gather(_rests(stores, each, lock) for each in folders), strict=True))
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


def _in_folder(folder: FolderEntry, rests: _Rests) -> Iterator[ImageEntry | Unknown]:
    if isinstance(rests, ImagesyncError):
        yield Unknown(folder, folder.name, f"{folder.destination}/**", rests)
        return
    for rest in rests:
        try:
            yield folder.entry(rest)
        except ImagesyncError as error:  # noqa: PERF203
            yield Unknown(folder, f"{folder.source}/{rest}", f"{folder.destination}/{rest}", error)


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

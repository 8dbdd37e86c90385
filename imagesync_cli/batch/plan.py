"""What a file of images comes to: each image by its tag, and the tags that are there and nobody wants any more.

Repositories are asked for their tags once each, all at once. With a lock nothing is asked of a source: the tags and
digests are those of the lock. Nothing is changed here.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from imagesync_cli.batch.entry import Entry, ImageEntry
from imagesync_cli.batch.folders import Unknown, expand
from imagesync_cli.batch.prune import Removals, list_pruned, plan_removals
from imagesync_cli.batch.reading.prefix import above
from imagesync_cli.batch.report import ImageResult
from imagesync_cli.look.lockfile import Lock
from imagesync_cli.look.selection import Selection
from imagesync_cli.look.tags import pick_each, pick_tags
from imagesync_cli.stores import Stores
from imagesync_cli.stores.places import place_of, tag_of
from imagesync_cli.values.errors import ImagesyncError, NotFound, UsageError
from imagesync_cli.values.progress import note
from imagesync_cli.values.reference import Reference
from imagesync_cli.values.tags.replacing import ALWAYS, Replacing

if TYPE_CHECKING:
    from imagesync_cli.look.trust.age import MinimumAge

Tags = Sequence[str] | ImagesyncError


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """One image to copy; ``size`` in bytes, 0 if unknown.

    ``seen`` is when the lock that is copied from saw it first, "" for never.
    """

    source: Reference
    destination: Reference
    selection: Selection
    entry: ImageEntry
    size: int = 0
    seen: str = ""

    @property
    def key(self) -> str:
        """What tells it from all others of its file."""
        return f"{self.source} {self.destination}"

    def minimum_age(self, otherwise: MinimumAge | None = None) -> MinimumAge | None:
        """How old it must be, by its entry or else by the call; None for any age."""
        rule = self.entry.minimum_age or otherwise
        return replace(rule, seen=self.seen) if rule else None


@dataclass
class Plan:
    """``failed`` says for entries why their images are not known. ``removals`` are tags to remove, by repository.

    ``unknown`` are folders, or repositories in them, that have come to no entry, and ``empty`` the entries whose
    repositories were found in a folder and have no tags: registries list those for ever. ``named`` is all that the file
    reads and fills, also what other shards copy.
    """

    entries: Sequence[ImageEntry]
    images: list[PlannedImage] = field(default_factory=list)
    failed: dict[ImageEntry, ImagesyncError] = field(default_factory=dict)
    removals: dict[tuple[str, str], Removals] = field(default_factory=dict)
    unknown: list[Unknown] = field(default_factory=list)
    empty: set[ImageEntry] = field(default_factory=set)
    named: Sequence[Reference] = ()

    @property
    def groups(self) -> list[list[PlannedImage]]:
        """The images, those together that one item of the file wants in several places."""
        groups: dict[tuple[int, str], list[PlannedImage]] = {}
        for number, image in enumerate(self.images):
            item = image.entry.item
            groups.setdefault((item, str(image.source)) if item else (-number, ""), []).append(image)
        return list(groups.values())

    def results(self) -> dict[str, ImageResult]:
        """A new result for each image, by its key."""
        return {image.key: ImageResult(str(image.source), str(image.destination)) for image in self.images}

    @property
    def unlisted(self) -> list[ImageResult]:
        """A result for each entry whose tags, and each folder whose repositories, could not be listed: it failed."""
        ends = [(entry.source.name, entry.destination.name, error) for entry, error in self.failed.items()]
        ends += [(each.source, each.destination, each.error) for each in self.unknown]
        return [ImageResult(source, destination).fail(error) for source, destination, error in ends]

    def unknown_at(self, place: tuple[str, str]) -> ImagesyncError | None:
        """Why nobody knows all that the file wants in this repository: a folder or an entry may fill it or read it."""
        below, at = self._why_unknown
        return next((below[each] for each in above(place) if each in below), at.get(place))

    @functools.cached_property
    def _why_unknown(self) -> tuple[dict[tuple[str, str], ImagesyncError], dict[tuple[str, str], ImagesyncError]]:
        """Why, by the place of a folder, for all below it; and by that of a repository. Asked once the plan is made."""
        below = {
            side.place: each.error for each in self.unknown for side in (each.folder.source, each.folder.destination)
        }
        return below, {place_of(entry.source): error for entry, error in self.failed.items()}

    @property
    def removal_count(self) -> int:
        """How many tags are to go."""
        return sum(len(removals.tags) for removals in self.removals.values())


async def plan(
    stores: Stores,
    entries: Sequence[Entry],
    lock: Lock | None = None,
    *,
    locked: bool = False,
    prunes: bool = True,
    replacing: Replacing = ALWAYS,
) -> Plan:
    """The plan of these entries, with removals if it ``prunes``. ``replacing`` is for entries that do not say it.

    UsageError where two images want one tag, or the lock lacks one that it must have.
    """
    expanded = await expand(stores, entries, lock if locked else None)
    made = Plan([each for each in expanded if isinstance(each, ImageEntry)])
    made.unknown = [each for each in expanded if isinstance(each, Unknown)]
    there = await list_pruned(stores, made.entries) if prunes else {}
    picked = await _source_tags(stores, made.entries, lock if locked else None)
    for entry in made.entries:
        tags = picked.get(entry, [])
        if tags is None:
            made.empty.add(entry)
        elif isinstance(tags, ImagesyncError):
            made.failed[entry] = tags
        else:
            _plan_images(made, entry, tags)
    _judge_empty(made)
    made.images = _without_duplicates(made, replacing)
    made.named = [reference for image in made.images for reference in (image.source, image.destination)]
    if lock is not None:
        made.images = [_with_lock(image, lock, locked=locked) for image in made.images]
    if prunes:
        await plan_removals(stores, made, replacing, there)
    return made


def _judge_empty(made: Plan) -> None:
    """Repositories without tags are left out, but for a folder in which all are: that has lost what it had."""
    alive = {entry.item for entry in made.entries if entry.listed and entry not in made.empty}
    for entry in [entry for entry in made.entries if entry in made.empty]:
        if entry.item in alive:
            note(f"{entry.source.name} has no tags: left out")
        else:
            made.empty.remove(entry)
            made.failed[entry] = NotFound(
                f"{entry.source.name} has no tags", hint="no repository of its folder has tags"
            )


def _plan_images(made: Plan, entry: ImageEntry, tags: Sequence[str]) -> None:
    """The entry's image, or one for each tag; or the error of a tag that its new name makes impossible."""
    try:
        places = [entry.places] if entry.tags is None else [entry.image(tag) for tag in tags]
    except UsageError as error:
        made.failed[entry] = error
    else:
        made.images += [PlannedImage(*each, entry.selection, entry) for each in places]


async def _source_tags(
    stores: Stores, entries: Sequence[ImageEntry], lock: Lock | None
) -> Mapping[ImageEntry, Tags | None]:
    """The picked tags of each entry that has rules; None for a listed repository that has no tags."""
    ruled = {entry: (entry.source, entry.tags) for entry in entries if entry.tags is not None}

    async def pick(entry: ImageEntry, listed: Sequence[str]) -> Tags | None:
        source, rules = ruled[entry]
        return pick_tags(source, rules, listed) if listed or rules.names_all or not entry.listed else None

    return await pick_each(stores, ruled, lock, pick)


def _without_duplicates(made: Plan, replacing: Replacing) -> list[PlannedImage]:
    """Each image once; UsageError where one tag is wanted from two sources, or by two rules: neither may be dropped."""
    by_destination: dict[tuple[str, str, str], PlannedImage] = {}
    for image in made.images:
        other = by_destination.setdefault(tag_of(image.destination), image)
        if image is other or _rules(image, replacing) == _rules(other, replacing):
            continue
        first, second = other.entry.line, image.entry.line
        same = other.source == image.source
        what = f"by different rules, from {image.source}" if same else f"from {other.source} and {image.source}"
        raise UsageError(
            f"lines {first} and {second} both fill {image.destination}, {what}",
            hint="leave one of them out, or exclude the tag in its rules",
        )
    return list(by_destination.values())


def _rules(image: PlannedImage, replacing: Replacing) -> tuple[object, ...]:
    """All that decides about what arrives."""
    entry = image.entry
    return image.source, image.selection, entry.trust, entry.replacing or replacing, entry.minimum_age


def _with_lock(image: PlannedImage, lock: Lock, *, locked: bool) -> PlannedImage:
    at = lock.find(image.source)
    if at is None:
        if not locked:
            return image
        raise UsageError(f"the lock has no {image.source}", hint="run imagesync lock with the same file")
    selection = replace(image.selection, digest=at.digest) if locked else image.selection
    return replace(image, selection=selection, size=at.size, seen=at.first_seen if locked else "")

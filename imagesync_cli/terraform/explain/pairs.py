"""Which object that goes is followed by which that comes: one image in two objects is told in one line.

1. The same entry of the same call: its image is another one.
2. The same place: the entry is spelled in another way, or has gone to another call.
3. The same image, where one object of it goes and one comes: the entry has another key.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from imagesync_cli.terraform.explain.reading.plan import ImageChange, Plan

ENTRY, PLACE, IMAGE = "entry", "place", "image"


@dataclass(frozen=True)
class Predecessor:
    """The object that goes, and by what the one that comes is known to follow it."""

    change: ImageChange
    by: str


def predecessors(plan: Plan) -> dict[str, Predecessor]:
    """The object that went before, by the address of the one that comes."""
    followed: dict[str, Predecessor] = {}
    going = {change.address: change for call in plan.calls for change in call.changes if change.goes}
    # An object that a failed run has left may be wanted again: then the one that the tag has goes.
    left = {(*_entry(change), change.digest) for change in going.values()}
    coming = {
        change.address: change
        for call in plan.calls
        for change in call.wanted
        if change.before is None or "create" in change.actions or (*_entry(change), change.present) in left
    }

    for by, trait in _TRAITS.items():
        olds, news = _alone(going.values(), trait), _alone(coming.values(), trait)
        for name in olds.keys() & news.keys():
            followed[news[name].address] = Predecessor(olds[name], by)
            del going[olds[name].address], coming[news[name].address]
    return followed


def _alone(changes: Iterable[ImageChange], trait: Callable[[ImageChange], Hashable]) -> dict[Hashable, ImageChange]:
    """Those that share the trait with no other; of several the one that the tag has: others are left of failed runs."""
    groups: dict[Hashable, list[ImageChange]] = {}
    for change in changes:
        groups.setdefault(trait(change), []).append(change)
    chosen = {
        name: [each for each in group if len(group) == 1 or each.present == each.digest]
        for name, group in groups.items()
    }
    return {name: group[0] for name, group in chosen.items() if name is not None and len(group) == 1}


def _entry(change: ImageChange) -> tuple[str, str]:
    return change.module, change.key


def _place(change: ImageChange) -> Hashable:
    stored = change.after or change.before
    return stored.place if stored else None


_TRAITS: dict[str, Callable[[ImageChange], Hashable]] = {
    ENTRY: _entry,
    PLACE: _place,
    IMAGE: lambda change: change.digest,
}

"""Which other resources change with an image: those that name it before or after, and not on both sides.

An image's id (NAME@DIGEST) tells it from all others. A digest alone counts only where one image of the plan has it.
A value that is known only at apply tells nothing, and so its resource is not counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from imagesync_cli.terraform.explain.reading.members import Document
from imagesync_cli.terraform.explain.reading.plan import Plan
from imagesync_cli.terraform.explain.reading.stored import Place, Stored, place_of

_DIGEST = re.compile(r"sha(?:256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})(?![0-9a-f])")
_NO_NAME = re.compile(r"[\s\"'`,;=<>()@]")
_LONGEST_NAME = 400
Names = set[tuple[str, str]]  # a repository as it is spelled, "" where none is named, and a digest


class Consumers:
    """The resources that change, by what they name on one side alone."""

    def __init__(self, plan: Plan) -> None:
        self._by_image: dict[tuple[str, str], dict[str, None]] = {}
        self._places: dict[str, set[Place | None]] = {}
        for image in (image for call in plan.calls for image in call.changes):
            places = {stored.place for stored in (image.before, image.after) if stored}
            self._places.setdefault(image.digest, set()).update(places)
        for resource in plan.others():
            change = resource.get("change")
            if isinstance(change, dict) and change.get("actions") not in (["no-op"], ["read"]):
                self._add(str(resource.get("address")), change)

    def _add(self, address: str, change: Document) -> None:
        before, after = _names(change.get("before")), _names(change.get("after"))
        unknown = change.get("after_unknown") if change.get("after") is not None else None
        for name, digest in (before ^ after) - _names_where(change.get("before"), unknown):
            place = place_of(name) if name else None
            addresses = self._by_image.setdefault((place.repository if place else "", digest), {})
            addresses[address] = None

    def of(self, images: Iterable[Stored]) -> list[str]:
        """Those that name one of these images."""
        addresses = dict[str, None]()
        for image in images:
            names = [(image.place.repository, image.digest)] if image.place else []
            names += [("", image.digest)] if len(self._places[image.digest]) == 1 else []
            for name in names:
                addresses |= self._by_image.get(name, {})
        return list(addresses)


def _names(value: Any) -> Names:
    return {name for text in texts_in(value) for name in _names_in(text)}


def _names_in(text: str) -> Iterator[tuple[str, str]]:
    for match in _DIGEST.finditer(text) if "sha" in text else ():
        before = text[max(0, match.start() - _LONGEST_NAME) : match.start()]
        name = _NO_NAME.split(before[:-1])[-1] if before.endswith("@") else ""
        yield name, match[0]


def _names_where(value: Any, unknown: Any) -> Names:
    """What is named where the other side is known only at apply."""
    names, pairs = Names(), [(value, unknown)]
    while pairs:
        each, mark = pairs.pop()
        if mark is True:
            names |= _names(each)
        elif isinstance(each, dict) and isinstance(mark, dict):
            pairs.extend((inner, mark.get(name)) for name, inner in each.items())
        elif isinstance(each, list) and isinstance(mark, list):
            pairs.extend(zip(each, mark, strict=False))
    return names


def texts_in(value: Any) -> Iterator[str]:
    """All texts in a document, however deep it is."""
    values = [value]
    while values:
        each = values.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, (dict, list)):
            values.extend(each.values() if isinstance(each, dict) else each)

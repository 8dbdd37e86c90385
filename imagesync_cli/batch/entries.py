"""What may stand in a file of images, and the entries that it means.

    defaults: {platforms, referrers, tags, prune, min_age_hours, overwrite, keep_as, keep_last, minimum_age,
               minimum_age_new, minimum_age_by_created, ignore_age_for}
                               for every entry that does not say it itself
    trust: {…}                                             who must have signed them (look/trust/reading.py)
    images:
      - source: REF            with tags: a repository
        destination: REF       without a tag: that of the source
        tags: [PATTERN…] or {include: [PATTERN…], exclude: [PATTERN…], semver: RANGE, latest: N, each_variant: BOOL}
        …and what may stand in defaults

Texts take ${NAME} from the environment. Everything that is wrong is said at once, each with its line; no
registry is asked anything here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from imagesync_cli.batch.document import Fields, Items, Node, Value, read_nodes
from imagesync_cli.batch.entry import ImageEntry
from imagesync_cli.batch.reading import Reading
from imagesync_cli.look.selection import Selection
from imagesync_cli.look.tags import names_tag
from imagesync_cli.values.platforms import Platform, parse_platform
from imagesync_cli.values.reference import Reference, parse_reference
from imagesync_cli.values.tags.replacing import KeepAs, Replacing, parse_keep_as, parse_overwrite
from imagesync_cli.values.tags.rules import TagRules

if TYPE_CHECKING:
    from imagesync_cli.look.trust.age import MinimumAge
    from imagesync_cli.look.trust.rules import Trust

_REPLACING = frozenset({"overwrite", "keep_as", "keep_last"})
_AGE = frozenset({"minimum_age", "minimum_age_new", "minimum_age_by_created", "ignore_age_for"})
_SHARED = frozenset({"platforms", "referrers", "tags", "prune", "min_age_hours"}) | _REPLACING | _AGE
_ENTRY = _SHARED | {"source", "destination"}
_RULES = frozenset({"include", "exclude", "semver", "latest", "each_variant"})
_FILE = frozenset({"defaults", "images", "trust"})


def read_entries(path: Path, environ: Mapping[str, str]) -> list[ImageEntry]:
    """The entries of a file, with the defaults in them; UsageError that lists everything that is wrong with it."""
    documents = read_nodes(path)
    reading = _Reading(str(path), environ)
    if len(documents) != 1:
        reading.wrong(1, "there is nothing in it" if not documents else "it has more than one document")
        raise reading.error()
    entries = reading.file(documents[0])
    if reading.problems:
        raise reading.error()
    return entries


def read_entry(entry: Mapping[str, object]) -> ImageEntry | list[str]:
    """The entry of a file that has these values, none of them with variables; or what would be wrong with it."""
    reading = _Reading("", {})
    entries = reading.file(_node({"images": [entry]}))
    return [what for _, what in reading.problems] if reading.problems else entries[0]


def _node(value: object) -> Node:
    if isinstance(value, dict):
        return Fields(1, {key: _node(item) for key, item in value.items()}, (1,) * len(value))
    if isinstance(value, (list, tuple)):
        return Items(1, tuple(map(_node, value)))
    return Value(1, "bool" if isinstance(value, bool) else "str", str(value).replace("${", "$${"))


class _Reading(Reading):
    """One file on its way to entries."""

    def file(self, node: Node) -> list[ImageEntry]:
        """Everything that the file says."""
        top = self.fields(node, "the file", _FILE, required=("images",), extensions=True)
        defaults = self.fields(top["defaults"], "defaults", _SHARED) if "defaults" in top else {}
        for name in defaults:
            self._shared(name, defaults)  # what is wrong here is wrong without any entry as well
        images = self.items(top["images"], "images") if "images" in top else ()
        trust = self._trust(top["trust"]) if "trust" in top else None
        entries = [entry for image in images if (entry := self._entry(image, defaults)) is not None]
        return [replace(entry, trust=trust) for entry in entries] if trust else entries

    def _trust(self, node: Node) -> Trust | None:
        from imagesync_cli.batch.trust_file import trust_in

        return self.parsed(lambda: trust_in(node, Path(self.name), fill=self.filled), node.line)

    def _entry(self, node: Node, defaults: Mapping[str, Node]) -> ImageEntry | None:
        before = len(self.problems)
        own = self.fields(node, "an image", _ENTRY, required=("source", "destination"))
        given = {**defaults, **own}
        tags = self._shared("tags", given)
        source = self._reference(own.get("source"), "source")
        destination = self._reference(own.get("destination"), "destination")
        if source is None or destination is None or len(self.problems) > before:
            return None
        names_image = source[1] or source[0].digest
        if isinstance(tags, TagRules) and ("tags" in own or not names_image):
            return self._ruled(node.line, source, destination, tags, given)
        return self._single(node.line, source, destination, given, prunes="prune" in own)

    def _ruled(
        self, line: int, source: _Read, destination: _Read, tags: TagRules, given: Mapping[str, Node]
    ) -> ImageEntry | None:
        """An entry for the tags of a repository that the rules pick."""
        for side, (reference, tagged) in (("source", source), ("destination", destination)):
            if tagged or reference.digest:
                self.wrong(line, f"{side} {reference} names an image, and tags pick images: leave one of them out")
        return self._made(line, source[0], destination[0], given, tags=tags)

    def _single(
        self, line: int, source: _Read, destination: _Read, given: Mapping[str, Node], *, prunes: bool
    ) -> ImageEntry | None:
        """An entry for one image."""
        (image, image_tagged), (wanted, wanted_tagged) = source, destination
        if wanted.digest:
            self.wrong(line, f"destination {wanted} is given by digest: a destination takes a tag")
        if not wanted_tagged:
            if image.digest and not image_tagged:
                self.wrong(line, f"destination {wanted.name} needs a tag: its source has none to take over")
            wanted = wanted.at(tag=image.tag or "latest")
        if prunes and self._shared("prune", given):
            self.wrong(line, "prune needs tags: without them nobody knows which others are to stay")
        return self._made(line, image, wanted, {name: node for name, node in given.items() if name != "prune"})

    def _made(
        self,
        line: int,
        source: Reference,
        destination: Reference,
        given: Mapping[str, Node],
        tags: TagRules | None = None,
    ) -> ImageEntry:
        if source.location == destination.location and (tags is not None or source.tag == destination.tag):
            self.wrong(line, f"destination {destination if tags is None else destination.name} is its own source")
        platforms = self._shared("platforms", given)
        hours = self._shared("min_age_hours", given)
        return ImageEntry(
            source=source,
            destination=destination,
            selection=Selection(
                platforms=platforms if isinstance(platforms, tuple) else (),
                referrers=self._shared("referrers", given) is True,
            ),
            tags=tags,
            prune=self._shared("prune", given) is True,
            min_age_hours=hours if isinstance(hours, float) else 0.0,
            replacing=self._replacing(line, given),
            minimum_age=self._minimum_age(line, given),
            line=line,
        )

    def _shared(self, name: str, given: Mapping[str, Node]) -> object:
        """The value of what may stand in an entry or in defaults; None where it is not given, or wrong."""
        if name not in given:
            return None
        read: dict[str, Callable[[Node, str], object]] = {
            "platforms": self._platforms,
            "referrers": self.truth,
            "prune": self.truth,
            "tags": self._tags,
            "min_age_hours": self.hours,
            "overwrite": self._overwrite,
            "keep_as": self._keep_as,
            "keep_last": self._keep_last,
            "minimum_age": self.text,
            "minimum_age_new": self.text,
            "minimum_age_by_created": self.truth,
            "ignore_age_for": self._texts,
        }
        return read[name](given[name], name)

    def _replacing(self, line: int, given: Mapping[str, Node]) -> Replacing | None:
        """What becomes of an image that the tag has already; None where nothing is said of it."""
        if not _REPLACING & given.keys():
            return None
        overwrite, keep_as, keep_last = (self._shared(name, given) for name in ("overwrite", "keep_as", "keep_last"))
        if "keep_last" in given and "keep_as" not in given:
            self.wrong(line, "keep_last needs keep_as: the tags that keep old images")
        return Replacing(
            overwrite if isinstance(overwrite, str) else "always",
            keep_as if isinstance(keep_as, KeepAs) else None,
            keep_last if isinstance(keep_last, int) else None,
        )

    def _minimum_age(self, line: int, given: Mapping[str, Node]) -> MinimumAge | None:
        """How old an image must be; None where nothing is said of it."""
        values = {name: self._shared(name, given) for name in _AGE & given.keys()}
        if not values:
            return None
        if "minimum_age" not in given:
            self.wrong(line, f"{min(values)} needs minimum_age")
            return None
        from imagesync_cli.look.trust.age import parse_minimum_age

        ignored, by_created = values.get("ignore_age_for") or (), values.get("minimum_age_by_created") is True
        least, new = str(values["minimum_age"]), str(values.get("minimum_age_new", "wait"))
        return self.parsed(
            lambda: parse_minimum_age(least, new, cast("list[str]", ignored), by_created=by_created), line
        )

    def _texts(self, node: Node, name: str) -> list[str]:
        return [text for item in self.items(node, name) if (text := self.text(item, name))]

    def _overwrite(self, node: Node, name: str) -> str | None:
        text = self.text(node, name)
        return self.parsed(lambda: parse_overwrite(text), node.line) if text else None

    def _keep_as(self, node: Node, name: str) -> KeepAs | None:
        text = self.text(node, name)
        return self.parsed(lambda: parse_keep_as(text), node.line) if text else None

    def _keep_last(self, node: Node, name: str) -> int | None:
        number = self.number(node, name, least=0, whole=True)
        return None if number is None else int(number)

    def _tags(self, node: Node, name: str) -> TagRules | None:
        if isinstance(node, Items):
            return self._rules(node.line, {"include": node})
        return self._rules(node.line, self.fields(node, name, _RULES))

    def _rules(self, line: int, given: Mapping[str, Node]) -> TagRules | None:
        include, exclude = (self._patterns(given[key], key) if key in given else () for key in ("include", "exclude"))
        semver = self.text(given["semver"], "semver") if "semver" in given else ""
        latest = self.number(given["latest"], "latest", least=1, whole=True) if "latest" in given else None
        apart = self.truth(given["each_variant"], "each_variant") is True if "each_variant" in given else False
        newest = int(latest) if latest else None
        return self.parsed(lambda: TagRules(include, exclude, semver or "", newest, apart).meaningful(), line)

    def _patterns(self, node: Node, name: str) -> tuple[str, ...]:
        patterns = [(item, self.text(item, name)) for item in self.items(node, name)]
        good = [text for item, text in patterns if text and self.parsed(lambda: TagRules((text,)), item.line)]  # noqa: B023
        return tuple(good)

    def _platforms(self, node: Node, name: str) -> tuple[Platform, ...]:
        items = [(item, self.text(item, name)) for item in self.items(node, name)]
        found = [self.parsed(lambda: parse_platform(text), item.line) for item, text in items if text]  # noqa: B023
        return tuple(dict.fromkeys(platform for platform in found if platform is not None))

    def _reference(self, node: Node | None, name: str) -> _Read | None:
        text = self.text(node, name, frozenset({"str"})) if node is not None else None
        if node is None or text is None:
            return None
        reference = self.parsed(lambda: parse_reference(text), node.line)
        return None if reference is None else (reference, names_tag(reference, text))


# A reference, and whether its text names a tag.
_Read = tuple[Reference, bool]

"""What may stand in a file of images, and the entries that it means.

    defaults: {platforms, referrers, tags, as, prune, min_age_hours, overwrite, keep_as, keep_last, minimum_age,
               minimum_age_new, minimum_age_by_created, ignore_age_for}
                               for every entry that does not say it itself
    trust: {…}                                             who must have signed them (look/trust/reading.py)
    mirrors: {PREFIX: [PREFIX…]}                           who else has a registry's images
    images:
      - source: REF            with tags: a repository
        destination: REF       without a tag: that of the source; or a list, each then is an entry
        mirrors: [PREFIX…]     in place of the source's registry
        tags: [PATTERN…] or {include: [PATTERN…], exclude: [PATTERN…], semver: RANGE, latest: N, each_variant: BOOL}
        …and what may stand in defaults

Texts take ${NAME} from the environment. Everything that is wrong is said at once, each with its line; no
registry is asked anything here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from imagesync_cli.batch.document import Fields, Items, Node, Value, read_nodes
from imagesync_cli.batch.entry import ImageEntry, place_of
from imagesync_cli.batch.reading.image import ImageReading, Read
from imagesync_cli.batch.reading.prefix import Prefix, parse_prefix
from imagesync_cli.look.selection import Selection
from imagesync_cli.values.reference import Reference, RegistryReference
from imagesync_cli.values.tags.renaming import renamed
from imagesync_cli.values.tags.replacing import KeepAs, Replacing
from imagesync_cli.values.tags.rules import TagRules

if TYPE_CHECKING:
    from imagesync_cli.look.trust.age import MinimumAge
    from imagesync_cli.look.trust.rules import Trust

_REPLACING = frozenset({"overwrite", "keep_as", "keep_last"})
_AGE = frozenset({"minimum_age", "minimum_age_new", "minimum_age_by_created", "ignore_age_for"})
_SHARED = frozenset({"platforms", "referrers", "tags", "as", "prune", "min_age_hours"}) | _REPLACING | _AGE
_ENTRY = _SHARED | {"source", "destination", "mirrors"}
_FILE = frozenset({"defaults", "images", "mirrors", "trust"})


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


class _Reading(ImageReading):
    """One file on its way to entries."""

    def file(self, node: Node) -> list[ImageEntry]:
        """Everything that the file says."""
        top = self.fields(node, "the file", _FILE, required=("images",), extensions=True)
        defaults = self.fields(top["defaults"], "defaults", _SHARED) if "defaults" in top else {}
        for name in defaults:
            self._shared(name, defaults)  # what is wrong here is wrong without any entry as well
        mirrors = self._mirrors(top["mirrors"]) if "mirrors" in top else {}
        images = self.items(top["images"], "images") if "images" in top else ()
        trust = self._trust(top["trust"]) if "trust" in top else None
        return [
            replace(entry, item=number, trust=trust, mirrors=self._mirrors_of(image, entry.source, mirrors))
            for number, image in enumerate(images, 1)
            for entry in self._entries(image, defaults)
        ]

    def _trust(self, node: Node) -> Trust | None:
        from imagesync_cli.batch.trust_file import trust_in

        return self.parsed(lambda: trust_in(node, Path(self.name), fill=self.filled), node.line)

    def _mirrors(self, node: Node) -> dict[Prefix, tuple[Prefix, ...]]:
        """Who else has the images of a registry, or of a path in it."""
        if not isinstance(node, Fields):
            self.wrong(node.line, "mirrors is a mapping from registries to lists of their mirrors")
            return {}
        named = ((self.parsed(lambda: parse_prefix(key), node.lines[key]), key) for key in node.fields)  # noqa: B023
        return {prefix: self.prefixes(node.fields[key], "mirrors") for prefix, key in named if prefix}

    def _mirrors_of(
        self, node: Node, source: Reference, mirrors: Mapping[Prefix, Sequence[Prefix]]
    ) -> tuple[RegistryReference, ...]:
        """Where else an image's bytes may come from: what it says itself, else the longest prefix of the file."""
        own = node.fields.get("mirrors") if isinstance(node, Fields) else None
        if not isinstance(source, RegistryReference):
            if own is not None:
                self.wrong(node.line, "mirrors are for images of a registry")
            return ()
        if own is not None:
            mirrors = {Prefix(source.host): self.prefixes(own, "mirrors")}
        fitting = [(len(each.path), rest, each) for each in mirrors if (rest := each.rest(*source.location))]
        if not fitting:
            return ()
        _, rest, prefix = max(fitting, key=lambda each: each[0])
        found = [self.parsed(lambda: mirror.repository(rest), node.line) for mirror in mirrors[prefix]]  # noqa: B023
        for mirror in found:
            if mirror and place_of(mirror) == place_of(source):
                self.wrong(node.line, f"{source.name} is its own mirror")
        return tuple(mirror for mirror in found if mirror is not None)

    def _entries(self, node: Node, defaults: Mapping[str, Node]) -> list[ImageEntry]:
        """An entry for each destination; none where something is wrong."""
        before = len(self.problems)
        own = self.fields(node, "an image", _ENTRY, required=("source", "destination"))
        given = {**defaults, **own}
        tags = self._shared("tags", given)
        source = self.reference(own["source"], "source") if "source" in own else None
        destinations = self.references(own["destination"], "destination") if "destination" in own else []
        if source is None or len(self.problems) > before:
            return []
        names_image = source[1] or source[0].digest
        if isinstance(tags, TagRules) and ("tags" in own or not names_image):
            entries = [self._ruled(node.line, source, each, tags, given) for each in destinations]
        else:
            entries = [self._single(node.line, source, each, given, own) for each in destinations]
        self._note_same(node.line, entries)
        return entries

    def _note_same(self, line: int, entries: Sequence[ImageEntry]) -> None:
        places = [(place_of(entry.destination), entry.destination.tag) for entry in entries]
        for number, entry in enumerate(entries):
            if places.index(places[number]) < number:
                self.wrong(line, f"destination {entry.destination} is in the list twice")

    def _ruled(
        self, line: int, source: Read, destination: Read, tags: TagRules, given: Mapping[str, Node]
    ) -> ImageEntry:
        """An entry for the tags of a repository that the rules pick."""
        for side, (reference, tagged) in (("source", source), ("destination", destination)):
            if tagged or reference.digest:
                self.wrong(line, f"{side} {reference} names an image, and tags pick images: leave one of them out")
        rename = self._shared("as", given)
        made = self._made(line, source[0], destination[0], given, tags=tags)
        return replace(made, rename=rename if isinstance(rename, str) else "")

    def _single(
        self, line: int, source: Read, destination: Read, given: Mapping[str, Node], own: Mapping[str, Node]
    ) -> ImageEntry:
        """An entry for one image."""
        (image, image_tagged), (wanted, wanted_tagged) = source, destination
        if wanted.digest:
            self.wrong(line, f"destination {wanted} is given by digest: a destination takes a tag")
        if not wanted_tagged:
            if image.digest and not image_tagged:
                self.wrong(line, f"destination {wanted.name} needs a tag: its source has none to take over")
            wanted = wanted.at(tag=self._renamed(line, image.tag or "latest", given))
        elif "as" in own:
            self.wrong(line, f"destination {wanted} names a tag, and so does as: leave one of them out")
        if "prune" in own and self._shared("prune", given):
            self.wrong(line, "prune needs tags: without them nobody knows which others are to stay")
        return self._made(line, image, wanted, {name: node for name, node in given.items() if name != "prune"})

    def _renamed(self, line: int, tag: str, given: Mapping[str, Node]) -> str:
        template = self._shared("as", given)
        made = self.parsed(lambda: renamed(template, tag), line) if isinstance(template, str) else None
        return made or tag

    def _made(
        self,
        line: int,
        source: Reference,
        destination: Reference,
        given: Mapping[str, Node],
        tags: TagRules | None = None,
    ) -> ImageEntry:
        if place_of(source) == place_of(destination) and (tags is not None or source.tag == destination.tag):
            self.wrong(line, f"destination {destination if tags is None else destination.name} is its own source")
        platforms, hours, referrers = (
            self._shared(name, given) for name in ("platforms", "min_age_hours", "referrers")
        )
        return ImageEntry(
            source=source,
            destination=destination,
            selection=Selection(
                platforms=platforms if isinstance(platforms, tuple) else (),
                referrers=bool(referrers),
                referrer_types=referrers if isinstance(referrers, tuple) else (),
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
            "platforms": self.platforms,
            "referrers": self.referrers,
            "prune": self.truth,
            "tags": self.tags,
            "as": self.renaming,
            "min_age_hours": self.hours,
            "overwrite": self.overwrite,
            "keep_as": self.keep_as,
            "keep_last": self.keep_last,
            "minimum_age": self.text,
            "minimum_age_new": self.text,
            "minimum_age_by_created": self.truth,
            "ignore_age_for": self.texts,
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

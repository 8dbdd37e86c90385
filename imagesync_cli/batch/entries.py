"""What may stand in a file of images, and the entries that it means.

    defaults: {platforms, referrers, foreign_layers, tags, as, prune, min_age_hours, overwrite, keep_as, keep_last,
               minimum_age, minimum_age_new, minimum_age_by_created, ignore_age_for}
                               for every entry that does not say it itself
    trust: {…}                                             who must have signed them (look/trust/reading.py)
    mirrors: {PREFIX: [PREFIX…]}                           who else has a registry's images
    images:
      - source: REF            with tags: a repository; with tags and PREFIX/**: every repository below it
        destination: REF       without a tag: that of the source; or a list, each then is an entry
        mirrors: [PREFIX…]     in place of the source's registry
        trust: {…}             in place of the file's
        tags: [PATTERN…] or {include: [PATTERN…], exclude: [PATTERN…], semver: RANGE, latest: N, each_variant: BOOL}
        …and what may stand in defaults

Texts take ${NAME} from the environment. Everything that is wrong is said at once, each with its line; no
registry is asked anything here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagesync_cli.batch.document import Fields, Items, Node, Value, name_of, read_nodes, why_not_one
from imagesync_cli.batch.entry import Entry, FolderEntry, ImageEntry, renamed
from imagesync_cli.batch.reading.image import Read, Reading
from imagesync_cli.batch.reading.prefix import Mirrors, Prefix, above, mirrors_of, parse_prefix
from imagesync_cli.look.selection import Selection
from imagesync_cli.stores.places import place_of, tag_of
from imagesync_cli.values.reference import ArchiveReference, LayoutReference, Reference, RegistryReference
from imagesync_cli.values.tags.replacing import Replacing

if TYPE_CHECKING:
    from imagesync_cli.look.trust.age import MinimumAge
    from imagesync_cli.look.trust.rules import Trust

_REPLACING = frozenset({"overwrite", "keep_as", "keep_last"})
_AGE = frozenset({"minimum_age", "minimum_age_new", "minimum_age_by_created", "ignore_age_for"})
_SELECTING = frozenset({"platforms", "referrers", "foreign_layers", "tags", "as", "prune", "min_age_hours"})
_SHARED = _SELECTING | _REPLACING | _AGE
_ENTRY = _SHARED | {"source", "destination", "mirrors", "trust"}
_FILE = frozenset({"defaults", "images", "mirrors", "trust"})
# In the place of what is not known yet.
_ANY = LayoutReference("any")


def read_entries(path: Path, environ: Mapping[str, str]) -> list[Entry]:
    """The entries of a file, with the defaults in them; UsageError that lists everything that is wrong with it."""
    documents = read_nodes(path)
    reading = _Reading(name_of(path), environ)
    if why := why_not_one(documents):
        reading.wrong(1, why)
        raise reading.error()
    entries = reading.file(documents[0])
    if reading.problems:
        raise reading.error()
    return entries


def read_entry(entry: Mapping[str, object], variables: Mapping[str, str] | None = None) -> Entry | list[str]:
    """The entry of a file that has these values; or what would be wrong with it. ``variables`` are None for no such."""
    reading = _Reading("", variables or {})
    entries = reading.file(_node({"images": [entry]}, is_literal=variables is None))
    return [what for _, what in reading.problems] if reading.problems else entries[0]


def _node(value: object, *, is_literal: bool) -> Node:
    if isinstance(value, dict):
        fields = {key: _node(item, is_literal=is_literal) for key, item in value.items()}
        return Fields(1, fields, (1,) * len(value))
    if isinstance(value, (list, tuple)):
        return Items(1, tuple(_node(item, is_literal=is_literal) for item in value))
    kind = type(value).__name__ if isinstance(value, (bool, int, float)) else "str"
    return Value(1, kind, str(value).replace("${", "$${") if is_literal else str(value))


class _Reading(Reading):
    """One file on its way to entries."""

    def file(self, node: Node) -> list[Entry]:
        """Everything that the file says."""
        top = self.fields(node, "the file", _FILE, required=("images",), extensions=True)
        defaults = self._values(self.fields(top["defaults"], "defaults", _SHARED)) if "defaults" in top else {}
        mirrors = self._mirrors(top["mirrors"]) if "mirrors" in top else {}
        images = self.items(top["images"], "images") if "images" in top else ()
        trust = self._trust(top["trust"]) if "trust" in top else None
        entries = [
            entry
            for number, image in enumerate(images, 1)
            for entry in self._entries(image, defaults, mirrors, ImageEntry(_ANY, _ANY, trust=trust, item=number))
        ]
        self._refuse_rivals(entries)
        return entries

    def _refuse_rivals(self, entries: Sequence[Entry]) -> None:
        """Each is compared with the folders at its destination and above it, up to the first that it rivals."""
        folders: dict[tuple[tuple[str, str], bool], dict[Prefix, FolderEntry]] = {}
        for each in entries:
            if isinstance(each, FolderEntry):
                folders.setdefault((each.destination.place, each.model.prune), {})[each.source] = each
        for entry in entries if folders else ():
            is_folder = isinstance(entry, FolderEntry)
            place = entry.destination.place if isinstance(entry, FolderEntry) else place_of(entry.destination)
            prunes = [True, False] if entry.model.prune else [True] * is_folder
            near = (each for at in above(place) for how in prunes for each in folders.get((at, how), {}).values())
            if rivaled := next((each for each in near if each.is_rivaled_by(entry)), None):
                what = f"destination {entry.destination} is also a destination of {rivaled.name}"
                self.wrong(entry.model.line, f"{what}: with prune, each needs one of its own")

    def _values(self, given: Mapping[str, Node]) -> dict[str, Any]:
        """What may stand in an entry or in defaults, each as it is meant; None for what is wrong."""
        return {name: self.value(name, node) for name, node in given.items() if name in _SHARED}

    def _trust(self, node: Node) -> Trust | None:
        from imagesync_cli.batch.reading.trust_file import trust_in

        return self.parsed(lambda: trust_in(node, Path(self.name), fill=self.filled), node.line)

    def _mirrors(self, node: Node) -> dict[Prefix, tuple[Prefix, ...]]:
        """Who else has the images of a registry, or of a path in it."""
        if not isinstance(node, Fields):
            self.wrong(node.line, "mirrors is a mapping from registries to lists of their mirrors")
            return {}
        named = ((self.parsed(lambda: parse_prefix(key), node.lines[key]), key) for key in node.fields)  # noqa: B023
        return {prefix: self.prefixes(node.fields[key], "mirrors") for prefix, key in named if prefix}

    def _mirrors_for(self, own: Mapping[str, Node], registry: str, mirrors: Mirrors) -> Mirrors:
        """What an entry says itself counts for its source's registry, else what the file says."""
        return {Prefix(registry): self.prefixes(own["mirrors"], "mirrors")} if "mirrors" in own else mirrors

    def _entries(
        self, node: Node, defaults: Mapping[str, Any], mirrors: Mirrors, common: ImageEntry
    ) -> Sequence[Entry]:
        """An entry for each destination; none where something is wrong. ``common`` is what all of the file share."""
        before = len(self.problems)
        own = self.fields(node, "an image", _ENTRY, required=("source", "destination"))
        common = replace(common, line=node.line, trust=self._trust(own["trust"]) if "trust" in own else common.trust)
        if "source" in own and (folder := self.folder(own["source"], "source")):
            given = {**defaults, **self._values(own)}
            return self._folders(own, folder, given, self._mirrors_for(own, folder.host, mirrors), common)
        source = self.reference(own["source"], "source") if "source" in own else None
        destinations = self.references(own["destination"], "destination") if "destination" in own else []
        is_sound = len(self.problems) == before
        given = {**defaults, **self._values(own)}
        if source is None or not is_sound:
            return []
        common = replace(common, source=source[0], mirrors=self._found_mirrors(own, source[0], mirrors, node.line))
        names_image = source[1] or source[0].digest
        if given.get("tags") and ("tags" in own or not names_image):
            entries = [self._ruled(source, each, given, common) for each in destinations]
        else:
            entries = [self._single(source, each, given, own, common) for each in destinations]
        self._note_same(node.line, [(tag_of(each.destination), str(each.destination)) for each in entries])
        return entries

    def _found_mirrors(
        self, own: Mapping[str, Node], source: Reference, mirrors: Mirrors, line: int
    ) -> tuple[RegistryReference, ...]:
        if "mirrors" in own and not isinstance(source, RegistryReference):
            self.wrong(line, "mirrors are for images of a registry")
        host = source.host if isinstance(source, RegistryReference) else ""
        return self.parsed(lambda: mirrors_of(source, self._mirrors_for(own, host, mirrors)), line) or ()

    def _folders(
        self, own: Mapping[str, Node], source: Prefix, given: Mapping[str, Any], mirrors: Mirrors, common: ImageEntry
    ) -> list[FolderEntry]:
        """An entry for the repositories below a path, for each destination."""
        line, destinations = common.line, tuple[Prefix, ...]()
        if "destination" in own:
            destinations = self.prefixes(self.one_or_more(own["destination"], "destination"), "destination")
        if given.get("tags") is None:
            if "tags" not in given:
                self.wrong(line, f'{source}/** needs tags: ["*"] copies all of each repository')
            return []
        example = self.parsed(lambda: source.repository("path/path"), line)
        for each in destinations:
            if source.covers(each.place):
                self.wrong(line, f"destination {each} is below its own source")
        self._note_same(line, [(each.place, str(each)) for each in destinations])
        examples = [(each, self.parsed(lambda: each.repository("path/path"), line)) for each in destinations]  # noqa: B023
        return [
            FolderEntry(source, each, self._ruled((example, False), (there, False), given, common), mirrors)
            for each, there in examples
            if example and there
        ]

    def _note_same(self, line: int, named: Sequence[tuple[object, str]]) -> None:
        seen = set[object]()
        for place, name in named:
            if place in seen:
                self.wrong(line, f"destination {name} is in the list twice")
            seen.add(place)

    def _ruled(self, source: Read, destination: Read, given: Mapping[str, Any], common: ImageEntry) -> ImageEntry:
        """An entry for the tags of a repository that the rules pick."""
        for side, (reference, tagged) in (("source", source), ("destination", destination)):
            if tagged or reference.digest:
                self.wrong(
                    common.line, f"{side} {reference} names an image, and tags pick images: leave one of them out"
                )
        if given.get("prune") and isinstance(destination[0], ArchiveReference):
            self.wrong(
                common.line, f"destination {destination[0].name} takes no prune: nothing is deleted from an archive"
            )
        common = replace(common, source=source[0], destination=destination[0], tags=given["tags"])
        return replace(self._made(common, given), prune=bool(given.get("prune")), rename=given.get("as") or "")

    def _single(
        self, source: Read, destination: Read, given: Mapping[str, Any], own: Mapping[str, Node], common: ImageEntry
    ) -> ImageEntry:
        """An entry for one image."""
        line = common.line
        (image, image_tagged), (wanted, wanted_tagged) = source, destination
        if wanted.digest:
            self.wrong(line, f"destination {wanted} is given by digest: a destination takes a tag")
        if not wanted_tagged:
            if image.digest and not image_tagged:
                self.wrong(line, f"destination {wanted.name} needs a tag: its source has none to take over")
            tag = image.meant_tag
            if template := given.get("as"):
                tag = self.parsed(lambda: renamed(template, tag), line) or tag
            wanted = wanted.at(tag=tag)
        elif "as" in own:
            self.wrong(line, f"destination {wanted} names a tag, and so does as: leave one of them out")
        if "prune" in own and given["prune"]:
            self.wrong(line, "prune needs tags: without them nobody knows which others are to stay")
        return self._made(replace(common, destination=wanted), given)

    def _made(self, entry: ImageEntry, given: Mapping[str, Any]) -> ImageEntry:
        """The entry with all that is said of it, whether it is for one image or for several."""
        source, wanted, line = entry.source, entry.destination, entry.line
        if place_of(source) == place_of(wanted) and (entry.tags is not None or source.tag == wanted.tag):
            self.wrong(line, f"destination {wanted if entry.tags is None else wanted.name} is its own source")
        referrers = given.get("referrers")
        return replace(
            entry,
            selection=Selection(
                platforms=given.get("platforms") or (),
                referrers=bool(referrers),
                foreign_layers=bool(given.get("foreign_layers")),
                referrer_types=referrers if isinstance(referrers, tuple) else (),
            ),
            min_age_hours=given.get("min_age_hours") or 0.0,
            replacing=self._replacing(line, given),
            minimum_age=self._minimum_age(line, given),
        )

    def _replacing(self, line: int, given: Mapping[str, Any]) -> Replacing | None:
        """What becomes of an image that the tag has already; None where nothing is said of it."""
        if not _REPLACING & given.keys():
            return None
        if "keep_last" in given and "keep_as" not in given:
            self.wrong(line, "keep_last needs keep_as: the tags that keep old images")
        return Replacing(given.get("overwrite") or "always", given.get("keep_as"), given.get("keep_last"))

    def _minimum_age(self, line: int, given: Mapping[str, Any]) -> MinimumAge | None:
        """How old an image must be; None where nothing is said of it."""
        named = _AGE & given.keys()
        if not named:
            return None
        if given.get("minimum_age") is None:
            if "minimum_age" not in given:
                self.wrong(line, f"{min(named)} needs minimum_age")
            return None
        from imagesync_cli.look.trust.age import parse_minimum_age

        return self.parsed(
            lambda: parse_minimum_age(
                given["minimum_age"],
                given.get("minimum_age_new") or "wait",
                given.get("ignore_age_for") or (),
                by_created=bool(given.get("minimum_age_by_created")),
            ),
            line,
        )

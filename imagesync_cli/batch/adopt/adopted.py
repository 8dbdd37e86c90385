"""What was taken over from a file, and what was not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from imagesync_cli.batch.adopt.section import Misshapen, Section, text_of
from imagesync_cli.batch.document import Fields
from imagesync_cli.batch.entries import read_entry
from imagesync_cli.batch.entry import Entry, FolderEntry
from imagesync_cli.batch.reading.image import FOLDER
from imagesync_cli.look.tags import names_tag
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.platforms import parse_platform
from imagesync_cli.values.reference import Reference, parse_reference

Images = dict[str, Any]  # an entry of images.yaml
_BETWEEN = re.compile(r"[\s\"'`=,;|()\[\]{}<>]+")


@dataclass
class Adopted:
    """``entries`` as they stand in images.yaml; ``notes`` are what could not be carried over, with lines.

    Every entry is one that ``sync --file`` takes, and no two want one tag. ``target`` is where those go of which the
    file names only the source. With ``has_variables`` ${NAME} stands for a variable of the environment, as it does in
    images.yaml. ``told`` are the sources of the entries and the words of the notes.
    """

    kind: str
    target: str = ""
    has_variables: bool = False
    entries: list[Images] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    _places: dict[str, tuple[str, Images]] = field(default_factory=dict)
    _ruled: set[str] = field(default_factory=set)

    @property
    def origin(self) -> str:
        """Such as "a regsync file" and "an ocync file"."""
        return f"{'an' if self.kind[0] in 'aeio' else 'a'} {self.kind} file"

    def add(self, line: int, source: str, destination: str, **more: Any) -> None:
        """One entry, or a note where it would not be taken or wants another one's place; the same twice is one."""
        other = self._take(line, source, destination, more)
        if other:
            self.note(line, f"{source} was left out: {destination} is to hold {other}")

    def add_below(self, line: int, source: str, **more: Any) -> None:
        """One entry of a file that names only sources: the same path and tag below the target.

        Where another host's image is there already, the host is part of the path.
        """
        try:
            reference = parse_reference(source)
        except UsageError as error:
            self.note(line, error.message)
            return
        tag = "" if "tags" in more else f":{reference.tag or 'latest'}"
        host, repository = reference.location
        destination = f"{self.target}/{repository}{tag}"
        other = self._take(line, source, destination, more)
        if other:
            apart = f"{self.target}/{host.replace(':', '-')}/{repository}{tag}"
            self.note(line, f"{source} goes to {apart}: {destination} is to hold {other}")
            self.add(line, source, apart, **more)

    def _take(self, line: int, source: str, destination: str, more: dict[str, Any]) -> str:
        """Take the entry if there is room for it: gives the other source that has its place, or ""."""
        platforms = [each for each in more.get("platforms") or () if self._is_platform(line, source, each)]
        more = {**more, "platforms": platforms}
        entry: Images = {"source": source, "destination": destination, **{k: v for k, v in more.items() if v}}
        named = re.findall(r"\$\{(\w+)\}", source + destination)
        # As each may stand in the name of a host.
        variables = {name: f"{name.lower().replace('_', '-')}.example" for name in named}
        read = read_entry(entry, variables if self.has_variables else None)
        if isinstance(read, list):
            for problem in read:
                self.note(line, f"{source} was left out: {problem}")
            return ""
        place, source_meant = _ends(read)
        other, before = self._places.setdefault(place, (source_meant, entry))
        if other != source_meant:
            return other
        is_ruled = "tags" in entry
        self.told.add(source)
        if before is entry or (is_ruled and repr(entry) not in self._ruled):
            self.entries.append(entry)
        elif not is_ruled:
            _widen(before, entry)
        if is_ruled:
            self._ruled.add(repr(entry))
        return ""

    def _is_platform(self, line: int, source: str, name: str) -> bool:
        try:
            parse_platform(name)
        except UsageError:
            self.note(line, f"{source}: platform {name} was left out, so that all are copied unless others are named")
            return False
        return True

    def note(self, line: int, what: str) -> None:
        self.notes.append(f"line {line}: {what}")
        self.told.update(words_of(what))

    def unknown(self, section: Section, known: Iterable[str], what: str) -> None:
        """Note every key that nothing was made of."""
        for key, line in section.lines.items():
            if key not in known:
                self.note(line, f"{what}: {key} was left out")

    def mappings(self, section: Section, key: str, defaults: Section | None = None) -> Iterator[Section]:
        """The mappings in a list; a note for what is none."""
        for item in section.items(key):
            if isinstance(item, Fields):
                yield Section(item, defaults, exact=True)
            else:
                self.note(item.line, "an entry that is not a mapping was left out")

    def each(
        self, section: Section, key: str, name: str, read: Callable[[Section], None], defaults: Section | None = None
    ) -> None:
        """Read each mapping in a list; where one is not understood, a note that calls it by its field ``name``."""
        for mapping in self.mappings(section, key, defaults):
            try:
                read(mapping)
            except Misshapen as error:  # noqa: PERF203
                self.note(error.line, f"{text_of(mapping.nodes.get(name)) or 'an entry'} was left out: {error}")


def words_of(text: str) -> list[str]:
    """What stands between spaces, quotes and brackets."""
    return _BETWEEN.split(text)


def _ends(read: Entry) -> tuple[str, str]:
    """Where an entry goes, equal for two that want the same place, and what it comes from."""
    if isinstance(read, FolderEntry):
        return f"{read.destination}{FOLDER}", read.name
    return read.destination.name if read.tags else str(read.destination), str(read.source)


def _widen(entry: Images, other: Images) -> None:
    """Let the entry have what both want of the same image."""
    if "platforms" in entry and "platforms" in other:
        entry["platforms"] = list(dict.fromkeys([*entry["platforms"], *other["platforms"]]))
    else:
        entry.pop("platforms", None)
    if "referrers" in other:
        entry["referrers"] = True


def with_tag(target: str, tag: str = "latest") -> str:
    """The same reference with this tag where it names none."""
    try:
        reference: Reference = parse_reference(target)
    except UsageError:
        return target
    return target if reference.digest or names_tag(reference, target) else f"{target}:{tag}"

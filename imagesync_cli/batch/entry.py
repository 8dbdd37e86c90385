"""One entry of a file of images: what is to be where; an image, or a folder of repositories."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from imagesync_cli.batch.reading.prefix import Mirrors, Prefix, mirrors_of
from imagesync_cli.look.selection import WHOLE, Selection
from imagesync_cli.stores.places import place_of
from imagesync_cli.values.digest import subject_of_tag
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.names import Tag, is_tag
from imagesync_cli.values.reference import Reference, RegistryReference
from imagesync_cli.values.tags.replacing import Replacing
from imagesync_cli.values.tags.rules import TagRules

if TYPE_CHECKING:
    from imagesync_cli.look.trust.age import MinimumAge
    from imagesync_cli.look.trust.rules import Trust

_FIELD = "{tag}"


@dataclass(frozen=True, slots=True, eq=False)
class ImageEntry:
    """One image, or with ``tags`` those of a repository that the rules pick, each under its own tag.

    Two that say the same are two: each has its own end.

    ``prune`` removes the destination's other tags. ``min_age_hours`` is how long a moved tag must have been seen
    before a lock takes it. ``replacing`` says what becomes of an image that is there, and ``minimum_age`` what of a
    young one, None where the call says it. ``line`` is where the file says so, 0 for nowhere. ``trust`` are its rules
    about signatures. ``rename`` says how tags are called at the destination, "" for the same name. ``mirrors`` may have
    the source's bytes as well. Entries with one source and different destinations have the same ``item``, 0 for none.
    One that is ``listed`` was found in a folder, where repositories may be without any tag.
    """

    source: Reference
    destination: Reference
    selection: Selection = WHOLE
    tags: TagRules | None = None
    prune: bool = False
    min_age_hours: float = 0
    replacing: Replacing | None = None
    minimum_age: MinimumAge | None = None
    line: int = 0
    trust: Trust | None = None
    rename: str = ""
    mirrors: tuple[RegistryReference, ...] = ()
    item: int = 0
    listed: bool = False

    def image(self, tag: str) -> tuple[Reference, Reference]:
        """Where this tag of an entry with rules comes from, and where it goes; UsageError if it cannot go there."""
        return self.source.at(tag=tag), self.destination.at(tag=renamed(self.rename, tag) if self.rename else tag)

    @property
    def places(self) -> tuple[Reference, Reference]:
        """Where it comes from and where it goes."""
        return self.source, self.destination

    @property
    def model(self) -> ImageEntry:
        """What any entry says beside its places: this one itself, and a folder for each of its repositories."""
        return self


@dataclass(frozen=True)
class FolderEntry:
    """Every repository below ``source``, each as an entry like the ``model`` with the rest of its path.

    The source and the destination of the model stand for those of any repository: their registries are right.
    ``mirrors`` are by prefix.
    """

    source: Prefix
    destination: Prefix
    model: ImageEntry
    mirrors: Mirrors

    @property
    def name(self) -> str:
        """As the file says it."""
        return f"{self.source}/**"

    def entry(self, rest: str) -> ImageEntry:
        """That of one repository; UsageError where its name cannot be, or makes one repository of the source another.

        With the destination above the source, team/team/app would take the place of team/app.
        """
        source = self.source.repository(rest)
        destination = self.destination.repository(rest)
        if self.source.covers(place_of(destination)):
            raise UsageError(f"destination {destination.name} is below its own source, {self.name}")
        return replace(
            self.model, source=source, destination=destination, mirrors=mirrors_of(source, self.mirrors), listed=True
        )

    def is_rivaled_by(self, other: Entry) -> bool:
        """Whether another entry may fill one of these repositories from elsewhere, and one of the two prunes it.

        What is there and in neither source may be what the other has brought, and its source has lost since.
        """
        if not (other.model.prune or (self.model.prune and isinstance(other, FolderEntry))):
            return False
        if isinstance(other, FolderEntry):
            here, there = self.destination, other.destination
            is_same = self.source == other.source and here.place == there.place
            return not is_same and (here.covers(there.place) or there.covers(here.place))
        rest = self.destination.rest(place_of(other.destination))
        return bool(rest) and self.source.rest(place_of(other.source)) != rest


Entry = ImageEntry | FolderEntry


def parse_rename(text: str) -> str:
    """A template of other tags that has {tag} once, given back unchanged; UsageError for anything else."""
    if text.count(_FIELD) != 1 or text.count("{") != 1 or not is_tag(text.replace(_FIELD, "x")):
        raise UsageError(f"as {text!r} is not a template", hint="it is a tag with {tag} in it, once: {tag}-mirror")
    return text


def renamed(template: str, tag: str) -> Tag:
    """What the template makes of a tag; UsageError if that is none, or belongs to signatures and lists of referrers."""
    made = template.replace(_FIELD, tag)
    if not is_tag(made):
        raise UsageError(f"as makes {made!r} of the tag {tag}, which is not a valid tag", hint="use a shorter one")
    if subject_of_tag(made):
        raise UsageError(f"as makes {made!r} of the tag {tag}, which is a name for referrers")
    return made

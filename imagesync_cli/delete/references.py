"""Who uses which manifest of a repository: what every tag reaches, and what referrers are about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from imagesync_cli.concurrency import gather
from imagesync_cli.stores import Store
from imagesync_cli.values.digest import digest_tag, subject_of_tag
from imagesync_cli.values.errors import ContentError, NotFound, Unavailable
from imagesync_cli.values.manifest import MAX_DEPTH, Descriptor, Manifest

# Up to this many tags, asking all of them once more costs next to nothing.
FEW_TAGS = 16
_ROUNDS = 5
_NAMED = 3
# All that was read is in memory; several thousand usual indexes have less.
_MOST_BYTES = 16 * 1024 * 1024


class Readings:
    """Manifests that were read, by digest: an index that many tags share is asked for once a run."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Manifest] = {}
        self._read_bytes = 0

    def keep(self, manifest: Manifest) -> None:
        """Remember what was read elsewhere."""
        self._known[manifest.digest] = manifest

    def known(self, digest: str) -> Manifest | None:
        """The manifest if it was read already."""
        return self._known.get(digest)

    def check_room(self, size_bytes: int) -> None:
        """Raise ContentError where so many bytes more are more than fit in memory."""
        if self._read_bytes + size_bytes > _MOST_BYTES:
            raise ContentError(f"{self._store.name} has more than {_MOST_BYTES} bytes of indexes to look into")

    async def manifest(self, digest: str) -> Manifest | None:
        """The manifest, or None where it is gone."""
        if digest not in self._known:
            try:
                self._known[digest] = found = await self._store.manifest(digest)
            except NotFound:
                return None
            self._read_bytes += found.size
            self.check_room(0)
        return self._known[digest]


@dataclass
class Plan:
    """What goes with images that are removed (attached.py).

    ``attached`` are digests by their subject, ``tags`` by theirs (tag → digest), ``lists`` lists of referrers;
    ``removed`` is what went of the tags.
    """

    attached: dict[str, list[str]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    lists: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)


@dataclass
class Usage:
    """``tags`` is what each tag pointed at when it was asked; ``users`` says of other digests who uses them.

    ``listed`` are all names that there were, with those that lead nowhere. ``planned`` is what goes together with the
    images that are removed, where that is wanted: its tags are not among the others then.
    """

    tags: Mapping[str, Descriptor]
    listed: Collection[str]
    users: dict[str, str] = field(default_factory=dict)
    planned: Plan | None = None
    _at: dict[str, list[str]] = field(default_factory=dict, init=False)
    _about: dict[str, list[str]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        for tag in sorted(self.tags):
            self._at.setdefault(self.tags[tag].digest, []).append(tag)
            if about := subject_of_tag(tag):
                self._about.setdefault(about, []).append(tag)

    def tags_at(self, digest: str) -> list[str]:
        """The tags that point at the digest itself."""
        return self._at.get(digest, [])

    def user_of(self, digest: str) -> str:
        """Who uses the digest, in words that may follow "used by"; "" for nobody."""
        if tags := self.tags_at(digest):
            return f"tag {listed(tags)}"
        if tags := self.tags_about(digest):
            return f"its referrers' tag {tags[0]}"
        return self.users.get(digest, "")

    def tags_about(self, digest: str) -> list[str]:
        """The tags whose name says that they are about this manifest."""
        return self._about.get(digest_tag(digest), [])

    async def without(self, tags: Collection[str], readings: Readings) -> Usage:
        """The usage if these tags were not there; all that it needs was read before."""
        rest = {tag: found for tag, found in self.tags.items() if tag not in tags}
        roots = {found.digest for found in rest.values() if found.is_index}
        return await _usage_of(Usage(rest, self.listed), filter(None, map(readings.known, roots)), readings)

    async def hold(self, readings: Readings, holder: Manifest, why: str, depth: int = 0) -> None:
        """Count everything that ``holder`` reaches as used; ContentError where it goes deeper than any image does."""
        if depth > MAX_DEPTH:
            raise ContentError(f"{holder.digest} lies more than {MAX_DEPTH} indexes deep")
        if holder.subject is not None:
            self.users.setdefault(holder.subject.digest, f"referrer {holder.digest}")
        for child in holder.manifests:
            if child.digest not in self.users:
                self.users[child.digest] = why
                nested = await readings.manifest(child.digest) if child.is_index else None
                if nested is not None:
                    await self.hold(readings, nested, why, depth + 1)


def listed(names: Iterable[str]) -> str:
    """The first few names, and how many more there are."""
    several = list(names)
    more = f" and {len(several) - _NAMED} more" if len(several) > _NAMED else ""
    return ", ".join(several[:_NAMED]) + more


async def read_usage(
    store: Store,
    readings: Readings,
    names: Mapping[str, Descriptor | None],
    without: Collection[str],
    advance: Callable[[], None],
) -> Usage:
    """What the listed tags reach, but those in ``without``: a HEAD for each, a GET for each distinct index.

    Where that takes a while, tags that came meanwhile are read as well. Raises whatever keeps it from knowing: half
    an answer would look as if nobody used the rest.
    """
    tags = await _ask(store, names, without, advance)
    if len(names) > FEW_TAGS:
        now = await store.tags()
        tags.update(await _ask(store, now, {*names, *without}, advance))
        names = {**names, **now}
    for _ in range(_ROUNDS):
        roots = {found.digest: found for found in tags.values() if found.is_index}
        readings.check_room(sum(root.size for digest, root in roots.items() if readings.known(digest) is None))
        read = dict(zip(roots, await gather(readings.manifest(digest) for digest in roots), strict=True))
        lost = {tag: found.digest for tag, found in tags.items() if found.is_index and read[found.digest] is None}
        if not lost:
            return await _usage_of(Usage(tags, names.keys()), filter(None, read.values()), readings)
        # Its tag moved on or went while we read, or the repository is broken.
        now = await store.tagged(lost)
        if broken := [tag for tag, found in now.items() if found.digest == lost[tag]]:
            raise NotFound(f"tag {broken[0]} of {store.name} points at {lost[broken[0]]}, which is not there")
        tags = {**{tag: found for tag, found in tags.items() if tag not in lost}, **now}
    raise Unavailable(f"the tags of {store.name} move faster than they can be read")


async def _ask(
    store: Store, names: Mapping[str, Descriptor | None], without: Collection[str], advance: Callable[[], None]
) -> dict[str, Descriptor]:
    """What the tags point at, as far as the list of names did not tell it."""
    # Tags that move have short names (latest, 1.2), those that stay have long ones (a commit, a date): the short are
    # asked last, closest to what is deleted then.
    wanted = sorted((tag for tag in names if tag not in without), key=len, reverse=True)
    tags = {tag: told for tag in wanted if (told := names[tag]) is not None}
    tags.update(await store.tagged([tag for tag in wanted if tag not in tags], advance))
    return tags


async def _usage_of(usage: Usage, roots: Iterable[Manifest], readings: Readings) -> Usage:
    await gather(
        usage.hold(readings, root, f"index {root.digest} of tag {listed(usage.tags_at(root.digest))}") for root in roots
    )
    return usage

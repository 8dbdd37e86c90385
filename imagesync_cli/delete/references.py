"""Who uses which manifest of a repository: what every tag reaches, and what referrers are about.

Asked is only about *candidates*, the manifests that may go: of an index it is remembered which of them it reaches, and
not what else it lists.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from imagesync_cli.concurrency import gather_few
from imagesync_cli.delete.readings import AT_ONCE, MOST_DIGESTS, Readings, may_list
from imagesync_cli.delete.tags import Tags
from imagesync_cli.stores import Store
from imagesync_cli.values.digest import digest_tag, pack_digest, unpack_digest
from imagesync_cli.values.errors import ContentError, NotFound, Unavailable, first_few
from imagesync_cli.values.manifest import MAX_DEPTH, MAX_DESCRIPTORS, Descriptor, Manifest

if TYPE_CHECKING:
    from imagesync_cli.delete.attached import Attached

_ROUNDS = 5
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Reach:
    """Which of the candidates each index leads to, and why; an index is read once a run."""

    def __init__(self, readings: Readings, candidates: Collection[str]) -> None:
        self.candidates = frozenset(candidates)
        self._readings = readings
        self._reached: dict[bytes, Mapping[str, str]] = {}
        self._most = 0

    def of(self, index: bytes) -> Mapping[str, str]:
        """What this index reaches, "" or the referrer that is about it."""
        return self._reached.get(index, _NOTHING)

    async def read(self, indexes: Mapping[bytes, int]) -> set[bytes]:
        """Read these; gives those that are not there."""
        gone: set[bytes] = set()
        self._most = len(self._reached) + len(indexes) + MAX_DESCRIPTORS

        async def one(index: bytes, size: int) -> None:
            if not await self._readings.crowd.run(lambda: self._read(index, size)):
                gone.add(index)

        await gather_few(AT_ONCE, (one(*index) for index in indexes.items() if index[0] not in self._reached))
        return gone

    async def is_misnamed(self, store: Store) -> bool:
        """Whether a HEAD calls an index an image here, of which a GET has told better; False where that is not known.

        What a tag is said to be decides whether it is read.
        """
        index = self._readings.an_index
        try:
            return bool(index) and not may_list(await store.head(index))
        except NotFound:
            return False

    async def _read(self, index: bytes, size: int, depth: int = 0) -> bool:
        if depth > MAX_DEPTH or len(self._reached) > self._most:
            raise ContentError(f"{unpack_digest(index)} is in too many nested indexes")
        manifest = await self._readings.once(unpack_digest(index), size)
        if manifest is None:
            return False
        reached: dict[str, str] = {each.digest: "" for each in listed_in(manifest) if each.digest in self.candidates}
        if manifest.subject is not None and manifest.subject.digest in self.candidates:
            reached.setdefault(manifest.subject.digest, f"referrer {manifest.digest}")
        nested = [(pack_digest(child.digest), child.size, child.is_index) for child in _leading_on(manifest)]
        del manifest
        for child, child_size, is_index in nested:
            is_there = child in self._reached or await self._read(child, child_size, depth + 1)
            if not is_there and is_index:
                raise NotFound(f"index {unpack_digest(index)} lists {unpack_digest(child)}, which is not there")
            reached.update(self.of(child))
        self._reached[index] = reached or _NOTHING
        return True


class References:
    """Who uses the candidates. ``planned`` is what goes together with the images, where that is wanted; its tags do
    not count then.
    """

    def __init__(self, tags: Tags, reach: Reach, planned: Attached | None = None) -> None:
        self.tags = tags
        self.planned = planned
        self.users: dict[str, str] = {}
        self._held: set[str] = set()  # what hold() has come to: what is used as something else may not be among it
        self._candidates = reach.candidates
        self._on = tags.on(reach.candidates)
        self._about = tags.by_subject()
        for tag, at in sorted((tag, at) for tag, at in tags.items() if reach.of(at)):
            for digest, why in reach.of(at).items():
                self.users.setdefault(digest, why or f"index {unpack_digest(at)} of tag {tag}")

    def tags_at(self, digest: str) -> list[str]:
        """The tags that point at the candidate itself."""
        return self._on.get(digest, [])

    def user_of(self, digest: str) -> str:
        """Who uses the candidate, in words that may follow "used by"; "" for nobody."""
        if digest not in self._candidates:
            return "somebody unknown"
        if tags := self.tags_at(digest):
            return f"tag {first_few(tags)}"
        if about := self._about.get(digest_tag(digest)):
            return f"its referrers' tag {about[0]}"
        return self.users.get(digest, "")

    async def still_used(self, store: Store, digests: Iterable[str]) -> bool:
        """Whether each candidate that had tags has one yet: a HEAD or two, instead of one for each tag."""
        for digest in digests:
            tags = self.tags_at(digest)
            for tag in tags:
                if digest in {target.digest for target in (await store.tagged([tag])).values()}:
                    break
            else:
                if tags:
                    return False
        return True

    async def hold(self, readings: Readings, holder: str, why: str) -> None:
        """Count everything that ``holder`` reaches as used; ContentError where that is more than images do."""
        await readings.walk(holder, lambda manifest: self._held_by(manifest, why))

    def _held_by(self, holder: Manifest, why: str) -> list[Descriptor]:
        """Count what this manifest names as used; gives what of that is new here, and may list manifests itself."""
        if holder.subject is not None:
            self.users.setdefault(holder.subject.digest, f"referrer {holder.digest}")
        for each in listed_in(holder):
            self.users.setdefault(each.digest, why)
        if len(self.users) > MOST_DIGESTS:
            raise ContentError(f"what is kept names more than {MOST_DIGESTS} manifests")
        further = [each for each in _leading_on(holder) if each.digest not in self._held]
        self._held.update(each.digest for each in further)
        return further


def listed_in(manifest: Manifest) -> tuple[Descriptor, ...]:
    """All that an index lists. What is a manifest is for the registry to say: others have media types of their own."""
    return manifest.manifests + manifest.blobs if manifest.descriptor.is_index else manifest.manifests


def _leading_on(manifest: Manifest) -> Iterable[Descriptor]:
    """What of that may be an index itself."""
    return (each for each in listed_in(manifest) if may_list(each) and each.may_be_manifest)


async def read_references(store: Store, tags: Tags, reach: Reach, planned: Attached | None = None) -> References:
    """Who uses the candidates: a GET for each distinct index that a tag points at.

    Raises whatever keeps it from knowing: half an answer would look as if nobody used the rest.
    """
    tags.are_misnamed = len(tags.indexes()) < tags.count and await reach.is_misnamed(store)
    for _ in range(_ROUNDS):
        lost = await reach.read(tags.indexes())
        if not lost:
            return References(tags, reach, planned)
        # Their tags moved on or went while we read, or the repository is broken.
        for tag, digest in [(tag, at) for tag, at in tags.items() if at in lost]:
            now = (await store.tagged([tag])).get(tag)
            if now is not None and pack_digest(now.digest) == digest:
                raise NotFound(f"tag {tag} of {store.name} points at {now.digest}, which is not there")
            tags.note(tag, now)
    raise Unavailable(f"the tags of {store.name} move faster than they can be read")


async def tags_apart_from(store: Store, found: Mapping[str, Descriptor], digests: Collection[str]) -> list[str]:
    """Those of the tags that were ``found`` which neither are nor list one of these digests."""
    reach = Reach(Readings(store), digests)
    if digests:
        await reach.read({pack_digest(each.digest): each.size for each in found.values() if may_list(each)})
    return [tag for tag, at in found.items() if at.digest not in digests and not reach.of(pack_digest(at.digest))]

"""What goes together with images that are removed: all that is attached to them and that nothing else uses.

The plan is made before anything is deleted, from what every tag reaches. In it, a manifest stays if

1. a tag reaches it that is not about one of these manifests, or
2. what it belongs to stays: the index that lists it, or the manifest that it is attached to, or
3. it is what something that stays is about: a tagged referrer keeps its subject.

Tags go before what they lead to, subjects before what is attached to them: a crash leaves garbage, no broken image.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

from imagesync_cli.concurrency import each_of
from imagesync_cli.delete.delete_report import DeleteReport
from imagesync_cli.delete.readings import AT_ONCE, MOST_DIGESTS, Readings
from imagesync_cli.delete.references import References, listed_in
from imagesync_cli.delete.removal import Removal
from imagesync_cli.delete.tags import Tags
from imagesync_cli.delete.tombstone import untag_by_digest
from imagesync_cli.stores import Store, Untagged
from imagesync_cli.values.digest import digest_tag
from imagesync_cli.values.errors import ContentError, ImagesyncError, NotFound
from imagesync_cli.values.manifest import MAX_DEPTH, MAX_DESCRIPTORS


class Named(NamedTuple):
    """What a manifest names: the children of an index, its subject ("" for none), and all that an index lists."""

    children: tuple[str, ...] = ()
    subject: str = ""
    listed: tuple[str, ...] = ()


@dataclass
class Attached:
    """What goes with images that are removed.

    ``manifests`` are they, all below them and all that is attached; ``attached`` are digests by their subject, ``tags``
    by theirs (tag → digest), ``lists`` are lists of referrers; ``removed`` is what went of the tags.
    """

    manifests: dict[str, Named] = field(default_factory=dict)
    attached: dict[str, list[str]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    lists: dict[str, Named] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)

    @property
    def candidates(self) -> set[str]:
        """All that may go."""
        return {*self.manifests, *self.lists}

    @property
    def own_tags(self) -> set[str]:
        """The tags that are about what goes, and no use of their own.

        A layout folder names an image without a tag by its digest; for what is attached that is no use either.
        """
        digests = (digest for several in self.attached.values() for digest in several)
        return {tag for tags in self.tags.values() for tag in tags}.union(digests)

    def keep(self, rest: References) -> None:
        """Count as used what the rules at the top of this module keep."""
        waiting = [digest for digest in self.manifests if rest.user_of(digest)]
        while waiting:
            digest = waiting.pop()
            lists = [at for at in self.tags.get(digest, {}).values() if at in self.lists]
            follows: dict[str, str] = {
                child: f"index {one}, which is kept,"
                for one in (digest, *lists)
                for child in (self.manifests.get(one) or self.lists.get(one) or Named()).listed
            }
            follows.update(dict.fromkeys(self.attached.get(digest, ()), f"{digest}, to which it is attached"))
            if subject := self.manifests[digest].subject:
                follows[subject] = f"referrer {digest}"
            for other, why in follows.items():
                if other in self.manifests and not rest.user_of(other):
                    rest.users[other] = why
                    waiting.append(other)


async def search(readings: Readings, tags: Tags, targets: Iterable[str], in_use: Collection[str]) -> Attached:
    """All that is attached to the targets or to what is below them. Raises whatever keeps it from knowing.

    Tags ``in_use`` are like any other, whatever they are called.
    """
    searched = _Search(readings, tags, in_use)
    level = dict.fromkeys(targets)
    for _ in range(MAX_DEPTH + 1):
        if not level:
            return searched.attached
        reached = await each_of(AT_ONCE, searched.visit, level)
        known = searched.attached.manifests
        level = dict.fromkeys(digest for several in reached for digest in several if digest not in known)
        if len(known) > MAX_DESCRIPTORS:
            raise ContentError(f"more than {MAX_DESCRIPTORS} manifests are attached to each other")
    raise ContentError(f"what is attached lies more than {MAX_DEPTH} manifests deep")


class _Search:
    def __init__(self, readings: Readings, tags: Tags, in_use: Collection[str]) -> None:
        self._readings = readings
        self._tags = tags
        self._about = tags.by_subject(in_use)
        self.attached = Attached()
        self._digests: set[str] = set()

    async def visit(self, digest: str) -> list[str]:
        """Note one manifest and what is attached to it; gives where to go on."""
        attached = self.attached
        named = attached.manifests[digest] = await self._named(digest)
        claimed = await self._readings.referrers(digest)
        tagged: list[str] = []
        for tag in self._about.get(digest_tag(digest), ()):
            at = self._tags.digest_of(tag)
            attached.tags.setdefault(digest, {})[tag] = at
            if tag == digest_tag(digest):
                attached.lists[at] = await self._named(at)
                claimed += attached.lists[at].children
            else:
                tagged.append(at)
        claimed = list(dict.fromkeys(claimed))
        read = dict(zip(claimed, await each_of(AT_ONCE, self._named, claimed), strict=True))
        by_subject = [claim for claim in claimed if read[claim].subject == digest]
        attached.attached[digest] = list(dict.fromkeys([*by_subject, *tagged]))
        return [*named.children, *attached.attached[digest]]

    async def _named(self, digest: str) -> Named:
        manifest = await self._readings.manifest(digest)
        if manifest is None:
            return Named()
        listed = tuple(each.digest for each in listed_in(manifest))
        self._digests.update(listed)
        if len(self._digests) > MOST_DIGESTS:
            raise ContentError(f"what is to be removed names more than {MOST_DIGESTS} manifests")
        subject = manifest.subject.digest if manifest.subject else ""
        return Named(tuple(child.digest for child in manifest.manifests), subject, listed)


class AttachedRemoval:
    """Carries out a plan, once the images themselves are gone."""

    def __init__(self, store: Store, removal: Removal, references: References, planned: Attached) -> None:
        self._store = store
        self._removal = removal
        self._plan = planned
        self._references = references

    async def run(self) -> AbstractSet[str]:
        """Remove what is attached to manifests that are gone, and to that in turn; gives what Removal.finish does."""
        attached, gone, done = self._plan.attached, self._removal.gone, set[str]()
        while subjects := [digest for digest in attached if digest in gone and digest not in done]:
            done.update(subjects)
            level: dict[str, DeleteReport] = {}
            for subject in subjects:
                report = self._removal.owners[subject]
                tags = await self._remove_tags(self._plan.tags.get(subject, {}), report)
                level.update(dict.fromkeys([*tags.values(), *attached[subject]], report))
            await self._removal.take(level, leaves=self._plan.lists.keys())
        names = await self._removal.finish()
        await self._check(names)
        return names

    async def _check(self, names: AbstractSet[str]) -> None:
        """Fail where a tag that was removed is among these names, and is as it was, though its subject is gone."""
        for subject in self._plan.attached.keys() & self._plan.tags.keys():
            removed = {tag: at for tag, at in self._plan.tags[subject].items() if tag in self._plan.removed & names}
            for tag, target in (await self._store.tagged(removed)).items():
                if target.digest == removed[tag]:
                    self._removal.owners[subject].fail_tag(self._store.name, tag, target.digest)

    async def _remove_tags(self, tags: dict[str, str], report: DeleteReport) -> dict[str, str]:
        """Remove tags (with what they point at) whose subject is gone; what stays keeps all that it leads to."""
        removed = {}
        for tag, digest in tags.items():
            try:
                why = "" if report.dry_run else await self._untag(tag, tags)
            except ImagesyncError as error:
                why = error.message
            if why:
                report.add("tag", tag, "kept", why)
                await self._removal.keep(digest, f"tag {tag}")
            else:
                report.add("tag", tag, "removed", "what it was about is gone")
                removed[tag] = digest
        self._plan.removed.update(removed)
        return removed

    async def _untag(self, tag: str, tags: dict[str, str]) -> str:
        """Remove one; gives the reason if it has to stay."""
        digest = tags[tag]
        try:
            current = await self._store.head(tag)
        except NotFound:
            return ""
        if current.digest != digest:
            return f"it points at {current.digest} since"
        offer = await self._store.untag(tag, digest)
        if offer in (Untagged.DONE, Untagged.ABSENT):
            return ""
        # Its bytes are kept like those of all that goes.
        manifest = await self._store.manifest(digest)
        self._removal.check_room(manifest)
        together = [tag, *(other for other, at in tags.items() if at == digest and other != tag)]
        if await untag_by_digest(self._store, together, manifest, self._references, offer, keep=False):
            self._removal.went(manifest)
        return ""

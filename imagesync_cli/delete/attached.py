"""What goes together with images that are removed: all that is attached to them and that nothing else uses.

The plan is made before anything is deleted, from what every tag reaches. In it, a manifest stays if

1. a tag reaches it that is not about one of these manifests, or
2. what it belongs to stays: the index that lists it, or the manifest that it is attached to, or
3. it is what something that stays is about: a tagged referrer keeps its subject.

Tags go before what they lead to, subjects before what is attached to them: a crash leaves garbage, no broken image.
"""

from __future__ import annotations

from collections.abc import Iterable

from imagesync_cli.concurrency import gather
from imagesync_cli.delete.delete_report import DeleteReport
from imagesync_cli.delete.references import Plan, Readings, Usage
from imagesync_cli.delete.removal import Unused
from imagesync_cli.delete.tombstone import untag_by_digest
from imagesync_cli.stores import Store, Untagged
from imagesync_cli.values.digest import digest_tag
from imagesync_cli.values.errors import ContentError, ImagesyncError, NotFound
from imagesync_cli.values.manifest import MAX_DEPTH, MAX_DESCRIPTORS, Manifest


async def plan(store: Store, readings: Readings, usage: Usage, targets: Iterable[str]) -> Usage:
    """The usage by all that is not attached to the targets or to what is below them; ``planned`` says what is.

    Raises whatever keeps it from knowing.
    """
    found = _Search(store, readings, usage)
    level = dict.fromkeys(targets)
    for _ in range(MAX_DEPTH + 1):
        if not level:
            break
        reached = await gather(found.visit(digest) for digest in level)
        level = dict.fromkeys(digest for several in reached for digest in several if digest not in found.manifests)
        if len(found.manifests) > MAX_DESCRIPTORS:
            raise ContentError(f"more than {MAX_DESCRIPTORS} manifests are attached to each other")
    else:
        raise ContentError(f"what is attached lies more than {MAX_DEPTH} manifests deep")
    going = {tag for tags in found.plan.tags.values() for tag in tags}
    # A layout folder names an image without a tag by its digest; for what is attached that is no use of its own.
    going |= {digest for several in found.plan.attached.values() for digest in several}
    rest = await usage.without(going, readings)
    rest.planned = found.plan
    found.keep(rest)
    return rest


class _Search:
    def __init__(self, store: Store, readings: Readings, usage: Usage) -> None:
        self._store = store
        self._readings = readings
        self._usage = usage
        self.plan = Plan()
        self.manifests: dict[str, Manifest | None] = {}

    async def visit(self, digest: str) -> list[str]:
        """Note one manifest and what is attached to it; gives where to go on."""
        manifest = self.manifests[digest] = await self._readings.manifest(digest)
        claimed = [entry.digest for entry in await self._store.referrers(digest)]
        tagged: list[str] = []
        for tag in self._usage.tags_about(digest):
            at = self._usage.tags[tag].digest
            self.plan.tags.setdefault(digest, {})[tag] = at
            if tag == digest_tag(digest):
                listing = await self._readings.manifest(at)
                claimed += [entry.digest for entry in listing.manifests] if listing else []
                self.plan.lists.add(at)
            else:
                tagged.append(at)
        claimed = list(dict.fromkeys(claimed))
        read = await gather(self._readings.manifest(claim) for claim in claimed)
        by_subject = [one.digest for one in read if one and one.subject and one.subject.digest == digest]
        self.plan.attached[digest] = list(dict.fromkeys([*by_subject, *tagged]))
        children = [child.digest for child in manifest.manifests] if manifest else []
        return [*children, *self.plan.attached[digest]]

    def keep(self, rest: Usage) -> None:
        """Count as used what the rules at the top of this module keep."""
        waiting = [digest for digest in self.manifests if rest.user_of(digest)]
        while waiting:
            digest = waiting.pop()
            manifest = self.manifests.get(digest)
            lists = map(self._readings.known, self.plan.tags.get(digest, {}).values())
            kept = [one for one in (manifest, *lists) if one is not None]
            follows: dict[str, str] = {
                child.digest: f"index {one.digest}, which is kept," for one in kept for child in one.manifests
            }
            follows.update(dict.fromkeys(self.plan.attached.get(digest, ()), f"{digest}, to which it is attached"))
            if manifest and manifest.subject:
                follows[manifest.subject.digest] = f"referrer {digest}"
            for other, why in follows.items():
                if other in self.manifests and not rest.user_of(other):
                    rest.users[other] = why
                    waiting.append(other)


class Detach:
    """Carries out a plan, once the images themselves are gone."""

    def __init__(self, store: Store, unused: Unused, planned: Plan, usage: Usage) -> None:
        self._store = store
        self._unused = unused
        self._plan = planned
        self._usage = usage

    async def run(self) -> None:
        """Remove what is attached to manifests that are gone, and to that in turn."""
        done: set[str] = set()
        while subjects := [
            digest for digest in self._plan.attached if self._unused.is_gone(digest) and digest not in done
        ]:
            done.update(subjects)
            level: dict[str, DeleteReport] = {}
            for subject in subjects:
                report = self._unused.owner_of(subject)
                tags = await self._remove_tags(self._plan.tags.get(subject, {}), report)
                level.update(dict.fromkeys([*tags.values(), *self._plan.attached[subject]], report))
            await self._unused.take(level, self._usage, leaves=self._plan.lists)

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
                await self._unused.keep(digest, f"tag {tag}", self._usage)
            else:
                report.add("tag", tag, "removed", "what it was about is gone")
                removed[tag] = digest
        self._plan.removed.update(removed)
        return removed

    async def _untag(self, tag: str, tags: dict[str, str]) -> str:
        """Remove one; gives the reason if it has to stay."""
        digest = tags[tag]
        try:
            found = await self._store.head(tag)
        except NotFound:
            return ""
        if found.digest != digest:
            return f"it points at {found.digest} since"
        offer = await self._store.untag(tag, digest)
        if offer in (Untagged.DONE, Untagged.ABSENT):
            return ""
        # Its bytes are kept like those of all that goes.
        manifest = await self._store.manifest(digest)
        together = [tag, *(other for other, at in tags.items() if at == digest and other != tag)]
        if await untag_by_digest(self._store, together, manifest, self._usage, offer):
            self._unused.went(manifest)
        return ""

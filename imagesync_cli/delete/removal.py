"""Remove the manifests of a repository that nobody uses, and put back what somebody began to use meanwhile.

Parents go before their children, because some registries guard what an index lists, and what stays keeps all that it
lists. The bytes of everything that goes are kept until the tags have been looked at once more: at the end, and before
that whenever they are more than some megabytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from imagesync_cli.concurrency import each_of
from imagesync_cli.delete.delete_report import DeleteReport, Item
from imagesync_cli.delete.readings import AT_ONCE, Readings, may_list
from imagesync_cli.delete.references import FEW_TAGS, References
from imagesync_cli.stores import Store
from imagesync_cli.values.errors import ImagesyncError, NotFound, Refused
from imagesync_cli.values.manifest import Descriptor, Manifest, parse_manifest

if TYPE_CHECKING:
    from imagesync_cli.delete.attached import Attached

_MOST_KEPT_BYTES = 8 * 1024 * 1024


class Removal:
    """What is taken out of one repository."""

    def __init__(self, store: Store, readings: Readings, *, dry_run: bool) -> None:
        self._store = store
        self._readings = readings
        self._dry_run = dry_run
        self._gone_with_tag: set[str] = set()
        self._gone: set[str] = set()
        self._taken: dict[str, tuple[bytes, str]] = {}
        self._taken_bytes = 0
        self._untagged: set[str] = set()
        self._owners: dict[str, DeleteReport] = {}

    def went(self, manifest: Manifest) -> None:
        """Note a manifest that the registry deleted together with its tag."""
        self._gone_with_tag.add(manifest.digest)
        self._take(manifest)

    def untagged(self, tags: Collection[str]) -> None:
        """Note tags that were removed: nobody misses what they lead to."""
        self._untagged.update(tags)

    async def take(
        self, targets: Mapping[str, DeleteReport], references: References, leaves: Collection[str] = ()
    ) -> None:
        """Remove the targets and what they list (not what ``leaves`` do), but for what is used.

        What becomes of each manifest goes into its target's report.
        """
        children = await each_of(AT_ONCE, self._children, targets)
        inner = {child for several in children for child in several}
        outer = {d: targets[d] for d in targets if d not in inner or d in leaves}
        await self._levels(outer, references, leaves)
        await self._levels({d: targets[d] for d in targets if d not in self._owners}, references, leaves)

    async def finish(self, references: References) -> AbstractSet[str]:
        """Put back what somebody needs by now, and count the rest; gives the tags that there are afterwards."""
        planned = references.planned
        changed = bool(self._taken) or (planned is not None and bool(planned.removed))
        names = await self._look_again(references) if changed and not self._dry_run else frozenset[str]()
        self._count()
        return names

    def is_gone(self, digest: str) -> bool:
        """Whether this was removed, or was not there to be removed."""
        return digest in self._gone

    def owner_of(self, digest: str) -> DeleteReport:
        """The report of the target that this belongs to."""
        return self._owners[digest]

    async def keep(self, digest: str, user: str, references: References) -> None:
        """Count this manifest, and what it lists, as used after all."""
        references.users[digest] = user
        if (manifest := await self._readings.manifest(digest)) is not None:
            await references.hold(self._readings, manifest, f"index {digest} of {user}")

    async def _children(self, digest: str) -> list[str]:
        manifest = self._parsed(digest) or await self._readings.manifest(digest)
        return [child.digest for child in manifest.manifests] if manifest else []

    async def _levels(self, level: dict[str, DeleteReport], references: References, leaves: Collection[str]) -> None:
        async def consider(digest: str) -> tuple[Item, list[str]]:
            item, manifest = await self._consider(digest, references)
            if manifest and item.outcome == "kept":
                await references.hold(self._readings, manifest, f"index {digest}, which is kept,")
            follows = manifest and item.outcome == "removed" and digest not in leaves
            return item, [child.digest for child in manifest.manifests] if manifest and follows else []

        while level:
            self._owners.update(level)
            considered = await each_of(AT_ONCE, consider, level)
            following: dict[str, DeleteReport] = {}
            for (item, children), report in zip(considered, level.values(), strict=True):
                report.items.append(item)
                if item.outcome != "kept":
                    self._gone.add(item.name)
                following.update(dict.fromkeys(children, report))
            level = {digest: report for digest, report in following.items() if digest not in self._owners}
            if self._taken_bytes > _MOST_KEPT_BYTES:
                await self.finish(references)

    async def _consider(self, digest: str, references: References) -> tuple[Item, Manifest | None]:
        """Take the manifest, or say who uses it."""
        user = references.user_of(digest)
        if not user and references.planned is None and digest not in self._gone_with_tag:
            user = await self._referrer_of(digest)
        if user:
            return Item("manifest", digest, "kept", f"used by {user}"), await self._readings.again(digest)
        manifest = self._parsed(digest) or await self._readings.manifest(digest)
        if manifest is None:
            return Item("manifest", digest, "absent", "already gone"), None
        if digest not in self._gone_with_tag and not self._dry_run:
            self._take(manifest)  # before the request: what is cut short may have been done
            if reason := await self._store.delete_manifest(digest):
                self._forget(digest)
                return Item("manifest", digest, "kept", reason), manifest
        self._take(manifest)
        return Item("manifest", digest, "removed", size_bytes=manifest.size), manifest

    def _take(self, manifest: Manifest) -> None:
        if manifest.digest not in self._taken:
            self._taken[manifest.digest] = manifest.content, manifest.media_type
            self._taken_bytes += manifest.size

    def _forget(self, digest: str) -> None:
        if digest in self._taken:
            self._taken_bytes -= len(self._taken.pop(digest)[0])

    def _parsed(self, digest: str) -> Manifest | None:
        """What was taken and is remembered."""
        if digest not in self._taken:
            return None
        content, media_type = self._taken[digest]
        return parse_manifest(content, media_type, digest=digest)

    async def _referrer_of(self, digest: str) -> str:
        """The first referrer that stays; those that the image lists itself go with it."""
        try:
            referrers = await self._readings.referrers(digest)
        except ImagesyncError as error:
            return f"a referrer that cannot be asked for ({error.message})"
        return next((f"referrer {found}" for found in referrers if found not in self._owners), "")

    async def _look_again(self, references: References) -> AbstractSet[str]:
        """Ask all tags, or where there are many those that did not answer before: what they reach comes back."""
        tags, names = references.tags, await self._store.tags()
        asked = [tag for tag in names if len(names) <= FEW_TAGS or not tags.digest_of(tag)]
        now = {tag: told for tag in asked if (told := names[tag]) is not None}
        now.update(await self._store.tagged([tag for tag in asked if tag not in now]))
        seen: set[str] = set()
        for tag, found in now.items():
            if tags.digest_of(tag) != found.digest:
                await self._put_back(found, tag, references.planned, seen)
        untagged = self._untagged.union(references.planned.removed if references.planned else ())
        silent = [tag for tag in asked if tag not in now and tag not in untagged]
        if silent and (dangling := [tag for tag in await self._store.tags() if tag in silent]):
            await self._revive(dangling, references)
        return names.keys()

    async def _revive(self, dangling: list[str], references: References) -> None:
        """Put everything back where a tag is listed and leads nowhere: most likely to what we took.

        If it led nowhere before, somebody else may have taken it, and be about to put it back, from under us: then
        what we took stays only if the tag leads to it.
        """
        tags = references.tags
        led_somewhere = any(tags.digest_of(tag) or not tags.knows(tag) for tag in dangling)
        taken = list(self._taken)
        for digest in reversed(taken):
            # What others took as well cannot come back alone, and no tag that dangled before can have led to it whole.
            with contextlib.suppress(*(() if led_somewhere else (Refused, NotFound))):
                await self._put(digest)
        stays = led_somewhere or bool(await self._store.tagged(dangling))
        for digest in taken:
            if stays or await self._store.delete_manifest(digest):
                self._note_put_back(digest, dangling[0])
                if references.planned is not None:
                    await self._tag_again(digest, dangling[0], references.planned)

    async def _put(self, digest: str) -> None:
        if (manifest := self._parsed(digest)) is not None:
            await self._store.put_manifest(manifest)

    async def _put_back(self, found: Descriptor, tag: str, planned: Attached | None, seen: set[str]) -> None:
        """Write again what was taken of this, of what it lists, and of what was attached to it, children first."""
        if found.digest in seen:
            return
        seen.add(found.digest)
        for child in await self._listed(found):
            await self._put_back(child, tag, planned, seen)
        if found.digest in self._taken:
            await self._put(found.digest)
            self._note_put_back(found.digest, tag)
        if planned is not None and found.digest in planned.attached:
            await self._attach_again(found.digest, tag, planned, seen)

    async def _listed(self, found: Descriptor) -> tuple[Descriptor, ...]:
        manifest = self._parsed(found.digest)
        if manifest is None and may_list(found):
            manifest = await self._readings.once(found.digest, found.size)
        return manifest.manifests if manifest else ()

    async def _attach_again(self, subject: str, tag: str, planned: Attached, seen: set[str]) -> None:
        """Write again what was taken of what was attached, and the tags that were about the subject."""
        for digest in planned.attached.pop(subject):
            if (attached := self._parsed(digest) or await self._readings.manifest(digest)) is not None:
                await self._put_back(attached.descriptor, tag, planned, seen)
        await self._tag_again(subject, tag, planned)

    async def _tag_again(self, subject: str, tag: str, planned: Attached) -> None:
        """Write again the tags that were about this manifest and were removed."""
        lost = {about: at for about, at in planned.tags.get(subject, {}).items() if about in planned.removed}
        there = await self._store.tagged(lost)
        for about in lost.keys() - there.keys():
            manifest = self._parsed(lost[about]) or await self._readings.manifest(lost[about])
            if manifest is not None:
                await self._store.put_manifest(manifest, about)
                self._forget(manifest.digest)
                self._owners[subject].add("tag", about, "put back", f"tag {tag} uses it since")

    def _note_put_back(self, digest: str, tag: str) -> None:
        self._forget(digest)
        self._owners[digest].add("manifest", digest, "put back", f"tag {tag} uses it since")

    def _count(self) -> None:
        """Add what was taken to what comes free, and forget it."""
        freed: dict[int, dict[str, int]] = {}
        for digest in list(self._taken):
            if (manifest := self._parsed(digest)) is not None and digest in self._owners:
                sizes = freed.setdefault(id(self._owners[digest]), {})
                sizes[digest] = manifest.size
                sizes.update({blob.digest: blob.size for blob in manifest.blobs if not blob.is_foreign})
                self._forget(digest)
        for report in {id(report): report for report in self._owners.values()}.values():
            report.freed_bytes += sum(freed.get(id(report), {}).values())

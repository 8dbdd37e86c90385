"""Remove the manifests of a repository that nobody uses, and put back what somebody began to use meanwhile.

Parents go before their children, because some registries guard what an index lists, and what stays keeps all that it
lists. The bytes of everything that goes are kept until the tags have been looked at once more.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet

from imagesync_cli.concurrency import gather
from imagesync_cli.delete.delete_report import DeleteReport, Item
from imagesync_cli.delete.references import FEW_TAGS, Plan, Readings, Usage
from imagesync_cli.stores import Store
from imagesync_cli.values.errors import ImagesyncError, NotFound, Refused
from imagesync_cli.values.manifest import Descriptor, Manifest


class Unused:
    """What is taken out of one repository."""

    def __init__(self, store: Store, readings: Readings, *, dry_run: bool) -> None:
        self._store = store
        self._readings = readings
        self._dry_run = dry_run
        self._gone_with_tag: set[str] = set()
        self._gone: set[str] = set()
        self._taken: dict[str, Manifest] = {}
        self._owners: dict[str, DeleteReport] = {}

    def went(self, manifest: Manifest) -> None:
        """Note a manifest that the registry deleted together with its tag."""
        self._gone_with_tag.add(manifest.digest)

    async def take(self, targets: Mapping[str, DeleteReport], usage: Usage, leaves: Collection[str] = ()) -> None:
        """Remove the targets and what they list (not what ``leaves`` do), but for what is used.

        What becomes of each manifest goes into its target's report.
        """
        read = await gather(self._readings.manifest(digest) for digest in targets)
        inner = {child.digest for manifest in read if manifest for child in manifest.manifests}
        await self._levels({d: targets[d] for d in targets if d not in inner or d in leaves}, usage, leaves)
        await self._levels({d: targets[d] for d in targets if d not in self._owners}, usage, leaves)

    async def finish(self, usage: Usage, untagged: AbstractSet[str]) -> AbstractSet[str]:
        """Put back what somebody needs by now, and count the rest; gives the tags that there are afterwards.

        The ``untagged`` are tags that were removed before: nobody misses what they lead to.
        """
        changed = bool(self._taken) or (usage.planned is not None and bool(usage.planned.removed))
        names = await self._look_again(usage, untagged) if changed and not self._dry_run else frozenset[str]()
        for report in {id(report): report for report in self._owners.values()}.values():
            self._count(report)
        return names

    def is_gone(self, digest: str) -> bool:
        """Whether this was removed, or was not there to be removed."""
        return digest in self._gone

    def owner_of(self, digest: str) -> DeleteReport:
        """The report of the target that this belongs to."""
        return self._owners[digest]

    async def keep(self, digest: str, user: str, usage: Usage) -> None:
        """Count this manifest, and what it lists, as used after all."""
        usage.users[digest] = user
        if (manifest := self._readings.known(digest)) is not None:
            await usage.hold(self._readings, manifest, f"index {digest} of {user}")

    async def _levels(self, level: dict[str, DeleteReport], usage: Usage, leaves: Collection[str]) -> None:
        while level:
            self._owners.update(level)
            found = await gather(self._consider(digest, usage) for digest in level)
            following: dict[str, DeleteReport] = {}
            for (item, manifest), report in zip(found, level.values(), strict=True):
                report.items.append(item)
                if item.outcome != "kept":
                    self._gone.add(item.name)
                if manifest and item.outcome == "removed" and item.name not in leaves:
                    following.update({child.digest: report for child in manifest.manifests})
                elif manifest and item.outcome == "kept":
                    await usage.hold(self._readings, manifest, f"index {manifest.digest}, which is kept,")
            level = {digest: report for digest, report in following.items() if digest not in self._owners}

    async def _consider(self, digest: str, usage: Usage) -> tuple[Item, Manifest | None]:
        """Take the manifest, or say who uses it."""
        user = usage.user_of(digest)
        if not user and usage.planned is None and digest not in self._gone_with_tag:
            user = await self._referrer_of(digest)
        if user:
            return Item("manifest", digest, "kept", f"used by {user}"), self._readings.known(digest)
        manifest = await self._readings.manifest(digest)
        if manifest is None:
            return Item("manifest", digest, "absent", "already gone"), None
        if digest not in self._gone_with_tag and not self._dry_run:
            self._taken[digest] = manifest  # before the request: what is cut short may have been done
            if reason := await self._store.delete_manifest(digest):
                del self._taken[digest]
                return Item("manifest", digest, "kept", reason), manifest
        self._taken[digest] = manifest
        return Item("manifest", digest, "removed", size_bytes=manifest.size), manifest

    async def _referrer_of(self, digest: str) -> str:
        """The first referrer that stays; those that the image lists itself go with it."""
        try:
            referrers = await self._store.referrers(digest)
        except ImagesyncError as error:
            return f"a referrer that cannot be asked for ({error.message})"
        return next((f"referrer {found.digest}" for found in referrers if found.digest not in self._owners), "")

    async def _look_again(self, usage: Usage, untagged: AbstractSet[str]) -> AbstractSet[str]:
        """Ask all tags, or where there are many those that did not answer before: what they reach comes back."""
        names = await self._store.tags()
        asked = [tag for tag in names if len(names) <= FEW_TAGS or tag not in usage.tags]
        now = {tag: told for tag in asked if (told := names[tag]) is not None}
        now.update(await self._store.tagged([tag for tag in asked if tag not in now]))
        for tag, found in now.items():
            if tag not in usage.tags or usage.tags[tag].digest != found.digest:
                await self._put_back(found, tag, usage.planned)
        silent = [tag for tag in asked if tag not in now and tag not in untagged]
        if silent and (dangling := [tag for tag in await self._store.tags() if tag in silent]):
            await self._revive(dangling, usage)
        return names.keys()

    async def _revive(self, dangling: list[str], usage: Usage) -> None:
        """Put everything back where a tag is listed and leads nowhere: most likely to what we took.

        If it led nowhere before, somebody else may have taken it, and be about to put it back, from under us: then
        what we took stays only if the tag leads to it.
        """
        led_somewhere = any(tag in usage.tags or tag not in usage.listed for tag in dangling)
        taken = list(self._taken.values())
        for manifest in reversed(taken):
            # What others took as well cannot come back alone, and no tag that dangled before can have led to it whole.
            with contextlib.suppress(*(() if led_somewhere else (Refused, NotFound))):
                await self._store.put_manifest(manifest)
        stays = led_somewhere or bool(await self._store.tagged(dangling))
        for manifest in taken:
            if stays or await self._store.delete_manifest(manifest.digest):
                self._note_put_back(manifest, dangling[0])
                if usage.planned is not None:
                    await self._tag_again(manifest.digest, dangling[0], usage.planned)

    async def _put_back(self, found: Descriptor, tag: str, planned: Plan | None) -> None:
        """Write again what was taken of this, of what it lists, and of what was attached to it, children first."""
        taken = self._taken.get(found.digest)
        manifest = taken or (await self._readings.manifest(found.digest) if found.is_index else None)
        for child in manifest.manifests if manifest else ():
            await self._put_back(child, tag, planned)
        if taken is not None:
            await self._store.put_manifest(taken)
            self._note_put_back(taken, tag)
        if planned is not None and found.digest in planned.attached:
            await self._attach_again(found.digest, tag, planned)

    async def _attach_again(self, subject: str, tag: str, planned: Plan) -> None:
        """Write again what was taken of what was attached, and the tags that were about the subject."""
        for digest in planned.attached.pop(subject):
            if (attached := await self._readings.manifest(digest)) is not None:
                await self._put_back(attached.descriptor, tag, planned)
        await self._tag_again(subject, tag, planned)

    async def _tag_again(self, subject: str, tag: str, planned: Plan) -> None:
        """Write again the tags that were about this manifest and were removed."""
        lost = {about: at for about, at in planned.tags.get(subject, {}).items() if about in planned.removed}
        there = await self._store.tagged(lost)
        for about in lost.keys() - there.keys():
            if (manifest := await self._readings.manifest(lost[about])) is not None:
                await self._store.put_manifest(manifest, about)
                self._taken.pop(manifest.digest, None)
                self._owners[subject].add("tag", about, "put back", f"tag {tag} uses it since")

    def _note_put_back(self, manifest: Manifest, tag: str) -> None:
        self._taken.pop(manifest.digest, None)
        self._owners[manifest.digest].add("manifest", manifest.digest, "put back", f"tag {tag} uses it since")

    def _count(self, report: DeleteReport) -> None:
        taken = [manifest for digest, manifest in self._taken.items() if self._owners[digest] is report]
        blobs = {blob.digest: blob.size for manifest in taken for blob in manifest.blobs if not blob.is_foreign}
        report.freed_bytes = sum(blobs.values()) + sum(manifest.size for manifest in taken)

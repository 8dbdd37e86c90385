"""Remove the manifests of a repository that nobody uses, and put back what somebody began to use meanwhile.

Parents go before their children, because some registries guard what an index lists, and what stays keeps all that it
lists. The bytes of everything that goes are kept until the tags have been looked at once more: at the end, and before
that whenever they would be more than some megabytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, NamedTuple

from imagesync_cli.concurrency import each_of
from imagesync_cli.delete.delete_report import DeleteReport, Item
from imagesync_cli.delete.readings import AT_ONCE, Readings, may_list
from imagesync_cli.delete.references import References
from imagesync_cli.delete.tags import FEW_TAGS
from imagesync_cli.stores import SAID_TO_BE_GONE, Store
from imagesync_cli.values.errors import ImagesyncError, NotFound, Refused
from imagesync_cli.values.manifest import Descriptor, Manifest, parse_manifest

if TYPE_CHECKING:
    from imagesync_cli.delete.attached import Attached

_MOST_KEPT_BYTES = 5 * 1024 * 1024


class _Considered(NamedTuple):
    """What becomes of a manifest, and what it lists where it goes; the error where that is not known."""

    item: Item | None = None
    children: Collection[str] = ()
    is_gone: bool = False
    error: ImagesyncError | None = None


class Removal:
    """What is taken out of one repository."""

    def __init__(self, store: Store, readings: Readings, *, dry_run: bool) -> None:
        self._store = store
        self._readings = readings
        self._dry_run = dry_run
        self._gone_with_tag: set[str] = set()
        self.gone: set[str] = set()  # what was removed, or was not there to be removed
        self._taken: dict[str, tuple[bytes, str]] = {}
        self._taken_bytes = 0  # since the tags were looked at
        self._is_full = False
        self._untagged: Collection[str] = ()
        self.owners: dict[str, DeleteReport] = {}  # the report of the target that each manifest belongs to

    def went(self, manifest: Manifest) -> None:
        """Note a manifest that the registry deleted together with its tag."""
        self._gone_with_tag.add(manifest.digest)
        self._take(manifest)

    def check_room(self, manifest: Manifest) -> None:
        """Refuse a manifest that would go together with its tag where the bytes of no more can be kept."""
        if not self._has_room(manifest):
            raise Refused(
                f"{manifest.digest} stays: what goes with it has more than {_MOST_KEPT_BYTES} bytes of manifests",
                hint="run it again",
            )

    def begin(self, references: References, untagged: Collection[str]) -> None:
        """Note who uses what, and the tags that were removed: nobody misses what they lead to."""
        self._references, self._untagged = references, untagged

    async def take(self, targets: Mapping[str, DeleteReport], leaves: Collection[str] = ()) -> None:
        """Remove the targets and what they list (not what ``leaves`` do), but for what is used.

        What becomes of each manifest goes into its target's report, and so does an error: others are to be looked at
        once more whatever comes of this one.
        """
        children = await each_of(AT_ONCE, lambda target: self._children(target, targets), targets)
        inner = {child for several in children for child in several}
        outer = {d: targets[d] for d in targets if d not in inner or d in leaves}
        await self._levels(outer, leaves)
        await self._levels({d: targets[d] for d in targets if d not in self.owners}, leaves)

    async def finish(self) -> AbstractSet[str]:
        """Put back what somebody needs by now, and count the rest; gives the tags that there are afterwards."""
        planned = self._references.planned
        self._taken_bytes, self._is_full = 0, False
        changed = bool(self._taken) or (planned is not None and bool(planned.removed))
        names = await self._look_again() if changed and not self._dry_run else frozenset[str]()
        self._count()
        return names

    async def keep(self, digest: str, user: str) -> None:
        """Count this manifest, and what it lists, as used after all."""
        self._references.users[digest] = user
        await self._references.hold(self._readings, digest, f"index {digest} of {user}")

    async def _children(self, digest: str, among: Collection[str]) -> list[str]:
        manifest = await self._manifest(digest)
        return [child.digest for child in manifest.manifests if child.digest in among] if manifest else []

    async def _levels(self, level: dict[str, DeleteReport], leaves: Collection[str]) -> None:
        async def consider(digest: str) -> _Considered | None:
            try:
                considered = await self._consider(digest)
            except ImagesyncError as error:
                considered = _Considered(error=error.alone())
            if considered and not considered.is_gone and digest in self._readings.digests:
                await self._references.hold(self._readings, digest, f"index {digest}, which is kept,")
            return considered

        while level:
            self.owners.update(level)
            following: dict[str, DeleteReport] = {}
            postponed: dict[str, DeleteReport] = {}
            for (digest, report), each in zip(level.items(), await each_of(AT_ONCE, consider, level), strict=True):
                if each is None:
                    postponed[digest] = report
                    continue
                report.error = report.error or each.error
                report.items += [each.item] if each.item else []
                if each.is_gone:
                    self.gone.add(digest)
                if digest not in leaves:
                    following.update(dict.fromkeys(each.children, report))
            if postponed:
                await self.finish()
            level = postponed | {digest: following[digest] for digest in following if digest not in self.owners}

    async def _consider(self, digest: str) -> _Considered | None:
        """Take the manifest, or say who uses it; None where its bytes cannot be kept now."""
        if self._is_full:
            return None
        user = self._references.user_of(digest)
        if not user and self._references.planned is None and digest not in self._gone_with_tag:
            user = await self._referrer_of(digest)
        if user:
            return _Considered(Item("manifest", digest, "kept", f"used by {user}"))
        manifest = await self._manifest(digest)
        if manifest is None:
            return _Considered(Item("manifest", digest, "absent", "already gone"), is_gone=True)
        if not self._has_room(manifest):
            return None
        self._take(manifest)  # before the request: what is cut short may have been done
        removed = Item("manifest", digest, "removed", size_bytes=manifest.size)
        children = [child.digest for child in manifest.manifests]
        del manifest
        needs_delete = digest not in self._gone_with_tag and not self._dry_run
        reason = await self._store.delete_manifest(digest) if needs_delete else ""
        if reason not in ("", SAID_TO_BE_GONE):
            self._taken.pop(digest, None)
            return _Considered(Item("manifest", digest, "kept", reason))
        return _Considered(Item("manifest", digest, "kept", reason) if reason else removed, children, is_gone=True)

    def _has_room(self, manifest: Manifest) -> bool:
        """Whether its bytes can be kept; if not, nothing more is taken until the tags have been looked at."""
        fits = self._taken_bytes + manifest.size <= _MOST_KEPT_BYTES
        self._is_full = not fits and bool(self._taken_bytes) and manifest.digest not in self._taken
        return not self._is_full

    def _take(self, manifest: Manifest) -> None:
        if manifest.digest not in self._taken:
            self._taken[manifest.digest] = manifest.content, manifest.media_type
            self._taken_bytes += manifest.size

    def _parsed(self, digest: str) -> Manifest | None:
        """What was taken and is remembered."""
        if digest not in self._taken:
            return None
        content, media_type = self._taken[digest]
        return parse_manifest(content, media_type, digest=digest)

    async def _manifest(self, digest: str) -> Manifest | None:
        """What was taken, or is there; None where it is neither."""
        return self._parsed(digest) or await self._readings.manifest(digest)

    async def _referrer_of(self, digest: str) -> str:
        """The first referrer that stays; those that the image lists itself go with it."""
        try:
            referrers = await self._readings.referrers(digest)
        except ImagesyncError as error:
            return f"a referrer that cannot be asked for ({error.message})"
        return next((f"referrer {referrer}" for referrer in referrers if referrer not in self.owners), "")

    async def _look_again(self) -> AbstractSet[str]:
        """Ask all tags, or where there are many those that did not answer before: what they reach comes back."""
        tags, names = self._references.tags, await self._store.tags()
        asked = [tag for tag in names if len(names) <= FEW_TAGS or not tags.digest_of(tag)]
        now = {tag: told for tag in asked if (told := names[tag]) is not None}
        now.update(await self._store.tagged([tag for tag in asked if tag not in now]))
        seen: set[str] = set()
        for tag, pointed_at in now.items():
            if tags.digest_of(tag) != pointed_at.digest:
                await self._put_back(pointed_at, tag, seen)
        planned = self._references.planned
        untagged = {*self._untagged, *(planned.removed if planned else ())}
        silent = [tag for tag in asked if tag not in now and tag not in untagged]
        if silent and (dangling := [tag for tag in await self._store.tags() if tag in silent]):
            await self._revive(dangling)
        return names.keys()

    async def _revive(self, dangling: list[str]) -> None:
        """Put everything back where a tag is listed and leads nowhere: most likely to what we took.

        If it led nowhere before, somebody else may have taken it, and be about to put it back, from under us: then
        what we took stays only if the tag leads to it.
        """
        tags, planned = self._references.tags, self._references.planned
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
                if planned is not None:
                    await self._tag_again(digest, dangling[0], planned)

    async def _put(self, digest: str) -> None:
        if (manifest := self._parsed(digest)) is not None:
            await self._store.put_manifest(manifest)

    async def _put_back(self, target: Descriptor, tag: str, seen: set[str]) -> None:
        """Write again what was taken of this, of what it lists, and of what was attached to it, children first."""
        if target.digest in seen:
            return
        seen.add(target.digest)
        for child in await self._listed(target):
            await self._put_back(child, tag, seen)
        if target.digest in self._taken:
            await self._put(target.digest)
            self._note_put_back(target.digest, tag)
        planned = self._references.planned
        if planned is not None and target.digest in planned.attached:
            for digest in planned.attached.pop(target.digest):
                if (attached := await self._manifest(digest)) is not None:
                    await self._put_back(attached.descriptor, tag, seen)
            await self._tag_again(target.digest, tag, planned)

    async def _listed(self, target: Descriptor) -> list[Descriptor]:
        manifest = self._parsed(target.digest)
        if manifest is None and may_list(target):
            manifest = await self._readings.once(target.digest, target.size)
        return [child.bare for child in manifest.manifests] if manifest else []

    async def _tag_again(self, subject: str, tag: str, planned: Attached) -> None:
        """Write again the tags that were about this manifest and were removed."""
        lost = {about: at for about, at in planned.tags.get(subject, {}).items() if about in planned.removed}
        there = await self._store.tagged(lost)
        for about in lost.keys() - there.keys():
            manifest = await self._manifest(lost[about])
            if manifest is not None:
                await self._store.put_manifest(manifest, about)
                self._taken.pop(manifest.digest, None)
                self.owners[subject].add("tag", about, "put back", f"tag {tag} uses it since")

    def _note_put_back(self, digest: str, tag: str) -> None:
        self._taken.pop(digest, None)
        self.owners[digest].add("manifest", digest, "put back", f"tag {tag} uses it since")

    def _count(self) -> None:
        """Add what was taken to what comes free, and forget it."""
        freed: dict[int, dict[str, int]] = {}
        for digest in list(self._taken):
            manifest = self._parsed(digest)
            if manifest is not None and digest in self.gone:
                sizes = freed.setdefault(id(self.owners[digest]), {})
                sizes[digest] = manifest.size
                sizes.update({blob.digest: blob.size for blob in manifest.blobs if not blob.is_foreign})
            if digest in self.owners:
                del self._taken[digest]
        for report in {id(report): report for report in self.owners.values()}.values():
            report.freed_bytes += sum(freed.get(id(report), {}).values())

"""Remove a tag, and the manifests that nothing else in the repository uses.

1. Look: what does the tag point at, and is it still what we put there (``expect``)? If not, the tag stays.
2. Untag first: a crash after this leaves garbage, never a broken tag.
3. List what every other tag reaches. Any doubt about that keeps everything.
4. Delete what nobody uses, parents before children, keeping the bytes.
5. Look again: a tag that came or moved meanwhile and misses something gets it back.

Blobs are never deleted: that is the registry's garbage collection.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from imagesync_cli.errors import ImagesyncError, NotFound, Refused, Unavailable
from imagesync_cli.gather import gather
from imagesync_cli.manifest import Manifest
from imagesync_cli.operations.progress import Progress
from imagesync_cli.operations.untag import original_of, untag_by_digest
from imagesync_cli.operations.usage import Readings, Usage, usage_of
from imagesync_cli.reference import Reference
from imagesync_cli.stores import Access, Store, Stores, Untagged

# Up to this many tags, all are asked again at the end; above, only those that are new.
_FEW_TAGS = 16
# What a 404 must say to mean that the image is gone, and not that this is no registry.
_GONE = frozenset({"MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND", "TAG_EXPIRED"})


@dataclass(frozen=True)
class Policy:
    """What may be removed.

    ``expect`` is the digest that was put there, "" for whatever is there now. If the tag has moved on from it,
    ``on_replace`` ("delete" or "keep") rules; if it has not, ``on_destroy`` ("delete", "keep" or "refuse").
    """

    expect: str = ""
    on_replace: str = "delete"
    on_destroy: str = "delete"
    keep_manifests: bool = False
    all_tags: bool = False
    max_tags: int | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class Item:
    """One thing that was looked at: ``kind`` is tag or manifest, ``outcome`` removed, kept, absent or put back."""

    kind: str
    name: str
    outcome: str
    why: str = ""
    size_bytes: int = 0


@dataclass
class DeleteReport:
    """What went and what stays, and why."""

    reference: str
    dry_run: bool
    items: list[Item] = field(default_factory=list)
    freed_bytes: int = 0  # at most: other images may share layers with what went

    def add(self, kind: str, name: str, outcome: str, why: str = "", size_bytes: int = 0) -> None:
        """Note one item."""
        self.items.append(Item(kind, name, outcome, why, size_bytes))


async def delete(
    stores: Stores, reference: Reference, policy: Policy, progress: Progress | None = None
) -> DeleteReport:
    """Remove the reference's tag, then what only it used; already gone is success.

    Raises Refused, with nothing changed, where the policy or the registry forbids it.
    """
    store = stores.open(reference, Access.READ if policy.dry_run else Access.DELETE)
    run = _Delete(store, reference, policy, progress or Progress())
    await run.check_size()
    if reference.digest:
        await run.by_digest(reference.digest)
    else:
        await run.by_tag(reference.tag or "latest")
    return run.report


class _Delete:
    """One delete: what it found, what it took, and what it says about both."""

    def __init__(self, store: Store, reference: Reference, policy: Policy, progress: Progress) -> None:
        self._store = store
        self._policy = policy
        self._progress = progress
        self._readings = Readings(store)
        self._taken: dict[str, Manifest] = {}
        self.report = DeleteReport(str(reference), policy.dry_run)

    async def check_size(self) -> None:
        """Refuse before anything is changed where the repository has more tags than the user wants read."""
        limit = self._policy.max_tags
        if limit is not None and (count := len(await self._store.tags())) > limit:
            raise Refused(f"{self._store.name} has {count} tags, more than --max-tags {limit}")

    async def by_tag(self, tag: str) -> None:
        """The tag first, then the manifests that it, or ``expect``, was the last to use."""
        current, expect = await self._look(tag), self._policy.expect
        rule, usage, untagged = self._policy.on_destroy, None, set[str]()
        if current is None:
            self.report.add("tag", tag, "absent", "already gone")
            rule = "keep" if rule == "refuse" else rule
        elif expect not in ("", current.digest, original_of(current)):
            self.report.add("tag", tag, "kept", f"it points at {current.digest} now, not at {expect}")
            rule = self._policy.on_replace
        elif rule == "refuse":
            raise Refused(
                f"{self.report.reference} still points at {current.digest}, and on_destroy is refuse",
                hint="to remove it, apply on_destroy = delete or keep first",
            )
        elif rule == "keep":
            self.report.add("tag", tag, "kept", "on_destroy is keep")
        else:
            usage, untagged = await self._untag(tag, current), {tag}
        target = expect or (current and (original_of(current) or current.digest))
        if target and rule == "delete" and not self._policy.keep_manifests:
            await self._manifests(target, untagged, usage)
        elif target:
            self.report.add("manifest", target, "kept", "nothing but the tag was to be removed")

    async def by_digest(self, digest: str) -> None:
        """A manifest and the tags on it, if the user wants those gone as well."""
        usage = await self._usage(set())
        tags = usage.tags_at(digest)
        if tags and not self._policy.all_tags:
            raise Refused(
                f"{self._store.name}@{digest} still has tags: {', '.join(sorted(tags))}",
                hint="delete those, or add --all-tags",
            )
        current = await self._look(digest)
        if current is None:
            self.report.add("manifest", digest, "absent", "already gone")
            return
        for tag in tags:
            usage = await self._untag(tag, current) or usage
        others = {tag: found for tag, found in usage.tags.items() if tag not in tags}
        await self._manifests(digest, set(tags), await usage_of(others, self._readings))

    async def _look(self, wanted: str) -> Manifest | None:
        try:
            manifest = await self._store.manifest(wanted)
        except NotFound as error:
            if not error.codes & _GONE:
                error.hint = "the answer does not say that the image is unknown; is this a registry?"
                raise
            return None
        self._readings.keep(manifest)
        return manifest

    async def _untag(self, tag: str, current: Manifest) -> Usage | None:
        """Step 2. Gives the usage of all other tags where that had to be read, and is still true."""
        usage = None
        if not self._policy.dry_run:
            offer = await self._store.untag(tag)
            if offer not in (Untagged.DONE, Untagged.ABSENT):
                usage = await self._usage({tag})
                if await untag_by_digest(self._store, tag, current, usage, offer):
                    self._taken[current.digest] = current
                elif not await self._still_used(current.digest, usage):
                    usage = None
        self.report.add("tag", tag, "removed", f"it pointed at {current.digest}")
        return usage

    async def _still_used(self, digest: str, usage: Usage) -> bool:
        """Whether a tag that used the digest still does: one HEAD, as a rule, instead of one for each tag."""
        for tag in usage.tags_at(digest):
            if digest in {found.digest for found in (await self._store.tagged([tag])).values()}:
                return True
        return False

    async def _usage(self, without: set[str]) -> Usage:
        names = [tag for tag in await self._store.tags() if tag not in without]
        self._progress.doing, self._progress.unit = f"reading the tags of {self._store.name}", "tags"
        self._progress.total = len(names)
        return await usage_of(await self._store.tagged(names, self._progress.advance), self._readings)

    async def _manifests(self, target: str, untagged: set[str], usage: Usage | None) -> None:
        """Steps 3 to 5."""
        try:
            usage = usage or await self._usage(untagged)
            levels = await self._unused(target, usage)
        except ImagesyncError as error:
            self.report.add("manifest", target, "kept", f"who else uses it is unknown: {error.message}")
            return
        spared: dict[str, str] = {}
        for level in levels:
            await gather(self._take(manifest, spared) for manifest in level)
        if not self._policy.dry_run:
            await self._look_again(usage, untagged)

    async def _unused(self, target: str, usage: Usage) -> list[list[Manifest]]:
        """The target and what it lists, without what somebody else uses; parents in earlier lists than children."""
        levels, level, seen = [], [target], {target}
        while level:
            found = list(filter(None, await gather(self._unless_used(digest, usage) for digest in level)))
            levels.append(found)
            children = dict.fromkeys(child.digest for manifest in found for child in manifest.manifests)
            level = [digest for digest in children if digest not in seen]
            seen.update(level)
        return levels

    async def _unless_used(self, digest: str, usage: Usage) -> Manifest | None:
        user = usage.users.get(digest)
        if user is None and digest not in self._taken:
            referrers = await self._store.referrers(digest)
            user = f"referrer {referrers[0].digest}" if referrers else None
        if user is not None:
            self.report.add("manifest", digest, "kept", f"{user} uses it")
            return None
        manifest = await self._readings.manifest(digest)
        if manifest is None:
            self.report.add("manifest", digest, "absent", "already gone")
        return manifest

    async def _take(self, manifest: Manifest, spared: dict[str, str]) -> None:
        """Step 4, for one manifest; what a kept parent lists is kept as well."""
        why = spared.get(manifest.digest, "")
        if not why and not self._policy.dry_run and manifest.digest not in self._taken:
            why = await self._store.delete_manifest(manifest.digest)
        if why:
            self.report.add("manifest", manifest.digest, "kept", why)
            spared.update((child.digest, f"index {manifest.digest} is kept") for child in manifest.manifests)
            return
        self._taken[manifest.digest] = manifest
        self.report.add("manifest", manifest.digest, "removed", size_bytes=manifest.size)
        freed = {
            blob.digest: blob.size for taken in self._taken.values() for blob in taken.blobs if not blob.is_foreign
        }
        self.report.freed_bytes = sum(freed.values()) + sum(taken.size for taken in self._taken.values())

    async def _look_again(self, usage: Usage, untagged: set[str]) -> None:
        """Step 5. A tag that is listed and finds nothing may dangle on what was taken: then all of it comes back."""
        names = await self._store.tags()
        asked = names if len(names) <= _FEW_TAGS else [tag for tag in names if tag not in usage.tags]
        now = await self._store.tagged(asked)
        if self._taken and any(tag not in now for tag in asked):
            now = {**now, **{digest: manifest.descriptor for digest, manifest in self._taken.items()}}
        for tag, found in now.items():
            if tag not in usage.tags or usage.tags[tag].digest != found.digest:
                await self._put_back(found.digest)
        back = sorted(untagged & now.keys())
        if back:
            raise Unavailable(
                f"{self._store.name}:{back[0]} is there again", hint="if nobody put it back, run it again"
            )

    async def _put_back(self, digest: str) -> None:
        manifest = self._taken.get(digest) or await self._readings.manifest(digest)
        for child in manifest.manifests if manifest else ():
            await self._put_back(child.digest)
        if manifest is not None and digest in self._taken:
            await self._store.put_manifest(manifest)
            self.report.add("manifest", digest, "put back", "a tag uses it since")

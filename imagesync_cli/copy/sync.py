"""Copy an image: whole, or the platforms that are wanted of it; every manifest in it byte for byte.

1. HEAD the destination; HEAD the source if there is something to compare, or read its root to choose. Equal: done.
2. Children before parents: a manifest is written when all that it names is there.
3. With referrers: what is attached to the image, as far as the destination does not have it (copy_referrers.py).
4. The tag comes last, so the destination is at every moment the old image or the new one, with its signatures.
5. To verify is to look at what the destination has rather than to trust that it is whole, and to repair it (repair.py).
"""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from imagesync_cli.copy.copy import Copy
from imagesync_cli.copy.old_image import OldImage, check_replaceable
from imagesync_cli.copy.present import Destination, Present
from imagesync_cli.look.selection import WHOLE, Selection, Wanted, find_present, find_wanted
from imagesync_cli.stores import Access, Side, Store, Stores, Written, counting
from imagesync_cli.values.errors import Denied, Refused, UsageError
from imagesync_cli.values.manifest import Descriptor, Manifest
from imagesync_cli.values.progress import Progress
from imagesync_cli.values.reference import ArchiveReference, Reference
from imagesync_cli.values.tags.replacing import ALWAYS, Replacing

if TYPE_CHECKING:
    from imagesync_cli.copy.copy_referrers import ReferrersCopy
    from imagesync_cli.copy.repair import Repair
    from imagesync_cli.look.inspect import Problem
    from imagesync_cli.look.trust.age import MinimumAge
    from imagesync_cli.look.trust.judge import Judge
    from imagesync_cli.look.trust.statements import SignedBy

# A config and a layer: what even a small image uploads, and connecting takes as long as reading its manifest.
_LIKELY_UPLOADS = 2


@dataclass(frozen=True)
class SyncOptions:
    """What of the source's image arrives, by which rules, and what may be replaced by it.

    ``verify`` looks at all that the destination has of it, rather than to trust that it is whole; ``read`` hashes its
    blobs too. The ``judge`` tells whether it is signed as it must be.
    """

    selection: Selection = WHOLE
    require_signature: bool = False
    judge: Judge | None = None
    dry_run: bool = False
    verify: bool = False
    read: bool = False
    replacing: Replacing = ALWAYS
    minimum_age: MinimumAge | None = None


@dataclass
class SyncReport:
    """What a sync did, or with ``dry_run`` would do; sizes in bytes."""

    source: str
    destination: str
    id: str
    digest: str
    before: str  # the digest the destination's tag pointed at, "" for none
    changed: bool
    dry_run: bool
    manifests: int = 0
    blobs: Counter[Written] = field(default_factory=Counter)
    sent_bytes: int = 0
    mounted_bytes: int = 0
    foreign: int = 0  # layers that live at URLs of their own, left there
    foreign_copied: int = 0
    damage: tuple[Problem, ...] = ()  # what a look at the destination found, and this run has sent again
    referrers: dict[str, int] = field(default_factory=dict)  # what is attached at the source, by kind
    attached: int = 0  # how many of these were written
    left: list[str] = field(default_factory=list)  # cosign's tags that hold other signatures at the destination
    signed_by: tuple[SignedBy, ...] = ()  # where rules of trust have verified that
    held: str = ""  # why the image is not taken yet, "" where it is
    kept_as: str = ""  # the tag that keeps the image that was replaced, "" for none
    retries: int = 0
    resumed: int = 0  # downloads that broke off and were continued

    @property
    def action(self) -> str:
        """What was done, or would be, to the destination's tag: keep, add, move, or mend below the same digest."""
        return action_on(self.before, self.digest) if self.changed else "keep"


def action_on(before: str, digest: str) -> str:
    """What a copy does to a tag that has had the digest ``before``: add, move, or mend below the same digest."""
    if not before:
        return "add"
    return "mend" if before == digest else "move"


async def sync(
    stores: Stores,
    source: Reference,
    destination: Reference,
    options: SyncOptions = SyncOptions(),
    *,
    progress: Progress | None = None,
    present: Present | None = None,
    here: Store | None = None,
) -> SyncReport:
    """Make the destination's tag point at what is selected of the source's image.

    ``present`` is what is known of the destination from other copies of this run, and ``here`` the source, where it was
    opened before. Raises UsageError for a destination by digest, Refused where a signature is required and there is
    none, the ``judge`` trusts none that there is, or the tag has an image that is not to be replaced; every other error
    names the side and the step.
    """
    _check(source, destination, options)
    with counting() as tally:
        here = here or stores.open(source)
        there = stores.open(destination, Access.READ if options.dry_run else Access.WRITE, Side.DESTINATION)
        one = _Sync(stores, source, destination, options, here, there)
        report = await one.run(progress or Progress(), present or Present())
    report.retries, report.resumed = tally.retries, tally.resumed
    report.id = f"{destination.name}@{report.digest}"
    return report


@dataclass(frozen=True)
class _Sync:
    stores: Stores
    source: Reference
    destination: Reference
    options: SyncOptions
    here: Store
    there: Store

    async def run(self, progress: Progress, present: Present) -> SyncReport:
        """All steps of the module's list."""
        selection, dry_run = self.options.selection, self.options.dry_run
        self.here.warm(1)
        before = await _current(self.there, self.destination.meant_tag, dry_run=dry_run)
        first = present.before.setdefault((self.destination.location, self.destination.meant_tag), before)
        if not before:
            self.there.warm(_LIKELY_UPLOADS)
        wanted = await _find_wanted(self.here, self.source, selection, before)
        names, digest = (str(self.source), str(self.destination)), wanted.descriptor.digest
        changed = before != digest
        report = SyncReport(*names, "", digest, before, changed=changed, dry_run=dry_run)
        if changed:
            replacing, tag = self.options.replacing, self.destination.meant_tag
            await check_replaceable(replacing.overwrite, self.here, self.there, tag, before)
            if replacing.keep_as and before:
                report.kept_as = replacing.keep_as.tag(tag, before, datetime.now(timezone.utc))
        copying = self._copying(report, progress, present)
        may_write = changed or self.options.verify or selection.referrers or selection.foreign_layers
        writes = may_write and not dry_run
        async with self.stores.copying(self.destination) if writes else nullcontext(), copying as copy:
            await self._bring(copy, wanted)
        if not changed and first != before:  # one that has begun again finds what it has brought itself
            report.before, report.changed = first, True
        return report

    @property
    def _is_same(self) -> bool:
        """Whether the image stays in its repository."""
        return self.source.location == self.destination.location

    def _copying(self, report: SyncReport, progress: Progress, present: Present) -> Copy:
        place = Destination(present, self.destination.location, self.there, self.source.location)
        fresh = not report.before and not self._is_same
        foreign = self.options.selection.foreign_layers
        read_foreign = (lambda blob: self.stores.read_foreign(blob, self.here)) if foreign else None
        return Copy(self.here, place, report, progress, fresh=fresh, read_foreign=read_foreign)

    async def _bring(self, copy: Copy, wanted: Wanted) -> None:
        report, options = copy.report, self.options
        if report.changed or options.selection.referrers:
            self.there.warm(_LIKELY_UPLOADS)
            wanted = replace(wanted, root=wanted.root or await self.here.manifest(wanted.descriptor.digest))
        await self._check_rules(report, wanted)
        if report.held:
            return
        root, repair = wanted.root, None
        if options.verify:
            from imagesync_cli.copy.repair import Repair

            repair = Repair(copy, root, read=options.read)
        referrers = await self._referrers(copy, root) if root is not None and options.selection.referrers else None
        if not report.changed:
            await self._complete(copy, repair, referrers)
        elif root is not None:
            if not self._is_same or wanted.is_new:  # a new index is not written unless its children are seen
                await copy.below(root)
            await self._write(copy, root, repair, referrers)
        if repair is not None and referrers is not None:
            await repair.images(*referrers.roots)
        report.changed |= bool(report.attached or report.damage)

    async def _check_rules(self, report: SyncReport, wanted: Wanted) -> None:
        """Note who has signed it, and why it is not taken yet, before anything is written."""
        judge, minimum_age = self.options.judge, self.options.minimum_age
        if judge is not None and (report.changed or judge.trust.always):
            report.signed_by = await judge.judge(self.here, self.source, wanted)
        if minimum_age is not None and report.changed:
            from imagesync_cli.look.trust.age import why_not_yet

            asked = self.stores, minimum_age, self.source, wanted.source_digest
            report.held = await why_not_yet(*asked, is_new=not report.before, signed=report.signed_by)
            if report.held and not report.before:
                raise Refused(
                    f"minimum_age: {report.source}: {report.held}",
                    hint="minimum_age_new = take takes a new image at any age, and ignore_age_for this digest",
                )
            if report.held:
                report.changed, report.digest, report.kept_as = False, report.before, ""

    async def _referrers(self, copy: Copy, root: Manifest) -> ReferrersCopy | None:
        """What brings what is wanted of all that is attached, None for nothing."""
        from imagesync_cli.copy.copy_referrers import ReferrersCopy
        from imagesync_cli.look.referrers import Referrers, require_signature

        types = self.options.selection.referrer_types
        attached = await Referrers(self.here, keep=True, types=types).all_of(root.descriptor, root)
        copy.report.referrers = attached.kinds
        if self.options.require_signature:
            require_signature(self.here.name, root, attached)
        # What is attached in a repository is there.
        return ReferrersCopy(copy, attached) if attached.referrers and not self._is_same else None

    async def _write(self, copy: Copy, root: Manifest, repair: Repair | None, referrers: ReferrersCopy | None) -> None:
        """The root under its tag, once all that is below it is there, and whole, and what is attached; then a look."""
        writes, old = not copy.report.dry_run, OldImage(self.there, copy.report.before, copy.report.kept_as)
        if repair is not None:
            await repair.below(root)
        if referrers is not None:
            if writes:  # without its tag: GitLab once took no referrer before its subject
                await copy.write(root)
            await referrers.complete()
        if writes:
            await old.keep()
        await copy.put(root, self.destination.meant_tag)
        if repair is not None:
            await repair.tag(self.destination.meant_tag, root)
        if writes:
            await old.put_back()
            await copy.look_again()
        if referrers is not None:  # somebody else may have taken what was there
            await referrers.complete()

    async def _complete(self, copy: Copy, repair: Repair | None, referrers: ReferrersCopy | None) -> None:
        """What an image that the destination has already may lack, as far as that was asked for."""
        if repair is not None:
            await repair.images(Descriptor.of(copy.report.digest))
        if self.options.selection.foreign_layers:
            await copy.foreign_layers(copy.report.before)
        if referrers is not None:
            await referrers.complete()


def _check(source: Reference, destination: Reference, options: SyncOptions) -> None:
    if destination.digest:
        raise UsageError(f"destination {destination} is given by digest", hint="a destination takes a tag")
    if options.verify and isinstance(destination, ArchiveReference):
        raise UsageError(
            f"{destination.name}: an archive is not repaired in place",
            hint="sync into a new one; check tells what it lacks",
        )
    digest = options.selection.digest
    if digest and source.digest not in ("", digest):
        raise UsageError(f"source {source} and --digest {digest} name two images", hint="leave one of them out")


async def _current(store: Store, tag: str, *, dry_run: bool) -> str:
    """The digest that the tag points at now, "" if there is none."""
    try:
        return (await find_present(store, tag)).digest
    except Denied:
        if dry_run:
            raise
        return ""  # GHCR and others say so of what is not there yet: whether we may write decides


async def _find_wanted(here: Store, source: Reference, selection: Selection, before: str) -> Wanted:
    """What is to arrive, by as little as that takes: what will be read anyway is not asked for before."""
    told = selection.digest or source.digest
    if selection.platforms or (before and not told):
        return await find_wanted(here, source, selection)
    if told:
        return Wanted(Descriptor.of(told), told)
    root = await here.manifest(source.wanted)
    return Wanted(root.descriptor, root.digest, root)

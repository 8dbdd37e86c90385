"""Copy an image: whole, or the platforms that are wanted of it; every manifest in it byte for byte.

1. HEAD the destination; HEAD the source if there is something to compare, or read its root to choose. Equal: done.
2. Children before parents: a manifest is written when all that it names is there.
3. With referrers: what is attached to the image, as far as the destination does not have it (copy_referrers.py).
4. The tag comes last, so the destination is at every moment the old image or the new one, with its signatures.
5. To verify is to look at what the destination has rather than to trust that it is whole, and to repair it (repair.py).
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from imagesync_cli.copy.copy import Copy
from imagesync_cli.copy.old_image import check_replaceable
from imagesync_cli.copy.present import Destination, Present
from imagesync_cli.copy.sync_report import SyncReport
from imagesync_cli.look.selection import WHOLE, Selection, Wanted, find_present, find_wanted
from imagesync_cli.stores import Access, Side, Store, Stores, counting
from imagesync_cli.values.errors import Denied, Refused, UsageError
from imagesync_cli.values.manifest import Descriptor, Manifest
from imagesync_cli.values.progress import Progress
from imagesync_cli.values.reference import ArchiveReference, Reference
from imagesync_cli.values.tags.replacing import ALWAYS, Replacing

if TYPE_CHECKING:
    from imagesync_cli.copy.copy_referrers import ReferrersCopy
    from imagesync_cli.copy.repair import Repair, Verify
    from imagesync_cli.look.trust.age import MinimumAge
    from imagesync_cli.look.trust.judge import Judge, SignedBy

# A config and a layer: what even a small image uploads, and connecting takes as long as reading its manifest.
_LIKELY_UPLOADS = 2


@dataclass(frozen=True)
class _Chosen:
    """What of the source is to arrive: its digest, and its root where that was read or made to find it."""

    digest: str
    root: Manifest | None = None
    is_new: bool = False
    source_digest: str = ""  # of the whole image, where platforms are chosen from it


@dataclass(frozen=True)
class SyncOptions:
    """What of the source's image arrives, by which rules, and what may be replaced by it.

    ``verify`` looks at all that the destination has of it. The ``judge`` tells whether it is signed as it must be.
    """

    selection: Selection = WHOLE
    require_signature: bool = False
    judge: Judge | None = None
    dry_run: bool = False
    verify: Verify | None = None
    replacing: Replacing = ALWAYS
    minimum_age: MinimumAge | None = None


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
    _check(source, destination, options.selection, verify=options.verify is not None)
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
        chosen = await _choose(self.here, self.source, selection, before)
        changed = not before or before != chosen.digest  # that may be "" too: the only image of a layout
        names = str(self.source), str(self.destination)
        report = SyncReport(*names, "", chosen.digest, before, changed=changed, dry_run=dry_run)
        if changed:
            replacing, tag = self.options.replacing, self.destination.meant_tag
            await check_replaceable(replacing.overwrite, self.here, self.there, tag, before)
            report.kept_as = _kept_as(replacing, tag, before)
        copying = self._copying(report, progress, present)
        may_write = changed or self.options.verify is not None or selection.referrers or selection.foreign_layers
        writes = may_write and not dry_run
        async with self.stores.copying(self.destination) if writes else nullcontext(), copying as copy:
            await self._bring(copy, chosen)
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

    async def _bring(self, copy: Copy, chosen: _Chosen) -> None:
        report, options, root = copy.report, self.options, chosen.root
        if report.changed or options.selection.referrers:
            self.there.warm(_LIKELY_UPLOADS)
            root = root or await self.here.manifest(chosen.digest)
            report.digest = root.digest
        await self._check_rules(report, replace(chosen, root=root))
        if report.held:
            return
        repair = _repair(copy, chosen.root, options.verify) if options.verify is not None else None
        signed = options.require_signature
        referrers = await _referrers(copy, root, options.selection, signed=signed) if root else None
        if self._is_same:
            referrers = None  # what is attached in a repository is there
        if not report.changed:
            await _complete(copy, repair, referrers, foreign_layers=options.selection.foreign_layers)
        elif root is not None:
            in_place = self._is_same and not chosen.is_new  # a new index is not written unless its children are seen
            tag, keep_as = self.destination.meant_tag, report.kept_as
            await copy.image(root, tag, in_place=in_place, repair=repair, referrers=referrers, keep_as=keep_as)
        if repair is not None and referrers is not None:
            await repair.images(*referrers.roots)
        report.changed |= bool(report.attached or report.damage)

    async def _check_rules(self, report: SyncReport, chosen: _Chosen) -> None:
        """Note who has signed it, and why it is not taken yet, before anything is written."""
        judge, minimum_age = self.options.judge, self.options.minimum_age
        if judge is not None and (report.changed or judge.trust.always):
            report.signed_by = await _judged(judge, self.here, self.source, chosen)
        if minimum_age is not None and report.changed:
            report.held = await _why_not_yet(self.stores, minimum_age, self.source, chosen, report)
            if report.held:
                _hold(report)


def _check(source: Reference, destination: Reference, selection: Selection, *, verify: bool) -> None:
    if destination.digest:
        raise UsageError(f"destination {destination} is given by digest", hint="a destination takes a tag")
    if verify and isinstance(destination, ArchiveReference):
        raise UsageError(
            f"{destination.name}: an archive is not repaired in place",
            hint="sync into a new one; check tells what it lacks",
        )
    digest = selection.digest
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


async def _choose(here: Store, source: Reference, selection: Selection, before: str) -> _Chosen:
    """Find out what is to arrive by as little as that takes: nothing is asked where there is nothing to compare."""
    told = selection.digest or source.digest
    if not selection.platforms and (told or not before):
        return _Chosen(told or source.wanted)
    wanted = await find_wanted(here, source, selection)
    return _Chosen(wanted.descriptor.digest, wanted.root, wanted.is_new, wanted.source_digest)


def _kept_as(replacing: Replacing, tag: str, before: str) -> str:
    """The tag that keeps what was there, "" for none."""
    return replacing.keep_as.tag(tag, before, datetime.now(timezone.utc)) if replacing.keep_as and before else ""


async def _referrers(copy: Copy, root: Manifest, selection: Selection, *, signed: bool) -> ReferrersCopy | None:
    """What brings what is wanted of all that is attached, None for nothing; ``signed`` requires a signature."""
    if not selection.referrers:
        return None
    from imagesync_cli.copy.copy_referrers import ReferrersCopy
    from imagesync_cli.look.referrers import Referrers, require_signature

    attached = await Referrers(copy.here, keep=True, types=selection.referrer_types).all_of(root.descriptor, root)
    copy.report.referrers = attached.kinds
    if signed:
        require_signature(copy.here.name, root, attached)
    return ReferrersCopy(copy, attached) if attached.referrers else None


def _repair(copy: Copy, known: Manifest | None, verify: Verify) -> Repair:
    from imagesync_cli.copy.repair import Repair

    return Repair(copy, known, verify)


async def _complete(
    copy: Copy, repair: Repair | None, referrers: ReferrersCopy | None, *, foreign_layers: bool
) -> None:
    """What an image that the destination has already may lack, as far as that was asked for."""
    report = copy.report
    if repair is not None:
        await repair.images(Descriptor.of(report.digest))
    if foreign_layers:
        await copy.foreign_layers(report.before)
    if referrers is not None:
        await referrers.complete()


async def _judged(judge: Judge, here: Store, source: Reference, chosen: _Chosen) -> tuple[SignedBy, ...]:
    """Who has signed what is to arrive; Refused if that is nobody who is trusted to, before anything is written."""
    root = chosen.root or await here.manifest(chosen.digest)
    wanted = Wanted(root.descriptor, chosen.source_digest or root.digest, root, chosen.is_new)
    return await judge.judge(here, source, wanted)


async def _why_not_yet(stores: Stores, rule: MinimumAge, source: Reference, chosen: _Chosen, report: SyncReport) -> str:
    from imagesync_cli.look.trust.age import Candidate, why_not_yet

    candidate = Candidate(source, chosen.source_digest or report.digest, report.signed_by)
    return await why_not_yet(stores, rule, candidate, is_new=not report.before)


def _hold(report: SyncReport) -> None:
    """Leave the destination as it is for now; Refused where there is nothing yet."""
    if not report.before:
        raise Refused(
            f"minimum_age: {report.source}: {report.held}",
            hint="minimum_age_new = take takes a new image at any age, and ignore_age_for this digest",
        )
    report.changed, report.digest, report.kept_as = False, report.before, ""

"""Copy many images at once: all connections to a host are shared, and so is what images have in common.

1. Which images? Patterns are asked for (plan.py); what is to be removed is known before anything is copied.
2. Copies, a bounded number at a time. One that fails stops no other, unless that is asked for.
3. Removals (prune.py), from repositories in which every copy has succeeded.

The report is filled while this runs: whoever is interrupted has what was done until then.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from imagesync_cli.batch.entry import Entry
from imagesync_cli.batch.plan import Plan, PlannedImage, plan
from imagesync_cli.batch.prune import look_at_removals, prune
from imagesync_cli.batch.report import BatchProgress, BatchReport, ImageResult, Outcome
from imagesync_cli.batch.shards import Shard, take_share
from imagesync_cli.batch.waiting import Group, PutOff, expect, in_rounds, reported
from imagesync_cli.concurrency import gather
from imagesync_cli.copy.present import Present
from imagesync_cli.copy.sync import SyncOptions, SyncReport, sync
from imagesync_cli.delete.kept import remove_old_kept
from imagesync_cli.look.lockfile import Lock
from imagesync_cli.stores import Side, Store, Stores, counting
from imagesync_cli.stores.places import place_of
from imagesync_cli.values.errors import ImagesyncError, LimitReached
from imagesync_cli.values.progress import Progress, note
from imagesync_cli.values.reference import ArchiveReference, Reference, RegistryReference
from imagesync_cli.values.tags.replacing import names_of

if TYPE_CHECKING:
    from imagesync_cli.look.trust.judge import Judge
    from imagesync_cli.look.trust.rules import Trust
    from imagesync_cli.stores import Mirrored

JOBS = 64


@dataclass(frozen=True)
class BatchOptions:
    """``jobs`` images are copied at a time. ``max_removals`` is how many tags may go, None for few of each place.

    The ``lock`` tells sizes; with ``locked`` it also says what is copied. A ``shard`` is a part of the images; it
    removes nothing, for it does not know how the others fare. ``how`` each image is copied is said as for a single
    one; what an entry says itself goes before. ``trust`` takes the place of the entries' own.
    """

    jobs: int = JOBS
    fail_fast: bool = False
    max_removals: int | None = None
    lock: Lock | None = None
    locked: bool = False
    how: SyncOptions = field(default_factory=SyncOptions)
    trust: Trust | None = None
    shard: Shard | None = None


async def sync_batch(
    stores: Stores,
    entries: Sequence[Entry],
    options: BatchOptions,
    report: BatchReport,
    progress: BatchProgress,
    *,
    tell: Callable[[ImageResult], None] = lambda _: None,
) -> None:
    """Bring all destinations to what the entries say; ``tell`` is called with each image's result as it comes.

    What fails is in the report. Raises, before anything is changed, UsageError for entries that contradict each other
    or the lock, and Refused for more removals than there may be.
    """
    report.dry_run = options.how.dry_run
    with reported(stores, report, progress):
        made = await plan(
            stores,
            entries,
            options.lock,
            locked=options.locked,
            prunes=options.shard is None,
            replacing=options.how.replacing,
        )
        if options.shard is not None:
            take_share(made, options.shard)
        await look_at_removals(stores, made, options.max_removals, dry_run=options.how.dry_run)
        await _Batch(stores, made, options, report, progress, tell).run()


def _judge(trust: Trust) -> Judge:
    from imagesync_cli.look.trust.judge import Judge

    return Judge(trust)


class _FailedFast(Exception):
    """One has failed, and the rest is not wanted any more."""


@dataclass
class _Batch:
    stores: Stores
    plan: Plan
    options: BatchOptions
    report: BatchReport
    progress: BatchProgress
    tell: Callable[[ImageResult], None]

    def __post_init__(self) -> None:
        trusts = {self.options.trust} if self.options.trust else {entry.trust for entry in self.plan.entries}
        self._judges: dict[Trust | None, Judge] = {trust: _judge(trust) for trust in trusts if trust}
        self._present = Present()
        self._failed = set(self.plan.failed)

    async def run(self) -> None:
        """All steps of the module's list."""
        for unlisted in self.plan.unlisted:  # an entry whose tags could not be listed fails as a whole
            self.report.images.append(unlisted)
            self.tell(unlisted)
        results = self.plan.results()
        self.report.images += results.values()
        self.progress.total = len(results)
        with contextlib.suppress(_FailedFast):
            self._stop_if_failed()
            await self._copies(results)
            is_limited, dry_run = self.options.max_removals is None, self.options.how.dry_run
            removed = self.report.removals
            await prune(self.stores, self.plan, self._failed, removed, is_limited=is_limited, dry_run=dry_run)

    async def _copies(self, results: Mapping[str, ImageResult]) -> None:
        async def round_of(groups: Sequence[Group]) -> list[PutOff]:
            waiting, put_off = iter(groups), list[PutOff]()

            async def worker() -> None:
                for group in waiting:
                    with self.stores.one_image():
                        put_off.extend(filter(None, [await self._copy_group(group, results)]))

            await gather(worker() for _ in range(min(self.options.jobs, len(results))))
            return put_off

        for left in await in_rounds(self.stores, self.plan.groups, round_of, self.progress):
            for image in left.images:
                results[image.key].fail(left.error)
                self._ended(image, results[image.key])

    async def _copy_group(self, group: Group, results: Mapping[str, ImageResult]) -> PutOff | None:
        """One image to one place after the other: the source gives its bytes once, the first place to the others.

        Where that has not got it, or does not let us read, the source does so again. Streams to several places at once
        would be as fast as the slowest, and would have to begin anew with each that fails. Gives those that must wait.
        """
        here = self._source(group)
        for number, image in enumerate(group):
            result = results[image.key]
            try:
                await self._copy(image, result, here)
            except LimitReached as error:
                return PutOff(group[number:], error)
            has_it = result.outcome in (Outcome.COPIED, Outcome.SKIPPED) and not self.options.how.dry_run
            if here is not None and has_it and not isinstance(image.destination, ArchiveReference):
                here.add_mirror(self.stores.open(image.destination, side=Side.DESTINATION))
        return None

    def _source(self, group: Sequence[PlannedImage]) -> Mirrored | None:
        """The source of these images, None where nobody but the source itself has their bytes."""
        source, mirrors = group[0].source, group[0].entry.mirrors
        if not isinstance(source, RegistryReference) or not (mirrors or len(group) > 1):
            return None
        return self.stores.mirrored(source, mirrors)

    async def _copy(self, image: PlannedImage, result: ImageResult, here: Store | None) -> None:
        """LimitReached if it has not begun and may begin later."""
        started = time.monotonic()
        progress = self.progress.in_flight[result.destination] = Progress()
        with counting() as tally:
            try:
                done = await self.stores.crowd.run(lambda: self._sync(image, progress, here))
                result.outcome = Outcome.COPIED if done.changed else Outcome.SKIPPED
                result.action = done.action
                result.digest, result.before = done.digest, done.before
                result.held = done.held
                result.sent_bytes, result.mounted_bytes = done.sent_bytes, done.mounted_bytes
                result.signed_by = [asdict(each) for each in done.signed_by]
                if done.dry_run:
                    expect(self.stores, self.progress, image, done, tally.pulls)
            except ImagesyncError as error:
                if isinstance(error, LimitReached) and error.is_early:
                    raise
                if isinstance(error, LimitReached) and isinstance(image.source, RegistryReference):
                    self.progress.unread[image.source.registry] += self.options.how.dry_run
                result.fail(error)
                result.sent_bytes = progress.moved_bytes
            except asyncio.CancelledError:
                result.error = "given up before it was known to be done"
                result.sent_bytes = progress.moved_bytes
                raise
            finally:
                result.requests += tally.requests
                result.seconds += time.monotonic() - started
                del self.progress.in_flight[result.destination]
                self.progress.done_bytes += progress.moved_bytes
        self._ended(image, result)

    def _ended(self, image: PlannedImage, result: ImageResult) -> None:
        if result.outcome == Outcome.FAILED:
            self._failed.add(image.entry)
        self.progress.done += 1
        self.progress.failed += result.outcome == Outcome.FAILED
        self.tell(result)
        self._stop_if_failed()

    async def _sync(self, image: PlannedImage, progress: Progress, here: Store | None) -> SyncReport:
        selection = image.selection
        if self.options.how.require_signature:
            selection = replace(selection, referrers=True, referrer_types=())
        options = replace(
            self.options.how,
            selection=selection,
            judge=self._judges.get(self.options.trust or image.entry.trust),
            replacing=image.entry.replacing or self.options.how.replacing,
            minimum_age=image.minimum_age(self.options.how.minimum_age),
        )
        ends = image.source, image.destination
        done = await sync(self.stores, *ends, options, progress=progress, present=self._present, here=here)
        if done.kept_as and not done.dry_run:
            await self._remove_old_kept(image.destination, options)
        return done

    @functools.cached_property
    def _in_use(self) -> set[tuple[str, str]]:
        return names_of(self.plan.named)

    async def _remove_old_kept(self, destination: Reference, options: SyncOptions) -> None:
        if options.replacing.keep_last is None:
            return
        if unknown := self.plan.unknown_at(place_of(destination)):
            note(f"keep_last removes nothing of {destination}, for an entry may read it: {unknown}")
            return
        referrers, in_use = options.selection.has_all_referrers, self._in_use
        await remove_old_kept(self.stores, destination, options.replacing, in_use=in_use, referrers=referrers)

    def _stop_if_failed(self) -> None:
        if self.options.fail_fast and (self._failed or self.plan.unknown):
            raise _FailedFast

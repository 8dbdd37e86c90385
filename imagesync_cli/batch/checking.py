"""Check every image of a file: is it where it should be, and is anything there that no entry wants? Nothing is written.

1. Which images? As for a sync (plan.py), with the tags that a prune would remove.
2. Each is compared, a bounded number at a time: one HEAD on each side, and more only where that is asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from imagesync_cli.batch.entry import Entry
from imagesync_cli.batch.plan import Plan, PlannedImage, plan
from imagesync_cli.batch.prune import tags_unknown
from imagesync_cli.batch.report import BatchProgress, BatchReport, ImageResult, Outcome, RemovalResult
from imagesync_cli.batch.waiting import reported
from imagesync_cli.concurrency import gather_few
from imagesync_cli.copy.sync import action_on
from imagesync_cli.look.check import CheckReport, check
from imagesync_cli.look.lockfile import Lock
from imagesync_cli.stores import Store, Stores, counting
from imagesync_cli.values.errors import Differs, ImagesyncError
from imagesync_cli.values.reference import Reference, RegistryReference


async def check_batch(
    stores: Stores,
    entries: Sequence[Entry],
    report: BatchReport,
    progress: BatchProgress,
    *,
    tell: Callable[[ImageResult], None],
    jobs: int,
    deep: bool,
    read: bool,
    lock: Lock | None,
    locked: bool,
) -> None:
    """Compare all destinations with what the entries say; ``tell`` is called with each image's result as it comes.

    ``jobs`` images are looked at in parallel. ``deep`` looks for all below a digest, ``read`` hashes every blob too.
    With ``locked`` the images are those of the ``lock``. What differs or cannot be asked is in the report. Raises
    UsageError for entries that contradict each other or the lock.
    """
    with reported(stores, report, progress):
        made = await plan(stores, entries, lock, locked=locked)
        report.images += made.unlisted
        results = made.results()
        report.images += results.values()
        progress.total = len(results)
        looking = _Looking(stores, deep, read, progress, tell)
        await gather_few(jobs, (looking.look_at(group, results) for group in made.groups))
        report.removals += _unwanted(made)


def _unwanted(made: Plan) -> list[RemovalResult]:
    """The tags that a prune would remove, of repositories that are known."""
    unwanted = []
    for removals in made.removals.values():
        if removals.error is not None:
            unwanted.append(tags_unknown(removals, removals.error))
        else:
            names = (str(removals.repository.at(tag=tag)) for tag in removals.tags)
            unwanted += [
                RemovalResult(name, Outcome.UNWANTED, "no entry wants it", Differs.exit_code) for name in names
            ]
    return unwanted


@dataclass(frozen=True)
class _Looking:
    stores: Stores
    deep: bool
    read: bool
    progress: BatchProgress
    tell: Callable[[ImageResult], None]

    async def look_at(self, group: Sequence[PlannedImage], results: Mapping[str, ImageResult]) -> None:
        """One image at all its places; its source is asked once."""
        source = group[0].source
        shared = source if len(group) > 1 and isinstance(source, RegistryReference) else None
        here = self.stores.mirrored(shared) if shared else None
        for image in group:
            await self.look(image, results[image.key], here)

    async def look(self, image: PlannedImage, result: ImageResult, here: Store | None) -> None:
        started = time.monotonic()
        with counting() as tally:
            try:
                await self.stores.crowd.run(lambda: self._compare(image, result, here))
            except ImagesyncError as error:
                result.fail(error)
            finally:
                result.requests, result.seconds = tally.requests, time.monotonic() - started
        self.progress.done += 1
        self.progress.failed += result.outcome != Outcome.SKIPPED
        self.tell(result)

    async def _compare(self, image: PlannedImage, result: ImageResult, here: Store | None) -> None:
        compared = await check(
            self.stores,
            image.source,
            image.destination,
            selection=image.selection,
            deep=self.deep,
            read=self.read,
            here=here,
        )
        result.digest, result.before = compared.destination_digest, compared.destination_digest
        result.held = "" if compared.in_sync else await self._why_not_yet(image, compared)
        if compared.in_sync or result.held:
            result.outcome, result.action = Outcome.SKIPPED, "keep"
            return
        result.digest = compared.digest
        result.differ(action_on(compared.destination_digest, compared.digest), _why(compared, image.source))

    async def _why_not_yet(self, image: PlannedImage, compared: CheckReport) -> str:
        """Why a sync would leave the destination as it is, "" where it would not."""
        rule = image.minimum_age()
        if rule is None or not compared.destination_digest or compared.digest == compared.destination_digest:
            return ""
        from imagesync_cli.look.trust.age import why_not_yet

        return await why_not_yet(self.stores, rule, image.source, compared.source_digest, is_new=False)


def _why(compared: CheckReport, source: Reference) -> str:
    if not compared.destination_digest:
        return f"it is not there; {source} is {compared.digest}"
    if compared.digest != compared.destination_digest:
        return f"it is {compared.destination_digest}; {source} is {compared.digest}"
    missing = [f"referrer {digest} is not there" for digest in compared.missing]
    damage = [f"{each}: {each.why}" for each in compared.findings.problems] if compared.findings else []
    first, *more = [*damage, *missing]
    return f"{first}, and {len(more)} more" if more else first

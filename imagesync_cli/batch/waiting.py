"""What of a batch must wait because a registry allows no more pulls for now (sync --file --wait-for-limit).

1. All images are begun. Those for which nothing may be pulled yet are put off; the others go on.
2. Then the run waits until the registry allows more, and begins those that were put off.
3. Where a whole wait has helped no image, all of them fail: the registry does not do what it says.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from imagesync_cli.batch.plan import PlannedImage
from imagesync_cli.batch.report import BatchProgress, BatchReport, RegistryPulls
from imagesync_cli.copy.sync import SyncReport
from imagesync_cli.stores import Stores, Written, counting
from imagesync_cli.values.errors import LimitReached
from imagesync_cli.values.limits import PullLimit
from imagesync_cli.values.progress import note
from imagesync_cli.values.reference import RegistryReference
from imagesync_cli.values.times import wait_text

Group = Sequence[PlannedImage]


@dataclass(frozen=True)
class PutOff:
    """Images that have not begun, and why."""

    images: Group
    error: LimitReached


async def in_rounds(
    stores: Stores,
    groups: Sequence[Group],
    copy: Callable[[Sequence[Group]], Awaitable[list[PutOff]]],
    progress: BatchProgress,
) -> list[PutOff]:
    """Copy all of them, as soon as each may be; what is left in the end may not."""
    put_off = await copy(groups)
    while put_off:
        progress.waiting = sum(len(each.images) for each in put_off)
        before = progress.waiting
        if used_up := [limit for limit in stores.pull_limits() if limit.left <= 0]:
            note(_announcement(progress, used_up))
        has_waited = await stores.more_pulls()
        progress.waiting = 0
        put_off = await copy([each.images for each in put_off])
        if has_waited and sum(len(each.images) for each in put_off) == before:
            break
    return put_off


def _announcement(progress: BatchProgress, limits: Sequence[PullLimit]) -> str:
    """Who waits for what, until when, and how long all of it takes if the rest needs as many pulls an image."""
    whose = "; ".join(limit.allows for limit in limits)
    until_s = max(limit.returns_in_s for limit in limits)
    until = time.strftime("%H:%M:%S", time.localtime(time.time() + until_s))
    # Judged by those that are done; at least one pull each.
    each = {name: max(1.0, made / max(1, progress.done)) for name, made in progress.pulls.items()}
    all_s = max(limit.wait_s(math.ceil(progress.waiting * each.get(limit.registry, 1.0))) for limit in limits)
    whole = f"; all of them take about {wait_text(all_s)}" if all_s > until_s else ""
    return f"{progress.waiting} of {progress.total} images wait: {whose} (until {until}){whole}"


def expect(
    stores: Stores, progress: BatchProgress, image: PlannedImage, done: SyncReport, pulls: Mapping[str, int]
) -> None:
    """Note after a dry run about how many requests the run will send where a pace is set.

    A pull and a blob that is read are one each; at the destination also a look at the tag and at each blob, the end of
    each upload, and each manifest.
    """
    sent, looks = done.blobs[Written.SENT], 1 + done.blobs.total()
    for reference, number in ((image.source, sent), (image.destination, sent + looks + done.manifests)):
        if isinstance(reference, RegistryReference) and stores.pace(reference.registry):
            progress.to_send[reference.registry] += number + pulls.get(reference.registry, 0)


@contextlib.contextmanager
def reported(stores: Stores, report: BatchReport, progress: BatchProgress) -> Iterator[None]:
    """Tell in the report what the block has cost, however it ends, and in the progress while it runs."""
    started = time.monotonic()
    with counting() as tally:
        progress.pulls, progress.limits = tally.pulls, stores.pull_limits
        try:
            yield
        except asyncio.CancelledError:
            report.interrupted = True
            raise
        finally:
            report.requests += tally.requests
            report.registries = _registries(stores, progress)
            report.seconds = time.monotonic() - started


def _registries(stores: Stores, progress: BatchProgress) -> list[RegistryPulls]:
    """What a run has read of registries, what they say of that, and what a dry run expects."""
    limits = {limit.registry: limit for limit in stores.pull_limits()}
    named = sorted({*progress.pulls, *progress.unread, *progress.to_send, *limits})
    return [_registry(name, progress, stores.pace(name), limits.get(name)) for name in named]


def _registry(name: str, progress: BatchProgress, pace: float | None, limit: PullLimit | None) -> RegistryPulls:
    pulls, unread, requests = progress.pulls.get(name, 0), progress.unread[name], progress.to_send[name]
    least_s = math.ceil(requests / pace) if pace else 0
    limit = limit or PullLimit(name, 0, 0, 0, 0)
    told = limit.most, limit.left, limit.window_s, limit.returns_in_s, limit.wait_s(pulls + unread)
    return RegistryPulls(name, pulls, *told, requests, least_s, unread)

"""What a sync of many images says of itself, image by image and in sum, and how far it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from imagesync_cli.values.errors import Differs, ImagesyncError, common_cause
from imagesync_cli.values.limits import PullLimit
from imagesync_cli.values.progress import Progress

FORMAT = 1


class Outcome:
    """What becomes of an image, or of a tag that nobody wants; in words, as reports have them."""

    COPIED, SKIPPED, DIFFERS, FAILED, NOT_RUN = "copied", "skipped", "differs", "failed", "not run"
    REMOVED, KEPT, UNWANTED = "removed", "kept", "unwanted"
    OF_IMAGES = (COPIED, SKIPPED, DIFFERS, FAILED, NOT_RUN)
    OF_REMOVALS = (REMOVED, KEPT, UNWANTED, FAILED, NOT_RUN)


@dataclass(slots=True)
class ImageResult:
    """What became of one image, or of an entry whose tags could not be listed.

    ``outcome`` is copied, skipped (it was there), failed or not run; with a dry run, what it would be. A check says
    skipped or differs, ``error`` how, and ``digest`` what it should be. ``action`` says
    what that is to the destination's tag: add, move, keep, mend (with verify: below the same digest), or "" where it
    is not known. ``signed_by`` is a signer and a time for each who was verified to have signed it. ``held`` is why an
    image that is too young is not taken yet. Sizes in bytes.
    """

    source: str
    destination: str
    outcome: str = Outcome.NOT_RUN
    action: str = ""
    digest: str = ""
    before: str = ""
    sent_bytes: int = 0
    mounted_bytes: int = 0
    requests: int = 0
    seconds: float = 0.0
    error: str = ""
    kind: str = ""
    exit_code: int = 0
    signed_by: list[dict[str, str]] = field(default_factory=list)
    held: str = ""

    def fail(self, error: ImagesyncError) -> ImageResult:
        """Note the error that ended it; gives the result itself."""
        self.outcome, self.error, self.kind, self.exit_code = Outcome.FAILED, str(error), error.kind, error.exit_code
        return self

    def differ(self, action: str, why: str) -> None:
        """Note that the destination is not as it should be, and what a sync would do there."""
        self.outcome, self.action, self.error = Outcome.DIFFERS, action, why
        self.kind, self.exit_code = Differs.kind, Differs.exit_code


@dataclass
class RemovalResult:
    """What became of a destination's tag that no rule picks any more.

    ``outcome`` is removed, kept or failed; not run, where that is not known; unwanted, where it was only looked at.
    """

    reference: str
    outcome: str
    why: str = ""
    exit_code: int = 0


@dataclass(frozen=True)
class RegistryPulls:
    """Manifests that were read from one registry; a dry run reads those that the run itself will.

    ``limit`` is how many a registry allows in ``window_s`` seconds, 0 where it says nothing. Of them ``left`` are left,
    and more come in ``reset_s`` at most. ``wait_s`` is how long as many ``pulls`` once more would wait at most.
    ``requests`` are about those that the run will send after a dry run, else 0, and ``least_s`` is the time that they
    take at the pace that is set, 0 for none. ``unread`` are images that a dry run was not allowed to read: each of them
    needs a pull too, at least.
    """

    registry: str
    pulls: int
    limit: int = 0
    left: int = 0
    window_s: int = 0
    reset_s: int = 0
    wait_s: int = 0
    requests: int = 0
    least_s: int = 0
    unread: int = 0


def _merged_registries(every: Iterable[RegistryPulls]) -> list[RegistryPulls]:
    """Each registry once: the last one tells what is left, and all of them wait for that."""
    by_name: dict[str, RegistryPulls] = {}
    for each in every:
        before = by_name.get(each.registry, RegistryPulls(each.registry, 0))
        pulls, unread = before.pulls + each.pulls, before.unread + each.unread
        limit = PullLimit(each.registry, each.limit, each.left, each.window_s, each.reset_s)
        by_name[each.registry] = replace(
            each,
            pulls=pulls,
            wait_s=limit.wait_s(pulls + unread),
            requests=before.requests + each.requests,
            least_s=max(before.least_s, each.least_s),
            unread=unread,
        )
    return list(by_name.values())


def failed_together(report: BatchReport) -> list[list[ImageResult]]:
    """The images that have failed; those that one cause has kept from us are together."""
    groups: dict[str, list[ImageResult]] = {}
    for image in report.images:
        if image.outcome == Outcome.FAILED:
            cause = common_cause(image.kind, image.error, (image.source, image.destination))
            # What says the same of several images all the same is about a disk or a file of theirs.
            groups.setdefault(cause or image.error, []).append(image)
    return list(groups.values())


@dataclass
class BatchReport:
    """One run, or several that were merged. ``requests`` are all of it, also those that belong to no image.

    ``registries`` are those of which manifests were read.
    """

    dry_run: bool = False
    images: list[ImageResult] = field(default_factory=list)
    removals: list[RemovalResult] = field(default_factory=list)
    requests: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    registries: list[RegistryPulls] = field(default_factory=list)

    def count(self, outcome: str) -> int:
        """How many images, or removals, have this outcome."""
        return [*(i.outcome for i in self.images), *(r.outcome for r in self.removals)].count(outcome)

    @property
    def sent_bytes(self) -> int:
        """What was moved."""
        return sum(image.sent_bytes for image in self.images)

    @property
    def mounted_bytes(self) -> int:
        """What did not have to be, because the registry had it elsewhere."""
        return sum(image.mounted_bytes for image in self.images)

    @property
    def exit_code(self) -> int:
        """That of a difference, if there is one; else of the first failure in the order of the file, removals last."""
        if self.count(Outcome.DIFFERS) or self.count(Outcome.UNWANTED):
            return Differs.exit_code
        codes = [i.exit_code for i in self.images if i.outcome == Outcome.FAILED]
        return next(iter(codes + [r.exit_code for r in self.removals if r.outcome == Outcome.FAILED]), 0)


def merged(reports: list[BatchReport]) -> BatchReport:
    """The reports of several shards as one; the time is that of the slowest, for they ran side by side.

    An entry whose tags could not be listed is in each of them, and here once.
    """
    images = {(image.source, image.destination): image for report in reports for image in report.images}
    return BatchReport(
        dry_run=any(report.dry_run for report in reports),
        images=list(images.values()),
        removals=[removal for report in reports for removal in report.removals],
        requests=sum(report.requests for report in reports),
        seconds=max((report.seconds for report in reports), default=0.0),
        interrupted=any(report.interrupted for report in reports),
        registries=_merged_registries(each for report in reports for each in report.registries),
    )


def totals(report: BatchReport) -> dict[str, Any]:
    """The sums that every form of the report gives."""
    images = Counter(image.outcome for image in report.images)
    removals = Counter(removal.outcome for removal in report.removals)
    return {
        **{outcome.replace(" ", "_"): images[outcome] for outcome in Outcome.OF_IMAGES},
        "removed": removals[Outcome.REMOVED],
        "unwanted": removals[Outcome.UNWANTED],
        "sent_bytes": report.sent_bytes,
        "mounted_bytes": report.mounted_bytes,
        "requests": report.requests,
        "seconds": round(report.seconds, 3),
    }


@dataclass
class BatchProgress:
    """How far the images are; ``in_flight`` is that of each image that is being copied, sizes in bytes.

    ``waiting`` images have not begun, since a registry allows no more pulls for now. ``limits`` tells what registries
    say of pulls, and ``pulls`` how many were made, by registry. ``to_send`` are requests that a dry run expects there,
    and ``unread`` images that it was not allowed to read.
    """

    total: int = 0
    done: int = 0
    failed: int = 0
    done_bytes: int = 0
    in_flight: dict[str, Progress] = field(default_factory=dict)
    waiting: int = 0
    pulls: dict[str, int] = field(default_factory=dict)
    limits: Callable[[], Sequence[PullLimit]] = tuple
    to_send: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)

    @property
    def moved_bytes(self) -> int:
        """What was moved until now."""
        return self.done_bytes + sum(progress.moved_bytes for progress in self.in_flight.values())

    @property
    def in_flight_share(self) -> float:
        """How many images those in flight amount to, each by the part of its bytes that was moved."""
        moving = [each for each in self.in_flight.values() if each.total_bytes]
        return sum(min(1.0, each.moved_bytes / each.total_bytes) for each in moving)

"""What a sync of many images says: a line an image, a line an event, and how far it is."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any

from imagesync_cli.batch.report import (
    BatchProgress,
    BatchReport,
    ImageResult,
    Outcome,
    RemovalResult,
    failed_together,
    totals,
)
from imagesync_cli.look.trust.statements import SignedBy
from imagesync_cli.output.check import signed_text
from imagesync_cli.output.console import AGAIN, counted, print_event, print_line, say, size_text
from imagesync_cli.output.live import DONE, TO_DO, showing
from imagesync_cli.output.progress import Rate, first_fitting, fitting_name, left_text, rate_text
from imagesync_cli.output.report import pulls_text
from imagesync_cli.output.terminal import width
from imagesync_cli.values.errors import first_few

_IN_FLIGHT = 8
_BAR = 30
_LISTING = "listing images"


@dataclass(kw_only=True)
class BatchOutput:
    """How one such run speaks: a line an image on stdout, or with JSON an event a line; all else on stderr.

    ``progress_mode`` is auto (a bar on a terminal, lines elsewhere), plain (lines) or none. ``is_check`` changes
    nothing, and tells what is not as it should be.
    """

    as_json: bool
    quiet: bool
    dry_run: bool = False
    is_check: bool = False
    progress_mode: str = "auto"

    def showing(self, progress: BatchProgress) -> AbstractAsyncContextManager[None]:
        """Show the progress while the block runs."""
        if self.quiet or self.progress_mode == "none":
            return nullcontext()
        plainly = self.progress_mode == "plain"
        return showing(LiveBatch(progress), lambda: batch_line(progress), say, plainly=plainly)

    def interrupted(self, progress: BatchProgress) -> str:
        """What is there, or known, when it ends now, and how to go on."""
        done = f"{progress.done} of {progress.total} images"
        if self.is_check:
            return f"interrupted: {done} were checked"
        return f"interrupted: {done} are done, and each tag moves last. {AGAIN}"

    def told(self, result: ImageResult) -> None:
        """One image is done; what was there already is only worth a line in a plan."""
        if self.as_json:
            print_event({"event": "image", **asdict(result)})
        elif result.action and (result.action != "keep" or self.dry_run):
            print_line(image_line(result))

    def ended(self, report: BatchReport) -> None:
        """What was removed, what failed and why, and all in sum."""
        for removal in report.removals:
            if self.as_json:
                print_event({"event": "removal", **asdict(removal)})
            elif removal.outcome != Outcome.FAILED:
                print_line(removal_line(removal))
        for line in failures(report):
            say(line)
        if self.as_json:
            print_event(end_event(report))
        elif not self.quiet:
            say(check_summary(report) if self.is_check else summary(report))
            for each in report.registries:
                if each.limit or (report.dry_run and (each.pulls or each.least_s)):
                    say(pulls_text(each, report))


def image_line(result: ImageResult) -> str:
    """``add``, ``move`` or ``keep``, and what; ``differs``, and how."""
    if result.outcome == Outcome.DIFFERS:
        return f"differs {result.destination}: {result.error}"
    what = f"{result.action:<6} {result.destination} {result.digest}"
    was = f"was {result.before}" if result.action == "move" else ""
    signed = signed_text(SignedBy(**each) for each in result.signed_by)
    return ", ".join(filter(None, [what, was, signed]))


def removal_line(removal: RemovalResult) -> str:
    """``remove``, ``keep``, ``unwanted`` or ``not run``, and what."""
    if removal.outcome in (Outcome.UNWANTED, Outcome.NOT_RUN):
        return f"{removal.outcome} {removal.reference}: {removal.why}"
    verb = "remove" if removal.outcome == "removed" else "keep"
    return f"{verb:<6} {removal.reference}{f' ({removal.why})' if removal.why else ''}"


def end_event(report: BatchReport) -> dict[str, Any]:
    """The last line: all in sum."""
    return {
        "event": "end",
        "dry_run": report.dry_run,
        "interrupted": report.interrupted,
        **totals(report),
        "registries": [asdict(each) for each in report.registries],
    }


def failures(report: BatchReport) -> list[str]:
    """What failed and why, and in the line of the first what else the same cause has kept from us."""
    lines = []
    for first, *others in failed_together(report):
        names = (each.destination if each.source == first.source else each.source for each in others)
        also = f"; and {len(others)} more: {first_few(names)}" if others else ""
        lines.append(f"failed: {first.source} to {first.destination}: {first.error}{also}")
    return lines + [
        f"failed: {each.reference}: {each.why}" for each in report.removals if each.outcome == Outcome.FAILED
    ]


def summary(report: BatchReport) -> str:
    sums = totals(report)
    would = "would be " if report.dry_run else ""
    counts = [f"{sums['copied']} {would}copied", f"{sums['skipped']} there already"]
    counts += [f"{sums[key]} {key.replace('_', ' ')}" for key in ("failed", "not_run") if sums[key]]
    counts += [f"{counted(sums['removed'], 'tag')} {would}removed"] if sums["removed"] else []
    sent = f"{size_text(report.sent_bytes)} {'to send' if report.dry_run else 'sent'}"
    if report.mounted_bytes:
        sent += f", {size_text(report.mounted_bytes)} mounted instead"
    return f"{', '.join(counts)}; {sent}, {counted(report.requests, 'request')}, {report.seconds:.1f} s"


def check_summary(report: BatchReport) -> str:
    sums = totals(report)
    counts = [f"{sums['skipped']} in sync", f"{sums['differs']} not"]
    counts += [f"{counted(sums['unwanted'], 'tag')} unwanted"] if sums["unwanted"] else []
    counts += [f"{sums[key]} {key.replace('_', ' ')}" for key in ("failed", "not_run") if sums[key]]
    return f"{', '.join(counts)}; {counted(report.requests, 'request')}, {report.seconds:.1f} s"


def batch_line(progress: BatchProgress) -> str:
    """How far it is, in a line."""
    if not progress.total:
        return _LISTING
    failed = f", {progress.failed} failed" if progress.failed else ""
    so_far = f"{progress.done} of {progress.total} images{failed}, {size_text(progress.moved_bytes)} moved"
    return "; ".join([so_far, *_limit_texts(progress)])


def _limit_texts(progress: BatchProgress) -> list[str]:
    """Such as "docker.io: 61 of 100 pulls left, reset in at most 4 h", and how many images wait for that."""
    waiting = [f"{counted(progress.waiting, 'image')} waiting for more pulls"] if progress.waiting else []
    return [f"{limit.registry}: {limit.text}" for limit in progress.limits()] + waiting


class LiveBatch:
    """The same for a terminal: a bar with rate and time left, told by the images, and those that are being copied."""

    def __init__(self, progress: BatchProgress) -> None:
        self._progress = progress
        self._bytes, self._images = Rate(), Rate()

    def __call__(self, columns: int, now_s: float) -> list[str]:
        """The lines in so many columns."""
        progress = self._progress
        share = progress.done + progress.in_flight_share
        self._bytes.note(now_s, progress.moved_bytes)
        self._images.note(now_s, share)
        if not progress.total:
            return [_LISTING]
        count = f"{progress.done} of {progress.total} images"
        failed = [f"{progress.failed} failed"] if progress.failed else []
        left = left_text(self._images, progress.total - share)
        text = first_fitting([[count, *failed, *rate_text(self._bytes), *left], [count, *failed]], columns)
        bar = bar_text(share / progress.total, min(_BAR, columns - width(text) - 1))
        limits = [fitting_name("  ", text, "", columns) for text in _limit_texts(progress)]
        return [f"{bar} {text}" if bar else text, *limits, *flight_lines(progress, columns)]


def bar_text(share: float, columns: int) -> str:
    """A bar of which a share, 0 to 1, is done; nothing where there is no room for one that says something."""
    filled = int(share * columns)
    return DONE * filled + TO_DO * (columns - filled) if columns >= 10 else ""


def flight_lines(progress: BatchProgress, columns: int) -> list[str]:
    """The images that are being copied, those with the most left first."""
    moving = [(name, each) for name, each in progress.in_flight.items() if each.total_bytes]
    moving.sort(key=lambda named: named[1].moved_bytes - named[1].total_bytes)
    lines = [
        fitting_name(f"  {size_text(moved):>8} of {size_text(total):<8}  ", name, "", columns)
        for name, moved, total in (
            (name, min(each.moved_bytes, each.total_bytes), each.total_bytes) for name, each in moving[:_IN_FLIGHT]
        )
    ]
    more = len(progress.in_flight) - len(lines)
    return [*lines, f"  and {more} more"] if lines and more else lines

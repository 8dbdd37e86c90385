"""Everything that is printed: results on stdout, progress and errors on stderr. The only module that prints."""

from __future__ import annotations

import contextlib
import json
import sys
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from imagesync_cli.errors import ImagesyncError
from imagesync_cli.operations.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from imagesync_cli.operations.delete_report import DeleteReport
    from imagesync_cli.operations.doctor import Diagnosis
    from imagesync_cli.operations.resolve import Resolved
    from imagesync_cli.operations.sync import SyncReport


class Output:
    """How one run speaks: text or JSON, with or without progress."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self._as_json = as_json
        self._quiet = quiet

    def resolved(self, results: list[Resolved | ImagesyncError]) -> None:
        """One line for each reference, or one JSON list; errors go to stderr as well."""
        if self._as_json:
            _print_json([_resolved_json(result) for result in results])
        for result in results:
            if isinstance(result, ImagesyncError):
                self.error(result)
            elif not self._as_json:
                _print(_plain(result.id))

    def synced(self, report: SyncReport) -> None:
        """The id on stdout; on stderr, what was done."""
        if self._as_json:
            _print_json(_sync_json(report))
            return
        _print(_plain(report.id))
        if not self._quiet:
            _say(_sync_line(report))

    def deleted(self, reports: list[DeleteReport]) -> None:
        """One line an item, or one JSON list; errors go to stderr as well."""
        if self._as_json:
            _print_json([_delete_json(report) for report in reports])
        for report in reports:
            for line in () if self._as_json else _delete_lines(report):
                _print(_plain(line))
            if report.error is not None:
                self.error(report.error)

    def diagnosed(self, diagnoses: list[Diagnosis]) -> None:
        """A table for each reference, to be pasted into a report."""
        if self._as_json:
            _print_json([asdict(diagnosis) for diagnosis in diagnoses])
            return
        for diagnosis in diagnoses:
            _print(_plain(diagnosis.reference))
            for step in diagnosis.steps:
                _print(_plain(f"  {step.name:<9}  {step.outcome:<2}  {step.seen}"))
                if step.advice:
                    _print(_plain(f"{'':<17}-> {step.advice}"))

    def answer(self, text: str) -> None:
        """An answer that is already text, as it is."""
        _print(text)

    def error(self, error: ImagesyncError) -> None:
        """What went wrong, and what to do about it."""
        _say(error.message)
        if error.hint:
            _say(f"  {error.hint}")

    def showing(self, progress: Progress) -> AbstractAsyncContextManager[None]:
        """Show the progress while the block runs: live on a terminal, a line every few seconds elsewhere."""
        from imagesync_cli.display import nothing, showing

        return nothing() if self._quiet else showing(lambda: _progress_line(progress), progress, _say)


def show_log() -> Callable[[], None]:
    """Show what the package logs: which login is used for which host. Gives the function that ends it.

    Never what httpx logs: it names signed URLs.
    """
    import logging

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            _say(record.getMessage())

    log = logging.getLogger("imagesync_cli")
    lines = Lines()
    log.addHandler(lines)
    log.setLevel(logging.INFO)
    return lambda: log.removeHandler(lines)


def _print(text: str) -> None:
    """A line on stdout; an error if nobody can have read it."""
    if sys.stdout is None:
        raise ImagesyncError("the result has nowhere to go: stdout is closed")
    try:
        print(text, flush=True)
    except UnicodeEncodeError:  # stdout is ASCII, a folder's name is not
        print(text.encode("ascii", "backslashreplace").decode("ascii"), flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ImagesyncError(f"cannot write the result to stdout: {error.strerror}") from error


def _say(text: str) -> None:
    """A line on stderr, if there is one: not having it must not fail what was done."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(f"imagesync: {_plain(text)}", file=sys.stderr, flush=True)


def _plain(text: str) -> str:
    """Nothing that a terminal would obey or an encoding lacks: tags and messages may come from anywhere."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _print_json(document: Any) -> None:
    _print(json.dumps(document, indent=2))


def _resolved_json(result: Resolved | ImagesyncError) -> dict[str, Any]:
    if isinstance(result, ImagesyncError):
        return {"error": str(result), "kind": result.kind}
    found = result.descriptor
    return {
        "reference": str(result.reference),
        "id": result.id,
        "digest": found.digest,
        "media_type": found.media_type,
        "size": found.size,
    }


def _sync_json(report: SyncReport) -> dict[str, Any]:
    blobs = {how.name.lower(): count for how, count in report.blobs.items()}
    return {**asdict(report), "blobs": blobs}


def _sync_line(report: SyncReport) -> str:
    if not report.changed:
        return f"{report.destination} is in sync with {report.source}"
    counts = [f"{report.manifests} manifests", f"{sum(report.blobs.values())} blobs"]
    counts += [f"{count} {how.value}" for how, count in report.blobs.items() if how.name != "SENT"]
    if report.foreign:
        counts.append(f"{report.foreign} foreign layers left where they are")
    verb = "would copy" if report.dry_run else "copied"
    return f"{verb} {report.source} to {report.destination}: {', '.join(counts)}, {_size(report.sent_bytes)} sent"


def _delete_json(report: DeleteReport) -> dict[str, Any]:
    error = report.error
    return {
        "reference": report.reference,
        "dry_run": report.dry_run,
        "items": [asdict(item) for item in report.items],
        "freed_bytes": report.freed_bytes,
        "error": str(error) if error else "",
        "kind": error.kind if error else "",
    }


def _delete_lines(report: DeleteReport) -> list[str]:
    lines = []
    for item in report.items:
        outcome = f"would be {item.outcome}" if report.dry_run and item.outcome == "removed" else item.outcome
        why = f" ({item.why})" if item.why else ""
        lines.append(f"{report.reference}: {outcome}: {item.kind} {item.name}{why}")
    if report.freed_bytes:
        when = "at once" if report.freed_at_once else "when the registry collects its garbage"
        come = "would come" if report.dry_run else "come"
        lines.append(f"{report.reference}: up to {_size(report.freed_bytes)} {come} free {when}")
    return lines


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _progress_line(progress: Progress) -> str:
    line = f"{_plain(progress.doing)}: {progress.done} of {progress.total} {progress.unit}"
    if progress.total_bytes:
        line += f", {_size(progress.moved_bytes)} of {_size(progress.total_bytes)}"
    return line

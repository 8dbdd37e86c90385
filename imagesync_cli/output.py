"""Everything that is printed: results on stdout, progress and errors on stderr. The only module that prints."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from imagesync_cli.errors import ImagesyncError
from imagesync_cli.operations.progress import Progress

if TYPE_CHECKING:
    from imagesync_cli.operations.delete import DeleteReport
    from imagesync_cli.operations.resolve import Resolved
    from imagesync_cli.operations.sync import SyncReport

# Short runs show nothing; long ones say every few seconds that they are alive.
_DISPLAY_AFTER_S = 0.5
_LINE_EVERY_S = 5.0


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
                _print(result.id)

    def synced(self, report: SyncReport) -> None:
        """The id on stdout; on stderr, what was done."""
        if self._as_json:
            _print_json(_sync_json(report))
            return
        _print(report.id)
        if not self._quiet:
            _say(_sync_line(report))

    def deleted(self, reports: list[DeleteReport]) -> None:
        """One line an item."""
        if self._as_json:
            _print_json([asdict(report) for report in reports])
            return
        for report in reports:
            for line in _delete_lines(report):
                _print(line)

    def answer(self, text: str) -> None:
        """An answer that is already text, as it is."""
        _print(text)

    def error(self, error: ImagesyncError) -> None:
        """What went wrong, and what to do about it."""
        _say(error.message)
        if error.hint:
            _say(f"  {error.hint}")

    @contextlib.asynccontextmanager
    async def showing(self, progress: Progress) -> AsyncIterator[None]:
        """Show the progress while the block runs: live on a terminal, a line every few seconds elsewhere."""
        if self._quiet:
            yield
            return
        display = _live(progress) if sys.stderr.isatty() else _lines(progress)
        task = asyncio.create_task(display)
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _print(text: str) -> None:
    print(text, flush=True)


def _say(text: str) -> None:
    print(f"imagesync: {text}", file=sys.stderr, flush=True)


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


def _delete_lines(report: DeleteReport) -> list[str]:
    lines = []
    for item in report.items:
        outcome = f"would be {item.outcome}" if report.dry_run and item.outcome == "removed" else item.outcome
        why = f" ({item.why})" if item.why else ""
        lines.append(f"{report.reference}: {outcome} {item.kind} {item.name}{why}")
    if report.freed_bytes:
        size = _size(report.freed_bytes)
        lines.append(f"{report.reference}: up to {size} come free when the registry collects its garbage")
    return lines


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _progress_line(progress: Progress) -> str:
    line = f"{progress.doing}: {progress.done} of {progress.total} {progress.unit}"
    if progress.total_bytes:
        line += f", {_size(progress.moved_bytes)} of {_size(progress.total_bytes)}"
    return line


async def _lines(progress: Progress) -> None:
    while True:
        await asyncio.sleep(_LINE_EVERY_S)
        _say(_progress_line(progress))


async def _live(progress: Progress) -> None:
    await asyncio.sleep(_DISPLAY_AFTER_S)
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    started = time.monotonic()
    with Live(console=Console(stderr=True), transient=True, auto_refresh=False) as live:
        while True:
            rate = progress.moved_bytes / max(time.monotonic() - started, 0.1)
            speed = f", {_size(int(rate))}/s" if progress.moved_bytes else ""
            live.update(Text(_progress_line(progress) + speed, overflow="ellipsis", no_wrap=True), refresh=True)
            await asyncio.sleep(0.1)

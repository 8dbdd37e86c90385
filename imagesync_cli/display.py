"""Progress while an operation runs: a live line on a terminal, a plain line every few seconds elsewhere.

What a line says is output.py's; it is imported when something runs, not before.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from imagesync_cli.operations.progress import Progress

if TYPE_CHECKING:
    from imagesync_cli.operations.batch import BatchProgress

# Short runs show nothing; long ones say every few seconds that they are alive.
_DISPLAY_AFTER_S = 0.5
_LINE_EVERY_S = 5.0
Line = Callable[[], str]
Say = Callable[[str], None]


@contextlib.asynccontextmanager
async def showing(line: Line, progress: Progress, say: Say) -> AsyncIterator[None]:
    """Show the line, as it is at the moment, while the block runs."""
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    task = asyncio.create_task(_live(line, progress) if on_terminal else _lines(line, say))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def showing_lines(
    line: Line, more: Callable[[], list[str]], progress: BatchProgress, say: Say, *, plainly: bool
) -> AsyncIterator[None]:
    """Show how far many images are while the block runs: a bar and the lines of ``more`` on a terminal."""
    on_terminal = sys.stderr is not None and sys.stderr.isatty() and not plainly
    task = asyncio.create_task(_bar(more, progress) if on_terminal else _lines(line, say))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def nothing() -> AsyncIterator[None]:
    """Show nothing."""
    yield


async def _lines(line: Line, say: Say) -> None:
    while True:
        await asyncio.sleep(_LINE_EVERY_S)
        say(line())


async def _live(line: Line, progress: Progress) -> None:
    await asyncio.sleep(_DISPLAY_AFTER_S)
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    started, moved_before = time.monotonic(), progress.moved_bytes
    with Live(console=Console(stderr=True), transient=True, auto_refresh=False) as live:
        while True:
            moved_bytes = progress.moved_bytes - moved_before
            rate = moved_bytes / max(time.monotonic() - started, 0.1) / 1_000_000
            speed = f", {rate:.1f} MB/s" if moved_bytes else ""
            live.update(Text(line() + speed, overflow="ellipsis", no_wrap=True), refresh=True)
            await asyncio.sleep(0.1)


async def _bar(more: Callable[[], list[str]], progress: BatchProgress) -> None:
    """An overall bar with rate and time left, told by the images that are done, and below it those in flight."""
    await asyncio.sleep(_DISPLAY_AFTER_S)
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    rate, started = TextColumn("{task.fields[rate]}"), time.monotonic()
    bar = Bar(TextColumn("images"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    overall = bar.add_task("images", total=None, rate="")
    with Live(console=Console(stderr=True), transient=True, auto_refresh=False) as live:
        while True:
            megabytes = progress.moved_bytes / max(time.monotonic() - started, 0.1) / 1_000_000
            bar.update(overall, total=progress.total or None, completed=progress.done, rate=f"{megabytes:.1f} MB/s")
            lines = [Text(text, overflow="ellipsis", no_wrap=True) for text in more()]
            live.update(Group(bar, *lines), refresh=True)
            await asyncio.sleep(0.1)

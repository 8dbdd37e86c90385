"""Progress while an operation runs: lines at the foot of a terminal, a plain line every few seconds elsewhere.

What a line says is output's; this is imported when something runs, not before.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable

from imagesync_cli.output.terminal import drawing
from imagesync_cli.settings import draws_on_terminals

# Short runs show nothing; long ones say every few seconds that they are alive.
_DISPLAY_AFTER_S = 0.5
_DRAW_EVERY_S = 0.1
_LINE_EVERY_S = 5.0
# A run may wait for hours, and says the same all the while.
_SAME_EVERY_S = 300.0
DONE, TO_DO, CUT = _DRAWN_WITH = "━╌…"
Draw = Callable[[int, float], list[str]]
"""The lines for so many columns at a time (of ``time.monotonic``); it is also how they learn of the pace."""


@contextlib.asynccontextmanager
async def showing(
    draw: Draw, line: Callable[[], str], say: Callable[[str], None], *, plainly: bool = False
) -> AsyncIterator[None]:
    """Show how far it is while the block runs: what ``draw`` gives on a terminal, else or ``plainly`` the line."""
    task = asyncio.create_task(_lines(line, say) if plainly or not _can_draw() else _live(draw))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _can_draw() -> bool:
    if sys.stderr is None or not sys.stderr.isatty() or not draws_on_terminals():
        return False
    try:
        _DRAWN_WITH.encode(sys.stderr.encoding)
    except UnicodeEncodeError:
        return False
    return True


async def _lines(line: Callable[[], str], say: Callable[[str], None]) -> None:
    said, for_s = "", 0.0
    while True:
        await asyncio.sleep(_LINE_EVERY_S)
        for_s += _LINE_EVERY_S
        if (text := line()) != said or for_s >= _SAME_EVERY_S:
            said, for_s = text, 0.0
            say(text)


async def _live(draw: Draw) -> None:
    await asyncio.sleep(_DISPLAY_AFTER_S)
    with contextlib.suppress(OSError), drawing() as over:  # a terminal that has gone must not fail what is being done
        while True:
            over(lambda columns: draw(columns, time.monotonic()))
            await asyncio.sleep(_DRAW_EVERY_S)

"""Lines at the foot of the terminal that stderr is, drawn over again while others are printed above them.

rich draws, measures and cuts; it is loaded when something is shown. A terminal that has gone is an OSError.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

_SPARE = 3  # where the terminal echoes ^C: on the next line it would be what is erased in place of the last line
Lines = Callable[[int], list[str]]
"""The lines for so many columns."""
_draws: list[Callable[[Lines], None]] = []


def hide() -> None:
    """Take away what is drawn, for a line that is about to be printed; the next drawing comes below it."""
    with contextlib.suppress(OSError):
        for draw in _draws:
            draw(lambda _: [])


@contextlib.contextmanager
def drawing() -> Iterator[Callable[[Lines], None]]:
    """Give what draws lines in place of those before, cut to the width of the terminal, until the block ends."""
    from rich.console import Console
    from rich.control import Control
    from rich.live import Live
    from rich.segment import ControlType
    from rich.text import Text

    console = Console(stderr=True, _environ={})  # COLUMNS, if exported, is what some terminal had once
    above = [(ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)]
    drawn: list[Text] = []

    def draw(lines: Lines) -> None:
        nonlocal drawn
        # Live goes up by the lines that it has drawn; they take more rows where the terminal has become narrower.
        console.control(Control(*above * sum((line.cell_len - 1) // console.width for line in drawn)))
        columns = max(1, console.width - _SPARE)
        drawn = [Text(line) for line in lines(columns)[: console.height]]
        for line in drawn:
            line.truncate(columns, overflow="ellipsis")
        live.update(Text("\n").join(drawn), refresh=True)

    with Live(
        console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as live:
        console.show_cursor()  # Live hides it, and not every end of a run would bring it back
        _draws.append(draw)
        try:
            yield draw
        finally:
            _draws.remove(draw)
            draw(lambda _: [])


def width(text: str) -> int:
    """How many cells a terminal takes for it."""
    from rich.cells import cell_len

    return cell_len(text)

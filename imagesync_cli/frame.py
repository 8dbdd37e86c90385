"""Lines at the foot of a terminal that are drawn over again, while other lines are printed above them.

Not a library's: those take stdout over as well, and then a result that goes to a file ends up on the terminal. The
cursor stays visible and the terminal in its mode: however a run ends, nothing has to be put back.
"""

from __future__ import annotations

import contextlib
import os
import sys
import unicodedata
from collections.abc import Sequence

DONE, TO_DO, _CUT = DRAWN_WITH = "━╌…"
_SPARE = 3  # where the terminal echoes ^C: on the next line it would be what is erased in place of the last line
_shown: list[Frame] = []


def hide() -> None:
    """Take away what is drawn, for a line that is about to be printed; the next drawing comes below it."""
    for frame in _shown:
        frame.erase()


class Frame:
    """The last lines of the terminal that stderr is; from ``with`` on others can hide it."""

    def __init__(self) -> None:
        self._drawn: list[int] = []

    def __enter__(self) -> Frame:
        _shown.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.erase()
        _shown.remove(self)

    @property
    def columns(self) -> int:
        """How wide a line may be at this moment."""
        return self._terminal()[0] - _SPARE

    def _terminal(self) -> tuple[int, int]:
        """Columns and lines; 80 and 24 of a terminal that does not say."""
        try:
            columns, lines = os.get_terminal_size(sys.stderr.fileno())
        except OSError:
            columns = lines = 0
        return columns or 80, lines or 24

    def draw(self, lines: Sequence[str]) -> None:
        """Draw these in place of what is there: each cut to the width, and no more than the terminal has."""
        columns, rows = self._terminal()
        kept = [fitting(line, columns - _SPARE) for line in lines[: max(1, rows - 1)]]
        self._write(self._eraser(columns) + "\n".join(kept))
        self._drawn = [width(line) for line in kept]

    def erase(self) -> None:
        """Leave the terminal as if nothing had been drawn."""
        if self._drawn:
            self._write(self._eraser(self._terminal()[0]))
            self._drawn = []

    def _eraser(self, columns: int) -> str:
        """What takes the drawn lines away, from the last one up; they take more rows where it has become narrower."""
        rows = sum(max(1, -(-cells // columns)) for cells in self._drawn)
        return "\r\x1b[2K" + "\x1b[1A\x1b[2K" * (rows - 1)

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # a terminal that has gone must not fail what is being done
            sys.stderr.write(text)
            sys.stderr.flush()


def width(text: str) -> int:
    """How many cells a terminal takes for it: two for a wide character, none for one that goes onto another."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fitting(text: str, columns: int) -> str:
    """The text, or its beginning, in so many cells."""
    if width(text) <= columns:
        return text
    kept = text[: max(0, columns - 1)]
    while width(kept) > columns - 1:
        kept = kept[:-1]
    return kept + _CUT


def fitting_name(before: str, name: str, after: str, columns: int) -> str:
    """All three in so many cells: what has to go is the beginning of the name, whose end tells one from another."""
    room = columns - width(before) - width(after) - len(_CUT)
    if width(name) > room + len(_CUT):
        while name and width(name) > room:
            name = name[1:]
        name = _CUT + name
    return before + name + after

"""What is drawn at the foot of a terminal: as wide as it is, and gone when it is done."""

from __future__ import annotations

import io
import os

import pytest

from imagesync_cli.frame import Frame, fitting, fitting_name, hide, width


class _Terminal(io.StringIO):
    """A terminal of some size that keeps what is written to it."""

    def __init__(self, columns: int, lines: int) -> None:
        super().__init__()
        self.size = os.terminal_size((columns, lines))

    def fileno(self) -> int:
        return -1

    def taken(self) -> str:
        """What was written since this was asked last."""
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        return text


def _terminal(patch: pytest.MonkeyPatch, columns: int = 20, lines: int = 5) -> _Terminal:
    made = _Terminal(columns, lines)
    patch.setattr("sys.stderr", made)
    patch.setattr(os, "get_terminal_size", lambda _: made.size)
    return made


def test_lines_are_drawn_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each drawing takes the place of the one before, and at the end nothing is left of it."""
    terminal = _terminal(monkeypatch)
    with Frame() as drawn:
        drawn.draw(["one", "two"])
        assert terminal.taken() == "\r\x1b[2Kone\ntwo"
        drawn.draw(["three"])
        assert terminal.taken() == "\r\x1b[2K\x1b[1A\x1b[2Kthree"
    assert terminal.taken() == "\r\x1b[2K"


def test_lines_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """No line wraps, not even with the ^C that a terminal adds to it, and no more lines are drawn than there are."""
    terminal = _terminal(monkeypatch)
    with Frame() as drawn:
        drawn.draw(["x" * 30] * 9)
        lines = terminal.taken().removeprefix("\r\x1b[2K").split("\n")
    assert len(lines) == 4
    assert {width(line) for line in lines} == {drawn.columns}
    assert drawn.columns <= 20 - len("^C")


def test_a_terminal_that_becomes_narrower(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that a narrower terminal has broken in two are taken away whole."""
    terminal = _terminal(monkeypatch)
    with Frame() as drawn:
        drawn.draw(["x" * 15, "y" * 5])
        terminal.size = os.terminal_size((10, 5))
        terminal.taken()
        drawn.draw([])
        assert terminal.taken().count("\x1b[2K") == 3


def test_a_line_is_printed_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is drawn goes away for a line that is printed, once, and comes back below it."""
    terminal = _terminal(monkeypatch)
    with Frame() as drawn:
        drawn.draw(["far"])
        terminal.taken()
        hide()
        hide()
        assert terminal.taken() == "\r\x1b[2K"
        drawn.draw(["farther"])
        assert terminal.taken() == "\r\x1b[2Kfarther"
    terminal.taken()
    hide()
    assert terminal.taken() == ""


def test_a_terminal_that_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody can see any more fails nothing."""
    terminal = _terminal(monkeypatch)
    with Frame() as drawn:
        terminal.close()
        drawn.draw(["far"])


@pytest.mark.parametrize(("text", "cells"), [("", 0), ("app:1.0", 7), ("画像", 4), ("e\u0301", 1), ("한", 2), ("é", 1)])
def test_width(text: str, cells: int) -> None:
    """Wide characters take two cells, accents on others none."""
    assert width(text) == cells


@pytest.mark.parametrize("columns", range(1, 12))
@pytest.mark.parametrize("text", ["registry.example.com/app", "画像の写し/長い名前", "短い"])
def test_what_is_cut_fits(text: str, columns: int) -> None:
    """A text that is cut says so and is never wider than it may be."""
    cut = fitting(text, columns)
    assert width(cut) <= columns
    assert cut == text or cut.endswith("…")
    named = fitting_name("", text, "", columns)
    assert width(named) <= columns
    assert named == text or named.startswith("…")


def test_a_name_loses_its_beginning() -> None:
    """Of a name that is too long its end is kept, which tells it from others, and the numbers stay whole."""
    line = fitting_name("copying ", "registry.example.com/team/app:1.0", ": 3 of 4", 27)
    assert line == "copying …am/app:1.0: 3 of 4"

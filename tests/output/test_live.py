"""What is drawn at the foot of a terminal: as wide as it is, and gone when it is done."""

from __future__ import annotations

import asyncio
import io
import os

import pytest

from imagesync_cli.output import live
from imagesync_cli.output.terminal import drawing, hide, width
from tests.fake_time import run_in_fake_time


class _Terminal(io.StringIO):
    """A terminal of some size that keeps what is written to it."""

    encoding = "utf-8"

    def __init__(self, columns: int, lines: int) -> None:
        super().__init__()
        self.size = os.terminal_size((columns, lines))
        self.gone = False

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.gone:
            raise OSError(5, "Input/output error")
        return super().write(text)

    def taken(self) -> str:
        """What was written since this was asked last."""
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        return text


def _terminal(patch: pytest.MonkeyPatch) -> _Terminal:
    made = _Terminal(20, 5)
    patch.setattr("sys.stderr", made)
    patch.setattr(os, "get_terminal_size", lambda *_: made.size)
    return made


def test_lines_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """No line wraps, not even with the ^C that a terminal adds to it, and no more lines are drawn than there is room
    for, whatever the environment says of some other terminal."""
    terminal = _terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "200")
    with drawing() as draw:
        terminal.taken()
        draw(lambda columns: ["x" * (columns + 1), "画像" * columns, *"abcdefg"])
        lines = terminal.taken().split("\n")
    assert lines == ["x" * 16 + "…", "画像" * 4 + "…", *"abc"]


def test_a_terminal_that_becomes_narrower(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that a narrower terminal has broken in two are taken away whole."""
    terminal = _terminal(monkeypatch)
    with drawing() as draw:
        draw(lambda _: ["x" * 15, "y" * 5])
        terminal.size = os.terminal_size((10, 5))
        terminal.taken()
        hide()
        erased = terminal.taken()
    assert (erased.count("\x1b[2K"), erased.count("\x1b[1A")) == (3, 2)


def test_a_line_is_printed_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is drawn goes away for a line that is printed, once, and comes back below it."""
    terminal = _terminal(monkeypatch)
    with drawing() as draw:
        draw(lambda _: ["how", "far"])
        terminal.taken()
        hide()
        assert terminal.taken() == "\r\x1b[2K\x1b[1A\x1b[2K"
        hide()
        draw(lambda _: ["farther"])
        assert "\x1b[1A" not in terminal.taken()
    terminal.taken()
    hide()
    assert terminal.taken() == ""


def test_the_cursor_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """However a run ends while lines are drawn, the cursor is there."""
    terminal = _terminal(monkeypatch)
    with drawing():
        assert terminal.taken().endswith("\x1b[?25h")


def test_a_terminal_that_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody can see any more fails nothing that goes on."""
    terminal = _terminal(monkeypatch)
    monkeypatch.setattr(live, "_DISPLAY_AFTER_S", 0)
    monkeypatch.setattr(live, "draws_on_terminals", lambda: True)

    async def work() -> None:
        async with live.showing(lambda *_: ["far"], str, print):
            for _ in range(3):
                await asyncio.sleep(0)
            assert "far" in terminal.taken()
            terminal.gone = True
            hide()

    asyncio.run(work())


@pytest.mark.parametrize(("text", "cells"), [("", 0), ("app:1.0", 7), ("画像", 4), ("e\u0301", 1), ("한", 2), ("é", 1)])
def test_width(text: str, cells: int) -> None:
    """Wide characters take two cells, accents on others none."""
    assert width(text) == cells


def test_a_wait_of_hours_is_told_in_few_lines() -> None:
    """A line that says what the last one said comes every five minutes, a new one within seconds."""

    async def work() -> list[str]:
        said: list[str] = []
        texts = iter(["1 of 9", "2 of 9"])
        async with live.showing(lambda *_: [], lambda: next(texts, "waiting"), said.append, plainly=True):
            await asyncio.sleep(1200)
        return said

    assert run_in_fake_time(work()) == ["1 of 9", "2 of 9", *["waiting"] * 4]

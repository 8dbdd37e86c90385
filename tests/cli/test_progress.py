"""Progress where there is no terminal: plain lines now and then, none with --quiet.

The live display on a terminal is in operations/test_processes.py.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

import pytest

from imagesync_cli import display
from imagesync_cli.operations.progress import Progress
from imagesync_cli.output import Output

Captured = pytest.CaptureFixture[str]
PROGRESS = Progress("copying a.example/a:\x1b[2J1", done=3, total=12, moved_bytes=2_500_000, total_bytes=40_000_000)


def shown(showing: AbstractAsyncContextManager[None]) -> None:
    """Run so long that some lines come."""

    async def work() -> None:
        async with showing:
            for _ in range(10):
                await asyncio.sleep(0)

    asyncio.run(work())


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "_LINE_EVERY_S", 0)


def test_plain_lines(capsys: Captured) -> None:
    """Each line says what is being done and how far it is, without anything that a log could not hold."""
    shown(Output().showing(PROGRESS))
    out, err = capsys.readouterr()
    assert out == ""
    line = "imagesync: copying a.example/a:\\x1b[2J1: 3 of 12 blobs, 2.5 MB of 40.0 MB\n"
    assert err.startswith(line)
    assert set(err.splitlines(keepends=True)) == {line}


def test_quiet(capsys: Captured) -> None:
    """With --quiet nothing is shown."""
    shown(Output(quiet=True).showing(PROGRESS))
    assert capsys.readouterr() == ("", "")

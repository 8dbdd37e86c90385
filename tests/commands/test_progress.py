"""What progress says: plain lines where there is no terminal, none with --quiet, as much as fits on a terminal.

How it is drawn on a terminal is in test_terminal.py and tests/copy/test_processes.py.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pytest

from imagesync_cli.batch.report import BatchProgress
from imagesync_cli.output import Output, live
from imagesync_cli.output.batch import LiveBatch
from imagesync_cli.output.progress import LiveProgress, fitting_name
from imagesync_cli.output.terminal import width
from imagesync_cli.values.progress import Progress

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
    monkeypatch.setattr(live, "_LINE_EVERY_S", 0)


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


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (100, "copying registry.example.com/a:\\x1b[2J1: 3 of 12 blobs, 7.5 MB of 40.0 MB, 2.5 MB/s, 0:13 left"),
        (80, "copying …e.com/a:\\x1b[2J1: 3 of 12 blobs, 7.5 MB of 40.0 MB, 2.5 MB/s, 0:13 left"),
        (60, "copying …/a:\\x1b[2J1: 7.5 MB of 40.0 MB, 2.5 MB/s, 0:13 left"),
        (40, "copying …m/a:\\x1b[2J1: 7.5 MB of 40.0 MB"),
    ],
)
def test_live_line(columns: int, line: str) -> None:
    """On a terminal the line has the rate and the time left; where it is narrow, the size and the name's end stay."""
    progress = replace(PROGRESS, doing="copying registry.example.com/a:\x1b[2J1")
    live = LiveProgress(progress)
    live(columns, 10.0)
    progress.moved_bytes += 5_000_000
    assert live(columns, 12.0) == [line]


def _batch() -> BatchProgress:
    return BatchProgress(
        total=4,
        done=1,
        failed=1,
        in_flight={"r.example/画像/app:1": Progress(moved_bytes=1_000_000, total_bytes=4_000_000)},
    )


@pytest.mark.parametrize(
    ("columns", "lines"),
    [
        (
            80,
            [
                "━━━━━━━━━━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 1 of 4 images, 1 failed, 1.0 MB/s, 0:09 left",
                "    3.0 MB of 4.0 MB    r.example/画像/app:1",
            ],
        ),
        (36, ["━━━━━╌╌╌╌╌╌╌ 1 of 4 images, 1 failed", "    3.0 MB of 4.0 MB    …/画像/app:1"]),
        (24, ["1 of 4 images, 1 failed", "    3.0 MB of 4.0 MB    …"]),
    ],
)
def test_live_batch(columns: int, lines: list[str]) -> None:
    """Of many images the bar counts each by the part of it that was moved, and failures are told as they come."""
    progress = _batch()
    live = LiveBatch(progress)
    live(columns, 10.0)
    progress.in_flight["r.example/画像/app:1"].moved_bytes += 2_000_000
    assert live(columns, 12.0) == lines


@pytest.mark.parametrize("columns", range(1, 12))
@pytest.mark.parametrize("name", ["registry.example.com/app", "画像の写し/長い名前", "短い"])
def test_a_name_that_is_cut_fits(name: str, columns: int) -> None:
    """A name that is cut says so and is never wider than it may be."""
    cut = fitting_name("", name, "", columns)
    assert width(cut) <= columns
    assert cut == name or cut.startswith("…")


def test_a_name_loses_its_beginning() -> None:
    """Of a name that is too long its end is kept, which tells it from others, and the numbers stay whole."""
    line = fitting_name("copying ", "registry.example.com/team/app:1.0", ": 3 of 4", 27)
    assert line == "copying …am/app:1.0: 3 of 4"

"""One quick run of the benchmarks, from the command to its files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import shards
from tests import peers


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a quick run wrote its files to."""
    return _run(tmp_path_factory.mktemp("benchmarks"), "imagesync,crane,regctl")


def _run(folder: Path, tools: str, *options: str) -> Path:
    programs = [str(Path(peers.program(name)).parent) for name in ("registry", "crane", "regctl")]
    command = [sys.executable, "-m", "benchmarks", "--quick", "--tools", tools, *options]
    files = ["--json", str(folder / "r.json"), "--markdown", str(folder / "r.md"), "--chart", str(folder / "r.svg")]
    path = os.pathsep.join([*programs, os.environ["PATH"]])
    done = subprocess.run(
        [*command, *files],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def _rows(results: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((results / "r.json").read_text())["rows"]
    return rows


def test_a_quick_run_measures_every_tool(results: Path) -> None:
    """A quick run has a row with a time, CPU and memory for each tool in each kind of copy."""
    rows = [row for row in _rows(results) if row["scenario"] in ("cold small", "warm small", "mount small")]

    assert {row["tool"] for row in rows} == {"imagesync", "crane", "regctl"}
    assert {(row["scenario"], row["delay_ms"]) for row in rows} == {
        ("cold small", 0),
        ("cold small", 1),
        ("warm small", 1),
        ("mount small", 1),
    }
    assert all(row["wall_ms"] > 0 and row["cpu_ms"] > 0 and row["rss_mib"] > 1 for row in rows)


def test_many_images_at_once(results: Path) -> None:
    """A quick run copies ten images in one call, and by crane in a loop; a second run of ours only looks."""
    rows = {(row["scenario"], row["tool"]): row for row in _rows(results)}
    assert rows["batch of 10 images", "imagesync"]["requests"] == "30+60"
    assert rows["batch of 10 images again", "imagesync"]["requests"] == "10+10"
    assert rows["batch of 10 images", "crane, called in a loop"]["wall_ms"] > 0


def test_one_row_by_its_name(tmp_path: Path) -> None:
    """Asked for the name of a row in the table, a run measures that row and no other."""
    rows = _rows(_run(tmp_path, "imagesync", "--only", "^50 HEADs in one call"))
    assert [(row["scenario"], row["tool"]) for row in rows] == [("50 HEADs in one call", "imagesync")]


def test_shards_are_balanced() -> None:
    """With known sizes no share of many images is a twentieth heavier than the average; one more image moves few."""
    found = shards.simulate(5_000, 16, known=1.0)
    assert found.heaviest < 1.05
    assert found.moved < 0.02


@pytest.mark.parametrize(
    ("scenario", "requests"),
    [("cold small", "3+6"), ("warm small", "1+1"), ("mount small", "5"), ("resolve 20", "20")],
)
def test_the_requests_are_the_fewest_that_the_protocol_allows(results: Path, scenario: str, requests: str) -> None:
    """imagesync needs no request more than the protocol does: at the source + at the destination."""
    ours = [row for row in _rows(results) if row["scenario"] == scenario and row["tool"] == "imagesync"]

    assert ours
    assert {row["requests"] for row in ours} == {requests}


def test_the_table_and_the_chart_are_written(results: Path) -> None:
    """The Markdown table has a ratio to the best peer, and the chart is an SVG with our name in it."""
    table = (results / "r.md").read_text().splitlines()
    assert all(line.count("|") == table[0].count("|") for line in table)
    assert any("| imagesync |" in line and "**" in line for line in table)

    chart = ElementTree.parse(results / "r.svg")  # noqa: S314  (written a moment ago)
    assert "imagesync" in {element.text for element in chart.iter()}


def test_a_page_is_written_from_saved_results(results: Path, tmp_path: Path) -> None:
    """--from and --into put the tables of an earlier run where a page has places for them, and nothing else changes."""
    page = tmp_path / "page.md"
    page.write_text(
        "Before\n<!-- verdicts -->\noutdated\n<!-- end of verdicts -->\n<!-- rows -->\n<!-- end of rows -->\nAfter\n"
    )

    command = [sys.executable, "-m", "benchmarks", "--from", str(results / "r.json"), "--into", str(page)]
    subprocess.run(command, cwd=Path(__file__).parents[2], check=True, capture_output=True)

    written = page.read_text()
    assert (results / "r.md").read_text() in written
    assert "| cold small, 50 ms, ÷ best peer | 0.75 | | not measured | |" in written
    assert "| copies and look-ups with other than the fewest requests | 0 | 0 | yes |" in written
    assert "outdated" not in written
    assert written.startswith("Before\n")
    assert written.endswith("After\n")


def test_a_page_without_a_place_stays_as_it_is(results: Path, tmp_path: Path) -> None:
    """A page that has no place for the tables is refused by name and left alone."""
    page = tmp_path / "page.md"
    page.write_text("Nothing here\n")

    command = [sys.executable, "-m", "benchmarks", "--from", str(results / "r.json"), "--into", str(page)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], check=False, capture_output=True, text=True)

    assert done.returncode != 0
    assert str(page) in done.stderr
    assert page.read_text() == "Nothing here\n"

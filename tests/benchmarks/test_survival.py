"""The survival table still runs, and tells what survived from what did not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.images import SMALL
from benchmarks.registries import Registry, running
from benchmarks.repository import Repository
from benchmarks.survival import BAD, CASES, CLEAN, LATE, SURVIVED, outcome_of
from tests import peers


def test_the_table(tmp_path: Path) -> None:
    """A layer that is cut and a registry that refuses an upload are survived, and the files say so."""
    path = os.pathsep.join([str(Path(peers.program("registry")).parent), os.environ["PATH"]])
    files = ["--json", str(tmp_path / "s.json"), "--markdown", str(tmp_path / "s.md")]
    names = "cut at half,503 opening an upload"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.survival", "--tools", "imagesync", "--only", names, *files],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    cells = json.loads((tmp_path / "s.json").read_text())["cells"]
    assert [(cell["fault"], cell["outcome"]) for cell in cells] == [(name, SURVIVED) for name in names.split(",")]
    assert "**2 of 2**" in (tmp_path / "s.md").read_text()


def test_there_are_23() -> None:
    """The table has the number of faults that it is known for, each with a name of its own."""
    assert len({case.name for case in CASES}) == 23


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running(peers.program("registry"), tmp_path) as running_registry:
        yield running_registry


@pytest.mark.parametrize(("code", "outcome"), [(0, BAD), (1, CLEAN), (None, LATE)])
def test_an_untouched_tag(registry: Registry, code: int | None, outcome: str) -> None:
    """Where the tag is still the old image, a failure is a clean one, and success a lie."""
    mirror = Repository(registry.host, "mirror/app")
    old = mirror.push(SMALL, "1")
    assert outcome_of(mirror, code, "sha256:new", old) == outcome


def test_a_lost_tag(registry: Registry) -> None:
    """Where the tag is neither the old image nor the new one, no exit code makes it good."""
    assert outcome_of(Repository(registry.host, "mirror/app"), 1, "sha256:new", "sha256:old") == BAD

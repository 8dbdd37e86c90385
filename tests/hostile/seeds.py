"""Runs that a seed decides: how many there are, the process that they are in, and what no run may end like."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.command import CHECKOUT, environment

MOST_MIB = 80
WITHIN_S = 60
CODES = {0, 1, 2, 3, 4, 5, 6, 7, 8}
SEEDS_A_PROCESS = 25
SEEDS = 300


class Runner:
    """Commands in a process of their own, as one that grows too large shows only there."""

    def __init__(self) -> None:
        environ = {name: value for name, value in environment().items() if not name.startswith("COVERAGE")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.seeded_runner"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=CHECKOUT,
            env=environ,
        )

    def __call__(self, *arguments: str, stdin: str = "") -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([stdin, *arguments]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the process ended (exit code {self._process.wait()}) in {arguments}"
        report: dict[str, Any] = json.loads(answer)
        return report

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


Seed = Callable[[int, Path, Runner], "list[str]"]


def run_seeds(one: Seed, seeds: range, folder: Path) -> list[str]:
    """Run each seed, in a folder of its own; a line for all that was wrong."""
    found, runner = list[str](), Runner()
    try:
        for seed in seeds:
            here = folder / str(seed)
            here.mkdir()
            found += one(seed, here, runner)
            shutil.rmtree(here)
    finally:
        runner.close()
    return found


def run_for_a_night(one: Seed, folder: Path) -> list[str]:
    """The same for IMAGESYNC_SOAK_RUNS seeds (20,000), from IMAGESYNC_SOAK_SEED on (1,000)."""
    runs = int(os.environ.get("IMAGESYNC_SOAK_RUNS", "20000"))
    start = int(os.environ.get("IMAGESYNC_SOAK_SEED", "1000"))
    found: list[str] = []
    for first in range(start, start + runs, SEEDS_A_PROCESS):
        found += run_seeds(one, range(first, first + SEEDS_A_PROCESS), folder)
    return found


def wrong_ends(report: dict[str, Any]) -> list[str]:
    """What is wrong with a run's exit code, last words, time or size."""
    found = []
    if report["code"] not in CODES or "bug in imagesync" in report["err"] or "Traceback" in report["err"]:
        found.append(f"ended with {report['code']}: {report['err']}")
    if report["seconds"] > WITHIN_S:
        found.append(f"took {report['seconds']:.0f} s")
    if report["size_mib"] > MOST_MIB:
        found.append(f"took {report['size_mib']:.0f} MiB")
    return found

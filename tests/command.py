"""Run imagesync: in this process where only its answer matters, as a process of its own where signals do.

Either way it sees no login, proxy or setting of the machine, only what the test gives it.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from imagesync_cli.cli import main

IMAGESYNC = (sys.executable, "-m", "imagesync_cli")
CHECKOUT = Path(__file__).parents[1]
RUN_WITHIN_S = 120


@dataclass(frozen=True)
class Finished:
    """How a run ended."""

    code: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    """What a process needs to run imagesync from this checkout, and nothing that changes what it does."""
    kept = ("PATH", "SYSTEMROOT", "TMPDIR", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
    wanted = {name: os.environ[name] for name in kept if name in os.environ}
    return {**wanted, "PYTHONPATH": str(CHECKOUT), "HOME": "/proc/nonexistent", **more}


def imagesync(*arguments: str, stdin: str | bytes = "", environ: Mapping[str, str] | None = None) -> Finished:
    """Run the command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    given = stdin.encode() if isinstance(stdin, str) else stdin
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.lower().endswith("_proxy") or "IMAGESYNC_" in name]:
            patch.delenv(name)
        for name, value in environment(**(environ or {})).items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["imagesync", *arguments])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        with pytest.raises(SystemExit) as ended:
            main()
    code = ended.value.code
    assert isinstance(code, int)
    return Finished(code, out.getvalue(), err.getvalue())


def imagesync_process(*arguments: str, stdin: str = "", **environ: str) -> Finished:
    """Run the command as a process of its own, to its end."""
    done = subprocess.run(
        [*IMAGESYNC, *arguments],
        env=environment(**environ),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_WITHIN_S,
    )
    return Finished(done.returncode, done.stdout, done.stderr)

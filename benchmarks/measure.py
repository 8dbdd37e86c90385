"""Run one command and say what it took: time, CPU, peak memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LIMIT_S = 600
_LAUNCH = Path(__file__).with_name("launch.py")


@dataclass(frozen=True)
class Cost:
    """What one run of a command took; CPU is user and system, with that of its own children."""

    wall_s: float
    cpu_s: float
    rss_mib: float


class CommandError(RuntimeError):
    """A measured command did not do its work."""


def measure(command: Sequence[str], environ: Mapping[str, str], stdin: str = "") -> Cost:
    """Run the command and wait; raise CommandError with what it said unless it exits with 0."""
    program = shutil.which(command[0])
    if program is None:
        raise CommandError(f"{command[0]} is not on the PATH")
    receive, send = os.pipe()
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as query:
        query.write(stdin.encode())
        query.seek(0)
        subprocess.run(
            [sys.executable, "-I", "-S", str(_LAUNCH), str(send), str(LIMIT_S), program, *command[1:]],
            env=environ,
            stdin=query,
            stdout=said,
            stderr=said,
            pass_fds=[send],
            check=True,
        )
        os.close(send)
        with os.fdopen(receive, encoding="ascii") as pipe:
            report = json.load(pipe)
        if report["code"] != 0:
            said.seek(0)
            text = said.read()[-2000:].decode(errors="replace")
            raise CommandError(f"{' '.join(command)[:300]} exits with {report['code']}:\n{text}")
    return Cost(report["wall_s"], report["cpu_s"], report["rss_kib"] / 1024)

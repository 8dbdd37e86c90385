"""docs/tutorial.md works as pasted, block by block; what it says of each step is what happens.

On a machine that has nothing yet it is followed by tests/repo/test_bare_debian.py.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.repo.checkout import ROOT
from tests.terraform.tutorial import broken_promises, script, whole_script


def test_every_step(tmp_path: Path, tool_environment: dict[str, str]) -> None:
    """Whoever pastes the tutorial sees in each step what it promises, and has nothing left at its end."""
    checkout, programs = tmp_path / "checkout", tmp_path / "programs"
    programs.mkdir()
    for name in ("modules", "examples"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns(".terraform*"))
    command = programs / "imagesync"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m imagesync_cli "$@"\n')
    command.chmod(0o755)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", whole_script()],
        cwd=checkout,
        env={
            **tool_environment,
            "PATH": f"{programs}:{tool_environment['PATH']}",
            "PYTHONPATH": str(ROOT),
            "TF_CLI_ARGS": "-no-color",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert broken_promises(done.stdout) == []
    assert sorted(path.name for path in checkout.iterdir()) == ["examples", "modules"]


def test_the_first_block_installs() -> None:
    """What installs the command is the same as in the README, which is tested by installing it."""
    readme = (ROOT / "README.md").read_text("utf-8")
    assert script("Install").splitlines()[0] in readme

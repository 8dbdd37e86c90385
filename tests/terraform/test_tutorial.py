"""docs/tutorial.md works as pasted, block by block; what it says of each step is what happens."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.repo.checkout import ROOT

PAGE = (ROOT / "docs/tutorial.md").read_text("utf-8")
STEPS = (
    ("A source", "oci:upstream@sha256:"),
    ("Mirror it", "oci:mirror:1.0 is new, from oci:upstream:1.0"),
    ("Mirror it", "Apply complete! Resources: 2 added"),
    ("Nothing to do", "No changes."),
    ("The source moves", "are there already"),
    ("The source moves", "Apply complete! Resources: 2 added, 0 changed, 2 destroyed."),
    ("Somebody removes the mirror's tag", "is missing, deleted outside Terraform"),
    ("Somebody removes the mirror's tag", "nothing to copy"),
    ("Remove it", "Apply complete! Resources: 0 added, 0 changed, 2 destroyed."),
    ("Clean up", ""),
)


def script(heading: str) -> str:
    """The blocks under a heading as one script: what goes into main.tf is written there."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = re.findall(r"^```(sh|hcl)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert found
    return "".join(text if kind == "sh" else f"cat >main.tf <<'END'\n{text}END\n" for kind, text in found)


def test_every_step(tmp_path: Path, tool_environment: dict[str, str]) -> None:
    """Whoever pastes the tutorial sees in each step what it promises, and has nothing left at its end."""
    checkout, programs = tmp_path / "checkout", tmp_path / "programs"
    programs.mkdir()
    for name in ("modules", "examples"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns(".terraform*"))
    command = programs / "imagesync"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m imagesync_cli "$@"\n')
    command.chmod(0o755)
    environment = tool_environment | {"PATH": f"{programs}:{tool_environment['PATH']}", "PYTHONPATH": str(ROOT)}
    folder, said = checkout, {}
    for heading in dict(STEPS):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"{script(heading)}\npwd >'{tmp_path}/where'"],
            cwd=folder,
            env={**environment, "TF_CLI_ARGS": "-no-color"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        folder = Path((tmp_path / "where").read_text().strip())
        said[heading] = " ".join(done.stdout.split())
    assert [heading for heading, promised in STEPS if promised not in said[heading]] == []
    assert said["Remove it"].endswith("2 destroyed.")  # and find found nothing
    assert sorted(path.name for path in checkout.iterdir()) == ["examples", "modules"]


def test_the_first_block_installs() -> None:
    """What installs the command is the same as in the README, which is tested by installing it."""
    readme = (ROOT / "README.md").read_text("utf-8")
    assert script("Install").splitlines()[0] in readme

"""What is handed out: the wheel, and the command in one file.

Building takes the package index; what the files hold is looked at without it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.repo.checkout import NOT_OURS, ROOT

needs_index = pytest.mark.skipif(os.environ.get("IMAGESYNC_REQUIRE_PEERS") != "1", reason="needs the package index")


def name_of(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement.strip())[0].lower().replace("_", "-")


def test_what_the_file_is_built_of_is_pinned() -> None:
    """Each dependency of the package has one version in the file that the zipapp and the image are built with."""
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    listed = re.findall(r'^    "(.+)",', project.partition("\ndependencies = [")[2].partition("\n]")[0], re.MULTILINE)
    lines = (ROOT / "packaging/requirements.txt").read_text("utf-8").splitlines()
    pinned = {name_of(line): line for line in lines if line and not line.startswith("#")}
    assert "httpx" in map(name_of, listed)
    assert {name_of(each) for each in listed} <= pinned.keys()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pinned.values())


@needs_index
def test_one_file_is_the_whole_command(tmp_path: Path) -> None:
    """The zipapp copies an image and reads a file of images with a Python that has nothing installed, and the same
    sources give the same bytes."""
    checkout, built = tmp_path / "checkout", []
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(*NOT_OURS, "*_cache", ".git"))
    for number in range(2):
        target = tmp_path / f"{number}.pyz"
        command = [sys.executable, "packaging/zipapp.py", str(target)]
        subprocess.run(command, cwd=checkout, check=True, env={**os.environ, "SOURCE_COMMIT": "0123456789abcdef"})
        built.append(target.read_bytes())
    assert built[0] == built[1]
    with zipfile.ZipFile(tmp_path / "0.pyz") as archive:
        assert not [name for name in archive.namelist() if name.endswith((".so", ".pyd"))]
    (tmp_path / "images.yaml").write_text(
        f"images: [{{source: 'oci:{ROOT}/examples/hello-image:1.0', destination: 'oci:{tmp_path}/mirror:1.0'}}]\n"
    )
    bare = [sys.executable, "-I", "-S", str(tmp_path / "0.pyz")]
    told = subprocess.run([*bare, "--version"], capture_output=True, text=True, check=True)
    assert told.stdout.strip().endswith("(0123456789ab)")
    subprocess.run([*bare, "sync", "--file", str(tmp_path / "images.yaml")], check=True, capture_output=True)
    assert (tmp_path / "mirror/index.json").exists()


def test_the_actions_scripts_hold_no_inputs() -> None:
    """What a workflow passes to the action is never part of a script, only of variables."""
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    scripts = [step["run"] for step in action["runs"]["steps"] if "run" in step]
    assert scripts
    assert not [script for script in scripts if "${{" in script]
    for script in scripts:
        subprocess.run(["bash", "-n", "-c", script], check=True)

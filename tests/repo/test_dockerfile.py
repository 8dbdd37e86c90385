"""The Dockerfile: who its command runs as, and whether it gets every file that it needs.

Does not build the image: that takes a base image, so a registry to pull it from.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repo.checkout import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_image_does_not_run_as_root() -> None:
    """A cluster that wants proof of a user other than root finds a number in the image."""
    last_stage = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    users = re.findall(r"^USER +(\d+):(\d+)$", last_stage, re.MULTILINE)
    assert users
    assert "0" not in users[-1]
    assert last_stage.index("\nUSER ") < last_stage.index('\nENTRYPOINT ["imagesync"]')


def test_every_stage_has_the_base_that_was_asked_for() -> None:
    """Two arguments pin everything that comes from outside to a digest; the last stage is what is built by default."""
    bases = re.findall(r"^FROM +(\S+)", DOCKERFILE, re.MULTILINE)
    assert bases == ["${PYTHON_IMAGE}", "build", "${AGENT_IMAGE}", "${PYTHON_IMAGE}"]


@pytest.mark.skipif(os.environ.get("IMAGESYNC_REQUIRE_PEERS") != "1", reason="needs the package index")
def test_the_wheel_builds_from_what_the_build_is_given(tmp_path: Path) -> None:
    """An image can be built from a checkout: .dockerignore hides nothing that the wheel needs."""
    context, wheels = tmp_path / "context", tmp_path / "wheels"
    context.mkdir()
    for name in re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, context / name)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--wheel-dir",
        str(wheels),
        str(context),
    ]
    built = subprocess.run(command, capture_output=True, check=False, text=True)
    assert built.returncode == 0, built.stderr
    assert [wheel.name.partition("-")[0] for wheel in wheels.iterdir()] == ["imagesync_cli"]

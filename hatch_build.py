"""Notes in a built package which commit it is, for ``imagesync --version``.

SOURCE_COMMIT names it where there is no git, as in a container build; a build from an sdist keeps what that has noted.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NOTE = "imagesync_cli/_commit.py"


class CommitHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds one module with one name in it; nothing where the commit is not known."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before each build; ``version`` is "editable" for one that is to follow the sources."""
        root = Path(self.root)
        commit = "" if version == "editable" or (root / NOTE).exists() else commit_of(root)
        if commit:
            file = Path(tempfile.mkdtemp(prefix="imagesync-build-"), "commit.py")
            file.write_text(f'COMMIT = "{commit}"\n', encoding="ascii")
            build_data["force_include"][str(file)] = NOTE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called after each build."""
        for path, name in build_data["force_include"].items():
            if name == NOTE:
                Path(path).unlink()
                Path(path).parent.rmdir()


def commit_of(root: Path) -> str:
    """The commit of the repository whose top folder this is, "" if it is none."""
    named = os.environ.get("SOURCE_COMMIT", "")
    if named.isalnum() and named.isascii():
        return named[:12]
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=12", "--dirty", "--exclude", "*"]
    try:
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""

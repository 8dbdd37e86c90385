"""The checkout that the tests beside this file look at: its root, its files, its documentation.

Does not ask git, so that it holds for an unpacked archive as well.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "imagesync_cli"
# What tools make, while tests run too: coverage's files come and go.
_MADE = [".git", ".venv", ".terraform", "__pycache__", "build", "dist", "site", "htmlcov", ".hypothesis"]
_MADE += ["*_cache", ".coverage*"]
left_out = shutil.ignore_patterns(*_MADE)


def files(pattern: str = "*") -> Iterator[Path]:
    """Yield the files that belong to the repository, leaving out what tools make."""
    for path in sorted(ROOT.rglob(pattern)):
        parts = path.relative_to(ROOT).parts
        if not left_out("", [*parts]) and path.is_file():
            yield path


def version() -> str:
    """The version that the checkout is, or is on the way to."""
    found = re.search(r'__version__ = "(.+)"', (ROOT / "imagesync_cli/__init__.py").read_text("utf-8"))
    assert found
    return found[1]


def copy_checkout(target: Path) -> None:
    """Copy what belongs to the repository, without what tools make."""
    shutil.copytree(ROOT, target, ignore=left_out)


def readme_block(heading: str) -> str:
    """Return the first fenced block under a heading of the README."""
    asked = subprocess.run([ROOT / ".ci/readme-block", heading], capture_output=True, check=True, text=True)
    return asked.stdout


def documentation() -> str:
    """Return what a user can read about the command: the README and every page under docs/."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)

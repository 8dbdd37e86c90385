#!/usr/bin/env python3
"""Print the changelog's section of a version, as a release's notes.

python3 packaging/notes.py 0.1.0
"""

from __future__ import annotations

import re
import sys
from pathlib import Path


def section(changelog: str, version: str) -> str:
    """What stands below the version's heading; "" where there is none."""
    found = re.search(rf"^## \[{re.escape(version)}\][^\n]*\n(.*?)(?=^## \[|\Z)", changelog, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    notes = section(Path(__file__).parents[1].joinpath("CHANGELOG.md").read_text("utf-8"), sys.argv[1])
    if not notes:
        sys.exit(f"CHANGELOG.md has no section {sys.argv[1]}")
    sys.stdout.write(f"{notes}\n")

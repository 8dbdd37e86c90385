"""The commands that an example's README tells people to paste."""

from __future__ import annotations

import re

from tests.terraform.workspace import Workspace


def commands(example: Workspace) -> list[str]:
    """Return each block of commands in the README, in its order."""
    page = (example.folder / "README.md").read_text("utf-8")
    return re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)

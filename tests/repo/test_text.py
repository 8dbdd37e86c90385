"""What no file of the repository may say, and links that must lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.repo.checkout import ROOT, files

LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
SOMEBODYS_MACHINE = re.compile(r"(?<![\w.~*}])/(?:root|home|work|Users)/\w[\w./-]*")

PAGES = list(files("*.md"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """Return what a link can follow a page's # with, as GitHub and GitLab form it."""
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """A reader who follows a link within the repository arrives."""
    broken = []
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        aim = page.parent / target if target else page
        if not aim.exists() or (anchor and anchor not in anchors(aim)):
            broken.append(f"{target}#{anchor}" if anchor else target)
    assert broken == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    """Everything that is written down works on any machine."""
    found = {}
    for path in files():
        text = path.read_bytes().decode("utf-8", errors="ignore")
        if paths := SOMEBODYS_MACHINE.findall(text):
            found[name_of(path)] = paths
    assert found == {}

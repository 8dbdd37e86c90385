"""What mkdocs.yml needs of its own: pages link to files of the repository, which are not on the site."""

from __future__ import annotations

import re
from typing import Any

_OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+((?!how-to/)[^)]*)\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Name such a file instead of linking to it; a page in a folder links up to the pages beside that folder."""
    depth = page.file.src_uri.count("/")

    def named(link: re.Match[str]) -> str:
        ups = link[0].count("../")
        return link[0] if ups <= depth else f"{link[1]} (in the repository: `{link[2]}`)"

    return _OUTSIDE.sub(named, markdown)

"""What mkdocs.yml needs of its own: a page that names files, in the repository, names pages and folders on the site."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

_SCHEMA = "imagesync_cli/batch/images.schema.json"
_OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+((?!how-to/)[^)]*)\)")
_BY_FILE_NAME = re.compile(r"\[[\w/.-]+\.md\]\(([\w/.-]+\.md)((?:#[\w-]+)?)\)")
_SHORT_CODE = re.compile(r"<code>(?=[^<]{1,28}</code>)")
_PLAIN_CELL = re.compile(r"<td[^>]*>[^<]*</td>")
_QUANTITY = re.compile(r"(?<=\d) (?=(?:m?s|[kMGT]i?B)\b)")


def on_files(files: Any, config: Any, **_: Any) -> Any:
    """Give the site the schema that the package has, so that there is one."""
    path = Path(config.config_file_path).parent / _SCHEMA
    files.append(File.generated(config, path.name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, files: Any, **_: Any) -> str:
    """Name what is not on the site instead of linking to it, and call pages by their titles, not their files.

    A page in a folder links up to the pages beside that folder.
    """
    folder, _name = posixpath.split(page.file.src_uri)
    depth = page.file.src_uri.count("/")

    def named(link: re.Match[str]) -> str:
        ups = link[0].count("../")
        if ups <= depth:
            return link[0]
        if link[2] == _SCHEMA:
            return f"[{link[1]}]({'../' * depth}{posixpath.basename(_SCHEMA)})"
        return f"{link[1]} (in the repository{'' if link[1].strip('`') == link[2] else f': `{link[2]}`'})"

    def titled(link: re.Match[str]) -> str:
        target = files.get_file_from_path(posixpath.normpath(posixpath.join(folder, link[1])))
        title = target and target.page and target.page.title
        return f"[{title}]({link[1]}{link[2]})" if title else link[0]

    return _BY_FILE_NAME.sub(titled, _OUTSIDE.sub(named, markdown))


def on_page_content(html: str, **_: Any) -> str:
    """Mark code shorter than any line, so that it is not torn apart, and hold a cell's numbers to their units."""
    whole = _PLAIN_CELL.sub(lambda cell: _QUANTITY.sub("&nbsp;", cell[0]), html)
    return _SHORT_CODE.sub('<code class="short">', whole)

"""The documentation as a site: complete, and sufficient to itself."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from tests.repo.checkout import ROOT

_FETCHED = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src"}
_NEVER_FETCHED = {"canonical", "next", "prev", "edit"}


class _Page(HTMLParser):
    """What a browser fetches for a page, and the texts of its links."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self._inside_link = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        address = attributes.get(_FETCHED.get(tag, ""))
        if address and attributes.get("rel") not in _NEVER_FETCHED:
            self.fetched.append(address)
        if tag == "a":
            self._inside_link = True
            self.links.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside_link = self._inside_link and tag != "a"

    def handle_data(self, data: str) -> None:
        if self._inside_link:
            self.links[-1] += data


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    """Whoever reads the site, also behind an air gap, tells nobody else so."""
    pages = [_Page(path) for path in site.rglob("*.html")]
    assert pages
    assert [address for page in pages for address in page.fetched if re.match(r"(\w+:)?//", address)] == []
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"url\(['\"]?(?:https?:)?//[^)]*", styles) == []


def test_links_are_called_by_titles(site: Path) -> None:
    """A link to another page has that page's title, where the file for reading in the repository names a file."""
    links = [text.strip() for path in site.rglob("*.html") for text in _Page(path).links]
    assert links
    assert [text for text in links if re.fullmatch(r"[\w/-]+\.md", text)] == []


def test_every_page_can_be_found(site: Path) -> None:
    """Every file of the documentation is a page that the navigation names."""
    home = (site / "index.html").read_text(encoding="utf-8")
    documents = [path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")]
    assert [
        str(page) for page in documents if page.name != "index.html" and f'href="{page.as_posix()}"' not in home
    ] == []


def test_the_schema_of_images_yaml_is_on_the_site(site: Path) -> None:
    """A reader of the site gets the schema that the package has, by the links of the pages."""
    packaged = ROOT / "imagesync_cli/batch/images.schema.json"
    assert (site / "images.schema.json").read_bytes() == packaged.read_bytes()
    assert 'href="images.schema.json"' in (site / "many-images.html").read_text(encoding="utf-8")
    assert 'href="../images.schema.json"' in (site / "reference/files.html").read_text(encoding="utf-8")

"""Where the repository is: said once, in pyproject.toml, and brought from there to all that is pasted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_MODULE = re.compile(r'git::[^"\s]+\.git//modules/(\w+)(?:\?ref=v[0-9.]+)?')
_SCHEMA = re.compile(r"(?<=yaml-language-server: \$schema=)\S+?images\.schema\.json")
_PACKAGE = re.compile(r"(git\+)https?://\S+?\.git@v[0-9.]+")
_CLONE = re.compile(r"(--branch )v[0-9.]+ https?://\S+?\.git(?= |$)", re.MULTILINE)
_BUILD = re.compile(r"https?://\S+?\.git#v[0-9.]+")
_SITE = re.compile(r"(?<=^repo_url: )\S+$", re.MULTILINE)
# Where people copy from: pages, examples, what ``adopt`` prints; and the site, whose pages link to their sources.
_PLACES = ("*.md", "docs/**/*.md", "examples/**/*.md", "examples/**/*.tf", "modules/*/README.md")
_OTHERS = ("imagesync_cli/output/adopt.py", "mkdocs.yml")


class Addresses:
    """The addresses of this version."""

    def __init__(self, root: Path) -> None:
        self._root = root
        urls = _table((root / "pyproject.toml").read_text("utf-8"), "project.urls")
        self.repository, self._schema = urls["Repository"], urls["Schema"]
        told = (root / "imagesync_cli/__init__.py").read_text("utf-8")
        (self.version,) = re.findall(r'^__version__ = "(.+)"$', told, re.MULTILINE)

    def module(self, name: str) -> str:
        """The source of a module, as Terraform and OpenTofu take it."""
        return f"git::{self.repository}.git//modules/{name}?ref=v{self.version}"

    def files(self) -> Iterator[str]:
        """Every file that may name an address."""
        for pattern in _PLACES:
            yield from (path.relative_to(self._root).as_posix() for path in sorted(self._root.glob(pattern)))
        yield from _OTHERS

    def put_into(self, text: str) -> str:
        """The text with this version's addresses in place of whatever stood there."""
        text = _MODULE.sub(lambda found: self.module(found[1]), text)
        text = _SCHEMA.sub(lambda _: self._schema, text)
        git, tag = f"{self.repository}.git", f"v{self.version}"
        text = _PACKAGE.sub(lambda found: f"{found[1]}{git}@{tag}", text)
        text = _CLONE.sub(lambda found: f"{found[1]}{tag} {git}", text)
        return _SITE.sub(self.repository, _BUILD.sub(f"{git}#{tag}", text))


def _table(text: str, name: str) -> dict[str, str]:
    """A table of texts in a TOML file, which Python 3.10 does not read by itself."""
    (part,) = re.findall(rf"^\[{re.escape(name)}\]\n((?:\w.*\n)+)", text, re.MULTILINE)
    return dict(re.findall(r'^(\w+) = "(.+)"$', part, re.MULTILINE))

"""Where the repository is: said once, in pyproject.toml, and brought from there to all that is pasted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_MODULE = re.compile(r'git::[^"\s]+\.git//modules/(\w+)(?:\?ref=v[0-9.]+)?')
_SCHEMA = re.compile(r"(?<=yaml-language-server: \$schema=)\S+?images\.schema\.json")
# Where people copy from: pages, examples, and what ``adopt`` prints.
_PLACES = ("*.md", "docs/**/*.md", "examples/**/*.md", "examples/**/*.tf", "modules/*/README.md")
_PRINTED = "imagesync_cli/output/adopt.py"


class Addresses:
    """The addresses of this version."""

    def __init__(self, root: Path) -> None:
        self._root = root
        urls = _table((root / "pyproject.toml").read_text("utf-8"), "project.urls")
        self._repository, self._schema = urls["Repository"], urls["Schema"]
        told = (root / "imagesync_cli/__init__.py").read_text("utf-8")
        (self._version,) = re.findall(r'^__version__ = "(.+)"$', told, re.MULTILINE)

    def module(self, name: str) -> str:
        """The source of a module, as Terraform and OpenTofu take it."""
        return f"git::{self._repository}.git//modules/{name}?ref=v{self._version}"

    def files(self) -> Iterator[str]:
        """Every file that may name an address."""
        for pattern in _PLACES:
            yield from (path.relative_to(self._root).as_posix() for path in sorted(self._root.glob(pattern)))
        yield _PRINTED

    def put_into(self, text: str) -> str:
        """The text with this version's addresses in place of whatever stood there."""
        text = _MODULE.sub(lambda found: self.module(found[1]), text)
        return _SCHEMA.sub(lambda _: self._schema, text)


def _table(text: str, name: str) -> dict[str, str]:
    """A table of texts in a TOML file, which Python 3.10 does not read by itself."""
    (part,) = re.findall(rf"^\[{re.escape(name)}\]\n((?:\w.*\n)+)", text, re.MULTILINE)
    return dict(re.findall(r'^(\w+) = "(.+)"$', part, re.MULTILINE))

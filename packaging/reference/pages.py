"""Text on its way into a page: tables, and what of a help text is code."""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Iterable, Sequence

# An option, a variable's name, a file's name or a place for a digest, where it is not marked as code already.
_CODE = re.compile(
    r"(?<![\w`$~./-])(--[a-z][a-z-]*\w|[A-Z]+(?:_[A-Z]+)+|[A-Z]+@[A-Z]+|images\.(?:lock\.json|yaml))(?![\w`-])"
)
_BLOCK = "\b"  # click's mark for a paragraph that keeps its lines
_QUOTED = re.compile(r"(`[^`]*`)")


def page(title: str, *parts: str) -> str:
    """A page that says of itself that it is generated."""
    head = "<!-- Generated from the code: python packaging/reference writes it. -->"
    return "\n\n".join([head, f"# {title}", *(part.strip("\n") for part in parts)]) + "\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; what a cell holds is Markdown already, but for what would end the cell."""
    lines = [columns, ["---"] * len(columns), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)


def _cell(text: str) -> str:
    """With each ``|`` as an entity: where code has a backslash before it, some show the backslash."""
    parts = [
        f"<code>{html.escape(part[1:-1])}</code>" if "|" in part[1:] and part[0] == "`" else part
        for part in _QUOTED.split(text)
        if part
    ]
    return "".join(parts).replace("|", "&#124;")


def code(text: str) -> str:
    """The text as code, "" for none."""
    return f"`{text}`" if text else ""


def inline(text: str) -> str:
    """A help text in one line."""
    parts = _QUOTED.split(" ".join(text.split()))
    marked = (_CODE.sub(r"`\1`", part.replace("<", "&lt;")) for part in parts[::2])
    return "".join(each for pair in zip(marked, [*parts[1::2], ""], strict=True) for each in pair)


def prose(text: str) -> str:
    """A help text of several paragraphs."""
    return "\n\n".join(_paragraph(part) for part in inspect.cleandoc(text).split("\n\n"))


def _paragraph(text: str) -> str:
    if text.startswith(_BLOCK):
        return f"```text\n{text.removeprefix(_BLOCK).strip(chr(10))}\n```"
    return inline(text)

"""Foreign text, harmless where it is shown: one function for each kind of place.

printable    a line on a terminal, or in the log of a CI runner
as_printable the same for every text in a document, for a program that prints what it is given (Terraform)
json_text    a JSON document on stdout
quoted       a string of YAML or HCL
cell         a cell of a Markdown table
xml          an attribute or a text of XML

Tags, annotations, messages and files may come from anywhere. Nothing here depends on where the process runs.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any

# What runners take for a command: ::set-output at a line's beginning (GitHub), ##[command] and ##vso[…] anywhere
# (GitHub's runner, Azure's), ##teamcity[…]. GitLab's need control characters.
_COMMAND = re.compile(r"##(?=\w*\[)|^(\s*)::")


def printable(text: str) -> str:
    """One line that neither a terminal nor a runner obeys, and that every encoding of Unicode has."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return _COMMAND.sub(lambda found: "#\\x23" if found[0] == "##" else f"{found[1]}\\x3a:", text)


def as_printable(document: Any) -> Any:
    """A document of JSON with every text in it printable."""
    if isinstance(document, str):
        return printable(document)
    if isinstance(document, dict):
        return {key: as_printable(value) for key, value in document.items()}
    return [as_printable(item) for item in document] if isinstance(document, (list, tuple)) else document


def json_text(document: Any, *, indent: int | None = None) -> str:
    """The document in ASCII, which no terminal or runner obeys; whoever reads it as JSON has every text as it was."""
    return json.dumps(document, indent=indent).replace("\x7f", "\\u007f").replace("##", "#\\u0023")


def quoted(text: str) -> str:
    """A string in quotes, in ASCII, that YAML and HCL read alike; nothing in it is a template."""
    inner = "".join(map(_escaped, text))
    return '"' + inner.replace("##", "#\\u0023").replace("${", "\\u0024{").replace("%{", "\\u0025{") + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isascii() and character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"


def cell(text: str) -> str:
    """Code, because nothing in it is a link, a mention, an emoji, a formula or markup, and no cell ends in it."""
    text = printable(text).replace("|", "\\x7c")
    if not text.strip():
        return ""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if "`" in (text[0], text[-1]) else ""
    return f"{fence}{space}{text}{space}{fence}"


def xml(text: str) -> str:
    """Text without markup or characters that XML does not have."""
    return html.escape(printable(text))

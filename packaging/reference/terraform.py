"""The tables of the modules' variables and outputs, in their READMEs and on a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hcl2
from pages import code, page, table

_PLAIN = hcl2.SerializationOptions(
    with_comments=False, explicit_blocks=False, preserve_heredocs=False, strip_string_quotes=True
)
_MODULES = ("image", "images", "digests", "tags")


def modules_page(root: Path) -> str:
    """All modules, for whoever reads the site."""
    parts = [f"## modules/{name}\n\n{module_tables(root / 'modules' / name)}" for name in _MODULES]
    return page(
        "Module variables",
        "How to use them is in the modules' READMEs ([one image](../../modules/image/README.md), "
        "[many](../../modules/images/README.md), [digests](../../modules/digests/README.md), "
        "[tags](../../modules/tags/README.md)); what they do and why, in [how-it-works.md](../how-it-works.md).",
        *parts,
    )


def module_tables(folder: Path) -> str:
    """The variables and the outputs of one module, in the order of its files."""
    return "\n\n".join(
        [
            table(
                ["Input", "Description", "Type", "Default", "Required"],
                [
                    [code(name), _text(block), code(_type(block)), code(_default(block)), _required(block)]
                    for file in sorted(folder.glob("variables*.tf"))
                    for name, block in _blocks(file, "variable")
                ],
            ),
            table(
                ["Output", "Description"],
                [[code(name), _text(block)] for name, block in _blocks(folder / "outputs.tf", "output")],
            ),
        ]
    )


def _blocks(path: Path, kind: str) -> list[tuple[str, dict[str, Any]]]:
    document = hcl2.loads(path.read_text("utf-8"), serialization_options=_PLAIN)
    return [pair for block in document.get(kind, []) for pair in block.items()]


def _text(block: dict[str, Any]) -> str:
    return " ".join(str(block["description"]).replace("$${", "${").replace('\\"', '"').split())


def _type(block: dict[str, Any]) -> str:
    text = str(block["type"])
    return text[2:-1] if text.startswith("${") else text


def _default(block: dict[str, Any]) -> str:
    return json.dumps(block["default"], ensure_ascii=False) if "default" in block else ""


def _required(block: dict[str, Any]) -> str:
    return "no" if "default" in block else "yes"

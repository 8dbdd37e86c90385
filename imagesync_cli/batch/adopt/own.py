"""Our own images.yaml, on its way into modules: each entry with the file's defaults, and who must have signed it."""

from __future__ import annotations

import re
from typing import Any

from imagesync_cli.batch.adopt.adopted import Adopted, with_tag
from imagesync_cli.batch.adopt.section import Section, items_of
from imagesync_cli.batch.document import TRUTH, Fields, Items, Node, Value
from imagesync_cli.batch.reading.image import FOLDER

_NUMBERS = frozenset({"latest", "keep_last", "min_age_hours"})
_OF_REPOSITORIES = frozenset({"tags", "prune"})
_VARIABLE = re.compile(r"\$\{\w+\}")


def is_own(top: Section) -> bool:
    images = items_of(top.nodes.get("images"))
    return bool(images) and all(isinstance(each, Fields) and "source" in each.fields for each in images)


def own(top: Section, adopted: Adopted) -> None:
    """images[].{source, destination, …}, with defaults and trust of the whole file."""
    if "mirrors" in top.nodes:
        adopted.note(top.lines["mirrors"], "mirrors was left out: all bytes come from the sources")
    defaults = {**top.section("defaults").nodes, **{key: top.nodes[key] for key in ("trust",) if key in top.nodes}}
    for image in adopted.mappings(top, "images"):
        source = image.text("source")
        named = _VARIABLE.sub("x", source)
        names_image = with_tag(named) == named and not named.endswith(FOLDER)
        shared = {key: node for key, node in defaults.items() if not (names_image and key in _OF_REPOSITORIES)}
        more = {key: _plain(node, key) for key, node in {**shared, **image.nodes}.items()}
        more = {key: value for key, value in more.items() if key not in ("source", "destination")}
        if isinstance(platform := more.get("platforms"), str):  # not one by its letters
            more["platforms"] = [platform]
        for destination in image.texts("destination") or [""]:
            adopted.add(image.line, source, destination, **more)


def _plain(node: Node, key: str = "") -> Any:
    """The value as it is written in an entry: 1.10 is a tag."""
    if isinstance(node, Items):
        return [_plain(each) for each in node.items]
    if isinstance(node, Fields):
        return {name: _plain(each, name) for name, each in node.fields.items()}
    return _scalar(node, key)


def _scalar(node: Value, key: str) -> str | bool | float:
    if node.kind == "bool":
        return TRUTH.get(node.text.lower(), node.text)
    if node.kind in ("int", "float") and key in _NUMBERS and re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", node.text):
        return int(node.text) if node.kind == "int" else float(node.text)
    return node.text

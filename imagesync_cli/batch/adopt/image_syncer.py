"""image-syncer's files: SOURCE → DESTINATION, or a list of them; alone, or below ``images`` beside ``auth``.

A source has no tag (all of them), one, several with commas between, or a regular expression between slashes.
"""

from __future__ import annotations

import re

from imagesync_cli.batch.adopt.adopted import Adopted, with_tag
from imagesync_cli.batch.adopt.go_regex import whole_tag
from imagesync_cli.batch.adopt.section import Section, items_of, texts_of
from imagesync_cli.batch.document import Fields, Items, Node, Value

_SOURCE = re.compile(r"(?P<name>[^@]*?/[^:@]+|[^:@/]+)(?::(?P<tags>/.+/|[^/@]*))?(?:@(?P<digest>.+))?")

_DESTINATION = re.compile(r"[\w-]+(?:\.[\w-]+)+(?::[0-9]+)?/|[\w.-]+:[0-9]+/")


def is_rules(top: Section) -> bool:
    """Whether there is a mapping of images, or every key looks like an image, and every value like where it goes."""
    if isinstance(top.nodes.get("images"), Fields):
        return True
    are_rules = all(_is_rule(key, value) for key, value in top.nodes.items())
    return are_rules and any("/" in key or ":" in key for key in top.nodes)


def _is_rule(source: str, value: Node) -> bool:
    """Whether this may be an image and where it goes: one of Docker Hub's may have no slash."""
    if not isinstance(value, (Value, Items)):
        return False
    return "/" in source or all(_DESTINATION.match(each) for each in texts_of(value) or [""])


def image_syncer(top: Section, adopted: Adopted) -> None:
    """Every rule; those without a destination go below the target, if there is one."""
    rules = top
    if "images" in top.nodes:
        adopted.unknown(top, {"images", "auth"}, "the file")
        if "auth" in top.nodes:
            adopted.note(top.lines["auth"], "auth: logins come from docker login or the environment")
        rules = top.section("images")
    for source, value in rules.nodes.items():
        if isinstance(value, Fields) or not all(isinstance(each, Value) for each in items_of(value)):
            adopted.note(value.line, f"{source} was left out: its destination is not understood")
        else:
            _rule(value.line, source, texts_of(value) or [""], adopted)


def _rule(line: int, source: str, destinations: list[str], adopted: Adopted) -> None:
    parts = _SOURCE.fullmatch(source)
    if parts is None:
        adopted.note(line, f"{source} is not understood and was left out")
        return
    name, tags = parts["name"], parts["tags"] or ""
    rules = [] if parts["digest"] else _tags(tags)
    for destination in destinations:
        if destination and rules:
            adopted.add(line, name, destination, tags=rules)
        elif destination:
            adopted.add(line, source, destination if parts["digest"] else with_tag(destination, tags))
        elif not adopted.target:
            adopted.note(line, f"{source} goes to image-syncer's default registry: add --to")
        elif rules:
            adopted.add_below(line, name, tags=rules)
        else:
            adopted.add_below(line, source)


def _tags(text: str) -> list[str]:
    """The rules for tags, none for a single one."""
    if text.startswith("/"):
        return [whole_tag(text[1:-1])]
    if not text:
        return ["*"]
    return text.split(",") if "," in text else []

"""image-syncer's files: SOURCE → DESTINATION, or a list of them; alone, or below ``images`` beside ``auth``.

A source has no tag (all of them), one, several with commas between, or a regular expression between slashes.
"""

from __future__ import annotations

import re

from imagesync_cli.batch.adopt.adopted import Adopted, fields, texts, with_tag
from imagesync_cli.batch.adopt.go_regex import whole_tag
from imagesync_cli.batch.document import Fields, Items, Node, Value

_SOURCE = re.compile(r"(?P<name>[^@]*?/[^:@]+|[^:@/]+)(?::(?P<tags>/.+/|[^/@]*))?(?:@(?P<digest>.+))?")


def is_rules(top: Fields) -> bool:
    """Whether there is a mapping of images, or every key looks like an image, and every value like where it goes."""
    if isinstance(top.fields.get("images"), Fields):
        return True
    alike = ("/" in key and isinstance(value, (Value, Items)) for key, value in top.fields.items())
    return bool(top.fields) and all(alike)


def image_syncer(top: Fields, found: Adopted, target: str) -> None:
    """Every rule; those without a destination go below the target, if there is one."""
    rules: Node = top
    if "images" in top.fields:
        found.unknown(top, {"images", "auth"}, "the file")
        if "auth" in top.fields:
            found.note(top.lines["auth"], "auth: logins come from docker login or the environment")
        rules = top.fields["images"]
    for source, value in fields(rules).items():
        if isinstance(value, Fields):
            found.note(value.line, f"{source} was left out: its destination is not understood")
        else:
            _rule(value.line, source, texts(value) or [""], found, target)


def _rule(line: int, source: str, destinations: list[str], found: Adopted, target: str) -> None:
    parts = _SOURCE.fullmatch(source)
    if parts is None:
        found.note(line, f"{source} is not understood and was left out")
        return
    name, tags = parts["name"], parts["tags"] or ""
    rules = [] if parts["digest"] else _tags(tags)
    for destination in destinations:
        if destination and rules:
            found.add(line, name, destination, tags=rules)
        elif destination:
            found.add(line, source, destination if parts["digest"] else with_tag_of(destination, tags))
        elif not target:
            found.note(line, f"{source} goes to image-syncer's default registry: add --to")
        elif rules:
            found.add_below(line, target, name, tags=rules)
        else:
            found.add_below(line, target, source)


def _tags(text: str) -> list[str]:
    """The rules for tags, none for a single one."""
    if text.startswith("/"):
        return [whole_tag(text[1:-1])]
    if not text:
        return ["*"]
    return text.split(",") if "," in text else []


def with_tag_of(destination: str, tag: str) -> str:
    """The destination with its own tag, else with this one."""
    named = with_tag(destination)
    return destination if named == destination else f"{destination}:{tag}"

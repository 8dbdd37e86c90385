"""A YAML or JSON document as plain values that know their line.

Nothing but mappings, lists and scalars comes out of it; tags that would make objects are refused. Mappings have no key
twice, and aliases may not blow a small file up. The PyYAML package is imported when a file is read, not before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagesync_cli.values.errors import UsageError

if TYPE_CHECKING:
    import yaml

MAX_BYTES = 64 * 1024 * 1024
_DEEPEST = 32
# Values may be used again by alias, but not so that the file says much more than it has characters.
_LEAST_VALUES = 10_000
_TAG = "tag:yaml.org,2002:"
_PLAIN = {"str", "int", "float", "bool", "null", "timestamp"}


@dataclass(frozen=True)
class Value:
    """A scalar's text and its ``kind``: str, int, float, bool, null or timestamp."""

    line: int
    kind: str
    text: str


@dataclass(frozen=True)
class Items:
    """A list."""

    line: int
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Fields:
    """A mapping from words."""

    line: int
    fields: dict[str, Node]
    lines: dict[str, int] = field(default_factory=dict)  # where each key stands


Node = Value | Items | Fields


def read_document(path: Path) -> list[Node]:
    """The documents in a file (JSON has one); UsageError that names file and line where it is none."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise UsageError(f"{path} is longer than {MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}:{line}: this is not UTF-8") from error
    return parse_document(text, str(path))


def parse_document(text: str, name: str) -> list[Node]:
    """The documents in a text; ``name`` is what errors call it."""
    import yaml

    if name.endswith(".json"):
        text = _checked_json(text, name)
    try:
        nodes = [node for node in yaml.compose_all(text, Loader=_loader()) if node is not None]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{name}:{line}: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UsageError(f"{name} cannot be read: {str(error) or 'it is nested too deep'}") from error
    return list(_Reader(name, max(_LEAST_VALUES, len(text))).documents(nodes))


def _loader() -> Any:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _checked_json(text: str, name: str) -> str:
    """The same JSON as YAML reads it: strings hold no tab as it is, and elsewhere it is like a space."""
    try:
        json.loads(text)
    except RecursionError as error:
        raise UsageError(f"{name} cannot be read: it is nested too deep") from error
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        raise UsageError(f"{name}:{line}: {getattr(error, 'msg', error)}") from error
    return text.replace("\t", " ")


class _Reader:
    """Turns the parser's nodes into ours; ``left`` is how many more there may be."""

    def __init__(self, name: str, left: int) -> None:
        self._name = name
        self._left = left

    def documents(self, nodes: list[yaml.Node]) -> Iterator[Node]:
        for node in nodes:
            yield self._node(node, 0)

    def _node(self, node: yaml.Node, depth: int) -> Node:
        import yaml

        line = node.start_mark.line + 1
        self._left -= 1
        if depth > _DEEPEST:
            raise self._wrong(line, "this is nested too deep")
        if self._left < 0:
            raise self._wrong(line, "aliases make this file much larger than it is")
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._fields(node, line, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return Items(line, tuple(self._node(item, depth + 1) for item in node.value))
        kind = node.tag.removeprefix(_TAG)
        if not isinstance(node, yaml.ScalarNode) or kind not in _PLAIN:
            raise self._wrong(line, f"{node.tag} is not understood here")
        return Value(line, kind, node.value)

    def _fields(self, node: yaml.MappingNode, line: int, depth: int) -> Fields:
        import yaml

        fields, lines = dict[str, Node](), dict[str, int]()
        for key, value in node.value:
            at = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise self._wrong(at, "a key is a word")
            if key.value in fields:
                raise self._wrong(at, f"{key.value!r} stands here a second time, first in line {lines[key.value]}")
            fields[key.value], lines[key.value] = self._node(value, depth + 1), at
        return Fields(line, fields, lines)

    def _wrong(self, line: int, what: str) -> UsageError:
        return UsageError(f"{self._name}:{line}: {what}")

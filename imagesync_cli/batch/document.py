"""A YAML or JSON document as plain values that know their line.

Nothing but mappings, lists and scalars comes out of it; tags that would make objects are refused. Mappings have no key
twice, but what ``<<`` brings in gives way to what stands there. Aliases may not blow a small file up. The file is read
event by event, so that a large one takes no tree beside ours. The PyYAML package is imported when a file is read.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from imagesync_cli.values.errors import UsageError

STDIN = Path("-")
MAX_BYTES = 64 * 1024 * 1024
_DEEPEST = 32
# Values may be used again by alias, but not so that the file says much more than it has characters.
_LEAST_VALUES = 10_000
_TAG = "tag:yaml.org,2002:"
# How people write what the kind bool is.
TRUTH = {"true": True, "false": False}
# What people do where the parser says this, in the words of libyaml and of PyYAML.
_HINTS = {
    "mapping values are not allowed": "look at the line before too: a colon takes a space, and a text with ': ' quotes",
    "alphabetic or numeric character": "a text that begins with * or & needs quotes",
    "cannot start any token": "a text that begins with @, % or ` needs quotes",
    "unexpected end of stream": "a text in quotes has no end",
    "expected": "look at the line before too: items and keys of one list or mapping begin in the same column",
}
_PLAIN = {"str", "int", "float", "bool", "null", "timestamp"}


class Value(NamedTuple):
    """A scalar's text and its ``kind``: str, int, float, bool, null or timestamp."""

    line: int
    kind: str
    text: str


class Items(NamedTuple):
    """A list."""

    line: int
    items: tuple[Node, ...]


class Fields(NamedTuple):
    """A mapping from words; ``key_lines`` says where each stands, in their order."""

    line: int
    fields: dict[str, Node]
    key_lines: tuple[int, ...]

    @property
    def lines(self) -> dict[str, int]:
        """Where each key stands."""
        return dict(zip(self.fields, self.key_lines, strict=True))


Node = Value | Items | Fields


def read_nodes(path: Path) -> list[Node]:
    """The documents in a file (JSON has one), stdin for ``-``; UsageError that names file and line where it is none."""
    name = name_of(path)
    try:
        with contextlib.nullcontext(sys.stdin.buffer) if path == STDIN else path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise UsageError(f"{name} is longer than {MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UsageError(f"{name}:{line}: this is not UTF-8") from error
    return parse_document(text, name)


def why_not_one(documents: Sequence[Node]) -> str:
    """What is wrong with a file that is to have one document, "" for one that has."""
    if not documents:
        return "there is nothing in it"
    return "it has more than one document" if len(documents) > 1 else ""


def name_of(path: Path) -> str:
    """What errors call a file."""
    return "stdin" if path == STDIN else str(path)


def parse_document(text: str, name: str) -> list[Node]:
    """The documents in a text; ``name`` is what errors call it."""
    import yaml

    if name.endswith(".json"):
        text = _checked_json(text, name)
    try:
        events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return list(_Reader(name, max(_LEAST_VALUES, len(text))).documents(events))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        is_tab = mark is not None and (text.splitlines()[mark.line :] or [""])[0].startswith("\t", mark.column)
        why = "a tab is not indentation: use spaces" if is_tab else error.problem or error.context or ""
        hint = next((hint for words, hint in _HINTS.items() if words in why), "")
        raise UsageError(f"{name}:{mark.line + 1 if mark else 1}: {why}", hint=hint) from error
    except yaml.reader.ReaderError as error:
        line = text.encode()[: error.position].count(b"\n") + 1
        raise UsageError(f"{name}:{line}: {error.reason}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UsageError(f"{name} cannot be read: {str(error) or 'it is nested too deep'}") from error


def _checked_json(text: str, name: str) -> str:
    """The same JSON as YAML reads it: strings hold no tab as it is, and elsewhere it is like a space."""
    try:
        json.loads(text)
    except RecursionError as error:
        raise UsageError(f"{name} cannot be read: it is nested too deep") from error
    except ValueError as error:
        raise UsageError(f"{name}:{getattr(error, 'lineno', 1)}: this is not JSON") from error
    return text.replace("\t", " ")


@dataclass(frozen=True)
class _Anchored:
    """What an alias stands for, how many values that is, and how deep they are nested."""

    node: Node
    values: int
    height: int


class _Reader:
    """Turns the parser's events into nodes; ``left`` is how many more values there may be, aliased ones included."""

    def __init__(self, name: str, left: int) -> None:
        import yaml

        self._name = name
        self._left = left
        self._deepest = 0
        self._anchors: dict[str, _Anchored] = {}
        self._yaml = yaml
        self._resolver: Any = yaml.resolver.Resolver()

    def documents(self, events: Iterator[Any]) -> Iterator[Node]:
        for event in events:
            if isinstance(event, self._yaml.DocumentStartEvent):
                self._anchors.clear()
                first = next(events)
                yield self._node(first, events, 0)

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        line = event.start_mark.line + 1
        if depth > _DEEPEST:
            raise self._wrong(line, "this is nested too deep")
        if isinstance(event, self._yaml.AliasEvent):
            return self._alias(event.anchor, line, depth)
        before, deepest, self._deepest = self._left, self._deepest, depth
        self._take(1, line)
        node = self._new(event, events, line, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(node, before - self._left, self._deepest - depth)
        self._deepest = max(deepest, self._deepest)
        return node

    def _alias(self, name: str | None, line: int, depth: int) -> Node:
        anchored = self._anchors.get(name or "")
        if anchored is None:
            why = f"there is no anchor &{name} before this alias; a text that begins with * needs quotes"
            raise self._wrong(line, why)
        if depth + anchored.height > _DEEPEST:
            raise self._wrong(line, "this is nested too deep")
        self._deepest = max(self._deepest, depth + anchored.height)
        self._take(anchored.values, line)
        return anchored.node

    def _take(self, values: int, line: int) -> None:
        self._left -= values
        if self._left < 0:
            raise self._wrong(line, "aliases make this file much larger than it is")

    def _new(self, event: Any, events: Iterator[Any], line: int, depth: int) -> Node:
        if isinstance(event, self._yaml.MappingStartEvent) and event.tag in (None, "!", f"{_TAG}map"):
            return self._fields(events, line, depth)
        if isinstance(event, self._yaml.SequenceStartEvent) and event.tag in (None, "!", f"{_TAG}seq"):
            ends = self._yaml.SequenceEndEvent
            return Items(line, tuple(self._node(e, events, depth + 1) for e in _until(events, ends)))
        kind = self._kind(event) if isinstance(event, self._yaml.ScalarEvent) else str(event.tag)
        if kind not in _PLAIN:
            written = kind if kind.startswith("!") else f"!!{kind.removeprefix(_TAG)}"
            raise self._wrong(line, f"{written} is not understood here")
        return Value(line, kind, event.value)

    def _kind(self, event: Any) -> str:
        tag = event.tag
        if tag in (None, "!"):
            tag = self._resolver.resolve(self._yaml.ScalarNode, event.value, event.implicit)
        return sys.intern(str(tag).removeprefix(_TAG))

    def _fields(self, events: Iterator[Any], line: int, depth: int) -> Fields:
        own, lines, merged = dict[str, Node](), list[int](), list[tuple[int, Node]]()
        for key in _until(events, self._yaml.MappingEndEvent):
            at = key.start_mark.line + 1
            if not isinstance(key, self._yaml.ScalarEvent):
                raise self._wrong(at, "a key is a word")
            value = self._node(next(events), events, depth + 1)
            if self._kind(key) == "merge":
                merged.append((at, value))
                continue
            if key.value in own:
                first = lines[list(own).index(key.value)]
                raise self._wrong(at, f"{key.value!r} stands here a second time, first in line {first}")
            own[sys.intern(key.value)] = value
            lines.append(at)
        for at, value in merged:
            self._merge(at, value, own, lines)
        return Fields(line, own, tuple(lines))

    def _merge(self, at: int, value: Node, own: dict[str, Node], lines: list[int]) -> None:
        """Take over what ``<<`` brings in, one mapping or several, where the key is not there yet."""
        for source in value.items if isinstance(value, Items) else (value,):
            if not isinstance(source, Fields):
                raise self._wrong(at, "<< takes a mapping, or a list of mappings")
            for key, line in source.lines.items():
                if key not in own:
                    own[key] = source.fields[key]
                    lines.append(line)

    def _wrong(self, line: int, what: str) -> UsageError:
        return UsageError(f"{self._name}:{line}: {what}")


def _until(events: Iterator[Any], end: type) -> Iterator[Any]:
    """The events that begin an item each, up to the end of what they are in."""
    for event in events:
        if isinstance(event, end):
            return
        yield event

"""The values in a file of images, each read from its node; what is wrong gathers, and is told at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from imagesync_cli.batch.document import TRUTH, Fields, Items, Node, Value
from imagesync_cli.batch.entry import parse_rename
from imagesync_cli.batch.reading.prefix import Prefix, parse_prefix
from imagesync_cli.look.tags import names_tag
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.names import parse_artifact_type
from imagesync_cli.values.platforms import Platform, parse_platform
from imagesync_cli.values.reference import Reference, parse_reference
from imagesync_cli.values.tags.replacing import parse_keep_as, parse_overwrite
from imagesync_cli.values.tags.rules import TagRules
from imagesync_cli.values.times import parse_span

_T = TypeVar("_T")
TEXT = frozenset({"str", "int", "float", "timestamp"})  # 1.10 is a tag, whatever else YAML takes it for
_VARIABLE = re.compile(r"(\$?)\$\{([^}]*)(\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DIGITS = re.compile(r"\d{1,9}")
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,9})?")
_SHOWN, _SHOWN_TEXT = 20, 40
STRING = frozenset({"str"})
_RULES = frozenset({"include", "exclude", "semver", "latest", "each_variant"})
# At the end of a path: every repository below it.
FOLDER = "/**"
# A reference, and whether its text names a tag.
Read = tuple[Reference, bool]


class Reading:
    """One file on its way to values: what is wrong is noted in ``problems``, and left out of what is given."""

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        self.name = name
        self._environ = environ
        self.problems: dict[tuple[int, str], None] = {}  # in their order, each once

    def wrong(self, line: int, what: str) -> None:
        """Note a problem."""
        self.problems[line, what] = None

    def error(self) -> UsageError:
        """All problems as one error."""
        lines = [f"{self.name}:{line}: {what}" for line, what in sorted(self.problems)]
        if len(lines) > _SHOWN:
            lines[_SHOWN:] = [f"and {len(lines) - _SHOWN} more"]
        return UsageError("; ".join(lines), hint="the form of the file: docs/many-images.md", problems=lines)

    def fields(
        self,
        node: Node,
        what: str,
        known: frozenset[str],
        *,
        required: tuple[str, ...] = (),
        extensions: bool = False,
    ) -> dict[str, Node]:
        """The fields of a mapping that are known."""
        if not isinstance(node, Fields):
            self.wrong(node.line, f"{what} is a mapping with {', '.join(required or sorted(known))}")
            return {}
        for key in node.fields:
            if key not in known and not (extensions and key.startswith("x-")):
                self.wrong(
                    node.lines[key], f"{key!r} is not known in {what}: {_meant(key, known, 'x-' if extensions else '')}"
                )
        for key in required:
            if key not in node.fields:
                self.wrong(node.line, f"{what} has no {key}")
        return {key: value for key, value in node.fields.items() if key in known}

    def items(self, node: Node, what: str) -> tuple[Node, ...]:
        """The items of a list."""
        if isinstance(node, Items):
            return node.items
        self.wrong(node.line, f"{what} is a list, not {_shown(node)}")
        return ()

    def text(self, node: Node, what: str, kinds: frozenset[str] = TEXT) -> str | None:
        """A text with its variables replaced."""
        if not isinstance(node, Value) or node.kind not in kinds or not node.text:
            quotes = ": put it in quotes" if isinstance(node, Value) and node.text else ""
            self.wrong(node.line, f"{what} is a text, not {_shown(node)}{quotes}")
            return None
        return self.filled(node.text, node.line)

    def truth(self, node: Node, what: str, *, or_else: str = "") -> bool | None:
        """True or false; ``or_else`` is what besides an error says it may be."""
        if isinstance(node, Value) and node.kind == "bool" and node.text.lower() in TRUTH:
            return TRUTH[node.text.lower()]
        self.wrong(node.line, f"{what} is true or false{or_else}, not {_shown(node)}")
        return None

    def hours(self, node: Node, what: str) -> float | None:
        """A number of hours."""
        if isinstance(node, Value) and node.kind in ("int", "float") and _NUMBER.fullmatch(node.text):
            return float(node.text)
        self.wrong(node.line, f"{what} is a number, at least 0, not {_shown(node)}")
        return None

    def whole_number(self, node: Node, what: str, least: int = 0) -> int | None:
        """A whole number of at least ``least``."""
        if isinstance(node, Value) and node.kind == "int" and _DIGITS.fullmatch(node.text) and int(node.text) >= least:
            return int(node.text)
        self.wrong(node.line, f"{what} is a whole number, at least {least}, not {_shown(node)}")
        return None

    def parsed(self, parse: Callable[[], _T], line: int) -> _T | None:
        """What ``parse`` makes of it."""
        try:
            return parse()
        except UsageError as error:
            self.wrong(line, str(error))
            return None

    def filled(self, text: str, line: int) -> str | None:
        """The text with each ${NAME} replaced from the environment; $${ stands for ${.

        One that comes to nothing is wrong: without it an entry would be gone, or its rules would say something else.
        """
        if "${" not in text:
            return text
        failed = False

        def value(found: re.Match[str]) -> str:
            nonlocal failed
            escaped, name, closed = found.groups()
            if escaped:
                return found[0][1:]
            if not closed or not _NAME.fullmatch(name):
                self.wrong(line, f"{found[0]!r} is not a variable: it looks like ${{NAME}}, and $${{ stands for ${{")
            elif name not in self._environ:
                self.wrong(line, f"${{{name}}} is not set in the environment")
            else:
                return self._environ[name]
            failed = True
            return ""

        filled = _VARIABLE.sub(value, text)
        if not (filled or failed):
            self.wrong(line, f"{text} is empty in the environment")
            return None
        return None if failed else filled

    def value(self, name: str, node: Node) -> Any:
        """What may stand in an entry or in defaults, in the form that its name asks for; None where it is wrong."""
        if name in _READ_BY:
            return _READ_BY[name](self, node, name)
        return self.parsed_text(node, name, _PARSED_BY.get(name, str))

    def parsed_text(self, node: Node, name: str, parse: Callable[[str], _T], kinds: frozenset[str] = TEXT) -> _T | None:
        """What is made of a text."""
        text = self.text(node, name, kinds)
        return self.parsed(lambda: parse(text), node.line) if text else None

    def each_parsed(self, node: Node, name: str, parse: Callable[[str], _T], kinds: frozenset[str] = TEXT) -> list[_T]:
        """What is made of each text of a list."""
        texts = [(item, self.text(item, name, kinds)) for item in self.items(node, name)]
        read = [self.parsed(lambda: parse(text), item.line) for item, text in texts if text]  # noqa: B023
        return [each for each in read if each is not None]

    def referrers(self, node: Node, name: str) -> tuple[str, ...] | bool | None:
        """True or false, or the types of what is copied."""
        if not isinstance(node, Items):
            return self.truth(node, name, or_else=", or a list of artifact types")
        if not node.items:
            self.wrong(node.line, f"{name} names no artifact type: false copies none")
        return tuple(dict.fromkeys(self.each_parsed(node, name, parse_artifact_type)))

    def platforms(self, node: Node, name: str) -> tuple[Platform, ...]:
        """A list of platforms, each once."""
        return tuple(dict.fromkeys(self.each_parsed(node, name, parse_platform)))

    def tags(self, node: Node, name: str) -> TagRules | None:
        """Rules, or a list of patterns."""
        if isinstance(node, Items):
            return self._rules(node.line, {"include": node})
        if isinstance(node, Fields):
            return self._rules(node.line, self.fields(node, name, _RULES))
        self.wrong(node.line, f"{name} is a list of patterns, or a mapping with {', '.join(sorted(_RULES))}")
        return None

    def _rules(self, line: int, given: Mapping[str, Node]) -> TagRules | None:
        before = len(self.problems)
        include, exclude = (
            tuple(self.each_parsed(given[key], key, _pattern)) if key in given else () for key in ("include", "exclude")
        )
        semver = self.text(given["semver"], "semver") if "semver" in given else ""
        latest = self.whole_number(given["latest"], "latest", least=1) if "latest" in given else None
        apart = self.truth(given["each_variant"], "each_variant") is True if "each_variant" in given else False
        rules = self.parsed(lambda: TagRules(include, exclude, semver or "", latest, apart), line)
        # What is wrong may be all that they say.
        return self.parsed(rules.meaningful, line) if rules and len(self.problems) == before else rules

    def folder(self, node: Node, name: str) -> Prefix | None:
        """The path before /**, which stands for every repository below it; None for any other text."""
        if not isinstance(node, Value) or not node.text.endswith(FOLDER):
            return None
        return self.parsed_text(node, name, lambda text: parse_prefix(text.removesuffix(FOLDER)), STRING)

    def prefixes(self, node: Node, name: str) -> tuple[Prefix, ...]:
        """A list of registries, or of paths in them."""
        return tuple(self.each_parsed(node, name, parse_prefix, STRING))

    def one_or_more(self, node: Node, name: str) -> Items:
        """A list, of one where the node is no list."""
        if isinstance(node, Items) and not node.items:
            self.wrong(node.line, f"{name} is an empty list")
        return node if isinstance(node, Items) else Items(node.line, (node,))

    def reference(self, node: Node, name: str) -> Read | None:
        """A reference, and whether its text names a tag."""
        return self.parsed_text(node, name, _reference, STRING)

    def references(self, node: Node, name: str) -> list[Read]:
        """A reference, or a list of them."""
        return self.each_parsed(self.one_or_more(node, name), name, _reference, STRING)


def _meant(key: str, known: frozenset[str], free: str) -> str:
    """What somebody may have meant by a key, else all that there are; ``free`` begins those that are ignored."""
    from difflib import get_close_matches

    if close := get_close_matches(key.lower(), sorted(known), n=2):
        return f"did you mean {' or '.join(close)}?"
    return f"it takes {', '.join(sorted(known))}{f', and ignores {free}…' if free else ''}"


def _shown(node: Node) -> str:
    """What stands there, in an error."""
    if isinstance(node, Value):
        text = "the text " if node.kind == "str" else ""
        return f"{text}{node.text[:_SHOWN_TEXT]!r}" if node.text else "nothing"
    return "a list" if isinstance(node, Items) else "a mapping"


def _pattern(text: str) -> str:
    TagRules((text,))
    return text


def _span(text: str) -> str:
    parse_span(text)
    return text


def _reference(text: str) -> Read:
    reference = parse_reference(text)
    return reference, names_tag(reference, text)


# Those that are no text, or more than one.
_READ_BY: dict[str, Callable[[Reading, Node, str], object]] = {
    "platforms": Reading.platforms,
    "referrers": Reading.referrers,
    "foreign_layers": Reading.truth,
    "prune": Reading.truth,
    "tags": Reading.tags,
    "min_age_hours": Reading.hours,
    "keep_last": Reading.whole_number,
    "minimum_age_by_created": Reading.truth,
    "ignore_age_for": lambda reading, node, name: reading.each_parsed(node, name, str),
}
_PARSED_BY: dict[str, Callable[[str], object]] = {
    "as": parse_rename,
    "overwrite": parse_overwrite,
    "keep_as": parse_keep_as,
    "minimum_age": _span,
}

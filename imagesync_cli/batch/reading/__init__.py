"""Values of each kind in a file of images; what is wrong with it gathers, and is told at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from imagesync_cli.batch.document import Fields, Items, Node, Value
from imagesync_cli.values.errors import UsageError

_T = TypeVar("_T")
TEXT = frozenset({"str", "int", "float", "timestamp"})  # 1.10 is a tag, whatever else YAML takes it for
TRUTH = {"true": True, "false": False}
_VARIABLE = re.compile(r"(\$?)\$\{([^}]*)(\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DIGITS = re.compile(r"\d{1,9}")
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,9})?")
_SHOWN = 20


class Reading:
    """One file on its way to values: what is not of its kind is noted in ``problems``, and None."""

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        self.name = name
        self._environ = environ
        self.problems: list[tuple[int, str]] = []

    def wrong(self, line: int, what: str) -> None:
        """Note a problem, once."""
        if (line, what) not in self.problems:
            self.problems.append((line, what))

    def error(self) -> UsageError:
        """All problems as one error."""
        lines = [f"{self.name}:{line}: {what}" for line, what in sorted(self.problems)]
        more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
        return UsageError("; ".join(lines[:_SHOWN]) + more, hint="the form of the file: docs/many-images.md")

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
                self.wrong(node.lines[key], f"{key!r} is not known in {what}: it takes {', '.join(sorted(known))}")
        for key in required:
            if key not in node.fields:
                self.wrong(node.line, f"{what} has no {key}")
        return {key: value for key, value in node.fields.items() if key in known}

    def items(self, node: Node, what: str) -> tuple[Node, ...]:
        """The items of a list."""
        if isinstance(node, Items):
            return node.items
        self.wrong(node.line, f"{what} is a list")
        return ()

    def text(self, node: Node, what: str, kinds: frozenset[str] = TEXT) -> str | None:
        """A text with its variables replaced."""
        if not isinstance(node, Value) or node.kind not in kinds or not node.text:
            self.wrong(node.line, f"{what} is a text; in quotes, if YAML takes it for something else")
            return None
        return self.filled(node.text, node.line)

    def truth(self, node: Node, what: str, *, or_else: str = "") -> bool | None:
        """True or false; ``or_else`` is what besides an error says it may be."""
        if isinstance(node, Value) and node.kind == "bool" and node.text.lower() in TRUTH:
            return TRUTH[node.text.lower()]
        self.wrong(node.line, f"{what} is true or false{or_else}")
        return None

    def hours(self, node: Node, what: str) -> float | None:
        """A number of hours."""
        if isinstance(node, Value) and node.kind in ("int", "float") and _NUMBER.fullmatch(node.text):
            return float(node.text)
        self.wrong(node.line, f"{what} is a number, at least 0")
        return None

    def whole_number(self, node: Node, what: str, least: int = 0) -> int | None:
        """A whole number of at least ``least``."""
        if isinstance(node, Value) and node.kind == "int" and _DIGITS.fullmatch(node.text) and int(node.text) >= least:
            return int(node.text)
        self.wrong(node.line, f"{what} is a whole number, at least {least}")
        return None

    def parsed(self, parse: Callable[[], _T], line: int) -> _T | None:
        """What ``parse`` makes of it."""
        try:
            return parse()
        except UsageError as error:
            self.wrong(line, str(error))
            return None

    def filled(self, text: str, line: int) -> str | None:
        """The text with each ${NAME} replaced from the environment; $${ stands for ${."""
        if "${" not in text:
            return text
        failed = False

        def value(found: re.Match[str]) -> str:
            nonlocal failed
            escaped, name, closed = found.groups()
            if escaped:
                return found[0][1:]
            if not closed or not _NAME.fullmatch(name):
                self.wrong(line, f"{found[0]!r} is no variable: it looks like ${{NAME}}, and $${{ stands for ${{")
            elif name not in self._environ:
                self.wrong(line, f"${{{name}}} is not set in the environment")
            else:
                return self._environ[name]
            failed = True
            return ""

        filled = _VARIABLE.sub(value, text)
        return None if failed else filled

"""The values that an image of a file may have, each read from its node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from imagesync_cli.batch.document import Items, Node, Value
from imagesync_cli.batch.reading import TEXT, Reading
from imagesync_cli.batch.reading.prefix import Prefix, parse_prefix
from imagesync_cli.look.tags import names_tag
from imagesync_cli.values.names import parse_artifact_type
from imagesync_cli.values.platforms import Platform, parse_platform
from imagesync_cli.values.reference import Reference, parse_reference
from imagesync_cli.values.tags.renaming import parse_rename
from imagesync_cli.values.tags.replacing import parse_keep_as, parse_overwrite
from imagesync_cli.values.tags.rules import TagRules

_T = TypeVar("_T")
STRING = frozenset({"str"})
_RULES = frozenset({"include", "exclude", "semver", "latest", "each_variant"})
# At the end of a path: every repository below it.
FOLDER = "/**"
# A reference, and whether its text names a tag.
Read = tuple[Reference, bool]


class ImageReading(Reading):
    """Each method reads one kind of value; what is wrong is noted, and left out of what it gives."""

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
        return self._rules(node.line, self.fields(node, name, _RULES))

    def _rules(self, line: int, given: Mapping[str, Node]) -> TagRules | None:
        include, exclude = (
            tuple(self.each_parsed(given[key], key, _pattern)) if key in given else () for key in ("include", "exclude")
        )
        semver = self.text(given["semver"], "semver") if "semver" in given else ""
        latest = self.whole_number(given["latest"], "latest", least=1) if "latest" in given else None
        apart = self.truth(given["each_variant"], "each_variant") is True if "each_variant" in given else False
        return self.parsed(lambda: TagRules(include, exclude, semver or "", latest, apart).meaningful(), line)

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


def _pattern(text: str) -> str:
    TagRules((text,))
    return text


def _reference(text: str) -> Read:
    reference = parse_reference(text)
    return reference, names_tag(reference, text)


# Those that are no text, or more than one.
_READ_BY: dict[str, Callable[[ImageReading, Node, str], object]] = {
    "platforms": ImageReading.platforms,
    "referrers": ImageReading.referrers,
    "foreign_layers": ImageReading.truth,
    "prune": ImageReading.truth,
    "tags": ImageReading.tags,
    "min_age_hours": ImageReading.hours,
    "keep_last": ImageReading.whole_number,
    "minimum_age_by_created": ImageReading.truth,
    "ignore_age_for": lambda reading, node, name: reading.each_parsed(node, name, str),
}
_PARSED_BY: dict[str, Callable[[str], object]] = {
    "as": parse_rename,
    "overwrite": parse_overwrite,
    "keep_as": parse_keep_as,
}

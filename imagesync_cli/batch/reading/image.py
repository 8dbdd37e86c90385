"""The values that an image of a file may have, each read from its node."""

from __future__ import annotations

from collections.abc import Mapping

from imagesync_cli.batch.document import Items, Node, Value
from imagesync_cli.batch.reading import Reading
from imagesync_cli.batch.reading.prefix import Prefix, parse_prefix
from imagesync_cli.look.tags import names_tag
from imagesync_cli.values.names import parse_artifact_type
from imagesync_cli.values.platforms import Platform, parse_platform
from imagesync_cli.values.reference import Reference, parse_reference
from imagesync_cli.values.tags.renaming import parse_rename
from imagesync_cli.values.tags.replacing import KeepAs, parse_keep_as, parse_overwrite
from imagesync_cli.values.tags.rules import TagRules

_RULES = frozenset({"include", "exclude", "semver", "latest", "each_variant"})
# At the end of a path: every repository below it.
FOLDER = "/**"
# A reference, and whether its text names a tag.
Read = tuple[Reference, bool]


class ImageReading(Reading):
    """Each method reads one kind of value; what is wrong is noted, and left out of what it gives."""

    def texts(self, node: Node, name: str) -> list[str]:
        """A list of texts."""
        return [text for item in self.items(node, name) if (text := self.text(item, name))]

    def overwrite(self, node: Node, name: str) -> str | None:
        """What may be replaced."""
        text = self.text(node, name)
        return self.parsed(lambda: parse_overwrite(text), node.line) if text else None

    def keep_as(self, node: Node, name: str) -> KeepAs | None:
        """How a tag is called that keeps what is replaced."""
        text = self.text(node, name)
        return self.parsed(lambda: parse_keep_as(text), node.line) if text else None

    def renaming(self, node: Node, name: str) -> str | None:
        """How tags are called at the destination."""
        text = self.text(node, name)
        return self.parsed(lambda: parse_rename(text), node.line) if text else None

    def referrers(self, node: Node, name: str) -> tuple[str, ...] | bool | None:
        """True or false, or the types of what is copied."""
        if not isinstance(node, Items):
            return self.truth(node, name, or_else=", or a list of artifact types")
        types = [(item, self.text(item, name)) for item in node.items]
        found = [self.parsed(lambda: parse_artifact_type(text), item.line) for item, text in types if text]  # noqa: B023
        if not types:
            self.wrong(node.line, f"{name} names no artifact type: false copies none")
        return tuple(dict.fromkeys(each for each in found if each))

    def prefixes(self, node: Node, name: str) -> tuple[Prefix, ...]:
        """A list of registries, or of paths in them."""
        items = [(item, self.text(item, name, frozenset({"str"}))) for item in self.items(node, name)]
        found = [self.parsed(lambda: parse_prefix(text), item.line) for item, text in items if text]  # noqa: B023
        return tuple(prefix for prefix in found if prefix is not None)

    def keep_last(self, node: Node, name: str) -> int | None:
        """How many of those stay."""
        number = self.number(node, name, least=0, whole=True)
        return None if number is None else int(number)

    def tags(self, node: Node, name: str) -> TagRules | None:
        """Rules, or a list of patterns."""
        if isinstance(node, Items):
            return self._rules(node.line, {"include": node})
        return self._rules(node.line, self.fields(node, name, _RULES))

    def _rules(self, line: int, given: Mapping[str, Node]) -> TagRules | None:
        include, exclude = (self._patterns(given[key], key) if key in given else () for key in ("include", "exclude"))
        semver = self.text(given["semver"], "semver") if "semver" in given else ""
        latest = self.number(given["latest"], "latest", least=1, whole=True) if "latest" in given else None
        apart = self.truth(given["each_variant"], "each_variant") is True if "each_variant" in given else False
        newest = int(latest) if latest else None
        return self.parsed(lambda: TagRules(include, exclude, semver or "", newest, apart).meaningful(), line)

    def _patterns(self, node: Node, name: str) -> tuple[str, ...]:
        patterns = [(item, self.text(item, name)) for item in self.items(node, name)]
        good = [text for item, text in patterns if text and self.parsed(lambda: TagRules((text,)), item.line)]  # noqa: B023
        return tuple(good)

    def platforms(self, node: Node, name: str) -> tuple[Platform, ...]:
        """A list of platforms, each once."""
        items = [(item, self.text(item, name)) for item in self.items(node, name)]
        found = [self.parsed(lambda: parse_platform(text), item.line) for item, text in items if text]  # noqa: B023
        return tuple(dict.fromkeys(platform for platform in found if platform is not None))

    def folder(self, node: Node, name: str) -> Prefix | None:
        """The path before /**, which stands for every repository below it; None for any other text."""
        if not isinstance(node, Value) or not node.text.endswith(FOLDER):
            return None
        text = self.text(node, name, frozenset({"str"}))
        return self.parsed(lambda: parse_prefix(text.removesuffix(FOLDER)), node.line) if text else None

    def prefixes_or_one(self, node: Node, name: str) -> tuple[Prefix, ...]:
        """A registry or a path in one, or a list of them."""
        if isinstance(node, Items) and not node.items:
            self.wrong(node.line, f"{name} is an empty list")
        return self.prefixes(node if isinstance(node, Items) else Items(node.line, (node,)), name)

    def reference(self, node: Node, name: str) -> Read | None:
        """A reference, and whether its text names a tag."""
        text = self.text(node, name, frozenset({"str"}))
        if text is None:
            return None
        reference = self.parsed(lambda: parse_reference(text), node.line)
        return None if reference is None else (reference, names_tag(reference, text))

    def references(self, node: Node, name: str) -> list[Read]:
        """A reference, or a list of them."""
        if isinstance(node, Items) and not node.items:
            self.wrong(node.line, f"{name} is an empty list")
        nodes = node.items if isinstance(node, Items) else (node,)
        return [found for each in nodes if (found := self.reference(each, name))]

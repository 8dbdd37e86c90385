"""A mapping in another tool's file: what is missing is empty.

What is of another kind than expected is empty too, or where the mapping is ``exact``, Misshapen: a rule that nobody
understands must not become none.
"""

from __future__ import annotations

from collections.abc import Iterable

from imagesync_cli.batch.document import Fields, Items, Node, Value


class Misshapen(Exception):
    """What stands in this line is of another kind than the tool's files have it."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


class Section:
    """One mapping; for any other node it is empty. ``defaults`` hold where it does not say a thing itself."""

    def __init__(self, node: Node | None, defaults: Section | None = None, *, exact: bool = False) -> None:
        own = node if isinstance(node, Fields) else Fields(node.line if node else 0, {}, ())
        self.line, self.lines, self.exact = own.line, own.lines, exact
        self.nodes: dict[str, Node] = {**(defaults.nodes if defaults else {}), **own.fields}

    def _of(self, key: str, *kinds: type) -> Node | None:
        """What stands there, None for nothing."""
        node = self.nodes.get(key)
        if node is None or (isinstance(node, Value) and node.kind == "null"):
            return None
        if isinstance(node, kinds):
            return node
        if self.exact:
            raise Misshapen(node.line, f"{key} is {_NAMES[type(node)]}, not {_NAMES[kinds[0]]}")
        return None

    def text(self, key: str) -> str:
        """The text of a scalar, "" of anything else."""
        return text_of(self._of(key, Value))

    def texts(self, key: str) -> list[str]:
        """The texts in a list, or the only one."""
        node = self._of(key, Items, Value)
        for each in items_of(node) if self.exact else ():
            if not text_of(each):
                raise Misshapen(each.line, f"{key} has what is no text")
        return texts_of(node)

    def is_true(self, key: str) -> bool:
        """Whether it says true, in whatever case, or yes or on, as YAML has it."""
        node, said = self.nodes.get(key), self.text(key).lower()
        is_truth = isinstance(node, Value) and node.kind == "bool"
        return said == "true" or (is_truth and said in ("yes", "on"))

    def number(self, key: str, otherwise: int) -> int:
        """A whole number, else ``otherwise``; of a long one ten digits, which no file of ours takes."""
        said = self.text(key)
        if said and not said.isdecimal() and self.exact:
            raise Misshapen(self.nodes[key].line, f"{key} is {said[:40]!r}, not a whole number")
        return int(said.lstrip("0")[:10] or 0) if said.isdecimal() else otherwise

    def items(self, key: str) -> tuple[Node, ...]:
        return items_of(self._of(key, Items))

    def section(self, key: str) -> Section:
        return Section(self._of(key, Fields), exact=self.exact)

    def sections(self, key: str) -> list[Section]:
        items = self.items(key)
        for each in items if self.exact else ():
            if not isinstance(each, Fields):
                raise Misshapen(each.line, f"{key} has {_NAMES[type(each)]}, not only mappings")
        return [Section(each, exact=self.exact) for each in items]

    def only(self, known: Iterable[str], what: str) -> None:
        """Misshapen if it says more: rules without the one that is not known would pick more."""
        for key in self.nodes:
            if key not in known:
                raise Misshapen(self.nodes[key].line, f"{what}: {key} is not known")


_NAMES: dict[type, str] = {Value: "a text", Items: "a list", Fields: "a mapping"}


def text_of(node: Node | None) -> str:
    """The text of a scalar, "" of anything else."""
    return node.text if isinstance(node, Value) and node.kind != "null" else ""


def items_of(node: Node | None) -> tuple[Node, ...]:
    """The items of a list, none of anything else."""
    return node.items if isinstance(node, Items) else ()


def texts_of(node: Node | None) -> list[str]:
    """The texts in a list, or the only one."""
    return list(map(text_of, node.items)) if isinstance(node, Items) else list(filter(None, [text_of(node)]))

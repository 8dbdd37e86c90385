"""A mapping in another tool's file, read leniently: what is missing, or of another kind than expected, is empty."""

from __future__ import annotations

from imagesync_cli.batch.document import Fields, Items, Node, Value


class Section:
    """One mapping; for any other node it is empty. ``defaults`` hold where it does not say a thing itself."""

    def __init__(self, node: Node | None, defaults: Section | None = None) -> None:
        own = node if isinstance(node, Fields) else Fields(node.line if node else 0, {}, ())
        self.line, self.lines = own.line, own.lines
        self.nodes: dict[str, Node] = {**(defaults.nodes if defaults else {}), **own.fields}

    def text(self, key: str) -> str:
        """The text of a scalar, "" of anything else."""
        return text_of(self.nodes.get(key))

    def texts(self, key: str) -> list[str]:
        """The texts in a list, or the only one."""
        return texts_of(self.nodes.get(key))

    def is_true(self, key: str) -> bool:
        """Whether it says true, in whatever case, or yes or on, as YAML has it."""
        node, said = self.nodes.get(key), self.text(key).lower()
        is_truth = isinstance(node, Value) and node.kind == "bool"
        return said == "true" or (is_truth and said in ("yes", "on"))

    def number(self, key: str, otherwise: int) -> int:
        """A whole number, else ``otherwise``; of a long one ten digits, which no file of ours takes."""
        said = self.text(key)
        return int(said.lstrip("0")[:10] or 0) if said.isdecimal() else otherwise

    def items(self, key: str) -> tuple[Node, ...]:
        return items_of(self.nodes.get(key))

    def section(self, key: str) -> Section:
        return Section(self.nodes.get(key))

    def sections(self, key: str) -> list[Section]:
        return list(map(Section, self.items(key)))


def text_of(node: Node | None) -> str:
    """The text of a scalar, "" of anything else."""
    return node.text if isinstance(node, Value) and node.kind != "null" else ""


def items_of(node: Node | None) -> tuple[Node, ...]:
    """The items of a list, none of anything else."""
    return node.items if isinstance(node, Items) else ()


def texts_of(node: Node | None) -> list[str]:
    """The texts in a list, or the only one."""
    return list(map(text_of, node.items)) if isinstance(node, Items) else list(filter(None, [text_of(node)]))

"""What was taken over from a file, and what was not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from imagesync_cli.batch.document import Fields, Items, Node, Value
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.reference import Reference, parse_reference

Images = dict[str, Any]  # an entry of images.yaml


@dataclass
class Adopted:
    """``entries`` as they stand in images.yaml; ``notes`` are what could not be carried over, with lines."""

    kind: str
    entries: list[Images] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, line: int, source: str, destination: str, **more: Any) -> None:
        """One entry, or a note where one of its sides is no reference; the same one twice is one."""
        try:
            parse_reference(source)
            parse_reference(destination)
        except UsageError as error:
            self.note(line, error.message)
            return
        entry = {"source": source, "destination": destination, **{k: v for k, v in more.items() if v}}
        if entry not in self.entries:
            self.entries.append(entry)

    def note(self, line: int, what: str) -> None:
        """Something that was left behind."""
        self.notes.append(f"line {line}: {what}")

    def unknown(self, node: Fields, known: Iterable[str], what: str) -> None:
        """Note every key that nothing was made of."""
        for key in node.fields.keys() - set(known):
            self.note(node.lines[key], f"{what}: {key} was left out")


def fields(node: Node | None) -> dict[str, Node]:
    """The fields of a mapping, none of anything else."""
    return node.fields if isinstance(node, Fields) else {}


def items(node: Node | None) -> tuple[Node, ...]:
    """The items of a list, none of anything else."""
    return node.items if isinstance(node, Items) else ()


def text(node: Node | None) -> str:
    """The text of a scalar, "" of anything else."""
    return node.text if isinstance(node, Value) and node.kind != "null" else ""


def texts(node: Node | None) -> list[str]:
    """The texts in a list, or the only one."""
    return [text(item) for item in items(node)] if isinstance(node, Items) else list(filter(None, [text(node)]))


def moved(source: str, target: str) -> str:
    """Where an image goes that is known by its source alone: the same path and tag below ``target``."""
    reference: Reference = parse_reference(source)
    _, repository = reference.location
    return f"{target}/{repository}:{reference.tag or 'latest'}"

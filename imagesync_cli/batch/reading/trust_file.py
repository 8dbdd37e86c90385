"""Rules about signatures that stand in a file of their own, or in one of images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from imagesync_cli.batch.document import TRUTH, Fields, Items, Node, Value, read_nodes, why_not_one
from imagesync_cli.look.trust.reading import read_trust
from imagesync_cli.look.trust.rules import Trust
from imagesync_cli.values.errors import UsageError


def read_trust_file(path: Path) -> Trust:
    """What a YAML or JSON file demands; files that it names are beside it."""
    nodes = read_nodes(path)
    if why := why_not_one(nodes):
        raise UsageError(f"{path}: {why}", hint="the form of trust: docs/how-to/trust.md")
    return trust_in(nodes[0], path, f"{path}: trust")


def trust_in(
    node: Node, path: Path, name: str = "trust", fill: Callable[[str, int], str | None] = lambda text, _: text
) -> Trust:
    """What this part of a file demands; ``name`` is what errors call it, and ``fill`` puts variables into a line."""
    return read_trust(_plain(node, fill), path.parent, name)


def _plain(node: Node, fill: Callable[[str, int], str | None]) -> object:
    if isinstance(node, Fields):
        return {key: _plain(value, fill) for key, value in node.fields.items()}
    if isinstance(node, Items):
        return [_plain(item, fill) for item in node.items]
    return _scalar(node, fill)


def _scalar(value: Value, fill: Callable[[str, int], str | None]) -> object:
    """Numbers stay as they are written: a field of an attestation is compared as text.

    So does what YAML takes for true or false and JSON does not, such as yes: where a truth value belongs, it is none.
    """
    if value.kind == "null":
        return None
    is_truth = value.kind == "bool" and value.text.lower() in TRUTH
    return TRUTH[value.text.lower()] if is_truth else fill(value.text, value.line)

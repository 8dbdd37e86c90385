"""Members of JSON that anybody may have written: what is of another kind than expected is not there."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]


def member(document: Any, *path: str) -> Any:
    """What is at the end of this path of names; None where there is nothing."""
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def text(document: Any, *path: str) -> str:
    """The text there, or ""."""
    value = member(document, *path)
    return value if isinstance(value, str) else ""


def mapping(document: Any, *path: str) -> Document:
    """The object there, or an empty one."""
    value = member(document, *path)
    return value if isinstance(value, dict) else {}


def items(document: Any, *path: str) -> list[Any]:
    """The items of the list there, or none."""
    value = member(document, *path)
    return value if isinstance(value, list) else []


def mappings(document: Any, *path: str) -> list[Document]:
    """The objects in the list there."""
    return [each for each in items(document, *path) if isinstance(each, dict)]

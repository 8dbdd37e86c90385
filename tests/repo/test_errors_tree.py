"""The tree of errors drawn at the top of errors.py: it is what a maintainer reads first."""

from __future__ import annotations

import inspect
import re

from imagesync_cli.values import errors

LINE = re.compile(r"^(?P<indent>[ │├└─]*)(?P<name>[A-Z]\w+) +(?P<code>\d+)  (?P<meaning>.+)$", re.MULTILINE)

Tree = dict[str, tuple[str, int, str]]
"""Each class: its parent (nothing for the root), its exit code and what that means."""


def drawn() -> Tree:
    tree: Tree = {}
    parents: list[tuple[int, str]] = []
    for line in LINE.finditer(errors.__doc__ or ""):
        depth = len(line["indent"])
        parents = [parent for parent in parents if parent[0] < depth]
        tree[line["name"]] = (parents[-1][1] if parents else "", int(line["code"]), line["meaning"])
        parents.append((depth, line["name"]))
    return tree


def defined() -> Tree:
    classes = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if cls.__module__ == errors.__name__]
    raised = [cls for cls in classes if issubclass(cls, errors.ImagesyncError)]
    return {
        cls.__name__: ("" if cls is errors.ImagesyncError else cls.__bases__[0].__name__, cls.exit_code, cls.meaning)
        for cls in raised
    }


def test_the_drawn_tree_is_the_tree() -> None:
    """Whoever looks up an exit code in errors.py reads what the program does."""
    assert drawn() == defined()


def test_each_kind_of_error_has_a_name_of_its_own() -> None:
    """The name shown with an error tells one kind from another."""
    names = [errors.ImagesyncError.name, *(cls.name for cls in errors.ImagesyncError.__subclasses__())]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in names)

"""Who may import whom.

Keeps the picture in CONTRIBUTING.md true.  Style is ruff's matter, and types are mypy's.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repo.checkout import PACKAGE, ROOT

# From the top down: a module imports its own row and those below it.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"__main__"}),
    frozenset({"cli"}),
    frozenset({"commands", "completion"}),
    frozenset({"external"}),
    frozenset({"process"}),
    frozenset({"output"}),
    frozenset({"display"}),
    frozenset({"frame"}),
    frozenset({"adopt"}),
    frozenset({"imagesfile"}),
    frozenset({"operations"}),
    frozenset({"stores"}),
    frozenset({"credentials"}),
    frozenset({"settings"}),
    frozenset({"entry"}),
    frozenset({"selection", "lockfile", "shards", "tag_rules"}),
    frozenset({"regex", "versions", "atomic"}),
    frozenset({"reference", "digest", "platforms", "manifest", "errors", "gather", "deadline", "secret", "__init__"}),
)

# What only some parts may touch, whatever their row: libraries by their name, calls as they are written.
ONLY_IN = {
    "click": {"cli", "commands", "completion"},
    "rich": {"frame"},
    "httpx": {"stores"},
    "h11": {"stores"},
    "yaml": {"imagesfile"},
    "os.environ": {"settings"},
    "os.getenv": {"settings"},
    "asyncio.run": {"process"},
    "sys.exit": {"cli", "commands", "external"},
}


def part_of(path: Path) -> str:
    """Return the layer's name: the first folder, or the module itself."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def row_of(part: str) -> int:
    return next(row for row, parts in enumerate(LAYERS) if part in parts)


def imported(path: Path, tree: ast.Module) -> Iterator[str]:
    """Yield every module that is imported anywhere in a file, by its full name."""
    package = ("imagesync_cli", *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *filter(None, (node.module,))))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def parts_imported(path: Path, tree: ast.Module) -> Iterator[str]:
    """Yield the layers' names of what a file imports from this package."""
    for name in imported(path, tree):
        top, _, rest = name.partition(".")
        if top == "imagesync_cli":
            part = rest.partition(".")[0]
            yield part if any(part in parts for parts in LAYERS) else "__init__"


def names_used(path: Path, tree: ast.Module) -> set[str]:
    """Return the libraries a file imports and the dotted names it uses, as far as ONLY_IN knows them."""
    libraries = {name.partition(".")[0] for name in imported(path, tree)}
    dotted = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return (libraries | dotted | set(imported(path, tree))) & ONLY_IN.keys()


def breaches(path: Path, source: str) -> list[str]:
    """Return a line for each import or call that a file is not allowed."""
    part, tree = part_of(path), ast.parse(source)
    upward = {other for other in parts_imported(path, tree) if row_of(other) < row_of(part)}
    reserved = {name for name in names_used(path, tree) if part not in ONLY_IN[name]}
    return [f"{part} must not use {name}" for name in sorted(upward | reserved)]


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_down(path: Path) -> None:
    """A reader who knows the picture in CONTRIBUTING.md knows where to look for anything."""
    assert breaches(path, path.read_text(encoding="utf-8")) == []


def test_the_picture_shows_every_part() -> None:
    """What a newcomer finds in the package is in the picture of CONTRIBUTING.md, in the order of the layers."""
    (picture,) = re.findall(r"```\n([^`]*┌[^`]*)```", (ROOT / "CONTRIBUTING.md").read_text("utf-8"))
    lines = [set(re.findall(r"\w+", line.rpartition("│")[0])) for line in picture.splitlines()]
    shown = {part: next((n for n, words in enumerate(lines) if part in words), -1) for part in map(part_of, MODULES)}
    del shown["__init__"]
    assert [part for part, line in shown.items() if line < 0] == []
    rows = [row for _, row in sorted((line, row_of(part)) for part, line in shown.items())]
    assert rows == sorted(rows)


@pytest.mark.parametrize(
    ("module", "source", "breach"),
    [
        (
            "errors.py",
            "from imagesync_cli.reference import Reference\nimport imagesync_cli.stores.layout",
            "stores",
        ),
        ("stores/layout.py", "def f():\n    from imagesync_cli.operations import sync", "operations"),
        ("stores/layout.py", "from ..output import Progress", "output"),
        ("operations/sync.py", "from .. import cli", "cli"),
        ("operations/sync.py", "import httpx", "httpx"),
        ("credentials/docker_config.py", "import os\nhome = os.environ['HOME']", "os.environ"),
        ("stores/http.py", "from os import environ", "os.environ"),
        ("operations/delete.py", "import asyncio\nasyncio.run(main())", "asyncio.run"),
    ],
)
def test_an_upward_import_is_found(module: str, source: str, breach: str) -> None:
    """A change that breaks the picture is told which import does."""
    part = module.split("/", maxsplit=1)[0].removesuffix(".py")
    assert breaches(PACKAGE / module, source) == [f"{part} must not use {breach}"]


def test_the_query_from_terraform_can_only_read() -> None:
    """A plan never changes a registry: external cannot reach what writes or deletes."""
    names = {
        name
        for path in (PACKAGE / "external").glob("*.py")
        for name in imported(path, ast.parse(path.read_text(encoding="utf-8")))
    }
    operations = {name.split(".")[2] for name in names if name.startswith("imagesync_cli.operations.")}
    assert operations == {"resolve", "inspect", "estimate"}

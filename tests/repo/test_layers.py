"""Who may import whom.

Keeps the picture in CONTRIBUTING.md true.  Style is ruff's matter, and types are mypy's.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repo.checkout import PACKAGE, ROOT

# Each room and the rooms that it knows beside itself; the picture in CONTRIBUTING.md has the same arrows.
KNOWS: dict[str, frozenset[str]] = {
    room: frozenset(known.split())
    for room, known in {
        "__main__": "cli terraform output stores/files",
        "cli": "__init__ commands output values",
        "commands": "terraform output batch copy delete look stores stores/files settings values",
        "terraform": "output look stores stores/files settings concurrency values",
        "output": "batch copy delete look stores/files settings values",
        "batch": "copy delete look stores stores/files concurrency values",
        "copy": "look stores concurrency values",
        "delete": "look stores stores/files concurrency values",
        "look": "stores concurrency values",
        "stores": "stores/registry stores/files stores/transport credentials settings concurrency values",
        "stores/registry": "__init__ stores stores/transport credentials settings concurrency values",
        "stores/files": "stores concurrency values",
        "stores/transport": "settings concurrency values",
        "credentials": "settings concurrency values",
        "settings": "values",
        "concurrency": "",
        "values": "",
        "__init__": "",
    }.items()
}

# What only some rooms may touch: libraries by their name, calls as they are written.
ONLY_IN = {
    "click": {"cli", "commands"},
    "rich": {"output"},
    "httpx": {"stores/registry", "stores/transport"},
    "h11": {"stores/transport"},
    "yaml": {"batch"},
    "os.environ": {"settings", "__main__"},
    "os.getenv": {"settings"},
    "asyncio.run": {"stores"},
    "sys.exit": {"cli", "commands", "terraform"},
}


def room_of(path: Path) -> str:
    """Return the folder that a module is in, or the module itself at the top; stores has rooms of its own."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "/".join(parts[:2]) if parts[0] == "stores" and len(parts) > 2 else parts[0]


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


def rooms_imported(path: Path, tree: ast.Module) -> Iterator[str]:
    """Yield the rooms of what a file imports from this package."""
    for name in imported(path, tree):
        top, *rest = name.split(".")
        if top == "imagesync_cli":
            room = "/".join(rest[:2])
            yield room if room in KNOWS else rest[0] if rest[:1] and rest[0] in KNOWS else "__init__"


def names_used(path: Path, tree: ast.Module) -> set[str]:
    """Return the libraries a file imports and the dotted names it uses, as far as ONLY_IN knows them."""
    libraries = {name.partition(".")[0] for name in imported(path, tree)}
    dotted = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return (libraries | dotted | set(imported(path, tree))) & ONLY_IN.keys()


def breaches(path: Path, source: str) -> list[str]:
    """Return a line for each import or call that a file is not allowed."""
    room, tree = room_of(path), ast.parse(source)
    strange = set(rooms_imported(path, tree)) - KNOWS[room] - {room}
    reserved = {name for name in names_used(path, tree) if room not in ONLY_IN[name]}
    return [f"{room} must not use {name}" for name in sorted(strange | reserved)]


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_room_knows_only_what_the_picture_says(path: Path) -> None:
    """A reader who knows the picture in CONTRIBUTING.md knows where to look for anything."""
    assert breaches(path, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("room", ["copy", "delete", "look", "batch", "terraform", "output", "commands"])
def test_only_what_speaks_to_registries_knows_their_codes(room: str) -> None:
    """Above it an error says what it means by its class, so a registry with other words needs no change there."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (PACKAGE / room).rglob("*.py")]
    names = {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert names & {"codes", "status", "status_code"} == set()


def test_every_arrow_of_the_picture_is_used() -> None:
    """The picture shows no way that nobody goes."""
    used: dict[str, set[str]] = {room: set() for room in KNOWS}
    for path in MODULES:
        used[room_of(path)] |= set(rooms_imported(path, ast.parse(path.read_text(encoding="utf-8"))))
    assert {room: known - used[room] for room, known in KNOWS.items() if known - used[room]} == {}


def test_rooms_stay_small() -> None:
    """A folder can be read at one look."""
    entries = [path for path in PACKAGE.iterdir() if path.name not in {"__pycache__", "_commit.py"}]
    assert len(entries) <= 16
    modules = Counter(path.parent for path in MODULES)
    assert {str(folder): number for folder, number in modules.items() if number > 14} == {}


def test_modules_stay_small() -> None:
    """A module can be read at one sitting."""
    lines = {str(path.relative_to(PACKAGE)): path.read_text("utf-8").count("\n") for path in MODULES}
    assert {module: number for module, number in lines.items() if number > 300} == {}


def test_the_picture_shows_every_room() -> None:
    """What a newcomer finds in the package is in the picture of CONTRIBUTING.md."""
    (picture,) = re.findall(r"```\n([^`]*┌[^`]*)```", (ROOT / "CONTRIBUTING.md").read_text("utf-8"))
    words = set(re.findall(r"\w+", picture))
    assert {room for room in KNOWS if room.rpartition("/")[2] not in words} == {"__init__"}


@pytest.mark.parametrize(
    ("module", "source", "breach"),
    [
        (
            "values/errors.py",
            "from imagesync_cli.values.reference import Reference\nimport imagesync_cli.stores.files.layout",
            "stores/files",
        ),
        ("stores/files/layout.py", "def f():\n    from imagesync_cli.copy import sync", "copy"),
        ("stores/files/layout.py", "from ...output import Progress", "output"),
        ("copy/sync.py", "from imagesync_cli.delete.delete import delete", "delete"),
        ("delete/delete.py", "from imagesync_cli.copy import sync", "copy"),
        ("look/check.py", "from imagesync_cli.copy import sync", "copy"),
        ("terraform/answers.py", "from imagesync_cli.copy.sync import sync", "copy"),
        ("stores/registry/client.py", "import imagesync_cli.stores.files.lock", "stores/files"),
        ("copy/sync.py", "from .. import cli", "cli"),
        ("copy/sync.py", "import httpx", "httpx"),
        ("credentials/docker_config.py", "import os\nhome = os.environ['HOME']", "os.environ"),
        ("stores/transport/http.py", "from os import environ", "os.environ"),
        ("delete/delete.py", "import asyncio\nasyncio.run(main())", "asyncio.run"),
    ],
)
def test_a_strange_import_is_found(module: str, source: str, breach: str) -> None:
    """A change that breaks the picture is told which import does."""
    room = room_of(PACKAGE / module)
    assert breaches(PACKAGE / module, source) == [f"{room} must not use {breach}"]


def test_modules_fit_on_a_screen() -> None:
    """A file of modules/images is read at once, and each of its lines without scrolling."""
    files = {path: path.read_text().splitlines() for path in (ROOT / "modules" / "images").glob("*.tf")}
    assert files
    assert {path.name: len(lines) for path, lines in files.items() if len(lines) > 120} == {}
    assert [line for lines in files.values() for line in lines if len(line) > 120] == []

"""What a user can type or meet is described: commands, options, exit codes, environment, module variables.

Looks for the name alone; whether the sentence around it is a good one is for a reader to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import imagesync_cli
from imagesync_cli import cli
from imagesync_cli.values import errors
from tests.repo.checkout import PACKAGE, ROOT, documentation, files

MODULES = sorted(path.parent for path in (ROOT / "modules").glob("*/variables.tf"))
DECLARED = re.compile(r'^(?:variable|output) "(\w+)"', re.MULTILINE)


def root_command() -> click.Group:
    (group,) = {value for value in vars(cli).values() if isinstance(value, click.Group)}
    return group


def commands(command: click.Command, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command below this one as a person types it."""
    yield " ".join(path), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from commands(child, *path, name)


COMMANDS = dict(commands(root_command(), "imagesync"))
OPTIONS = sorted(
    {
        max(parameter.opts, key=len)
        for command in COMMANDS.values()
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.hidden
    }
)
ENVIRONMENT = sorted(
    {name for path in PACKAGE.rglob("*.py") for name in re.findall(r"\bIMAGESYNC_[A-Z_]+\b", path.read_text())}
)


def is_named(word: str, text: str) -> bool:
    """Whether the word is there, and not only as the beginning or the end of a longer one."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    """A command found with --help is found in the documentation too."""
    assert is_named(command, documentation())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    """--help says what a command does and what each of its options is for."""
    assert COMMANDS[command].help
    options = [each for each in COMMANDS[command].params if isinstance(each, click.Option)]
    assert [option.opts for option in options if not option.help] == []


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_is_documented(option: str) -> None:
    """An option found with --help is found in the documentation too."""
    assert is_named(option, documentation())


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_every_environment_variable_is_documented(name: str) -> None:
    """No variable changes what imagesync does without the documentation saying so."""
    assert is_named(name, documentation())


@pytest.mark.parametrize("error", errors.ImagesyncError.__subclasses__(), ids=lambda error: error.__name__)
def test_every_exit_code_is_documented(error: type[errors.ImagesyncError]) -> None:
    """A script's author finds each exit code in a table, at the beginning of its row."""
    assert re.search(rf"^\| *`?{error.exit_code}`? *\|", documentation(), re.MULTILINE)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_every_variable_and_output_of_a_module_is_documented(module: Path) -> None:
    """Whoever calls a module finds its variables and outputs in the module's README."""
    declared = {name for path in module.glob("*.tf") for name in DECLARED.findall(path.read_text())}
    readme = (module / "README.md").read_text(encoding="utf-8")
    assert declared
    assert {name for name in declared if f"`{name}`" not in readme} == set()


def test_the_changelog_knows_this_version() -> None:
    """Whoever reads a version number finds what it brought."""
    assert f"\n## [{imagesync_cli.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", list(files("*.md")), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    """A link to another file of the repository, or to a heading in it, is one that can be followed."""
    text = re.sub(r"`[^`\n]*`", "", page.read_text(encoding="utf-8"))
    links = re.findall(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]+))?\)", text)
    dead = []
    for path, anchor in links:
        target = page.parent / path if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in headings(target)):
            dead.append(f"{path}#{anchor}")
    assert dead == []

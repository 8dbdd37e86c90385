"""Help as a person sees it: every command at the widths that terminals have."""

from __future__ import annotations

import shlex
import subprocess

import click
import pytest

from imagesync_cli.cli import cli
from tests.command import imagesync
from tests.peers import program
from tests.repo.checkout import ROOT


def _paths(command: click.Command, *path: str) -> list[tuple[str, ...]]:
    """Every command below this one, itself first, as it is typed."""
    if not isinstance(command, click.Group):
        return [path]
    context = click.Context(command)
    children = ((name, command.get_command(context, name)) for name in command.list_commands(context))
    return [path, *(found for name, child in children if child for found in _paths(child, *path, name))]


PATHS = _paths(cli)


def _help(path: tuple[str, ...], columns: int) -> str:
    return imagesync(*path, "--help", environ={"COLUMNS": str(columns)}).out


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
@pytest.mark.parametrize("columns", [80, 120])
def test_help_fits_the_terminal(path: tuple[str, ...], columns: int) -> None:
    """No line of any help is wider than the terminal."""
    assert [line for line in _help(path, columns).splitlines() if len(line) > columns] == []


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_the_list_of_commands_is_not_cut_off(path: tuple[str, ...]) -> None:
    """What a list says of a command, and what a command says of its options, are whole sentences on 80 columns."""
    _, _, lists = _help(path, 80).partition("\nOptions:\n")
    entries = lists.partition("\n  Examples:\n")[0]
    assert "  -h, --help" in entries
    assert "..." not in entries
    assert "…" not in entries


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_examples_are_calls_that_exist(path: tuple[str, ...]) -> None:
    """An example in the help of a command is a call of it: what it names are options that there are."""
    for line in _help(path, 80).splitlines():
        if not line.startswith("    imagesync "):
            continue
        words = shlex.split(line.partition(">")[0] if " > " in line else line)[1:]
        command: click.Command = cli
        while isinstance(command, click.Group) and words:
            found = command.get_command(click.Context(command), words.pop(0))
            assert found is not None, line
            command = found
        given = {word for word in words if word.startswith("--")} - {"--help"}
        assert given <= {name for parameter in command.params for name in parameter.opts}, line


def test_the_manual() -> None:
    """`man imagesync` shows every command, and groff has nothing to say against the page."""
    page = ROOT / "packaging/imagesync.1"
    command = [program("groff"), "-man", "-Tascii", "-P-cbou", "-ww", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    shown = " ".join(done.stdout.split())
    assert [path for path in PATHS if path != ("report",) and " ".join(("imagesync", *path)) not in shown] == []

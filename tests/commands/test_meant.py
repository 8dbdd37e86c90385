"""Calls that are not quite right: what was meant is done, or named, and nothing else happens."""

from __future__ import annotations

import json

import pytest

from imagesync_cli import __version__
from tests.command import imagesync, imagesync_process
from tests.commands.test_json import matches
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import image


@pytest.mark.parametrize("word", ["copy", "cp"])
def test_other_names_of_sync(registry: EmbeddedRegistry, word: str) -> None:
    """Whoever comes from another tool copies an image with that tool's word."""
    image().seed(registry.repository("up"), "1")
    assert imagesync(word, f"{registry.host}/up:1", f"{registry.host}/down:1").code == 0
    assert registry.repository("down").tags == {"1": image().digest}


@pytest.mark.parametrize("call", [["version"], ["-V"], ["--version"]])
def test_the_version(call: list[str]) -> None:
    """It is told however it is asked for."""
    assert imagesync_process(*call).out == f"imagesync, version {__version__}\n"


@pytest.mark.parametrize("command", [[], ["sync"], ["report", "merge"]])
def test_help_as_a_command(command: list[str]) -> None:
    """`imagesync help sync` is `imagesync sync --help`."""
    done = imagesync("help", *command)
    assert (done.code, done.out) == (0, imagesync(*command, "--help").out)
    assert done.out.startswith(f"Usage: {' '.join(['imagesync', *command])}")


@pytest.mark.parametrize(("typed", "meant"), [("snyc", "sync"), ("delte", "delete"), ("inspct", "inspect")])
def test_a_typing_error(typed: str, meant: str) -> None:
    """A word that is like a command is asked about and never run: it may mean a delete."""
    done = imagesync(typed, "registry.invalid/a:1", "registry.invalid/b:1")
    assert (done.code, done.out) == (2, "")
    assert f"No such command '{typed}'. Did you mean {meant}?" in done.err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("rm", "delete"), ("remove", "delete"), ("ls", "tags"), ("digest", "resolve"), ("hlep", "help")],
)
def test_a_word_of_another_tool(typed: str, meant: str) -> None:
    """What another tool calls it is told by its name here: "remove" looks most like "resolve"."""
    assert f"No such command '{typed}'. Did you mean {meant}?" in imagesync(typed, "registry.invalid/a:1").err


def test_a_word_like_no_command() -> None:
    """Where nothing is like it, nothing is guessed."""
    assert "Did you mean" not in imagesync("frobnicate").err


def test_an_address_of_the_web() -> None:
    """An address that was copied from a browser is told without its scheme."""
    done = imagesync("resolve", "https://registry.example.com/team/app:1")
    assert done.code == 2
    assert "leave the scheme out: registry.example.com/team/app:1" in done.err


def test_platforms_in_one_option() -> None:
    """Several platforms in one option are told as the options that they are."""
    done = imagesync("resolve", "--platform", "linux/amd64,linux/arm64", "registry.example.com/app:1")
    assert done.code == 2
    assert "--platform linux/amd64 --platform linux/arm64" in done.err


def test_tags_of_nothing(registry: EmbeddedRegistry) -> None:
    """A repository that does not exist is not one without tags."""
    done = imagesync("tags", f"{registry.host}/team/none")
    assert (done.code, done.out) == (3, "")
    assert "NAME_UNKNOWN" in done.err
    assert imagesync("tags", "oci:/nonexistent").code == 3


@pytest.mark.parametrize(
    ("call", "name", "code"),
    [
        (["tags", "oci:/nonexistent"], "not-found", 3),
        (["check", "a:1"], "usage", 2),
        (["sync", "a:1"], "usage", 2),
        (["resolve", "https://a/b:1"], "usage", 2),
        (["sync", "--file", "/nonexistent.yaml"], "usage", 2),
        (["snyc", "a:1", "b:1"], "usage", 2),
    ],
)
def test_an_error_as_json(call: list[str], name: str, code: int) -> None:
    """A program that reads JSON reads the error too, in one line; people read it on stderr as ever."""
    plain, done = imagesync(*call), imagesync(*call, "--json")
    assert (done.code, done.err) == (plain.code, plain.err)
    assert (plain.out, done.out.count("\n")) == ("", 1)
    told = matches(done.out, "error")
    assert (told["name"], told["exit_code"], done.code) == (name, code, code)
    assert told["error"] in done.err


def test_json_is_one_document(registry: EmbeddedRegistry) -> None:
    """Where the answer itself tells what is wrong, no error follows it."""
    image("1").seed(registry.repository("app"), "1", "2")
    image("2").seed(registry.repository("app"), "2")
    done = imagesync("check", "--json", f"{registry.host}/app:1", f"{registry.host}/app:2")
    assert done.code == 8
    assert json.loads(done.out)["in_sync"] is False

"""What a page shows to be pasted is right by the program: commands and options, module calls, and files.

What is run as a whole has tests of its own: the README, the tutorial, the install page, the air gap and the examples.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from imagesync_cli import cli
from imagesync_cli.batch.entries import read_entries
from imagesync_cli.batch.reading.trust_file import read_trust_file
from imagesync_cli.values.errors import UsageError
from tests.repo.checkout import ROOT, files

PAGES = [path for path in files("*.md") if path.name != "CHANGELOG.md"]
_FENCED = re.compile(r"^( *)```([a-z]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
# What ends a call, but not within quotes.
_HIDE = {ord(sign): 0xE000 + ord(sign) for sign in "|&;()#<>"}
_SHOW = {hidden: sign for sign, hidden in _HIDE.items()}
_VARIABLE = re.compile(r'^variable "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)


def blocks(page: Path, *languages: str) -> Iterator[str]:
    """The fenced blocks in these languages, without what they are indented by."""
    for indent, language, block in _FENCED.findall(page.read_text("utf-8")):
        if language in languages:
            yield "\n".join(line.removeprefix(indent) for line in block.splitlines())


def calls(page: Path) -> Iterator[list[str]]:
    """The arguments of each call of imagesync in blocks of shell; a name in capitals stands for a reference."""
    for block in blocks(page, "sh", "bash", ""):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            hidden = re.sub(r"([\"']).*?\1", lambda found: found[0].translate(_HIDE), line)
            for call in re.findall(r"(?:^|[|&;(] *|\$\()imagesync +([^|&;()#<>]*)", hidden):
                words = shlex.split(call.translate(_SHOW))
                yield [word.lower() if word in {"SRC", "DST", "REF"} else word for word in words]


def group() -> click.Group:
    (found,) = {value for value in vars(cli).values() if isinstance(value, click.Group)}
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands(page: Path) -> None:
    """Each command line has a command that exists, with options and values that it takes."""
    wrong = []
    for words in calls(page):
        context = click.Context(group(), info_name="imagesync", **group().context_settings)  # a command remembers -h
        try:
            name, command, rest = group().resolve_command(context, words)
            assert command is not None
            command.make_context(name, rest, parent=context)
        except (click.ClickException, UsageError) as error:
            wrong.append((words, str(error)))
    assert wrong == []


def module_calls(page: Path) -> Iterator[tuple[str, str]]:
    """The folder of one of our modules, and the body of a block that calls it, or goes on with a call before it."""
    for block in blocks(page, "hcl"):
        for body in re.findall(r'^module "\w+" \{\n(.*?)^\}', block, re.MULTILINE | re.DOTALL):
            named = re.search(r'source += "[^"]*//modules/(\w+)', body)
            if named or re.match(r" *# …", body):
                yield named[1] if named else "images", body


def declared(module: str) -> dict[str, bool]:
    """The variables of a module, and whether each must be given."""
    text = "".join(path.read_text("utf-8") for path in (ROOT / "modules" / module).glob("variables*.tf"))
    return {name: not re.search(r"^  default +=", body, re.MULTILINE) for name, body in _VARIABLE.findall(text)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_module_calls(page: Path) -> None:
    """Each call of a module gives what the module asks for, and nothing that it does not know."""
    for module, body in module_calls(page):
        given = set(re.findall(r"^  (\w+) += ", body, re.MULTILINE)) - {"source", "count", "for_each"}
        known = declared(module)
        assert given <= known.keys(), (module, given - known.keys())
        if "# …" not in body:
            assert {name for name, must in known.items() if must} <= given, (module, given)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files(page: Path, tmp_path: Path) -> None:
    """Each list of images, and each file of rules about signatures, is one that is read."""
    for block in blocks(page, "yaml"):
        path = tmp_path / "file.yaml"
        path.write_text(block, "utf-8")
        if re.search(r"^images:", block, re.MULTILINE):
            assert read_entries(path, {"MIRROR": "registry.example.com"})
        elif re.search(r"^rules:", block, re.MULTILINE):
            (tmp_path / "vendor.pub").touch()
            assert read_trust_file(path).rules


def test_there_are_some() -> None:
    """The blocks are found at all."""
    assert len([call for page in PAGES for call in calls(page)]) > 40
    assert len([call for page in PAGES for call in module_calls(page)]) > 20

"""Completion as a person has it: in a real shell that was set up as the documentation says, by pressing Tab."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click.shell_completion
import pytest

from tests.command import environment, imagesync_process
from tests.peers import program
from tests.repo.checkout import ROOT

PAGE = (ROOT / "docs/how-to/shell-completion.md").read_text("utf-8")
ANSWERED_WITHIN_S = 30
# Completes as imagesync does; when it is run, it tells only what it was given.
STAND_IN = """#!/bin/sh
if [ -n "$_IMAGESYNC_COMPLETE" ]; then exec {python} -m imagesync_cli "$@"; fi
printf 'RAN'; printf ' <%s>' "$@"; printf ' END\\n'
"""
# What is typed before Tab, and the words that imagesync is then given.
TYPED = {
    "a command": ("imagesync res", ["resolve"]),
    "a command below a command": ("imagesync report m", ["report", "merge"]),
    "an option": ("imagesync sync --require", ["sync", "--require-signature"]),
    "an option that all have, after references": (
        "imagesync sync a:1 r.io/b:1 --plain",
        ["sync", "a:1", "r.io/b:1", "--plain-http"],
    ),
    "a word of an option": ("imagesync delete --on-destroy r", ["delete", "--on-destroy", "refuse"]),
    "a platform": ("imagesync resolve --platform linux/arm6", ["resolve", "--platform", "linux/arm64"]),
    "a file": ("imagesync sync --file mine", ["sync", "--file", "mine.yaml"]),
    "a login file": ("imagesync check --src-auth-file log", ["check", "--src-auth-file", "login.json"]),
    "a file as an argument": ("imagesync adopt mi", ["adopt", "mine.yaml"]),
    "a platform after =": ("imagesync resolve --platform=linux/arm6", ["resolve", "--platform=linux/arm64"]),
    "a file after =": ("imagesync sync --file=mi", ["sync", "--file=mine.yaml"]),
    "a word, another option before": (
        "imagesync sync --file=a:b=c.yaml --progress=n",
        ["sync", "--file=a:b=c.yaml", "--progress=none"],
    ),
    "a folder after =": ("imagesync lock --file=fold", ["lock", "--file=folder/"]),
    "after -v": ("imagesync -v doc", ["-v", "doctor"]),
}


def told(shell: str) -> str:
    """What the page says is to be in the shell's file."""
    found = re.search(rf"^```{shell}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with the files that set the shells up, two files to be completed, and imagesync on the PATH."""
    files = {
        "bin/imagesync": STAND_IN.format(python=sys.executable),
        ".bashrc": f"{told('bash')}PS1='READY> '\n",
        ".zshrc": f"{told('zsh')}PS1='READY> '\n",
        ".config/fish/completions/imagesync.fish": told("fish"),
        "mine.yaml": "",
        "login.json": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "folder").mkdir()
    (tmp_path / "bin/imagesync").chmod(0o755)
    return tmp_path


def variables(home: Path) -> dict[str, str]:
    path = f"{home}/bin:{os.environ['PATH']}"
    return environment(HOME=str(home), PATH=path, TERM="dumb", PYTHONPATH=str(ROOT))


class Terminal:
    """A shell at a terminal."""

    def __init__(self, command: list[str], home: Path) -> None:
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=home, env=variables(home), start_new_session=True
        )
        os.close(theirs)
        self._seen = ""

    def until(self, pattern: str) -> re.Match[str]:
        """Wait for the shell to show this."""
        deadline = time.monotonic() + ANSWERED_WITHIN_S
        while not (found := re.search(pattern, self._seen)):
            ready, _, _ = select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"not shown: {pattern}; but: {self._seen}"
            self._seen += os.read(self._ours, 65536).decode(errors="replace")
        self._seen = self._seen[found.end() :]
        return found

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)


@pytest.fixture(params=["bash", "zsh"])
def terminal(request: pytest.FixtureRequest, home: Path) -> Iterator[Terminal]:
    shell = program(request.param)
    running = Terminal([shell, "-i"], home)
    yield running
    running.close()


def test_tab_completes(terminal: Terminal) -> None:
    """One Tab makes a whole word of what was begun: of commands, options, their words, platforms and files."""
    terminal.until("READY> ")
    completed = {}
    for name, (typed, _) in TYPED.items():
        terminal.type(f"{typed}\t\r")
        ran = terminal.until(r"RAN((?: <.*?>)*) END\s+")
        completed[name] = re.findall(r"<(.*?)>", ran[1])
        terminal.until("READY> ")
    assert completed == {name: words for name, (_, words) in TYPED.items()}


def fish(home: Path, line: str) -> list[str]:
    """What fish offers after this line, without what it says about it."""
    done = subprocess.run(
        [program("fish"), "-c", "complete --do-complete $argv[1]", line],
        env=variables(home) | {"XDG_DATA_HOME": str(home / "data")},
        cwd=home,
        capture_output=True,
        text=True,
        check=True,
        timeout=ANSWERED_WITHIN_S,
    )
    assert done.stderr == ""
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


def test_fish_completes(home: Path) -> None:
    """fish offers the same, without a key being pressed."""
    offered = {name: fish(home, typed) for name, (typed, _) in TYPED.items()}
    assert offered == {name: [words[-1]] for name, (_, words) in TYPED.items()}


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("imagesync ", {"resolve", "inspect", "sync", "check", "tags", "lock", "adopt", "delete", "login", "logout"}),
        ("imagesync sync --platform ", {"linux/amd64", "linux/arm64", "linux/arm/v7", "windows/amd64"}),
        ("imagesync sync --platform=linux/arm/", {"--platform=linux/arm/v6", "--platform=linux/arm/v7"}),
        ("imagesync sync --progress ", {"auto", "plain", "none"}),
        ("imagesync delete --on-replace ", {"delete", "keep"}),
    ],
)
def test_all_that_there_is_is_offered(home: Path, line: str, some: set[str]) -> None:
    """Whoever presses Tab to find out what there is sees all of it."""
    offered = set(fish(home, line))
    assert some <= offered
    assert len(offered) < len(some) + 8


@pytest.mark.parametrize("line", ["imagesync external ", "imagesync sync ", "imagesync sync :: "])
def test_where_nothing_is_known_nothing_is_said(home: Path, line: str) -> None:
    """A reference cannot be guessed, and what is wrong on the line does no harm while it is being typed."""
    assert fish(home, line) == []


HAS_POWERSHELL = hasattr(click.shell_completion, "PowerShellComplete")  # from click 8.5 on


@pytest.mark.skipif(not HAS_POWERSHELL, reason="click has no completion for PowerShell before 8.5")
def test_powershell() -> None:
    """What PowerShell is told to run completes; no PowerShell is run here, only what it would ask."""
    assert 'Env:_IMAGESYNC_COMPLETE = "powershell_source"'.lower() in told("powershell").lower()
    source = imagesync_process(_IMAGESYNC_COMPLETE="powershell_source").out
    assert source.startswith("Register-ArgumentCompleter -Native -CommandName imagesync")
    asked = {"_IMAGESYNC_COMPLETE": "powershell_complete", "COMP_WORDS": "imagesync sync --requ", "COMP_CWORD": "2"}
    assert imagesync_process(**asked).out.splitlines()[1] == "--require-signature"

"""Drive terraform, or OpenTofu, in a folder of its own: write a configuration, plan, apply, destroy, look at the state.

It knows nothing of registries, and changes nothing outside its folder but what the configuration changes.
"""

from __future__ import annotations

import io
import json
import marshal
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.command import imagesync

CHECKOUT = Path(__file__).parents[2]
RECORDED = Path(__file__).with_name("recorded.py")
IMAGESYNC = (sys.executable, "-m", "imagesync_cli")
RUN_WITHIN_S = 240
BOTH_TOOLS = pytest.mark.parametrize("tool", ["terraform", "tofu"], indirect=True)

_COMMON = dict.fromkeys(("plan", "apply", "destroy"), ("-input=false", "-no-color")) | {
    "test": ("-no-color",),
}


class Expression(str):
    """HCL to be written as it stands, where other strings are quoted."""

    __slots__ = ()


@dataclass(frozen=True)
class Outcome:
    """How a run ended and what it said, on one line: Terraform breaks its messages at 78 columns."""

    code: int
    text: str


class Workspace:
    """A folder with a main.tf that calls modules/images, and everything that ran in it."""

    def __init__(self, folder: Path, tool: str, environment: dict[str, str]) -> None:
        self.folder = folder
        self._tool = tool
        self._environment = dict(environment)
        self._log = folder / "calls.log"
        self._initialised = False

    def write(self, images: Mapping[str, str | dict[str, Any]], more: str = "", **options: object) -> None:
        """Write main.tf: destinations and their sources, the module's other options, and HCL beside the module."""
        sources = {name: {"source": source} if isinstance(source, str) else source for name, source in images.items()}
        self.write_module("images", more, images=sources, **options)

    def write_module(self, module: str, more: str = "", **options: object) -> None:
        values = {"source": f"{CHECKOUT}/modules//{module}", "command": self.recorded(*IMAGESYNC)} | options
        lines = [f"  {name} = {_hcl(value)}" for name, value in values.items()]
        body = ['module "mirror" {', *lines, "}", more]
        (self.folder / "main.tf").write_text("\n".join(body))

    def inside(self, *path: str) -> Workspace:
        """Return the workspace of a folder in this one."""
        return Workspace(self.folder.joinpath(*path), self._tool, self._environment)

    def with_program(self, name: str, command: tuple[str, ...]) -> Workspace:
        """Put a program on the PATH that is really this command."""
        programs = self.folder / ".programs"
        programs.mkdir(exist_ok=True)
        recorded = [sys.executable, "-I", "-S", str(RECORDED), os.devnull, *command]
        (programs / name).write_text(f'#!/bin/sh\nexec {shlex.join(recorded)} "$@"\n')
        (programs / name).chmod(0o755)
        path = f"{programs}{os.pathsep}{self._environment['PATH']}"
        return self.with_environment({"PATH": path})

    def with_environment(self, more: Mapping[str, str]) -> Workspace:
        """Return this workspace with variables of the environment set, or set anew."""
        return Workspace(self.folder, self._tool, {**self._environment, **more})

    def killable(self) -> Workspace:
        """Return this workspace with calls that signals reach: each is a process of its own, and no fork."""
        return self.with_environment({"TESTS_FORKS": ""})

    def set(self, **variables: str) -> None:
        """Give root variables their values."""
        self._environment |= {f"TF_VAR_{name}": value for name, value in variables.items()}

    def recorded(self, *command: str) -> list[str]:
        """Wrap a command so that `calls` knows of it."""
        return [sys.executable, "-I", "-S", str(RECORDED), str(self._log), *command]

    def calls(self) -> list[list[str]]:
        """Take what ran since the last time, as lists of arguments without the program; in the order of start."""
        log = io.BytesIO(self._log.read_bytes() if self._log.exists() else b"")
        self._log.unlink(missing_ok=True)
        calls = iter(lambda: marshal.load(log) if log.tell() < len(log.getbuffer()) else None, None)  # noqa: S302
        skipped = len(IMAGESYNC)
        return [call[skipped:] if call[:skipped] == [*IMAGESYNC] else call[1:] for call in calls]

    def verbs(self) -> list[str]:
        """Take the first word of each call since the last time, reads left out."""
        return [call[0] for call in self.calls() if call[0] != "external"]

    def shown(self) -> str:
        """Return the last plan as people see it, line by line."""
        return self._execute("show", "-no-color", "plan.bin").stdout

    def plan(self) -> Outcome:
        """Plan into a file for `planned`; the code is 0 for an empty plan, 1 for an error, 2 for changes."""
        return self.run("plan", "-detailed-exitcode", "-out=plan.bin")

    def planned(self) -> dict[str, Any]:
        """Return the last plan as `terraform show -json` gives it."""
        shown = self._execute("show", "-json", "plan.bin").stdout
        document: dict[str, Any] = json.loads(shown)
        return document

    def explained(self) -> list[dict[str, Any]]:
        """Return what `imagesync explain` says of each image that the last plan changes."""
        done = imagesync("explain", "--json", stdin=json.dumps(self.planned()))
        assert (done.code, done.err) == (0, "")
        changes: list[dict[str, Any]] = json.loads(done.out)["changes"]
        return changes

    def apply(self) -> Outcome:
        return self.succeeding("apply", "-auto-approve")

    def destroy(self) -> Outcome:
        return self.succeeding("destroy", "-auto-approve")

    def succeeding(self, *arguments: str) -> Outcome:
        outcome = self.run(*arguments)
        assert outcome.code == 0, outcome.text
        return outcome

    def outputs(self) -> dict[str, Any]:
        shown = json.loads(self._execute("output", "-json").stdout)
        return {name: output["value"] for name, output in shown.items()}

    def shell(self, script: str, **environment: str) -> str:
        """Run commands that a page tells people to paste; returns what they print."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self._environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_WITHIN_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, verb: str, *arguments: str) -> Outcome:
        if not self._initialised:
            prepared = self._execute("init", "-input=false", "-no-color")
            assert prepared.returncode == 0, prepared.stdout + prepared.stderr
            self._initialised = True
        self._leave_the_second()
        done = self._execute(verb, *_COMMON.get(verb, ()), *arguments)
        return Outcome(done.returncode, " ".join((done.stdout + done.stderr).split()))

    def _leave_the_second(self) -> None:
        """Wait for the next second if the state, or what a plan has noted, is of this one.

        A plan takes what is of its own second for its own: plantimestamp() has no parts of a second.  People are never
        that quick, tests are.
        """
        files = [self.folder / "terraform.tfstate", *self.folder.glob(".terraform/imagesync/claims/*.json")]
        noted = " ".join(file.read_text() for file in files if file.exists())
        while any(time.strftime(form, time.gmtime()) in noted for form in ("%Y-%m-%dT%H:%M:%SZ", "%Y%m%d%H%M%S")):
            time.sleep(1 - time.time() % 1)  # to the next second: a loop would take the other tests' processor

    def _execute(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self._tool, *arguments],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=RUN_WITHIN_S,
            check=False,
        )
        sys.stdout.write(f"$ {' '.join(arguments)}\n{done.stdout}{done.stderr}")  # what pytest shows of a failed test
        return done


def _hcl(value: object) -> str:
    return value if isinstance(value, Expression) else json.dumps(value)

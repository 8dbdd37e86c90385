"""A process that runs the command line in forks of itself: each is a process of its own, and ready in milliseconds.

Reads a JSON object a line: ``args``, and ``manner`` and ``host`` of the double that it should take for the real thing;
answers with the process id of the fork, and when that has ended, with its exit code (negative for a signal).
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from imagesync_cli import cli
from imagesync_cli.operations import delete, sync
from imagesync_cli.stores import kinds, registry
from tests.delete.doubles import pretending

# Imported before the fork: this is what makes it quick.
_READY = (delete, sync, kinds, registry)


def main(*more: str) -> None:
    for name in more:
        importlib.import_module(name)
    for line in sys.stdin:
        order = json.loads(line)
        process = os.fork()
        if process == 0:
            _run(order)
        _say(process)
        _say(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))


def _run(order: dict[str, Any]) -> None:
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    sys.argv = ["imagesync", *order["args"]]
    with pretending(order["manner"], order["host"]):
        try:
            cli.main()
        except SystemExit as ended:
            os._exit(int(ended.code or 0))


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


class Killable:
    """The other end: starts runs and says how they ended; ``modules`` are imported beforehand as well."""

    def __init__(self, environment: dict[str, str], *modules: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.delete.killable", *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=Path(__file__).parents[2],
        )

    def start(self, manner: str, host: str, *args: str) -> int:
        """Start a run; gives its process id."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"args": args, "manner": manner, "host": host}) + "\n")
        self._process.stdin.flush()
        return self._number()

    def end(self) -> int:
        """Wait for its exit code."""
        return self._number()

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _number(self) -> int:
        assert self._process.stdout
        return int(self._process.stdout.readline())


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A process that runs the command line in forks of itself: each is a process of its own, and ready in milliseconds.

Reads a JSON object a line: ``args``, and ``manner`` and ``host`` of the double that it should take for the real thing;
with ``folder`` and ``call`` it is killed before the file call of this number in that folder. Answers with the process
id of the fork, and when that has ended, with its exit code (negative for a signal).
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from imagesync_cli import cli
from imagesync_cli.copy import sync
from imagesync_cli.delete import delete
from imagesync_cli.stores.files import layout
from imagesync_cli.stores.registry import repository
from imagesync_cli.stores.registry.hosts import own_apis
from imagesync_cli.stores.transport import retry
from tests.delete.doubles import pretending

# Imported before the fork: this is what makes it quick.
_READY = (delete, layout, sync, own_apis, repository)
# What Python tells of what it does to files (audit events); it tells nothing of fsync.
_FILE_CALLS = frozenset(
    {"open", "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "fcntl.flock"}
)


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
    if "call" in order:
        _die_before(order["call"], order["folder"])
    retry.pause = _pause
    sys.argv = ["imagesync", *order["args"]]
    with pretending(order["manner"], order["host"]):
        try:
            cli.main()
        except SystemExit as ended:
            os._exit(int(ended.code or 0))


async def _pause(seconds: float) -> None:
    """No time passes: what a double does later, it does after some requests."""
    await asyncio.sleep(0)


def _die_before(call: int, folder: str) -> None:
    """Kill this process when it is about to do the file call of this number, from 1, in the folder."""
    numbers, flush = itertools.count(1), os.fsync

    def count() -> None:
        if next(numbers) == call:
            os.kill(os.getpid(), signal.SIGKILL)

    def told(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _FILE_CALLS and (event == "fcntl.flock" or str(arguments[0]).startswith(folder)):
            count()

    def flushing(handle: Any) -> None:
        count()
        flush(handle)

    sys.addaudithook(told)
    os.fsync = flushing  # type: ignore[assignment]


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

    def start(self, manner: str, host: str, *args: str, **more: object) -> int:
        """Start a run; gives its process id. ``more`` are ``folder`` and ``call``, where it is to be killed."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"args": args, "manner": manner, "host": host, **more}) + "\n")
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

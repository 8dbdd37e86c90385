"""A process that is killed at its Nth call to the file system, for every N until it ends by itself.

Arguments: a folder with what is there before, a folder for the copies of it that the runs work in (named 0, 1, …),
and the command line, in which {here} is the copy. Prints how many runs there were.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from imagesync_cli import cli
from imagesync_cli.copy import sync
from imagesync_cli.stores.files import layout, lock, new_archive, oci_archive

# Imported before the fork: this is what makes it quick.
_READY = (sync, layout, lock, oci_archive)
_EVENTS = frozenset({"open", "os.chmod", "os.mkdir", "os.remove", "os.rename", "os.truncate", "fcntl.flock"})


def _kill_at(number: int, here: str) -> None:
    """Arrange for this process to be killed before its Nth call on a file below ``here``."""
    left = number

    def count(*_: Any) -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _EVENTS and (event == "fcntl.flock" or here in str(arguments[0])):
            count()

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            count()
            return function(*arguments)

        return call

    os.fsync = counted(os.fsync)
    new_archive._copy = counted(new_archive._copy)
    new_archive.NewArchive.write = counted(new_archive.NewArchive.write)  # type: ignore[method-assign]
    sys.addaudithook(hook)


def main(before: str, runs: str, *command: str) -> None:
    number = 0
    while True:
        here = Path(runs) / f"{number}"
        shutil.copytree(before, here)
        process = os.fork()
        if process == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(1, 2)
            sys.argv = ["imagesync", *(word.format(here=here) for word in command)]
            _kill_at(number, str(here))
            try:
                cli.main()
            except SystemExit as ended:
                os._exit(int(ended.code or 0))
        number += 1
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        if code != -signal.SIGKILL:
            sys.stdout.write(f"{number}")
            sys.exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])

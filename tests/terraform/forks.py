"""Calls of imagesync as forks of a process that has loaded it: python -m tests.terraform.forks SOCKET.

Terraform calls imagesync some thousand times in these tests, and two thirds of what a call costs are its modules.
Each fork has the call's arguments, environment, folder and streams, and is one run, as any process is; recorded.py asks
for it. A signal for the caller does not reach it: what is to be killed is called with TESTS_FORKS empty.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import marshal
import os
import pkgutil
import select
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen

import imagesync_cli
from imagesync_cli import __main__ as imagesync

LONGEST_MESSAGE = 1024 * 1024
# What they load takes seconds, and few calls ask for it.
RARE = ("imagesync_cli.look.trust.", *(f"imagesync_cli.credentials.{cloud}" for cloud in ("aws", "azure", "gcp")))


@contextlib.contextmanager
def running(path: Path, environ: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment for calls, while the block lasts."""
    if sys.platform != "linux":
        yield environ
        return
    command = [sys.executable, "-m", "tests.terraform.forks", str(path)]
    with Popen(command, env=environ, stdin=PIPE, stdout=PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield environ | {"TESTS_FORKS": str(path)}
        process.communicate()


def main(path: str) -> None:
    """Fork for each call until stdin ends, and tell each caller how its fork ended."""
    for module in pkgutil.walk_packages(imagesync_cli.__path__, "imagesync_cli."):
        if not module.name.startswith(RARE):
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()  # what is loaded stays one for all forks
    callers: dict[int, tuple[int, socket.socket]] = {}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener, select.epoll() as ready:
        listener.bind(path)
        listener.listen(100)
        ready.register(listener, select.EPOLLIN)
        ready.register(0, select.EPOLLHUP)
        os.write(1, b"ready\n")
        while 0 not in (descriptors := [descriptor for descriptor, _ in ready.poll()]):
            for descriptor in descriptors:
                if descriptor == listener.fileno():
                    caller, _ = listener.accept()
                    process = _fork(caller)
                    ended = os.pidfd_open(process)
                    callers[ended] = process, caller
                    ready.register(ended, select.EPOLLIN)
                else:
                    process, caller = callers.pop(descriptor)
                    ready.unregister(descriptor)  # closing it is not enough: later forks have it too
                    os.close(descriptor)
                    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
                    with caller, contextlib.suppress(OSError):  # it may have been killed
                        caller.send(str(code % 256).encode())


def _fork(caller: socket.socket) -> int:
    message, streams, *_ = socket.recv_fds(caller, LONGEST_MESSAGE, 3)
    process = os.fork()
    if process == 0:
        arguments, environ, folder = marshal.loads(message)  # noqa: S302 - the tests' own
        _become(arguments, environ, folder, streams)
    for descriptor in streams:
        os.close(descriptor)
    return process


def _become(arguments: list[str], environ: dict[str, str], folder: str, streams: list[int]) -> None:
    """Be the process that the caller would have become."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = [imagesync.__file__, *arguments]
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", errors="backslashreplace")  # noqa: SIM115
    imagesync.main()


if __name__ == "__main__":
    main(sys.argv[1])

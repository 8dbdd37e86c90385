"""Write a call down in a file, then become it: python recorded.py FILE PROGRAM ARGUMENT…

A program for the tests' Terraform configurations; it changes neither the call nor its answer. A call of imagesync is
made by forks.py where that runs. Nothing is loaded but what the interpreter has: json and socket alone would double the
time that a call takes.
"""

from __future__ import annotations

import _socket
import marshal
import os
import sys


def main() -> None:
    file, *call = sys.argv[1:]
    with open(file, "ab") as log:  # noqa: PTH123
        log.write(marshal.dumps(call))
    forks = os.environ.get("TESTS_FORKS")
    if forks and call[1:3] == ["-m", "imagesync_cli"]:
        sys.exit(_forked(forks, call[3:]))
    os.execvp(call[0], call)  # noqa: S606 - no shell is the point


def _forked(forks: str, arguments: list[str]) -> int:
    message = marshal.dumps((arguments, dict(os.environ), os.getcwd()))  # noqa: PTH109
    streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
    caller = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    caller.connect(forks)
    caller.sendmsg([message], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
    return int(caller.recv(16))


if __name__ == "__main__":
    main()

"""What processes of one run ask of each other: whoever leads carries out the wishes of all, and answers each.

1. The first process takes the lead, a lock. Everyone who comes while it is taken leaves a wish and waits.
2. A wish is a file that its process has locked: what nobody has locked any more was left by a process that died.
3. The leader puts each answer beside the wish. If it dies instead, the lock is free, and one of those who wait takes
   the lead; what its predecessor had begun is begun again.

What lies there and is no such file, or is another user's, counts for nothing: a wish is carried out with our logins.

A process that waits needs this module alone, so this imports next to nothing. Nothing is shared on Windows, where a
file that is open can be neither renamed nor removed.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from imagesync_cli.stores.files.lock import is_named, try_lock

if TYPE_CHECKING:
    from collections.abc import Sequence

_AGAIN_AFTER_S = 0.02
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)  # a pipe would keep its reader waiting
_MOST_BYTES = 16 * 1024 * 1024


class Answer(NamedTuple):
    """What a process is to print, and its exit code."""

    code: int
    out: str = ""
    err: str = ""


class Wish(NamedTuple):
    """Somebody's arguments, and the file that they lie in."""

    path: str
    args: tuple[str, ...]


class Run:
    """The processes of one run that work in the same folder, as one of them sees them."""

    def __init__(self, run_folder: str) -> None:
        self._folder = os.path.join(run_folder, "wishes")  # noqa: PTH118  (pathlib would take as long as all the rest)
        self._group = str(os.getpgrp()) if sys.platform != "win32" else ""
        self.began = time.monotonic()
        self._lead = -1
        self._taken: set[str] = set()
        self.args: tuple[str, ...] = ()  # of this process

    def join(self, args: Sequence[str]) -> Answer | None:
        """Take the lead, or leave a wish and wait for the answer; None for whoever has to do it itself.

        That is the leader, a process that cannot be led (nowhere to write), or one whose wish the leader leaves to it.
        """
        self.args = tuple(args)
        if not self._group:
            return None
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)  # noqa: PTH103
            if self._take_the_lead():
                return None
            return self._wait(_leave_wish(self._name(f"{os.getpid()}-{time.time_ns()}.wish"), args))
        except OSError:
            return None

    def wishes(self) -> list[Wish]:
        """For the leader, those that came since this was last asked; what dead processes have left is removed."""
        came: list[Wish] = []
        if self._lead < 0:
            return came
        for name in sorted(os.listdir(self._folder)):  # noqa: PTH208
            path = os.path.join(self._folder, name)  # noqa: PTH118
            if name.startswith(f"{self._group}-") and name.endswith(".wish") and path not in self._taken:
                args = _read_if_alive(path)
                if args is not None:
                    self._taken.add(path)
                    came.append(Wish(path, args))
        return came

    def answer(self, wish: Wish, answer: Answer | None) -> None:
        """Answer one; None leaves it to its process."""
        _write_new(f"{wish.path}.part", json.dumps(answer))
        os.rename(f"{wish.path}.part", f"{wish.path}.answer")  # noqa: PTH104

    def leave(self) -> None:
        """Give the lead away."""
        if self._lead >= 0:
            for path in self._taken:
                _read_if_alive(path)  # which removes it where nobody waits for the answer any more
            os.unlink(self._name("lead"))  # noqa: PTH108
            os.close(self._lead)
            self._lead = -1

    def _name(self, what: str) -> str:
        return os.path.join(self._folder, f"{self._group}-{what}")  # noqa: PTH118

    def _take_the_lead(self) -> bool:
        path = self._name("lead")
        handle = os.open(path, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o600)
        if try_lock(handle) and is_named(handle, path):
            self._lead = handle
            return True
        os.close(handle)
        return False

    def _wait(self, wish: tuple[int, str]) -> Answer | None:
        handle, path = wish
        try:
            while True:
                leads = self._take_the_lead()
                # Asked after that: the last leader may have answered before it left.
                if (answered := _answer_to(path)) is not None:
                    self.leave()
                    return answered[0]
                if leads:
                    return None
                time.sleep(_AGAIN_AFTER_S)
        finally:
            _forget(path)
            os.close(handle)


def _leave_wish(path: str, args: Sequence[str]) -> tuple[int, str]:
    """A file of this name, ours for as long as it is open; nobody sees it before it is whole."""
    handle = os.open(f"{path}.new", os.O_RDWR | os.O_CREAT | os.O_TRUNC | _NO_FOLLOW, 0o600)
    try_lock(handle)  # nobody else opens it under this name
    os.write(handle, json.dumps(args).encode())
    os.rename(f"{path}.new", path)  # noqa: PTH104
    return handle, path


def _read_if_alive(path: str) -> tuple[str, ...] | None:
    try:
        handle = os.open(path, os.O_RDWR | _NO_FOLLOW | _AT_ONCE)
    except OSError:  # it is gone, or nothing that a process of ours has left
        return None
    try:
        if try_lock(handle):
            _forget(path)
            return None
        said = said_by_us(handle)
    finally:
        os.close(handle)
    is_command = isinstance(said, list) and all(isinstance(word, str) for word in said)
    return tuple(said) if is_command else None


def _answer_to(path: str) -> tuple[Answer | None] | None:
    """The answer, which may be None, or None where there is none yet."""
    try:
        handle = os.open(f"{path}.answer", os.O_RDONLY | _NO_FOLLOW | _AT_ONCE)
    except FileNotFoundError:
        return None
    try:
        answer = said_by_us(handle)
    finally:
        os.close(handle)
    is_answer = isinstance(answer, list) and [type(each) for each in answer] == [int, str, str]
    return (Answer(*answer) if is_answer else None,)


def said_by_us(handle: int) -> Any:
    """What a process of this user has written, None for nothing."""
    status = os.fstat(handle)
    is_ours = sys.platform == "win32" or status.st_uid == os.getuid()
    if not stat.S_ISREG(status.st_mode) or not is_ours:
        return None
    try:
        with os.fdopen(handle, "rb", closefd=False) as file:
            return json.loads(file.read(_MOST_BYTES))
    except (ValueError, RecursionError):
        return None


def _write_new(path: str, text: str) -> None:
    """A file that nobody has put there before."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _forget(path: str) -> None:
    for each in (path, f"{path}.answer"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(each)  # noqa: PTH108

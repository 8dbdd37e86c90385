"""Docker's credential helpers: programs named docker-credential-NAME that know logins.

Run without a shell, with the registry on stdin, for no more than 30 s and 64 KiB of answer. Only "credentials not
found" means that there is no login; whatever else goes wrong is an error. What a helper says is never shown: it may
hold the secret (github.com/docker/docker-credential-helpers, "Development").
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
from pathlib import Path
from typing import Any, cast

from imagesync_cli.concurrency import within
from imagesync_cli.credentials.credential import Credential
from imagesync_cli.settings import environment_of_helpers
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.secret import Secret

TIMEOUT_S = 30.0
_FAREWELL_S = 2.0
_LOOK_AFTER_S = 0.1
_LIMIT_BYTES = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_NOT_FOUND = b"credentials not found"
# The user name that says: the secret is an identity token.
_TOKEN_USER = "<token>"


async def ask_helper(name: Any, server: str, file: Path) -> Credential | None:
    """The login that the helper has for the server; None if it has none. ``file`` is the one that names the helper."""
    program, said = await _answer(name, "get", server, server, file)
    return None if said is None else _credential(said, program, server)


async def tell_helper(name: Any, login: Credential, server: str, file: Path) -> str:
    """Have the helper keep a login for the server; gives the program's name."""
    document = {"ServerURL": server, "Username": login.username, "Secret": login.password.reveal()}
    program, _ = await _answer(name, "store", json.dumps(document), server, file)
    return program


async def make_helper_forget(name: Any, server: str, file: Path) -> str:
    """Have the helper forget its login for the server, if it has one; gives the program's name."""
    program, _ = await _answer(name, "erase", server, server, file)
    return program


async def _answer(name: Any, action: str, told: str, server: str, file: Path) -> tuple[str, bytes | None]:
    """The program, and what it says; None where it knows no login."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(f"{file} names a credential helper {name!r}", hint="a name has letters, digits, . _ and -")
    program = f"docker-credential-{name}"
    try:
        code, said = await within(TIMEOUT_S, _run(program, action, told))
    except asyncio.TimeoutError:  # before OSError, of which it is one since Python 3.11
        raise _broken(program, server, f"did not answer within {TIMEOUT_S:g} s", action) from None
    except OSError as error:
        raise UsageError(
            f"{program}, which {file} names for {server}, does not start: {error.strerror or error}",
            hint="install it on the PATH, or take its name out of the file and log in again",
        ) from error
    if len(said) > _LIMIT_BYTES:
        raise _broken(program, server, f"answered with more than {_LIMIT_BYTES} bytes", action)
    if code != 0:
        if said.strip().lower().startswith(_NOT_FOUND):
            return program, None
        raise _broken(program, server, f"failed with exit code {code}", action)
    return program, said


async def _run(program: str, action: str, told: str) -> tuple[int | None, bytes]:
    process = await asyncio.create_subprocess_exec(
        program,
        action,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment_of_helpers(),
        start_new_session=True,  # so that what it starts can be ended with it
    )
    try:
        said = await _exchange(process, told)
        if len(said) <= _LIMIT_BYTES and process.returncode is None:
            await process.wait()
        return process.returncode, said
    finally:
        await _end(process)


async def _exchange(process: asyncio.subprocess.Process, told: str) -> bytes:
    asked = cast("asyncio.StreamWriter", process.stdin)
    answered = cast("asyncio.StreamReader", process.stdout)
    asked.write(told.encode())
    asked.close()
    said, chunk = b"", b"the first one"
    while chunk and len(said) <= _LIMIT_BYTES:
        was_over = process.returncode is not None
        try:
            chunk = await within(_LOOK_AFTER_S, answered.read(_LIMIT_BYTES))
        except asyncio.TimeoutError:
            if was_over:  # and all that it has said was read: what it has started holds its output open
                break
        else:
            said += chunk
    return said


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the helper, and whatever it has started and left behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        elif process.returncode is None:
            process.kill()
    with contextlib.suppress(asyncio.TimeoutError):
        await within(_FAREWELL_S, _farewell(process))


async def _farewell(process: asyncio.subprocess.Process) -> None:
    # asyncio sees the end of a process only once its output is read to the end.
    while process.stdout is not None and await process.stdout.read(_LIMIT_BYTES):
        pass
    await process.wait()


def _credential(said: bytes, program: str, server: str) -> Credential | None:
    try:
        answer = json.loads(said)
        username, secret = answer["Username"], answer["Secret"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _broken(program, server, "did not answer with Username and Secret") from None
    if username == secret == "":
        return None  # how some say that they know none
    if not isinstance(username, str) or not isinstance(secret, str) or not secret:
        raise _broken(program, server, "did not answer with Username and Secret")
    if username == _TOKEN_USER:
        return Credential(program, identity_token=Secret(secret))
    return Credential(program, username, Secret(secret))


def _broken(program: str, server: str, what: str, action: str = "get") -> UsageError:
    if action == "store":  # what it is told is not to be shown how to say again
        return UsageError(f"{program} {what} when told a login for {server}", hint=f"see: {program} list")
    return UsageError(f"{program} {what} when asked for {server}", hint=f"see: echo {server} | {program} {action}")

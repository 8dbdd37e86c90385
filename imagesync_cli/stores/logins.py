"""Logins that are kept for later runs, where Docker and its like look for them.

1. The registry is asked with the login. One that it refuses is not kept.
2. The first file of logins that is asked (credentials/) says who keeps it: a helper that it names, or the file itself.
3. The file is replaced whole, under a lock; a new one is its owner's alone.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from imagesync_cli.credentials import Credential
from imagesync_cli.credentials.docker_config import LoginFile, server_name
from imagesync_cli.credentials.environment import as_variables
from imagesync_cli.credentials.helpers import make_helper_forget, tell_helper
from imagesync_cli.stores.files.folder import Place
from imagesync_cli.stores.files.lock import locked
from imagesync_cli.stores.files.new_file import replace_file
from imagesync_cli.values.errors import Denied, UsageError

if TYPE_CHECKING:
    from imagesync_cli.settings import Settings
    from imagesync_cli.stores import Stores
    from imagesync_cli.values.secret import Secret


@dataclass(frozen=True)
class Account:
    """Who somebody is at a registry."""

    registry: str
    username: str
    password: Secret


def only_with(settings: Settings, account: Account) -> Settings:
    """The settings of a run that knows this login and no other."""
    return replace(
        settings,
        auth_files=(),
        required_files=frozenset(),
        source_auth_file=None,
        destination_auth_file=None,
        logins=as_variables(account.registry, account.username, account.password),
    )


async def log_in(stores: Stores, settings: Settings, account: Account) -> tuple[str, bool]:
    """Try the login and keep it: gives the file or the helper's program, and whether the registry has asked for it.

    ``stores`` are of a run ``only_with`` it; ``settings`` say where it is kept.
    """
    registry, login = account.registry, Credential("stdin", account.username, account.password)
    client = stores.client(registry)
    try:
        await client.send("GET", "/v2/", doing=f"logging in to {registry}", scopes=(), again=False)
    except Denied as error:
        raise Denied(f"{registry} refuses this user name and password", hint="nothing was kept") from error
    async with _changing(settings) as file:
        if helper := file.keeper(registry):
            where = await tell_helper(helper, login, server_name(registry), file.path)
            _write(file, file.with_login(registry, {}))
        else:
            where = str(file.path)
            _write(file, file.with_login(registry, {"auth": login.basic.reveal().removeprefix("Basic ")}))
    return where, bool(client.login.source(()))


async def log_out(settings: Settings, registry: str) -> tuple[list[str], list[str]]:
    """Where a login was forgotten, and the files that still have one."""
    forgotten = []
    async with _changing(settings) as file:
        if helper := file.keeper(registry):
            forgotten.append(await make_helper_forget(helper, server_name(registry), file.path))
        if file.has_login(registry):
            forgotten.append(str(file.path))
        _write(file, file.without_login(registry))
    others = [other for other in settings.auth_files if other.resolve() != file.path]
    return forgotten, [str(other) for other in others if LoginFile(other).has_login(registry)]


@asynccontextmanager
async def _changing(settings: Settings) -> AsyncIterator[LoginFile]:
    if not settings.auth_files:
        raise UsageError("there is no login file to write to", hint="set HOME, or name a file by IMAGESYNC_AUTH_FILE")
    path = settings.auth_files[0].resolve()  # a link stays one
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        async with locked(Place(str(path)).beside(f".{path.name}.imagesync.lock"), str(path)):
            yield LoginFile(path)
    except OSError as error:
        hint = "give this user the right to write there, or name another file by IMAGESYNC_AUTH_FILE"
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint=hint) from error


def _write(file: LoginFile, document: dict[str, Any]) -> None:
    if document != file.document and (document.get("auths") or file.document):
        replace_file(file.path, json.dumps(document, indent="\t") + "\n", private=True)

"""Which repositories a registry has below a path.

1. Docker Hub has an API of its own for it, by namespace. GitHub's registry tells no one what it has.
2. Everybody else is asked for the catalog (distribution, spec/api.md, "Listing Repositories").
3. Harbor gives that to administrators alone. Where a registry refuses it, it is asked in Harbor's way.

What a registry says is looked at here, by the one door for names: it may name anything.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial

from imagesync_cli.stores.registry.client import Client
from imagesync_cli.stores.registry.hosts import docker_hub, harbor
from imagesync_cli.stores.registry.hosts.host_api import HostApi
from imagesync_cli.stores.registry.pages import NameList, leave_out
from imagesync_cli.values.errors import ContentError, Denied, NotFound, Refused, Unavailable
from imagesync_cli.values.hosts import GITHUB, HUB, known_host
from imagesync_cli.values.names import RepositoryName, is_repository

_SCOPES = ("registry:catalog:*",)
# Each becomes an entry, with a list of tags.
_MOST = 10_000
_HINT = "name each repository in the file"


async def list_repositories(client: Client, path: str) -> list[RepositoryName]:
    """Every repository below the path, "" for all of the registry, sorted; Refused where that is not to be had."""
    host = known_host(client.registry)
    where = f"{client.registry}/{path}" if path else client.registry
    doing = f"listing the repositories of {where}"
    if host is GITHUB or (host is HUB and not path):
        raise Refused(f"{host.name} does not list the repositories of {where}", hint=_HINT)
    if host is HUB:
        names = await _by_api(client, path, where, docker_hub.repositories)
    else:
        names = await _by_catalog(client, path, where, doing)
    below = sorted({name for name in names if _is_below(path, name)})
    strange = [name for name in below if not is_repository(name)]
    leave_out(strange, doing, "name of a repository")
    return [name for name in below if is_repository(name)]


def _is_below(path: str, name: str) -> bool:
    return not path or name.startswith(f"{path}/")


async def _by_catalog(client: Client, path: str, where: str, doing: str) -> list[str]:
    keeps = partial(_is_below, path)
    names = NameList[None](client, "/v2/_catalog", "repositories", doing, _SCOPES, keeps=keeps, most=_MOST)
    try:
        return list(await names.all())
    except (Denied, NotFound, Refused) as error:
        # What Harbor's API lists; nothing where this is no Harbor, or has no such project for us.
        with contextlib.suppress(ContentError, Denied, NotFound, Refused):
            if path and (names_there := await _by_api(client, path, where, harbor.repositories)):
                return names_there
        error.hint = _HINT if isinstance(error, Denied) else f"it has no list of repositories: {_HINT}"
        raise


async def _by_api(
    client: Client, path: str, where: str, repositories: Callable[[HostApi], AsyncIterator[str]]
) -> list[str]:
    api = HostApi(client, path, where, (f"repository:{path}:pull",))
    names = []
    async for name in repositories(api):
        names.append(name)
        if len(names) > _MOST:
            raise Unavailable(f"listing the repositories of {where}: more than {_MOST}", may_pass=False)
    return names

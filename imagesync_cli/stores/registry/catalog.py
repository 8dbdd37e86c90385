"""Which repositories a registry has below paths.

1. Docker Hub has an API of its own for it, by namespace. GitHub's registry tells no one what it has.
2. Everybody else is asked for the catalog, once for all paths (distribution, spec/api.md, "Listing Repositories").
3. Harbor gives that to administrators alone. Where a registry refuses it, it is asked in Harbor's way.

What a registry says is looked at here, by the one door for names: it may name anything.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Iterable

from imagesync_cli.concurrency import gather
from imagesync_cli.stores.registry.client import Client
from imagesync_cli.stores.registry.hosts import docker_hub, harbor
from imagesync_cli.stores.registry.hosts.host_api import HostApi
from imagesync_cli.stores.registry.pages import NameList, leave_out
from imagesync_cli.values.errors import ContentError, Denied, ImagesyncError, NotFound, Refused, Unavailable
from imagesync_cli.values.hosts import GITHUB, HUB, known_host
from imagesync_cli.values.names import RepositoryName, is_repository, names_below, paths_over

_SCOPES = ("registry:catalog:*",)
# Each becomes an entry, with a list of tags.
_MOST = 10_000
_HINT = "name each repository in the file"

_Catalog = dict[str, list[str]] | ImagesyncError


async def list_repositories(client: Client, paths: Collection[str]) -> dict[str, list[RepositoryName] | ImagesyncError]:
    """Every repository below each path, "" for all of the registry, sorted; Refused where that is not to be had."""
    has_catalog = known_host(client.registry) not in (GITHUB, HUB)
    catalog = await _read_catalog(client, paths) if has_catalog else {}
    return dict(zip(paths, await gather(_below(client, path, catalog) for path in paths), strict=True))


async def _below(client: Client, path: str, catalog: _Catalog) -> list[RepositoryName] | ImagesyncError:
    where = f"{client.registry}/{path}" if path else client.registry
    doing = f"listing the repositories of {where}"
    try:
        names = sorted({*await _names_below(client, path, where, catalog)})  # a host's pages may move as they are read
    except ImagesyncError as error:
        return error.alone()
    if len(names) > _MOST:
        return _too_many(where)
    leave_out([name for name in names if not is_repository(name)], doing, "name of a repository")
    return [name for name in names if is_repository(name)]


async def _names_below(client: Client, path: str, where: str, catalog: _Catalog) -> Iterable[str]:
    host = known_host(client.registry)
    if host is GITHUB or (host is HUB and not path):
        raise Refused(f"{host.name} does not list the repositories of {where}", hint=_HINT)
    if host is HUB:
        return await _by_api(client, path, where, docker_hub.repositories)
    if not isinstance(catalog, ImagesyncError):
        return catalog[path]
    error = catalog.alone()
    if isinstance(error, (Denied, NotFound, Refused)):
        # What Harbor's API lists; nothing where this is no Harbor, or has no such project for us.
        with contextlib.suppress(ContentError, Denied, NotFound, Refused):
            if path and (names := await _by_api(client, path, where, harbor.repositories)):
                return names
        error.hint = _HINT if isinstance(error, Denied) else f"it has no list of repositories: {_HINT}"
    raise error


async def _read_catalog(client: Client, paths: Collection[str]) -> _Catalog:
    """The names below each path, from one reading of the catalog."""
    doing = f"listing the repositories of {client.registry}"
    names = NameList[None](client, "/v2/_catalog", "repositories", doing, _SCOPES, keeps=paths_over(paths))
    try:
        return names_below(paths, await names.all())
    except ImagesyncError as error:
        return error


async def _by_api(
    client: Client, path: str, where: str, repositories: Callable[[HostApi], AsyncIterator[str]]
) -> list[str]:
    api = HostApi(client, path, where, (f"repository:{path}:pull",))
    names = []
    async for name in repositories(api):
        names.append(name)
        if len(names) > _MOST:
            raise _too_many(where)
    return names_below({path}, names)[path]


def _too_many(where: str) -> Unavailable:
    return Unavailable(f"listing the repositories of {where}: more than {_MOST} repositories", may_pass=False)

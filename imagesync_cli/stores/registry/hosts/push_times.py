"""When an image was pushed, as a host's own API tells: Docker Hub, GitHub, Amazon ECR and Harbor.

No image and no tag list tells that. What a host does not tell is None, and so is what it tells nobody but others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote

from imagesync_cli.stores.registry.hosts import ecr, ghcr
from imagesync_cli.stores.registry.hosts.harbor import repository_path
from imagesync_cli.stores.registry.hosts.host_api import HostApi
from imagesync_cli.values.errors import ContentError, Denied, NotFound, Refused
from imagesync_cli.values.hosts import AMAZON, GITHUB, HUB, known_host
from imagesync_cli.values.times import parse_time


async def pushed_at(api: HostApi, tag: str, digest: str) -> datetime | None:
    """When this digest was pushed, under this tag where that matters; None where nobody tells."""
    host = known_host(api.client.registry)
    ask = _BY_NAME.get(host.name) if host else _harbor
    if ask is None:
        return None
    with contextlib.suppress(NotFound, Denied, Refused, ContentError):
        return await ask(api, tag, digest)
    return None


async def _docker_hub(api: HostApi, tag: str, digest: str) -> datetime | None:
    """docs.docker.com/reference/api/hub/latest, Read repository tag; of the tag's image, or one that it lists."""
    namespace, _, name = api.repository.partition("/")
    path = f"/v2/namespaces/{namespace}/repositories/{name}/tags/{quote(tag, safe='')}"
    answer = await api.ask("GET", path, doing=f"asking when {api.name}:{tag} was pushed")
    told = _member(answer, "tag_last_pushed") if _member(answer, "digest") == digest else None
    images = _member(answer, "images")
    for image in images if isinstance(images, list) else ():
        if told is None and _member(image, "digest") == digest:
            told = _member(image, "last_pushed")
    return parse_time(told)


async def _github(api: HostApi, tag: str, digest: str) -> datetime | None:
    """docs.github.com/rest/packages: a manifest is a package version, made when it was pushed."""
    del tag
    return parse_time(await ghcr.created_at(api, digest))


async def _amazon(api: HostApi, tag: str, digest: str) -> datetime | None:
    del tag
    return await ecr.pushed_at(api, digest)


async def _harbor(api: HostApi, tag: str, digest: str) -> datetime | None:
    """goharbor/harbor, api/v2.0/swagger.yaml, operation getArtifact. Any host may be Harbor; others answer 404."""
    del tag
    login = await api.client.login.credential(api.scopes)
    answer = await api.ask(
        "GET",
        f"{repository_path(api)}/artifacts/{digest}",
        doing=f"asking when {api.name}@{digest} was pushed",
        login=login.basic() if login else None,
    )
    return parse_time(_member(answer, "push_time")) if _member(answer, "digest") == digest else None


def _member(document: Any, name: str) -> Any:
    return document.get(name) if isinstance(document, dict) else None


_Asking = Callable[[HostApi, str, str], Awaitable["datetime | None"]]
_BY_NAME: dict[str, _Asking] = {HUB.name: _docker_hub, GITHUB.name: _github, AMAZON.name: _amazon}

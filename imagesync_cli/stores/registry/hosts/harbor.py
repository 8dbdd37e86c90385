"""Harbor 2: a tag is removed from an artifact, and a project lists its repositories.

goharbor/harbor, api/v2.0/swagger.yaml, operations deleteTag, listRepositories and getArtifact.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from urllib.parse import quote

from imagesync_cli.stores.registry.hosts.host_api import HostApi, member, names_in
from imagesync_cli.stores.store import Untagged
from imagesync_cli.values.errors import NotFound
from imagesync_cli.values.times import parse_time

_A_PAGE = 100


def _repository_path(api: HostApi) -> str:
    """Where Harbor's API has the repository. It decodes the path twice, so a slash in the name is encoded twice."""
    project, _, name = api.repository.partition("/")
    return f"/api/v2.0/projects/{project}/repositories/{quote(quote(name, safe=''), safe='')}"


async def untag(api: HostApi, tag: str, digest: str) -> Untagged:
    """Remove the tag from the artifact with this digest; a tag that has moved on is not touched."""
    try:
        await api.ask(
            "DELETE",
            f"{_repository_path(api)}/artifacts/{digest}/tags/{tag}",
            doing=f"removing the tag {api.name}:{tag} by Harbor's API",
            login=(await api.login()).basic,
        )
    except NotFound as error:
        # Without a code it is no Harbor that answers.
        return Untagged.ABSENT if "NOT_FOUND" in error.codes else Untagged.NOT_OFFERED
    return Untagged.DONE


async def pushed_at(api: HostApi, _: str, digest: str) -> datetime | None:
    """When the artifact with this digest was pushed (getArtifact)."""
    login = await api.client.login.credential(api.scopes)
    answer = await api.ask(
        "GET",
        f"{_repository_path(api)}/artifacts/{digest}",
        doing=f"asking when {api.name}@{digest} was pushed",
        login=login.basic if login else None,
    )
    return parse_time(member(answer, "push_time")) if member(answer, "digest") == digest else None


async def repositories(api: HostApi) -> AsyncIterator[str]:
    """The repositories of a project: Harbor's catalog is for administrators alone."""
    project = api.repository.partition("/")[0]
    doing = f"listing the repositories of {api.name} by Harbor's API"
    credential = await api.client.login.credential(api.scopes)
    path = f"/api/v2.0/projects/{project}/repositories?page_size={_A_PAGE}"
    login = credential.basic if credential else None
    async for page in api.pages(path, doing=doing, login=login):
        for name in names_in(page, doing):
            yield name

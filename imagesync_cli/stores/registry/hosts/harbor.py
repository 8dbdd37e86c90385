"""Harbor 2: a tag is removed from an artifact (goharbor/harbor, api/v2.0/swagger.yaml, operation deleteTag)."""

from __future__ import annotations

from urllib.parse import quote

from imagesync_cli.stores.registry.hosts.host_api import HostApi
from imagesync_cli.stores.store import Untagged
from imagesync_cli.values.errors import NotFound


def repository_path(api: HostApi) -> str:
    """Where Harbor's API has the repository. It decodes the path twice, so a slash in the name is encoded twice."""
    project, _, name = api.repository.partition("/")
    return f"/api/v2.0/projects/{project}/repositories/{quote(quote(name, safe=''), safe='')}"


async def untag(api: HostApi, tag: str, digest: str) -> Untagged:
    """Remove the tag from the artifact with this digest; a tag that has moved on is not touched."""
    try:
        await api.ask(
            "DELETE",
            f"{repository_path(api)}/artifacts/{digest}/tags/{tag}",
            doing=f"removing the tag {api.name}:{tag} by Harbor's API",
            login=(await api.login()).basic(),
        )
    except NotFound as error:
        # Without a code it is no Harbor that answers.
        return Untagged.ABSENT if "NOT_FOUND" in error.codes else Untagged.NOT_OFFERED
    return Untagged.DONE

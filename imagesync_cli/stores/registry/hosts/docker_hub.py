"""Docker Hub: its own API removes a tag, lists repositories, and tells push times, with a token of its own.

docs.docker.com/reference/api/hub/latest (Create access token, List repositories). The removal itself is in no
reference; it is what Docker's hub-tool sends (github.com/docker/hub-tool, pkg/hub/tags.go).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime
from urllib.parse import quote

from imagesync_cli.credentials import Credential
from imagesync_cli.stores.registry.hosts.host_api import HostApi, member, names_in
from imagesync_cli.stores.store import Untagged
from imagesync_cli.values.documents import read_document
from imagesync_cli.values.errors import ContentError, NotFound
from imagesync_cli.values.secret import Secret
from imagesync_cli.values.times import parse_time

_A_PAGE = 100


async def untag(api: HostApi, tag: str, digest: str) -> Untagged:
    """Remove the tag, wherever it points by now, as the user who is logged in at the registry."""
    doing = f"removing the tag {api.name}:{tag} by Docker Hub's API"
    token = await _token(api, await api.login(), doing)
    try:
        await api.ask(
            "DELETE",
            f"/v2/repositories/{api.repository}/tags/{tag}/",
            doing=doing,
            login=token,
            accept=(200, 202, 204),
        )
    except NotFound:
        return Untagged.ABSENT
    return Untagged.DONE


async def repositories(api: HostApi) -> AsyncIterator[str]:
    """The repositories of a namespace, private ones too where we are logged in."""
    namespace = api.repository.partition("/")[0]
    doing = f"listing the repositories of {api.name} by Docker Hub's API"
    credential = await api.client.login.credential(api.scopes)
    token = await _token(api, credential, doing) if credential is not None else None
    path = f"/v2/namespaces/{namespace}/repositories?page_size={_A_PAGE}"
    async for page in api.pages(path, doing=doing, login=token, link=lambda _, content: read_document(content)["next"]):
        for name in names_in(member(page, "results"), doing):
            yield f"{namespace}/{name}"


async def pushed_at(api: HostApi, tag: str, digest: str) -> datetime | None:
    """docs.docker.com/reference/api/hub/latest, Read repository tag; of the tag's image, or one that it lists."""
    namespace, _, name = api.repository.partition("/")
    path = f"/v2/namespaces/{namespace}/repositories/{name}/tags/{quote(tag, safe='')}"
    answer = await api.ask("GET", path, doing=f"asking when {api.name}:{tag} was pushed")
    told = member(answer, "tag_last_pushed") if member(answer, "digest") == digest else None
    images = member(answer, "images")
    for image in images if isinstance(images, list) else ():
        if told is None and member(image, "digest") == digest:
            told = member(image, "last_pushed")
    return parse_time(told)


async def _token(api: HostApi, login: Credential, doing: str) -> Secret:
    """A login for the API, as it gives one for a login at the registry."""
    content = json.dumps({"identifier": login.username, "secret": login.password.reveal()}).encode()
    answer = await api.ask("POST", "/v2/auth/token", doing=doing, content=content)
    token = member(answer, "access_token")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise ContentError(f"{doing}: Docker Hub gives no token")
    return Secret(f"Bearer {token}")

"""Docker Hub: its own API removes a tag with a token of its own.

docs.docker.com/reference/api/hub/latest (Create access token). The removal itself is in no reference; it is what
Docker's hub-tool sends (github.com/docker/hub-tool, pkg/hub/tags.go).
"""

from __future__ import annotations

import json

from imagesync_cli.stores.registry.hosts.host_api import HostApi
from imagesync_cli.stores.store import Untagged
from imagesync_cli.values.errors import ContentError, NotFound
from imagesync_cli.values.secret import Secret


async def untag(api: HostApi, tag: str, digest: str) -> Untagged:
    """Remove the tag, wherever it points by now, as the user who is logged in at the registry."""
    doing = f"removing the tag {api.name}:{tag} by Docker Hub's API"
    login = await api.login()
    content = json.dumps({"identifier": login.username, "secret": login.password.reveal()}).encode()
    answer = await api.ask("POST", "/v2/auth/token", doing=doing, content=content)
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise ContentError(f"{doing}: Docker Hub gives no token")
    try:
        await api.ask(
            "DELETE",
            f"/v2/repositories/{api.repository}/tags/{tag}/",
            doing=doing,
            login=Secret(f"Bearer {token}"),
            accept=(200, 202, 204),
        )
    except NotFound:
        return Untagged.ABSENT
    return Untagged.DONE

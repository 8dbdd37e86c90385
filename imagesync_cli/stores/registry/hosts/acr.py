"""Azure Container Registry: DELETE /acr/v1/NAME/_tags/TAG (learn.microsoft.com, Container Registry REST, Tag - Delete).

The registry's own token serves; a locked tag answers 405 or 409.
"""

from __future__ import annotations

from imagesync_cli.stores.registry.hosts.host_api import HostApi
from imagesync_cli.stores.store import Untagged
from imagesync_cli.values.errors import NotFound


async def untag(api: HostApi, tag: str, digest: str) -> Untagged:
    """Remove the tag, wherever it points by now: no condition is offered here."""
    doing = f"removing the tag {api.name}:{tag} by Azure's API"
    target = f"/acr/v1/{api.repository}/_tags/{tag}"
    try:
        await api.client.send("DELETE", target, doing=doing, scopes=api.scopes, accept=(200, 202))
    except NotFound:
        return Untagged.ABSENT
    return Untagged.DONE

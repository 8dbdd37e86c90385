"""Who we are at a registry.

The sources, in the order in which they are asked; the first that knows the host answers:

1. the files named by IMAGESYNC_AUTH_FILE and REGISTRY_AUTH_FILE, then ``$DOCKER_CONFIG/config.json`` or
   ``~/.docker/config.json`` (docker_config.py)
2. nobody: the request stays anonymous

A source that is broken is an error for the host that needs it, never a reason to go on anonymously.
"""

from __future__ import annotations

from imagesync_cli.credentials.credential import Credential, Secret
from imagesync_cli.credentials.docker_config import from_docker_config
from imagesync_cli.settings import Settings

__all__ = ["Credential", "Secret", "find_credential"]

SOURCES = (from_docker_config,)


async def find_credential(registry: str, settings: Settings) -> Credential | None:
    """The first source's answer for ``host[:port]``, or None for anonymous."""
    for source in SOURCES:
        if (found := await source(registry, settings)) is not None:
            return found
    return None

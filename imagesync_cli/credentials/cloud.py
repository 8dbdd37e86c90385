"""Logins that a cloud gives to whoever runs there, or is signed in to it, for the registries that belong to it.

values/hosts.py says which hosts those are. aws.py, gcp.py and azure.py know the clouds' own libraries; these are
optional extras and imported when one of their registries wants a login.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from typing import TypeVar

from imagesync_cli.concurrency import within
from imagesync_cli.credentials.credential import Anonymous, Credential, Wanted
from imagesync_cli.values.errors import Unavailable
from imagesync_cli.values.hosts import known_host

# Metadata services and security token services are asked on the way, each more than once.
TIMEOUT_S = 60.0
_T = TypeVar("_T")


async def from_cloud(wanted: Wanted) -> Credential | Anonymous | None:
    """The login of the cloud that the registry belongs to; Anonymous where it has none or its extra is missing."""
    host = known_host(wanted.registry)
    if host is None or not host.cloud:
        return None
    try:
        source = importlib.import_module(f"imagesync_cli.credentials.{host.cloud}")
    except ModuleNotFoundError:
        install = f"pip install 'imagesync-cli[{host.cloud}]'"
        return Anonymous(f"to log in to {wanted.registry} as {host.cloud} does: {install}")
    login: Credential | Anonymous = await source.log_in(wanted)
    return login


async def in_thread(function: Callable[[], _T], what: str) -> _T:
    """Run what blocks in a thread; by stores/session.py nobody waits for it when the program is interrupted."""
    try:
        return await within(TIMEOUT_S, asyncio.get_running_loop().run_in_executor(None, function))
    except asyncio.TimeoutError:
        raise Unavailable(f"{what} gives no login within {TIMEOUT_S:.0f} s") from None

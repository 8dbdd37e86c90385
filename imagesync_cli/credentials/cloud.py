"""Logins that a cloud gives to whoever runs there, or is signed in to it, for the registries that belong to it.

Which hosts those are is decided here, by patterns that match the whole host. aws.py, gcp.py and azure.py know the
clouds' own libraries; these are optional extras and imported when one of their registries wants a login.
"""

from __future__ import annotations

import asyncio
import importlib
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from imagesync_cli.concurrency import within
from imagesync_cli.credentials.credential import Anonymous, Credential, Wanted
from imagesync_cli.values.errors import Unavailable

# Metadata services and security token services are asked on the way, each more than once.
TIMEOUT_S = 60.0
_T = TypeVar("_T")


@dataclass(frozen=True)
class Cloud:
    """Registries by the form of their whole name, and the extra that knows how to log in there."""

    registries: str
    extra: str
    hosts: str

    def has(self, registry: str) -> bool:
        """Whether the registry is one of this cloud: its whole name, without a port."""
        return re.fullmatch(self.hosts, registry) is not None


CLOUDS = (
    Cloud(
        "Amazon ECR",
        "aws",
        r"[0-9]{12}\.dkr[.-]ecr(?:-fips)?\.[a-z0-9-]+\."
        r"(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|on\.aws|on\.amazonwebservices\.com\.cn"
        r"|sc2s\.sgov\.gov|c2s\.ic\.gov|csp\.hci\.ic\.gov|cloud\.adc-e\.uk)"
        r"|public\.ecr\.aws|ecr-public\.aws\.com",
    ),
    Cloud("Google's registries", "gcp", r"(?:[a-z0-9-]+\.)?gcr\.io|[a-z0-9-]+\.pkg\.dev"),
    Cloud("Azure's registries", "azure", r"[a-z0-9]+(?:-[a-z0-9]+)?\.azurecr\.(?:io|cn|us)"),
)


async def from_cloud(wanted: Wanted) -> Credential | Anonymous | None:
    """The login of the cloud that the registry belongs to; Anonymous where it has none or its extra is missing."""
    for cloud in CLOUDS:
        if cloud.has(wanted.registry):
            try:
                source = importlib.import_module(f"imagesync_cli.credentials.{cloud.extra}")
            except ModuleNotFoundError:
                install = f"pip install 'imagesync-cli[{cloud.extra}]'"
                return Anonymous(f"to log in to {cloud.registries} as {cloud.extra} does: {install}")
            login: Credential | Anonymous = await source.log_in(wanted)
            return login
    return None


async def in_thread(function: Callable[[], _T], what: str) -> _T:
    """Run what blocks in a thread that nobody waits for when the program is interrupted."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def tell(setter: Callable[[], None]) -> None:
        if not done.done():
            setter()

    def run() -> None:
        try:
            result = function()
        except Exception as error:  # noqa: BLE001  (raised again where it is awaited)
            failure = error
            outcome = lambda: done.set_exception(failure)  # noqa: E731
        else:
            outcome = lambda: done.set_result(result)  # noqa: E731
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, outcome)

    threading.Thread(target=run, daemon=True).start()
    try:
        return await within(TIMEOUT_S, done)
    except asyncio.TimeoutError:
        raise Unavailable(f"{what} gives no login within {TIMEOUT_S:.0f} s") from None

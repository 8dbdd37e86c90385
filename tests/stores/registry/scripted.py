"""A registry of which every exchange is written down: respx answers in place of the transport, nothing else is changed.

For what a few exact requests tell better than a server does; the embedded registry is the double for all else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

import httpx
import respx

from imagesync_cli.concurrency import ByteLimit
from imagesync_cli.settings import Settings
from imagesync_cli.stores.registry.client import Client
from imagesync_cli.stores.registry.hosts.host_api import HostApi
from imagesync_cli.stores.transport.http import Http
from imagesync_cli.values.secret import Secret
from tests.logins import CANARY, variables

_T = TypeVar("_T")
NAME = "team/sub/app"
SCOPES = (f"repository:{NAME}:pull,push,delete",)


class Scripted(httpx.AsyncBaseTransport):
    """Answers by the routes that a test has written, and by nothing else."""

    def __init__(self) -> None:
        self.routes = respx.MockRouter(assert_all_called=True)
        self.documents = ByteLimit(1024)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.routes.async_handler(request)
        response.request = request
        return response

    def client(self, host: str, *, login: bool = True) -> Client:
        """The client of a registry, with ann's login for it."""
        logins = variables(host, "ann", CANARY) if login else {}
        settings = Settings(logins={name: Secret(text) for name, text in logins.items()})
        return Client(host, cast("Http", self), settings)

    def api(self, host: str, *, login: bool = True) -> HostApi:
        """The host's own API for NAME."""
        return HostApi(self.client(host, login=login), NAME, f"{host}/{NAME}", SCOPES)

    def run(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Do the work, and see that every route was asked."""

        async def whole() -> _T:
            return await work()

        result = asyncio.run(whole())
        self.routes.assert_all_called()
        return result

    @property
    def requests(self) -> list[str]:
        """Method and URL of each request, in order."""
        return [f"{call.request.method} {call.request.url}" for call in self.routes.calls]

    def told(self, text: str) -> list[str]:
        """The hosts to which a header with this text went."""
        return [call.request.url.host for call in self.routes.calls if text in " ".join(call.request.headers.values())]

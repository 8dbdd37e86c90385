"""A repository as a host's own API sees it, and requests to that API.

Nothing is redirected here and no login goes anywhere but to the address in ``Place.api``.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import httpx

from imagesync_cli import __version__
from imagesync_cli.credentials import Credential
from imagesync_cli.stores.registry.client import Client, refusal
from imagesync_cli.stores.registry.tokens import Scopes
from imagesync_cli.stores.transport.http import read_all
from imagesync_cli.stores.transport.retry import persist
from imagesync_cli.values.errors import ContentError, Denied, ImagesyncError
from imagesync_cli.values.secret import Secret

_ANSWER_LIMIT_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Place:
    """``name`` is as the user spelled it, ``api`` the address of the host's own API."""

    client: Client
    repository: str
    name: str
    scopes: Scopes
    api: str

    async def login(self) -> Credential:
        """Who we are at the registry; Denied for nobody, since these APIs change nothing for nobody."""
        credential = await self.client.auth.credential(self.scopes)
        if credential is None:
            raise Denied(
                f"{self.client.registry} wants a login to delete",
                hint=f"log in, for example with: docker login {self.client.registry}",
            )
        return credential

    async def ask(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        login: Secret | None = None,
        accept: Collection[int] = (200,),
        body: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """The JSON document that answers, None where there is none; ``login`` is an Authorization header."""
        sent = {"User-Agent": f"imagesync/{__version__}", "Accept": "application/json", **(headers or {})}
        sent["Accept-Encoding"] = "identity"
        if login is not None:
            sent["Authorization"] = login.reveal()

        async def attempt() -> bytes:
            request = httpx.Request(method, f"{self.api}{path}", headers=sent, json=body)
            response = await self.client.http.handle_async_request(request)
            if response.status_code not in accept:
                raise await refusal(response, method)
            return await read_all(response, _ANSWER_LIMIT_BYTES)

        try:
            content = await persist(attempt)
            return json.loads(content) if content else None
        except (ValueError, RecursionError) as error:
            raise ContentError(f"{doing}: the answer is not JSON") from error
        except ImagesyncError as error:
            error.during(doing)
            raise

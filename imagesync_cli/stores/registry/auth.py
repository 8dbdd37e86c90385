"""The Authorization header for one registry.

1. A request goes out with what is known for its scopes: nothing at first.
2. 401 names a scheme. The sources of credentials are asked, now and not before.
3. Basic: the login from now on. Bearer: a token for the scopes, with the login if there is one (tokens.py).
4. The request goes out once more. 401 again is Denied: there is no third time.

Steps 2 to 4 are in handshake.py, which is loaded by the first 401.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from imagesync_cli.concurrency import within
from imagesync_cli.settings import Settings
from imagesync_cli.stores.transport.http import Http
from imagesync_cli.values.secret import Secret

if TYPE_CHECKING:
    from imagesync_cli.credentials import Credential
    from imagesync_cli.stores.registry.handshake import Handshake
    from imagesync_cli.stores.registry.tokens import Scopes

_FIRST_ANSWER_WITHIN_S = 1.0


class Authorizer:
    """Says who we are to one registry, once it has asked; shared by everything that runs at the same time."""

    def __init__(self, registry: str, http: Http, settings: Settings, auth_file: Path | None = None) -> None:
        self._registry = registry
        self._http = http
        self._settings = settings
        self._auth_file = auth_file
        self._handshake: Handshake | None = None
        self._heard: asyncio.Event | None = None

    async def header(self, scopes: Scopes) -> Secret | None:
        """The Authorization header that is known to be needed for these scopes, or None."""
        if self._handshake is None:
            await self._first_answer()
        return await self._handshake.header(scopes) if self._handshake else None

    async def learn(self, response: httpx.Response, scopes: Scopes, used: Secret | None) -> None:
        """Take in a 401: after this, ``header`` gives something that was not tried yet, or Denied is raised."""
        await self._begun().learn(response, scopes, used)

    async def credential(self, scopes: Scopes) -> Credential | None:
        """Who we are, for a host's own API beside the registry's (hosts/); None for nobody."""
        return await self._begun().credential(scopes)

    def heard(self) -> None:
        """Take in that the registry has answered, or does not."""
        if self._heard is not None:
            self._heard.set()

    def advice(self, scopes: Scopes) -> str:
        """What to do about a refusal, "" where nobody has asked for a login."""
        return self._handshake.advice(scopes) if self._handshake else ""

    def granted(self, scopes: Scopes) -> str:
        """What the token for these scopes grants, "" where it does not tell."""
        return self._handshake.granted(scopes) if self._handshake else ""

    def source(self, scopes: Scopes) -> str:
        """Where the login for these scopes comes from, "" where there is none or nobody has asked for it."""
        return self._handshake.source(scopes) if self._handshake else ""

    def _begun(self) -> Handshake:
        if self._handshake is None:
            from imagesync_cli.stores.registry.handshake import Handshake

            self._handshake = Handshake(self._registry, self._http, self._settings, self._auth_file)
        return self._handshake

    async def _first_answer(self) -> None:
        """Let one request go ahead, so that not each of many learns by a 401 of its own; but do not hang on it."""
        if self._heard is None:
            self._heard = asyncio.Event()
        elif not self._heard.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await within(_FIRST_ANSWER_WITHIN_S, self._heard.wait())

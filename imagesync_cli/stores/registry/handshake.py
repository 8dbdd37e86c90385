"""What a registry asks for with its first 401, and what it is told from then on (auth.py has the steps).

A login that is refused after a while is looked up once more: cloud logins end, and their source has a newer one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from imagesync_cli.credentials import Anonymous, Credential, Wanted, account, find_login
from imagesync_cli.settings import Settings
from imagesync_cli.stores.registry.challenge import Challenge, check_realm, parse_challenge
from imagesync_cli.stores.registry.tokens import Login, Scopes, Tokens
from imagesync_cli.stores.transport.http import Http, read_all
from imagesync_cli.values.errors import Denied
from imagesync_cli.values.secret import Secret

_ANSWER_LIMIT_BYTES = 64 * 1024
# A login that is younger than this would not be another one if its source were asked again.
_FRESH_S = 60.0


class Handshake:
    """Says who we are to one registry."""

    def __init__(self, registry: str, http: Http, settings: Settings, auth_file: Path | None) -> None:
        self._registry = registry
        self._http = http
        self._settings = settings
        self._auth_files = (*([auth_file] if auth_file else []), *settings.auth_files)
        self._challenge: Challenge | None = None
        self._realm = httpx.URL()
        self._logins: dict[str, Login] = {}
        self._found_at: dict[str, float] = {}
        self._accounts: dict[Scopes, str] = {}
        self._documents: dict[Path, Any] = {}
        self._looking_up = asyncio.Lock()
        self._tokens = Tokens(registry, http)

    async def header(self, scopes: Scopes) -> Secret | None:
        """The Authorization header that is known to be needed for these scopes, or None."""
        if self._challenge is None:
            return None
        login = await self._login(scopes)
        if isinstance(login, Credential) and login.registry_token:
            return _bearer(login.registry_token)
        if self._challenge.scheme == "basic":
            return login.basic() if isinstance(login, Credential) else None
        return _bearer(await self._token(scopes, self._challenge, login))

    async def learn(self, response: httpx.Response, scopes: Scopes, used: Secret | None) -> None:
        """Take in a 401: after this, ``header`` gives something that was not tried yet, or Denied is raised."""
        challenge = parse_challenge(response.headers.get_list("www-authenticate"))
        if challenge is None:
            raise Denied(f"{self._registry} answers 401 and does not say how to log in")
        if challenge.scheme == "bearer":
            self._realm = check_realm(challenge, response.request.url)
        self._challenge = challenge
        login = await self._login(scopes)
        if challenge.scheme == "basic" and isinstance(login, Anonymous):
            raise Denied(f"{self._registry} wants a login", hint=login.advice)
        if used is not None:
            self._tokens.refused(scopes, Secret(used.reveal().removeprefix("Bearer ")))
            its_own = isinstance(login, Credential) and used in (login.basic(), _bearer(login.registry_token))
            if its_own and await self._renewed(scopes, login) == login:
                raise Denied(f"{self._registry} refuses the login{_with(login)}", hint=self._log_in_again())

    async def credential(self, scopes: Scopes) -> Credential | None:
        """Who we are, for a host's own API beside the registry's (hosts/); None for nobody."""
        login = await self._login(scopes)
        return login if isinstance(login, Credential) else None

    def advice(self, scopes: Scopes) -> str:
        """What to do about a refusal, "" where nobody has asked for a login."""
        login = self._logins.get(self._account(scopes)) if self._challenge else None
        if isinstance(login, Credential):
            return f"the login{_with(login)} may not do this, or is wrong"
        return login.advice if login else ""

    def granted(self, scopes: Scopes) -> str:
        """What the token for these scopes grants, "" where it does not tell."""
        return self._tokens.granted(scopes)

    def source(self, scopes: Scopes) -> str:
        """Where the login for these scopes comes from, "" where there is none or nobody has asked for it."""
        login = self._logins.get(self._account(scopes)) if self._challenge else None
        return login.source if isinstance(login, Credential) else ""

    async def _token(self, scopes: Scopes, challenge: Challenge, login: Login) -> Secret:
        try:
            return await self._tokens.get(scopes, self._realm, challenge, login)
        except Denied as error:
            renewed = await self._renewed(scopes, login)
            if renewed == login:
                error.hint = self.advice(scopes)
                raise
        return await self._tokens.get(scopes, self._realm, challenge, renewed)

    async def _login(self, scopes: Scopes) -> Login:
        key = self._account(scopes)
        async with self._looking_up:
            if key not in self._logins:
                self._logins[key] = await find_login(self._wanted(scopes))
                self._found_at[key] = time.monotonic()
            return self._logins[key]

    async def _renewed(self, scopes: Scopes, refused: Login) -> Login:
        """The login that is known by now, looked up again unless that was only just done."""
        key = self._account(scopes)
        async with self._looking_up:
            if self._logins[key] == refused and time.monotonic() - self._found_at[key] > _FRESH_S:
                self._logins[key] = await find_login(self._wanted(scopes))
                self._found_at[key] = time.monotonic()
            return self._logins[key]

    def _log_in_again(self) -> str:
        return f"log in again, for example with: docker login {self._registry}"

    def _account(self, scopes: Scopes) -> str:
        if scopes not in self._accounts:
            self._accounts[scopes] = account(self._wanted(scopes))
        return self._accounts[scopes]

    def _wanted(self, scopes: Scopes) -> Wanted:
        repository = scopes[0].split(":")[1] if scopes else ""
        return Wanted(self._registry, repository, self._auth_files, self._settings, self._post, self._documents)

    async def _post(self, url: str, form: Mapping[str, str]) -> tuple[int, bytes]:
        response = await self._http.handle_async_request(httpx.Request("POST", url, data=dict(form)))
        return response.status_code, await read_all(response, _ANSWER_LIMIT_BYTES)


def _with(login: Login) -> str:
    return f" with {login.source}" if isinstance(login, Credential) else ""


def _bearer(token: Secret) -> Secret:
    return Secret(f"Bearer {token.reveal()}")

"""The token handshake with one registry (distribution-spec, Docker's registry token authentication).

1. A request goes out with what is known for its scopes: nothing at first.
2. 401 names a scheme. Basic: the user's credentials from now on.
3. Bearer: ask the realm for a token for the scopes, with the credentials if there are any.
4. The request goes out once more. 401 again is Denied: there is no third time.

A token serves until 80 % of its life are over; whoever needs the same token meanwhile waits for the same answer.
Credentials are looked up at the first 401, never before.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx

from imagesync_cli.credentials import Credential, Secret, find_credential
from imagesync_cli.errors import ContentError, Denied, Unavailable
from imagesync_cli.settings import Settings
from imagesync_cli.stores.http import Http, read_all

Scopes = frozenset[str]
_TOKEN_LIMIT_BYTES = 64 * 1024
_DEFAULT_LIFE_S = 60.0
_PARAMETER = re.compile(r'([a-zA-Z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


@dataclass(frozen=True)
class Challenge:
    """What a registry asks for in WWW-Authenticate; ``scheme`` is lower case."""

    scheme: str
    realm: str
    service: str
    scopes: Scopes


@dataclass(frozen=True)
class _Token:
    value: Secret
    renew_at: float


def parse_challenge(headers: Iterable[str]) -> Challenge | None:
    """The challenge that we can answer, Bearer before Basic, or None (RFC 7235, section 4.1)."""
    found = {}
    for header in headers:
        for scheme, rest in re.findall(r"(?i)\b(bearer|basic)\b((?:(?!\b(?:bearer|basic)\s).)*)", header):
            pairs = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(rest)}
            scopes = frozenset(pairs.get("scope", "").split())
            found[scheme.lower()] = Challenge(scheme.lower(), pairs.get("realm", ""), pairs.get("service", ""), scopes)
    return found.get("bearer") or found.get("basic")


class Authorizer:
    """Says who we are to one registry; shared by everything that runs at the same time."""

    def __init__(self, registry: str, base: httpx.URL, http: Http, settings: Settings) -> None:
        self._registry = registry
        self._base = base
        self._http = http
        self._settings = settings
        self._challenge: Challenge | None = None
        self._credential: Credential | None = None
        self._looked_up = False
        self._tokens: dict[Scopes, _Token] = {}
        self._locks: dict[Scopes, asyncio.Lock] = {}

    async def header(self, scopes: Scopes) -> Secret | None:
        """The Authorization header that is known to be needed for these scopes, or None."""
        if self._challenge is None:
            return None
        if self._challenge.scheme == "basic":
            return Secret(self._credential.basic()) if self._credential else None
        token = await self._token(scopes, self._challenge)
        return Secret(f"Bearer {token.value.reveal()}")

    async def learn(self, response: httpx.Response, scopes: Scopes, used: Secret | None) -> None:
        """Take in a 401: after this, ``header`` gives something that was not tried yet, or Denied is raised."""
        challenge = parse_challenge(response.headers.get_list("www-authenticate"))
        if challenge is None:
            raise Denied(f"{self._registry} answers 401 and does not say how to log in")
        if challenge.scheme == "bearer":
            self._check_realm(challenge)
        credential = await self._lookup()
        if challenge.scheme == "basic" and (credential is None or used is not None):
            raise Denied(f"{self._registry} wants a login{self._tried(credential)}", hint=self._advice())
        # A token that was just refused is not used again; one that somebody else renewed meanwhile is.
        token = self._tokens.get(scopes)
        if token and used and used.reveal() == f"Bearer {token.value.reveal()}":
            del self._tokens[scopes]
        self._challenge = challenge

    async def _lookup(self) -> Credential | None:
        if not self._looked_up:
            self._credential = await find_credential(self._registry, self._settings)
            self._looked_up = True
        return self._credential

    async def _token(self, scopes: Scopes, challenge: Challenge) -> _Token:
        async with self._locks.setdefault(scopes, asyncio.Lock()):
            token = self._tokens.get(scopes)
            if token is None or time.monotonic() >= token.renew_at:
                token = self._tokens[scopes] = await self._fetch(scopes, challenge)
            return token

    async def _fetch(self, scopes: Scopes, challenge: Challenge) -> _Token:
        wanted = scopes or challenge.scopes
        status, content = await self._ask(wanted, challenge)
        if status in (400, 401, 403) and wanted != challenge.scopes:
            # Some servers refuse a scope as a whole for one action in it (Quay: delete); ask as they said.
            status, content = await self._ask(challenge.scopes, challenge)
        if status in (400, 401, 403, 404):
            raise Denied(
                f"{self._registry} gives no token for {' '.join(sorted(wanted)) or 'access'}"
                f" ({status}){self._tried(self._credential)}",
                hint=self._advice(),
            )
        if status != 200:
            raise Unavailable(f"the token server of {self._registry} answers {status}")
        return _read_token(content, self._registry)

    async def _ask(self, scopes: Scopes, challenge: Challenge) -> tuple[int, bytes]:
        query = httpx.QueryParams({"service": challenge.service} if challenge.service else None)
        for scope in sorted(scopes):
            query = query.add("scope", scope)
        url = httpx.URL(challenge.realm).copy_merge_params(query)
        headers = {"Accept-Encoding": "identity"}
        if self._credential is not None:
            headers["Authorization"] = self._credential.basic()
        response = await self._http.handle_async_request(httpx.Request("GET", url, headers=headers))
        return response.status_code, await read_all(response, _TOKEN_LIMIT_BYTES)

    def _check_realm(self, challenge: Challenge) -> None:
        """Credentials go to the realm: it must be no less safe than the registry, and no one's inner network."""
        realm = httpx.URL(challenge.realm)
        own = realm.host == self._base.host
        if realm.scheme != "https" and not (realm.scheme == "http" and self._base.scheme == "http"):
            raise Denied(f"{self._registry} sends logins to {challenge.realm!r}, which is not https")
        try:
            address = ipaddress.ip_address(realm.host)
        except ValueError:
            return
        if not own and not address.is_global:
            raise Denied(f"{self._registry} sends logins to {challenge.realm!r}, an address that is not public")

    def _tried(self, credential: Credential | None) -> str:
        return f", with the login from {credential.source}" if credential else "; no login is known for it"

    def _advice(self) -> str:
        return f"log in with: docker login {self._registry}"


def _read_token(content: bytes, registry: str) -> _Token:
    try:
        answer: Any = json.loads(content)
        value = answer.get("token") or answer.get("access_token")
        life_s = float(answer.get("expires_in") or _DEFAULT_LIFE_S)
    except (ValueError, AttributeError, TypeError) as error:
        raise ContentError(f"the token server of {registry} does not answer with a token") from error
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
        raise ContentError(f"the token server of {registry} does not answer with a token")
    return _Token(Secret(value), time.monotonic() + 0.8 * life_s)

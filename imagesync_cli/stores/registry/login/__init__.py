"""The Authorization header for one registry; loaded by the first 401.

1. A request goes out with what is known for its scopes: nothing at first (client.py).
2. 401 names a scheme. The sources of credentials are asked, now and not before.
3. Basic: the login from now on. Bearer: a token for the scopes, with the login if there is one (tokens.py).
4. The request goes out once more. 401 again is Denied: there is no third time.

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
from imagesync_cli.stores.registry.exchange import Scopes
from imagesync_cli.stores.registry.login.challenge import Challenge, check_realm, parse_challenge
from imagesync_cli.stores.registry.login.tokens import Identity, Tokens, repository_of, under_name
from imagesync_cli.stores.registry.refusals import read_errors
from imagesync_cli.stores.transport.http import Http, read_all
from imagesync_cli.values.errors import Denied
from imagesync_cli.values.secret import Secret

# A login that is younger than this would not be another one if its source were asked again.
_FRESH_S = 60.0


class Login:
    """Says who we are to one registry; ``nobody`` is for one that is told nothing of us."""

    def __init__(
        self, registry: str, http: Http, settings: Settings, auth_file: Path | None = None, *, nobody: bool = False
    ) -> None:
        self._registry = registry
        self._http = http
        self._settings = settings
        self._auth_files = (*([auth_file] if auth_file else []), *settings.auth_files)
        self._nobody = nobody
        self._challenge: Challenge | None = None
        self._names: dict[str, str] = {}  # a repository, and what the registry calls it
        self._identities: dict[str, Identity] = {}
        self._found_at: dict[str, float] = {}
        self._accounts: dict[Scopes, str] = {}
        self._documents: dict[Path, Any] = {}
        self._looking_up = asyncio.Lock()
        self._tokens = Tokens(registry, http)

    async def header(self, scopes: Scopes) -> Secret | None:
        """The Authorization header that is known to be needed for these scopes, or None."""
        if self._challenge is None:
            return None
        identity = await self._identity(scopes)
        if isinstance(identity, Credential) and identity.registry_token:
            return _bearer(identity.registry_token)
        if self._challenge.scheme == "basic":
            return identity.basic if isinstance(identity, Credential) else None
        return _bearer(await self._token(scopes, self._challenge, identity))

    async def learn(self, response: httpx.Response, scopes: Scopes, used: Secret | None) -> None:
        """Take in a 401: after this, ``header`` gives something that was not tried yet, or Denied is raised."""
        challenge = parse_challenge(response.headers.get_list("www-authenticate"))
        if challenge is None:
            # Harbor 2 says so of a project that does not exist, whoever asks.
            said = "; ".join(filter(None, (text for _, text in await read_errors(response))))
            why = f": {said}" if said else " and does not say how to log in"
            raise Denied(f"{self._registry} answers 401{why}")
        await response.aclose()
        self._challenge = challenge = check_realm(challenge, response.request.url)
        # Gateways that rewrite paths pass on challenges of the registry behind them, which names what it has.
        if len(scopes) == len(challenge.scopes) == 1 and (name := repository_of(challenge.scopes[0])):
            self._names[repository_of(scopes[0])] = name
        identity = await self._identity(scopes)
        if challenge.scheme == "basic" and isinstance(identity, Anonymous):
            raise Denied(f"{self._registry} wants a login", hint=identity.advice)
        if used is not None:
            self._tokens.refused(self._named(scopes), Secret(used.reveal().removeprefix("Bearer ")))
            its_own = isinstance(identity, Credential) and used in (identity.basic, _bearer(identity.registry_token))
            if its_own and await self._identity(scopes, refused=identity) == identity:
                hint = f"imagesync login --username NAME {self._registry}, or: docker login {self._registry}"
                raise Denied(f"{self._registry} refuses the login{_with(identity)}", hint=f"log in again: {hint}")

    def offer(self, response: httpx.Response) -> None:
        """Say who we are from now on although nobody has asked, in the way that this answer names, else as Basic."""
        challenge = parse_challenge(response.headers.get_list("www-authenticate")) or Challenge("basic", "", "", ())
        self._challenge = check_realm(challenge, response.request.url)

    async def credential(self, scopes: Scopes) -> Credential | None:
        """Who we are, for a host's own API beside the registry's (hosts/); None for nobody."""
        identity = await self._identity(scopes)
        return identity if isinstance(identity, Credential) else None

    def advice(self, scopes: Scopes) -> str:
        """What to do about a refusal, "" where nobody has asked for a login."""
        identity = self._known(scopes)
        if isinstance(identity, Credential):
            return f"the login{_with(identity)} may not do this, or is wrong"
        return identity.advice if identity else ""

    def granted(self, scopes: Scopes) -> str:
        """What the token for these scopes grants, "" where it does not tell."""
        return self._tokens.granted(self._named(scopes))

    def source(self, scopes: Scopes) -> str:
        """Where the login for these scopes comes from, "" where there is none or nobody has asked for it."""
        identity = self._known(scopes)
        return identity.source if isinstance(identity, Credential) else ""

    def _known(self, scopes: Scopes) -> Identity | None:
        return self._identities.get(self._account(scopes)) if self._challenge else None

    def _named(self, scopes: Scopes) -> Scopes:
        return tuple(under_name(scope, self._names.get(repository_of(scope), "")) for scope in scopes)

    async def _token(self, scopes: Scopes, challenge: Challenge, identity: Identity) -> Secret:
        named = self._named(scopes)
        try:
            return await self._tokens.get(named, challenge, identity)
        except Denied as error:
            renewed = await self._identity(scopes, refused=identity)
            if renewed == identity:
                error.hint = self.advice(scopes)
                raise
        return await self._tokens.get(named, challenge, renewed)

    async def _identity(self, scopes: Scopes, refused: Identity | None = None) -> Identity:
        """The login that is known, looked up again if it was ``refused``, unless that was only just done."""
        key = self._account(scopes)
        async with self._looking_up:
            known = self._identities.get(key)
            if known is None or (known == refused and time.monotonic() - self._found_at[key] > _FRESH_S):
                nobody = Anonymous("this address was named by another registry, and is told no login")
                self._identities[key] = nobody if self._nobody else await find_login(self._wanted(scopes))
                self._found_at[key] = time.monotonic()
            return self._identities[key]

    def _account(self, scopes: Scopes) -> str:
        if scopes not in self._accounts:
            self._accounts[scopes] = "" if self._nobody else account(self._wanted(scopes))
        return self._accounts[scopes]

    def _wanted(self, scopes: Scopes) -> Wanted:
        repository = repository_of(scopes[0]) if scopes else ""
        return Wanted(self._registry, repository, self._auth_files, self._settings, self._post, self._documents)

    async def _post(self, url: str, form: Mapping[str, str]) -> tuple[int, bytes]:
        response = await self._http.handle_async_request(httpx.Request("POST", url, data=dict(form)))
        return response.status_code, await read_all(response)


def _with(identity: Identity) -> str:
    return f" with {identity.source}" if isinstance(identity, Credential) else ""


def _bearer(token: Secret) -> Secret:
    return Secret(f"Bearer {token.reveal()}")

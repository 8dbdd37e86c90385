"""Bearer tokens of one registry: asked for, shared by whoever needs them at the same time, and renewed.

A token is asked for by GET, with the login as Basic or with none, or by the OAuth2 form where we hold a refresh token.
It serves until 80 % of its life are over. While one request is on its way, what is wanted meanwhile gathers and goes
into the next one together; a server that refuses several scopes at once is asked for one each.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from imagesync_cli import __version__
from imagesync_cli.concurrency import gather
from imagesync_cli.credentials import Anonymous, Credential
from imagesync_cli.stores.registry.exchange import Scopes
from imagesync_cli.stores.registry.login.challenge import Challenge
from imagesync_cli.stores.transport.addresses import origin_of
from imagesync_cli.stores.transport.http import Http, read_all, retry_after_s
from imagesync_cli.stores.transport.retry import status_may_pass, twice
from imagesync_cli.values.errors import ContentError, Denied, ImagesyncError, Unavailable
from imagesync_cli.values.secret import Secret

Identity = Credential | Anonymous

_DEFAULT_LIFE_S = 60.0
_RENEW_AFTER = 0.8
# Each scope makes the token longer, and servers refuse headers beyond 8 KiB.
_SCOPES_A_TOKEN = 10
_AT_ONCE = 2
_REFUSED = frozenset({400, 401, 403, 404})


@dataclass(frozen=True)
class _Token:
    value: Secret
    renew_at: float


_Outcome = dict[Scopes, _Token | ImagesyncError]


@dataclass(eq=False)
class _Batch:
    """What one request for a token is to be good for; open until it goes out."""

    challenge: Challenge
    login: Identity
    wanted: list[Scopes] = field(default_factory=list)
    is_open: bool = True

    def takes(self, other: _Batch, most: int) -> bool:
        """Whether what the other one wants can go out with this one."""
        is_alike = self.login == other.login and self.challenge.url == other.challenge.url
        return self.is_open and is_alike and len(self.wanted) < most


class Tokens:
    """The tokens of one registry."""

    def __init__(self, registry: str, http: Http) -> None:
        self._registry = registry
        self._http = http
        self._known: dict[Scopes, _Token] = {}
        self._coming: dict[Scopes, asyncio.Task[_Outcome]] = {}
        self._last: tuple[_Batch, asyncio.Task[_Outcome]] | None = None
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._most = _SCOPES_A_TOKEN
        self._deletes = True
        self._refresh_tokens: dict[Secret, Secret] = {}

    async def get(self, scopes: Scopes, challenge: Challenge, login: Identity) -> Secret:
        """A token for these scopes that is still good; Denied if there is none."""
        token = self._known.get(scopes)
        if token is None or time.monotonic() >= token.renew_at:
            if scopes not in self._coming:
                self._coming[scopes] = self._join(_Batch(challenge, login, [scopes]))
            # Whoever else waits for it must get it although this one may be cancelled.
            outcome = (await asyncio.shield(self._coming[scopes]))[scopes]
            if isinstance(outcome, ImagesyncError):
                raise copy.copy(outcome)  # each adds its own step to the message
            token = outcome
        return token.value

    def refused(self, scopes: Scopes, used: Secret) -> None:
        """Take in that a registry has refused a token; one that somebody renewed meanwhile stays."""
        token = self._known.get(scopes)
        if token is not None and token.value == used:
            del self._known[scopes]
            if sum(other.value == used for other in self._known.values()):
                self._most = 1  # it was to serve others as well: perhaps this registry does not do that

    def granted(self, scopes: Scopes) -> str:
        """The actions that the token for these scopes claims to grant there, "" for one that nobody can read."""
        token = self._known.get(scopes)
        return claimed_actions(token.value, repository_of(scopes[0])) if token and scopes else ""

    def _join(self, new: _Batch) -> asyncio.Task[_Outcome]:
        if self._last is None or not self._last[0].takes(new, self._most):
            self._last = new, asyncio.create_task(self._bring(new))
        else:
            self._last[0].wanted += new.wanted
        return self._last[1]

    async def _bring(self, batch: _Batch) -> _Outcome:
        """One token for everything in the batch, else one each."""
        tokens: list[_Token | ImagesyncError] = []
        try:
            async with self._turn:
                batch.is_open = False
                if len(batch.wanted) > 1:
                    every = tuple(dict.fromkeys(scope for scopes in batch.wanted for scope in scopes))
                    tokens = [await self._fetch([every], batch)] * len(batch.wanted)
                if not tokens or isinstance(tokens[0], Denied):
                    each = (self._alternatives(scopes, batch.challenge) for scopes in batch.wanted)
                    tokens = await gather(self._fetch(alternatives, batch) for alternatives in each)
        finally:
            for scopes in batch.wanted:
                self._coming.pop(scopes, None)
        outcome = dict(zip(batch.wanted, tokens, strict=True))
        self._known.update({scopes: token for scopes, token in outcome.items() if isinstance(token, _Token)})
        return outcome

    def _alternatives(self, scopes: Scopes, challenge: Challenge) -> list[Scopes]:
        """What to ask for, in this order, until the server does not refuse it."""
        plain = tuple(scope.removesuffix(",delete") for scope in scopes)  # Quay has no such action
        ours = {"", *map(repository_of, scopes[:1])}  # a ping is about no repository: GHCR's challenge names one
        named = tuple(scope for scope in challenge.scopes if repository_of(scope) in ours)
        first = [scopes] if self._deletes else []
        return list(dict.fromkeys([*first, plain, plain[:1], named]))

    async def _fetch(self, alternatives: list[Scopes], batch: _Batch) -> _Token | ImagesyncError:
        try:
            return await twice(lambda: self._try(alternatives, batch))
        except ImagesyncError as error:
            return error

    async def _try(self, alternatives: list[Scopes], batch: _Batch) -> _Token:
        started, status = time.monotonic(), 0
        for scopes in alternatives:
            response, content = await self._ask(scopes, batch)
            status = response.status_code
            if status == 200:
                if scopes != alternatives[0] and "delete" in "".join(alternatives[0]):
                    self._deletes = False
                return self._read(content, started, batch.login, batch.challenge.url)
            if status not in _REFUSED:
                raise Unavailable(
                    f"the token server of {self._registry} answers {status}",
                    retry_after_s=retry_after_s(response.headers.get("retry-after", "")),
                    may_pass=status_may_pass(status),
                )
        wanted = " ".join(alternatives[0]) or "access"
        raise Denied(f"{self._registry} gives no token for {wanted} ({status})")

    async def _ask(self, scopes: Scopes, batch: _Batch) -> tuple[httpx.Response, bytes]:
        login, service, realm = batch.login, batch.challenge.service, batch.challenge.url
        headers = {"User-Agent": f"imagesync/{__version__}", "Accept-Encoding": "identity"}
        if isinstance(login, Credential) and login.identity_token:
            token = self._refresh_tokens.get(login.identity_token, login.identity_token)
            form = {"grant_type": "refresh_token", "service": service, "client_id": "imagesync"}
            form |= {"scope": " ".join(scopes), "refresh_token": token.reveal()}
            request = httpx.Request("POST", realm, headers=headers, data=form)
        else:
            if isinstance(login, Credential):
                headers["Authorization"] = login.basic.reveal()
            query = realm.params
            for name, value in [("service", service)] * bool(service) + [("scope", scope) for scope in scopes]:
                query = query.add(name, value)
            request = httpx.Request("GET", realm.copy_with(params=query), headers=headers)
        # What a token service gives for our certificate goes to the registry: that names no other host to be shown it.
        own = httpx.URL(f"{realm.scheme}://{self._registry}")
        request.extensions["origin"] = origin_of(realm, own)
        response = await self._http.handle_async_request(request)
        return response, await read_all(response)

    def _read(self, content: bytes, started: float, login: Identity, realm: httpx.URL) -> _Token:
        try:
            answer: Any = json.loads(content)
            value = answer.get("token") or answer.get("access_token")
            life_s = float(answer.get("expires_in") or _DEFAULT_LIFE_S)
            refresh_token = answer.get("refresh_token")
        except (ValueError, AttributeError, TypeError, OverflowError, RecursionError):
            value = None
        if not isinstance(value, str) or not re.fullmatch(r"[!-~]+", value):
            raise ContentError(
                f"the token server of {self._registry} does not answer with a token",
                hint=f"it is at {realm.copy_with(query=None)}; check that address",
            )
        if isinstance(login, Credential) and login.identity_token and isinstance(refresh_token, str) and refresh_token:
            self._refresh_tokens[login.identity_token] = Secret(refresh_token)
        return _Token(Secret(value), started + _RENEW_AFTER * life_s)


def claimed_actions(token: Secret, repository: str) -> str:
    """The actions in a JSON web token; its signature is the registry's to check."""
    payload = token.reveal().split(".")[1:2]
    try:
        claims = json.loads(base64.urlsafe_b64decode("".join(payload) + "=="))
        granted = [entry["actions"] for entry in claims["access"] if entry["name"] == repository]
        return ",".join(str(action) for actions in granted for action in actions if str(action).isalpha())
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def repository_of(scope: str) -> str:
    """team/app of "repository:team/app:pull"; "" for a scope of another kind."""
    kind, _, rest = scope.partition(":")
    return rest.rpartition(":")[0] if kind == "repository" else ""


def under_name(scope: str, repository: str) -> str:
    """The same scope for another name of the repository, unless that is ""."""
    return f"repository:{repository}:{scope.rpartition(':')[2]}" if repository else scope

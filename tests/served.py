"""A running registry as a test reaches it: where it is, whom it trusts, and who signs in."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.logins import variables

_NAMED = re.compile(r"/v2/(?P<name>.+?)/(?:manifests|blobs|tags|referrers)/")


@dataclass(frozen=True)
class Served:
    """One registry; plain HTTP and open to everybody unless it says otherwise."""

    host: str
    login: tuple[str, str] | None = None
    by_tokens: bool = False
    ca_file: Path | None = None

    def client(self) -> httpx.Client:
        """Make a client of the tests' own that may do everything there."""
        trusted = ssl.create_default_context(cafile=str(self.ca_file)) if self.ca_file else False
        url = f"{'https' if self.ca_file else 'http'}://{self.host}"
        return httpx.Client(
            base_url=url, trust_env=False, timeout=60, auth=self._auth(url), verify=trusted, follow_redirects=True
        )

    @property
    def environ(self) -> dict[str, str]:
        """The variables with which imagesync may do everything there."""
        login = variables(self.host, *self.login) if self.login else {}
        return login | ({"SSL_CERT_FILE": str(self.ca_file)} if self.ca_file else {})

    def _auth(self, url: str) -> httpx.Auth | None:
        if self.login is None:
            return None
        return _Tokens(url, self.login) if self.by_tokens else httpx.BasicAuth(*self.login)


class _Tokens(httpx.Auth):
    """Asks for a token before a request, so that no body is sent twice; one for each repository.

    Docker's registry token authentication.
    """

    requires_response_body = True

    def __init__(self, url: str, login: tuple[str, str]) -> None:
        self._url, self._login = url, login
        self._tokens: dict[tuple[str, ...], tuple[str, float]] = {}

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        scopes = _scopes(request.url)
        token, fresh_until = self._tokens.get(scopes, ("", 0.0))
        if time.monotonic() > fresh_until:
            token, fresh_until = yield from self._ask(scopes)
            self._tokens[scopes] = token, fresh_until
        request.headers["Authorization"] = f"Bearer {token}"
        yield request

    def _ask(self, scopes: tuple[str, ...]) -> Generator[httpx.Request, httpx.Response, tuple[str, float]]:
        challenge = (yield httpx.Request("GET", f"{self._url}/v2/")).headers["WWW-Authenticate"]
        told = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        asking = httpx.Request("GET", told["realm"], params={"service": told["service"], "scope": scopes})
        (asking,) = httpx.BasicAuth(*self._login).auth_flow(asking)
        answer = (yield asking).raise_for_status().json()
        return answer["token"], time.monotonic() + answer.get("expires_in", 60) / 2


def _scopes(url: httpx.URL) -> tuple[str, ...]:
    named = _NAMED.match(url.path)
    own = [f"repository:{named['name']}:pull,push,delete"] if named else []
    return (*own, *(f"repository:{name}:pull" for name in url.params.get_list("from")))

"""Requests to one registry: signed in, redirected, tried again, and refused with a clear error.

It knows HTTP and nothing of images: paths and bodies come from its callers.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from imagesync_cli import __version__
from imagesync_cli.settings import Settings
from imagesync_cli.stores.registry.auth import Authorizer
from imagesync_cli.stores.transport.addresses import read_url
from imagesync_cli.stores.transport.http import Http, read_all, retry_after_s
from imagesync_cli.stores.transport.retry import persist, status_may_pass
from imagesync_cli.values.errors import (
    ContentError,
    Denied,
    ImagesyncError,
    NotFound,
    Refused,
    Unavailable,
    UsageError,
)
from imagesync_cli.values.reference import DOCKER_HUB, DOCKER_HUB_API, is_loopback
from imagesync_cli.values.secret import Secret

if TYPE_CHECKING:
    from imagesync_cli.stores.registry.tokens import Scopes

_ERROR_LIMIT_BYTES = 64 * 1024
_MOST_ERRORS = 10
# Anything shorter is a part of too many words to be looked for.
_SHORTEST_SECRET = 4
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
# What a TLS port answers to plain HTTP: Go (and so most registries), nginx, Apache.
_IS_TLS_PORT = (
    rb"(?i)client sent an HTTP request to an HTTPS server|plain HTTP request was sent to HTTPS port"
    rb"|speaking plain HTTP to an SSL"
)
Stream = Callable[[], AsyncGenerator[bytes, None]]
Body = bytes | Stream


@dataclass(frozen=True)
class Call:
    """One request, as it goes out each time it is sent; a ``body`` that is a function makes a new stream each time."""

    method: str
    scopes: Scopes
    headers: Mapping[str, str]
    body: Body
    size_bytes: int | None
    longer_s: float = 0.0


class Client:
    """One registry, reached as ``settings`` say; ``registry`` is ``host[:port]``."""

    def __init__(self, registry: str, http: Http, settings: Settings, auth_file: Path | None = None) -> None:
        host = DOCKER_HUB_API if registry == DOCKER_HUB else registry
        self.registry = registry
        self.settings = settings
        try:
            self.base = read_url(f"{settings.scheme(host)}://{host}")
        except httpx.InvalidURL as error:
            raise UsageError(f"{host} cannot be a registry: {error}") from error
        self.http = http
        self.auth = Authorizer(registry, http, settings, auth_file)
        self.lists_referrers = True  # as far as is known: whether it has the Referrers API
        # A registry on this machine that is not named as one of plain HTTP may speak TLS all the same.
        self._may_be_https = is_loopback(host) and host.lower() not in settings.plain_http

    def is_own(self, url: httpx.URL) -> bool:
        """Whether the URL is at the registry itself: scheme, host and port."""
        return (url.scheme, url.host, url.port) == (self.base.scheme, self.base.host, self.base.port)

    def warm(self, count: int) -> None:
        """Begin connections that ``count`` requests will need soon."""
        self.http.warm(self.base, count)

    async def send(
        self,
        method: str,
        target: str | httpx.URL,
        *,
        doing: str,
        scopes: Scopes,
        accept: Collection[int] = (200,),
        headers: Mapping[str, str] | None = None,
        body: Body = b"",
        size_bytes: int | None = None,
        again: bool = True,
        longer_s: float = 0.0,
    ) -> httpx.Response:
        """Give the first response whose status is in ``accept``; its body is unread and the caller closes it.

        ``target`` is a path or a URL, ``doing`` opens every error ("reading manifest 1.0 of host/app"), ``size_bytes``
        is the length of a body that is given as a function, ``again`` allows more than one try, ``longer_s`` is how
        much longer than usual the answer may take to begin.
        """

        call = Call(method, scopes, headers or {}, body, size_bytes, longer_s)

        async def attempt() -> httpx.Response:
            try:
                response = await self._follow(call, target)
                if response.status_code not in accept:
                    raise await refusal(response, method)
            except ImagesyncError as error:
                if isinstance(error, Denied) and not error.hint:
                    error.hint = self.auth.advice(scopes)
                error.during(doing)
                raise
            return response

        return await (persist(attempt) if again else attempt())

    async def fetch(
        self,
        target: str | httpx.URL,
        *,
        doing: str,
        scopes: Scopes,
        limit_bytes: int,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[httpx.Response, bytes]:
        """GET a document whole; a body that breaks off is tried again as well."""

        async def attempt() -> tuple[httpx.Response, bytes]:
            response = await self.send("GET", target, doing=doing, scopes=scopes, headers=headers, again=False)
            try:
                return response, await read_all(response, limit_bytes)
            except ImagesyncError as error:
                error.during(doing)
                raise

        return await persist(attempt)

    async def _follow(self, call: Call, target: str | httpx.URL) -> httpx.Response:
        response = await self._redirected(call, target)
        # A registry says what is wrong in JSON; a TLS port does not know how.
        speechless = response.status_code == 400 and "json" not in response.headers.get("content-type", "")
        if speechless and self._may_be_https and await self._is_https():
            await response.aclose()
            response = await self._redirected(call, target)
        return response

    async def _is_https(self) -> bool:
        """Whether a server that was spoken to in plain HTTP says that this is its TLS port: it is, from now on.

        Go's servers, nginx and Apache do say so, but not in an answer to HEAD. Nothing secret has been sent yet: who we
        are is only told after a 401.
        """
        self._may_be_https = False
        call = Call("GET", (), {}, b"", None)
        answer = await read_all(await self._once(call, self.base.join("/v2/"), None), _ERROR_LIMIT_BYTES)
        if re.search(_IS_TLS_PORT, answer):
            self.base = self.base.copy_with(scheme="https")
        return self.base.scheme == "https"

    async def _redirected(self, call: Call, target: str | httpx.URL) -> httpx.Response:
        url = self.base.join(target)
        for _ in range(_MOST_REDIRECTS):
            response = await self._signed(call, url)
            location = response.headers.get("location")
            if response.status_code not in _REDIRECTS or not location or call.method not in ("GET", "HEAD"):
                return response
            await response.aclose()
            url = self.resolve_location(url, location)
        raise Unavailable(f"more than {_MOST_REDIRECTS} redirects", may_pass=False)

    def resolve_location(self, url: httpx.URL, location: str) -> httpx.URL:
        """The URL that a Location header means; never one that is less safe than the registry itself."""
        try:
            resolved = read_url(location, url)
        except httpx.InvalidURL as error:
            raise ContentError(f"{url.host} answers with a location that is not a URL") from error
        if resolved.scheme not in ("https", self.base.scheme) or not resolved.host:
            # Not the location itself: it may be signed, and then it is a login.
            where = f"{resolved.scheme}://{resolved.host}"
            raise Refused(
                f"{url.host} points at {where}, which is no safe place to go on from {self.base.scheme}",
                hint="if a proxy ends its TLS, tell the registry its public address",
            )
        return resolved

    async def _signed(self, call: Call, url: httpx.URL) -> httpx.Response:
        """Send with the login for these scopes; learn from a 401 and send once more. No login leaves the registry."""
        if not self.is_own(url):
            return await self._once(call, url, None)
        login = await self.auth.header(call.scopes)
        try:
            response = await self._once(call, url, login)
            if response.status_code != 401:
                return response
            await response.aclose()
            await self.auth.learn(response, call.scopes, login)
        finally:
            self.auth.heard()
        return await self._once(call, url, await self.auth.header(call.scopes))

    async def _once(self, call: Call, url: httpx.URL, login: Secret | None) -> httpx.Response:
        headers = {"User-Agent": f"imagesync/{__version__}", "Accept-Encoding": "identity", **call.headers}
        if login is not None:
            headers["Authorization"] = login.reveal()
        patience = {"longer_s": call.longer_s}
        if isinstance(call.body, bytes):
            request = httpx.Request(call.method, url, headers=headers, content=call.body or None, extensions=patience)
            response = await self.http.handle_async_request(request)
        else:
            headers["Content-Length"] = str(call.size_bytes)
            # What is half read when the exchange fails holds a connection to the source: close it here.
            async with contextlib.aclosing(call.body()) as content:
                request = httpx.Request(call.method, url, headers=headers, content=content, extensions=patience)
                response = await self.http.handle_async_request(request)
        encoding = response.headers.get("content-encoding", "identity")
        if encoding.lower() != "identity" and call.method != "HEAD" and response.status_code < 300:
            await response.aclose()
            raise ContentError(f"{url.host} encodes the answer as {encoding}, which nobody asked for")
        return response


async def refusal(response: httpx.Response, method: str) -> ImagesyncError:
    """Our error for a status that was not expected."""
    errors = await read_errors(response) if method != "HEAD" else []
    await response.aclose()
    status = response.status_code
    answer = "not found (404)" if status == 404 else f"the registry answers {status}"
    said = "; ".join([answer, *(f"{code}: {text}" for code, text in errors)])
    error = _by_status(status, said, retry_after_s(response.headers.get("retry-after", "")))
    error.codes = frozenset(code for code, _ in errors)
    return error


def _by_status(status: int, said: str, wait_s: float | None) -> ImagesyncError:
    if status_may_pass(status):
        if wait_s is not None:
            said = f"{said}; it asks to wait {wait_s:.0f} s"
        return Unavailable(said, retry_after_s=wait_s, status=status)
    if status == 404:
        return NotFound(said)
    if status in (401, 403):
        return Denied(said)
    return Refused(said, status=status)


async def read_errors(response: httpx.Response) -> list[tuple[str, str]]:
    """Codes and messages in an error body, safe for a terminal and a log (distribution-spec, Error Codes)."""
    try:
        errors = json.loads(await read_all(response, _ERROR_LIMIT_BYTES))["errors"]
        said = [(str(error.get("code") or ""), str(error.get("message") or "")) for error in errors[:_MOST_ERRORS]]
        secrets = _told(response.request)
        return [(_plain(code, secrets), _plain(text, secrets)) for code, text in said]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ImagesyncError):
        # Not in the registry's form, too long or cut off: the status alone has to tell.
        return []


def _told(request: httpx.Request) -> list[str]:
    """What the request has told its server in confidence, as that may repeat it."""
    scheme, _, login = request.headers.get("authorization", "").partition(" ")
    secrets = [login.rstrip("=")]
    if scheme == "Basic":
        secrets.append(base64.b64decode(login).decode().partition(":")[2])
    return [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]


def _plain(text: str, secrets: list[str]) -> str:
    """A server's text without what a terminal would obey, cut to a line; none of it if it repeats our login."""
    if any(secret in text for secret in secrets):
        return "(a text with our login in it)"
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:300])

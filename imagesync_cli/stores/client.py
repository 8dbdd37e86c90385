"""Requests to one registry: signed in, redirected, tried again, and refused with a clear error.

It knows HTTP and nothing of images: paths and bodies come from registry.py and blobs.py.
"""

from __future__ import annotations

import contextlib
import email.utils
import json
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from dataclasses import dataclass

import httpx

from imagesync_cli import __version__
from imagesync_cli.credentials import Secret
from imagesync_cli.errors import ContentError, Denied, ImagesyncError, NotFound, Refused, Unavailable
from imagesync_cli.reference import DOCKER_HUB
from imagesync_cli.settings import Settings
from imagesync_cli.stores.auth import Authorizer, Scopes
from imagesync_cli.stores.http import Http, read_all
from imagesync_cli.stores.retry import persist

_DOCKER_HUB_API = "registry-1.docker.io"
_ERROR_LIMIT_BYTES = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
# Every 5xx is worth another try but the two that say "never".
_LASTING = frozenset({501, 505})
_PASSING = frozenset({408, 425, 429, 499})
Stream = Callable[[], AsyncGenerator[bytes, None]]
Body = bytes | Stream


@dataclass(frozen=True)
class _Call:
    """One request, as it goes out each time it is sent; a ``body`` that is a function makes a new stream each time."""

    method: str
    scopes: Scopes
    headers: Mapping[str, str]
    body: Body
    size_bytes: int | None


class Client:
    """One registry, reached as ``settings`` say; ``registry`` is ``host[:port]``."""

    def __init__(self, registry: str, http: Http, settings: Settings) -> None:
        host = _DOCKER_HUB_API if registry == DOCKER_HUB else registry
        self.registry = registry
        self.settings = settings
        self.base = httpx.URL(f"{settings.scheme(host)}://{host}")
        self._http = http
        self._auth = Authorizer(registry, self.base, http, settings)

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
    ) -> httpx.Response:
        """Give the first response whose status is in ``accept``; its body is unread and the caller closes it.

        ``target`` is a path or a URL, ``doing`` opens every error ("reading manifest 1.0 of host/app"), ``size_bytes``
        is the length of a body that is given as a function, ``again`` allows more than one try.
        """

        call = _Call(method, scopes, headers or {}, body, size_bytes)

        async def attempt() -> httpx.Response:
            try:
                response = await self._follow(call, target)
                if response.status_code not in accept:
                    raise await _refusal(response, method)
            except ImagesyncError as error:
                # Say on which side and at which step, once: this error may come through here again.
                if not error.message.startswith(doing):
                    error.message = f"{doing}: {error.message}"
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
            return response, await read_all(response, limit_bytes)

        return await persist(attempt)

    async def _follow(self, call: _Call, target: str | httpx.URL) -> httpx.Response:
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
            resolved = url.join(location)
        except (httpx.InvalidURL, ValueError) as error:
            raise ContentError(f"a location that is not a URL: {location!r}") from error
        if resolved.scheme not in ("https", self.base.scheme):
            raise Refused(f"a redirect from https to {resolved.scheme}://{resolved.host}")
        return resolved

    async def _signed(self, call: _Call, url: httpx.URL) -> httpx.Response:
        """Send with the login for these scopes; learn from a 401 and send once more. No login leaves the registry."""
        if (url.scheme, url.host, url.port) != (self.base.scheme, self.base.host, self.base.port):
            return await self._once(call, url, None)
        login = await self._auth.header(call.scopes)
        response = await self._once(call, url, login)
        if response.status_code == 401:
            await response.aclose()
            await self._auth.learn(response, call.scopes, login)
            response = await self._once(call, url, await self._auth.header(call.scopes))
        return response

    async def _once(self, call: _Call, url: httpx.URL, login: Secret | None) -> httpx.Response:
        headers = {"User-Agent": f"imagesync/{__version__}", "Accept-Encoding": "identity", **call.headers}
        if login is not None:
            headers["Authorization"] = login.reveal()
        if isinstance(call.body, bytes):
            request = httpx.Request(call.method, url, headers=headers, content=call.body or None)
            response = await self._http.handle_async_request(request)
        else:
            headers["Content-Length"] = str(call.size_bytes)
            # What is half read when the exchange fails holds a connection to the source: close it here.
            async with contextlib.aclosing(call.body()) as content:
                request = httpx.Request(call.method, url, headers=headers, content=content)
                response = await self._http.handle_async_request(request)
        encoding = response.headers.get("content-encoding", "identity")
        if encoding.lower() != "identity" and call.method != "HEAD":
            await response.aclose()
            raise ContentError(f"{url.host} encodes the answer as {encoding}, which nobody asked for")
        return response


async def _refusal(response: httpx.Response, method: str) -> ImagesyncError:
    """Our error for a status that was not expected."""
    errors = await read_errors(response) if method != "HEAD" else []
    await response.aclose()
    status = response.status_code
    answer = "not found (404)" if status == 404 else f"the registry answers {status}"
    said = "; ".join([answer, *(f"{code}: {text}" for code, text in errors)])
    error = _by_status(status, said, _retry_after(response.headers.get("retry-after", "")))
    error.codes = frozenset(code for code, _ in errors)
    return error


def _by_status(status: int, said: str, retry_after_s: float | None) -> ImagesyncError:
    if status in _PASSING or (status >= 500 and status not in _LASTING):
        if retry_after_s is not None:
            said = f"{said}; it asks to wait {retry_after_s:.0f} s"
        return Unavailable(said, retry_after_s=retry_after_s)
    if status == 404:
        return NotFound(said)
    if status in (401, 403):
        return Denied(said)
    return Refused(said, status=status)


async def read_errors(response: httpx.Response) -> list[tuple[str, str]]:
    """Codes and messages in an error body, safe for a terminal (distribution-spec, Error Codes)."""
    content = await read_all(response, _ERROR_LIMIT_BYTES)
    try:
        errors = json.loads(content)["errors"]
        return [(_plain(error.get("code")), _plain(error.get("message"))) for error in errors]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []


def _plain(text: object) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text or "")[:300])


def _retry_after(text: str) -> float | None:
    """Seconds from a Retry-After header, in seconds or as a date (RFC 9110, section 10.2.3)."""
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None

"""One exchange with one registry: what may be sent to which origin, signed in as far as that is wanted.

Decided here and nowhere else (``_check_origin``): no login and no client certificate leaves the registry, and nothing
that changes anything does, save the bytes of an upload to the place that the registry named for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import httpx

from imagesync_cli import __version__
from imagesync_cli.concurrency import within
from imagesync_cli.settings import Settings
from imagesync_cli.stores.registry.pulls import Pulls
from imagesync_cli.stores.registry.refusals import read_ahead
from imagesync_cli.stores.transport.addresses import Origin, origin_of, read_url
from imagesync_cli.stores.transport.http import Http
from imagesync_cli.stores.transport.tally import count
from imagesync_cli.values.errors import ContentError, ImagesyncError, Refused, UsageError
from imagesync_cli.values.hosts import address_of
from imagesync_cli.values.secret import Secret, holds_secret

if TYPE_CHECKING:
    from imagesync_cli.stores.registry.login import Login

_KIND = re.compile(r"/(?:blobs/(?P<uploads>uploads)/.*|(?P<kind>manifests|blobs|referrers|tags)/[^/]+)$")
# A repository may have "manifests" in its name: then its uploads are below that (/blobs/upload/ at GitHub, /uploads/ at
# Google, /_uploads/ in distribution's storage). What climbs may end at a manifest, and so may what holds its own end.
_MANIFEST_ADDRESS = re.compile(r"/manifests(?=/|$)(?!.*/_?uploads?/)|/\.\.?(?:/|$)|[?#]", re.DOTALL | re.IGNORECASE)
PULL = "GET manifests"
READING = frozenset({"GET", "HEAD"})
_UPLOADING = frozenset({"PUT", "PATCH"})
_FIRST_ANSWER_WITHIN_S = 1.0
_READ_HEADERS = (
    "content-type",
    "content-encoding",
    "docker-content-digest",
    "docker-distribution-api-version",
    "link",
    "location",
    "oci-subject",
    "range",
    "server",
)
# Such as ("repository:team/app:pull,push",). The first is what the request is about, a second one a mount's source.
Scopes = tuple[str, ...]
Stream = Callable[[], AsyncGenerator[bytes, None]]
Body = bytes | Stream


@dataclass(frozen=True)
class Call:
    """One request, as it goes out each time it is sent; a ``body`` that is a function makes a new stream each time."""

    method: str
    scopes: Scopes = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body = b""
    size_bytes: int | None = None
    longer_s: float = 0.0
    is_upload: bool = False


class Exchange:
    """One registry, reached as ``settings`` say."""

    def __init__(self, registry: str, http: Http, settings: Settings, auth_file: Path | None = None) -> None:
        host = address_of(registry)
        self.registry = registry
        self.settings = settings
        try:
            self.base = read_url(f"{settings.scheme(host)}://{host}")
        except httpx.InvalidURL as error:
            raise UsageError(f"{host} cannot be a registry: {error}") from error
        self.http = http
        self.pulls = Pulls(registry, waits=settings.waits_for_pulls)
        self._auth_file = auth_file
        self._logins: dict[tuple[str, str, int | None], Login] = {}  # by origin; all but the registry's are nobody's
        self._heard: asyncio.Event | None = None
        self._offered = False
        self._offering = asyncio.Lock()

    @property
    def login(self) -> Login:
        """Who we are at the registry, for who needs to know beyond the requests here."""
        return self._login_at(self.base)

    def advice(self, scopes: Scopes) -> str:
        """What to do about a refusal, "" where nobody has asked for a login."""
        return self.login.advice(scopes) if self._origin(self.base) in self._logins else ""

    async def _signed(self, call: Call, url: httpx.URL) -> httpx.Response:
        """Send with the login for these scopes; learn from a 401 and send once more. No login leaves the registry."""
        header = await self._header(call.scopes, url)
        try:
            response = await self._once(call, url, header)
            if response.status_code == 401 and self._is_asked(call, url, response):
                await self._login_at(url).learn(response, call.scopes, header)
            elif header is None and self._hides(call, url, response):
                return await self._as_somebody(call, url, response)
            else:
                return response
        finally:
            if self._heard is not None:
                self._heard.set()
        return await self._once(call, url, await self._header(call.scopes, url))

    def _is_asked(self, call: Call, url: httpx.URL, response: httpx.Response) -> bool:
        """Whether this 401 is for us: elsewhere it may want a token for nobody, as behind registry.k8s.io."""
        wants_token = response.headers.get("www-authenticate", "").strip().lower().startswith("bearer")
        return self.is_own(url) or (wants_token and call.method in READING)

    async def _header(self, scopes: Scopes, url: httpx.URL) -> Secret | None:
        """The Authorization header that is known to be needed, or None."""
        login = self._logins.get(self._origin(url))
        if login is None and self.is_own(url):
            await self._first_answer()
            login = self._logins.get(self._origin(url))
        return await login.header(scopes) if login else None

    async def _first_answer(self) -> None:
        """Let one request go ahead, so that not each of many learns by a 401 of its own; but do not hang on it."""
        if self._heard is None:
            self._heard = asyncio.Event()
        elif not self._heard.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await within(_FIRST_ANSWER_WITHIN_S, self._heard.wait())

    def _login_at(self, url: httpx.URL) -> Login:
        origin = self._origin(url)
        if origin not in self._logins:
            from imagesync_cli.stores.registry.login import Login

            own = self.is_own(url)
            name = self.registry if own else url.netloc.decode("ascii")
            auth_file = self._auth_file if own else None
            self._logins[origin] = Login(name, self.http, self.settings, auth_file, nobody=not own)
        return self._logins[origin]

    def _hides(self, call: Call, url: httpx.URL, response: httpx.Response) -> bool:
        """Whether the registry may have said so only because we are nobody."""
        return response.status_code in (403, 404) and call.method in READING and self.is_own(url)

    async def _as_somebody(self, call: Call, url: httpx.URL, first: httpx.Response) -> httpx.Response:
        """GitLab, Artifactory and Nexus say 403 or 404, not 401, to nobody: try once more where there is a login.

        That is found out once. Who is answered so meanwhile waits for it, and asks anew if it was of use.
        """
        first = await read_ahead(first)  # it keeps no connection from what is asked now
        async with self._offering:
            if not self._offered:
                answer = await self._offer(call, url, first)
                self._offered = True
                return answer
        if await self.login.header(call.scopes) is None:
            return first
        await first.aclose()
        return await self._signed(call, url)

    async def _offer(self, call: Call, url: httpx.URL, first: httpx.Response) -> httpx.Response:
        """What is answered to our login; the ``first`` answer where there is none, or it is of no use.

        Until it turns out to be of use, all others are nobody as before: they may be answered without it.
        """
        login = copy(self.login)
        try:
            if await login.credential(call.scopes) is None:
                return first
            ping = await self._once(Call("GET"), self.base.join("/v2/"), None)
            await ping.aclose()
            login.offer(first if "www-authenticate" in first.headers else ping)
            response = await self._once(call, url, await login.header(call.scopes))
            if response.status_code == 401:
                await response.aclose()
                return first
        except ImagesyncError:  # nobody has asked for a login: that it is of no use is no error
            return first
        self._logins[self._origin(self.base)] = login
        return response

    def is_own(self, url: httpx.URL) -> bool:
        """Whether the URL is at the registry itself: scheme, host and port."""
        return self._what_is(url) is Origin.OWN

    def _what_is(self, url: httpx.URL) -> Origin:
        return origin_of(url, self.base)

    @staticmethod
    def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
        return url.scheme, url.host, url.port

    def _check_origin(self, call: Call, url: httpx.URL) -> None:
        """Refuse what must not leave the registry, and an upload that would write a manifest, wherever that is."""
        if call.is_upload and _MANIFEST_ADDRESS.search(_as_any_server_reads(url.path)):
            raise Refused(f"{self.base.host} names a manifest as the address of an upload")
        if self.is_own(url) or call.method in READING or (call.is_upload and call.method in _UPLOADING):
            return
        raise Refused(
            f"{self.base.host} sends a {call.method} request on to {url.host}",
            hint="nothing is changed at a host that another one names: use the registry's own address",
        )

    async def _once(self, call: Call, url: httpx.URL, login: Secret | None) -> httpx.Response:
        self._check_origin(call, url)
        headers = {"User-Agent": f"imagesync/{__version__}", "Accept-Encoding": "identity", **call.headers}
        if call.method in READING and any(scope.endswith(",delete") for scope in call.scopes):
            headers["Cache-Control"] = "no-cache"  # what a deletion is decided by has to be what the registry has now
        if login is not None:
            headers["Authorization"] = login.reveal()
        action = action_of(call.method, url.path, is_upload=call.is_upload)
        told = {"longer_s": call.longer_s, "origin": self._what_is(url), "action": action}
        if isinstance(call.body, bytes):
            request = httpx.Request(call.method, url, headers=headers, content=call.body or None, extensions=told)
            response = await self._send(request)
        else:
            headers["Content-Length"] = str(call.size_bytes)
            # What is half read when the exchange fails holds a connection to the source: close it here.
            async with contextlib.aclosing(call.body()) as content:
                request = httpx.Request(call.method, url, headers=headers, content=content, extensions=told)
                response = await self._send(request)
        read = "\n".join(response.headers[name] for name in _READ_HEADERS if name in response.headers)
        if holds_secret(read.encode()):
            await response.aclose()
            raise ContentError(f"{url.host} answers with a header that has our login in it")
        return response

    async def _send(self, request: httpx.Request) -> httpx.Response:
        """Send, and take in what the registry says of pulls; nobody else's word counts for it."""
        if request.extensions["origin"] is not Origin.OWN:
            return await self.http.handle_async_request(request)
        is_pull = request.extensions["action"] == PULL
        mark = await self.pulls.begin() if is_pull else self.pulls.mark()
        status, headers = None, httpx.Headers()
        try:
            response = await self.http.handle_async_request(request)
            status, headers = response.status_code, response.headers
        finally:
            if is_pull:
                self.pulls.end(mark, status, headers)
            else:
                self.pulls.hear(mark, headers)
        if is_pull and response.is_success:
            count(pulls_of=self.registry)
        return response


def _as_any_server_reads(path: str) -> str:
    """The path as the most obliging server takes it.

    Some decode it twice (Harbor), Java's leave out what follows a semicolon, Microsoft's know backslashes.
    """
    while (decoded := unquote(path)) != path:
        path = decoded
    return re.sub(r";[^/?#]*", "", path.replace("\\", "/"))


def action_of(method: str, path: str, *, is_upload: bool = False) -> str:
    """What hosts count, and limit, by itself: such as "GET manifests"; "" for what belongs to no image, as a ping."""
    named = _KIND.search(path)
    kind = "uploads" if is_upload else (named["uploads"] or named["kind"]) if named else ""
    return f"{method} {kind}" if kind else ""

"""Requests to one registry: signed in, redirected, tried again, and refused with a clear error.

exchange.py says what may be sent to whom. It knows HTTP and nothing of images.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from imagesync_cli.settings import Settings
from imagesync_cli.stores.registry.exchange import PULL, READING, Body, Call, Exchange, Scopes, Stream, action_of
from imagesync_cli.stores.registry.refusals import read_ahead, refusal
from imagesync_cli.stores.transport.addresses import is_of_machines, read_url
from imagesync_cli.stores.transport.http import Http, read_all
from imagesync_cli.stores.transport.retry import persist
from imagesync_cli.values.errors import ContentError, Denied, ImagesyncError, Refused, Unavailable
from imagesync_cli.values.hosts import address_of, is_loopback
from imagesync_cli.values.reference import RegistryReference
from imagesync_cli.values.secret import holds_secret

__all__ = ["Call", "Client", "OneRepository", "Scopes", "Stream"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAME_METHOD = frozenset({307, 308})
_MOST_REDIRECTS = 5
_FROM_HERE = (
    "it is told no login: a firewall may be in the way, or the address that the registry gives is wrong or too old"
)
# What a TLS port answers to plain HTTP: Go (and so most registries), nginx, Apache.
_IS_TLS_PORT = (
    rb"(?i)client sent an HTTP request to an HTTPS server|plain HTTP request was sent to HTTPS port"
    rb"|speaking plain HTTP to an SSL"
)


class Client(Exchange):
    """One registry; ``registry`` is ``host[:port]``."""

    def __init__(self, registry: str, http: Http, settings: Settings, auth_file: Path | None = None) -> None:
        super().__init__(registry, http, settings, auth_file)
        self.lists_referrers = True  # as far as is known: whether it has the Referrers API
        # A registry on this machine that is not named as one of plain HTTP may speak TLS all the same.
        host = address_of(registry)
        self._is_named_plain = host.lower() in settings.plain_http
        self._may_be_https = is_loopback(host) and not self._is_named_plain
        self._finding_out = asyncio.Lock()

    def may_cancel(self, session: httpx.URL, opened_at: httpx.URL) -> bool:
        """Whether an upload's session is below the uploads of its own repository, and nothing else that DELETE removes.

        The registry's word, or a gateway's before it, may name a manifest or a place of somebody else's.
        """
        uploads = opened_at.path.partition("/blobs/uploads")[0] + "/blobs/uploads/"
        path = session.raw_path.partition(b"?")[0].decode("ascii")
        name = path.removeprefix(uploads).rstrip("/")
        return self.is_own(session) and path != name and re.fullmatch(r"\w[\w.=~-]*", name) is not None

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
        is_upload: bool = False,
        with_body: bool = False,
    ) -> httpx.Response:
        """Give the first response whose status is in ``accept``; ``with_body`` it is unread and the caller closes it.

        ``target`` is a path or a URL, ``doing`` opens every error ("reading manifest 1.0 of host/app"), ``size_bytes``
        is the length of a body that is given as a function, ``again`` allows more than one try, ``longer_s`` is how
        much longer than usual the answer may take to begin. ``is_upload`` says that the body is a part of a blob and
        the target the Location of its upload.
        """

        call = Call(method, scopes, headers or {}, body, size_bytes, longer_s, is_upload)

        async def attempt() -> httpx.Response:
            try:
                response = await self._follow(call, target)
                if response.status_code not in accept:
                    raise await self._refusal(response, call, target)
            except ImagesyncError as error:
                if isinstance(error, Denied) and not error.hint:
                    error.hint = self.advice(scopes)
                error.during(doing)
                raise
            if not with_body:
                await response.aclose()
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
        again: bool = True,
    ) -> tuple[httpx.Response, bytes]:
        """GET a document whole; a body that breaks off is tried again as well."""

        async def attempt() -> tuple[httpx.Response, bytes]:
            response = await self.send(
                "GET", target, doing=doing, scopes=scopes, headers=headers, again=False, with_body=True
            )
            try:
                content = await read_all(response, limit_bytes, self.http.documents)
                if holds_secret(content):
                    raise ContentError(f"{response.url.host} answers with a document that has our login in it")
            except ImagesyncError as error:
                error.during(doing)
                raise
            return response, content

        return await (persist(attempt) if again else attempt())

    async def _follow(self, call: Call, target: str | httpx.URL) -> httpx.Response:
        scheme = self.base.scheme
        response = await self._redirected(call, target)
        # A registry says what is wrong in JSON; a TLS port does not know how.
        speechless = response.status_code == 400 and "json" not in response.headers.get("content-type", "")
        if speechless and self._may_be_https and scheme == "http":
            response = await read_ahead(response)
            if await self._is_https():
                response = await self._redirected(call, target)
        return response

    async def _is_https(self) -> bool:
        """Whether a server that was spoken to in plain HTTP says that this is its TLS port: it is, from now on.

        Go's servers, nginx and Apache do say so, but not in an answer to HEAD. Nothing secret has been sent yet: who we
        are is only told after a 401.
        """
        async with self._finding_out:  # the first requests may all have been sent plain
            if self.base.scheme == "http" and self._may_be_https:
                response = await self._once(Call("GET"), self.base.join("/v2/"), None)
                if re.search(_IS_TLS_PORT, await read_all(response)):
                    self.base = self.base.copy_with(scheme="https")
                else:
                    self._may_be_https = False
        return self.base.scheme == "https"

    async def _refusal(self, response: httpx.Response, call: Call, target: str | httpx.URL) -> ImagesyncError:
        is_elsewhere = self._origin(response.url) != self._origin(self.base.join(target))
        elsewhere = response.url.netloc.decode("ascii") if is_elsewhere else ""
        error = await refusal(response, call.method, elsewhere)
        if elsewhere and isinstance(error, Denied):
            error.hint = error.hint or _FROM_HERE
        if (
            response.status_code == 400 and self._is_named_plain and response.url.scheme == "http"
        ):  # a TLS port says no more
            error.hint = error.hint or f"if it speaks TLS, do not name it for plain HTTP: {self.registry}"
        if isinstance(error, Unavailable):
            error.is_elsewhere = response.url != self.base.join(target)
            is_pull = action_of(call.method, response.url.path) == PULL
            if error.status == 429 and is_pull and not error.is_elsewhere:
                return self.pulls.refused(error)
        return error

    async def _redirected(self, call: Call, target: str | httpx.URL) -> httpx.Response:
        url = asked = self.base.join(target)
        for hop in range(_MOST_REDIRECTS):
            try:
                response = await self._signed(call, url)
            except Unavailable as error:
                error.is_elsewhere = hop > 0
                raise
            location = response.headers.get("location")
            follows = _REDIRECTS if call.method in READING else _SAME_METHOD
            if response.status_code not in follows or not location:
                return response
            following = self.resolve_location(url, location)
            if call.method not in READING and not call.is_upload and not _is_behind_gateway(following.path, asked.path):
                return response  # what changes is what was asked for
            await response.aclose()
            url = following
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
                f"{url.host} points at {where}, which is not a safe place to go on from {self.base.scheme}",
                hint="if a proxy ends its TLS, tell the registry its public address",
            )
        if resolved.host != self.base.host and is_of_machines(resolved.host):
            raise Refused(f"{url.host} points at {resolved.host}, a cloud's metadata address")
        return resolved


def _is_behind_gateway(path: str, asked: str) -> bool:
    """Whether this is what was asked for: a gateway may only put a path of its own before, which names nothing else."""
    return path.endswith(asked) and "/v2/" not in f"{path.removesuffix(asked)}/"


class OneRepository(NamedTuple):
    """One repository, as its registry is asked about it. ``name`` is as the user spelled it."""

    client: Client
    repository: str
    name: str
    scopes: Scopes

    @classmethod
    def of(cls, client: Client, reference: RegistryReference, actions: str) -> OneRepository:
        """That of a reference, for what takes these actions, such as "pull,push"."""
        path = reference.location[1]
        return cls(client, path, reference.name, (f"repository:{path}:{actions}",))

    async def send(
        self, method: str, target: str | httpx.URL, *, doing: str, scopes: Scopes | None = None, **more: Any
    ) -> httpx.Response:
        """One request with a token for this repository; a ``target`` that is a path is below it."""
        return await self.client.send(method, self._at(target), doing=doing, scopes=scopes or self.scopes, **more)

    async def fetch(
        self, target: str | httpx.URL, *, doing: str, most_bytes: int | None = None, **more: Any
    ) -> tuple[httpx.Response, bytes]:
        """A document whole, which is at most as long as a manifest may be."""
        limit_bytes = min(filter(None, (most_bytes, self.client.settings.max_manifest_bytes)))
        where = self._at(target)
        return await self.client.fetch(where, doing=doing, scopes=self.scopes, limit_bytes=limit_bytes, **more)

    def _at(self, target: str | httpx.URL) -> str | httpx.URL:
        return self.at(target) if isinstance(target, str) else target

    def at(self, path: str) -> str:
        """The path at the registry."""
        return f"/v2/{self.repository}/{path}"

"""Foreign layers: from the registry that names them if it holds them, else from the URLs in their descriptors.

Whoever writes a manifest chooses the URLs, so they are trusted with nothing: https alone (plain HTTP for hosts named
for it), no address that is not public, no login, and no redirect to anything less. Size and digest are checked like
every blob's.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

import httpx

from imagesync_cli.settings import Settings
from imagesync_cli.stores.registry.blobs.reader import BlobReader
from imagesync_cli.stores.registry.client import Call, Client, OneRepository
from imagesync_cli.stores.store import Store
from imagesync_cli.stores.transport.addresses import Origin, is_public, read_url
from imagesync_cli.stores.transport.http import Http
from imagesync_cli.values.errors import Denied, ImagesyncError, NotFound, Refused
from imagesync_cli.values.manifest import Descriptor


async def read_foreign(blob: Descriptor, source: Store, http: Http, settings: Settings) -> AsyncGenerator[bytes, None]:
    """Yield the layer from the first place that has it; the error of the last one, if none has."""
    for number, url in enumerate([None, *blob.urls]):
        is_given_away = False
        try:
            read = source.read_blob if url is None else _FromUrl(url, http, settings).read
            async with contextlib.aclosing(read(blob)) as chunks:
                async for chunk in chunks:
                    is_given_away = True
                    yield chunk
        except ImagesyncError as error:
            # Only "it is not here" leads on from the source; of the URLs any may be the one that works.
            leads_on = number > 0 or isinstance(error, (NotFound, Denied))
            if is_given_away or number == len(blob.urls) or not leads_on:
                raise
            continue
        return


class _FromUrl(BlobReader):
    """Reads one blob from one URL, resuming like any other."""

    def __init__(self, url: str, http: Http, settings: Settings) -> None:
        self._url = _checked(url, settings)
        super().__init__(OneRepository(_Stranger(self._url, http, settings), "", self._url.host, ()))

    def _address(self, blob: Descriptor) -> httpx.URL:
        return self._url

    def _doing(self, blob: Descriptor) -> str:
        return f"fetching foreign layer {blob.digest} from {self._url.host}"


class _Stranger(Client):
    """Requests to a host that is told nothing of us."""

    def __init__(self, url: httpx.URL, http: Http, settings: Settings) -> None:
        super().__init__(url.netloc.decode("ascii"), http, settings)
        self.base = url
        self._may_be_https = False

    def _what_is(self, url: httpx.URL) -> Origin:
        return Origin.BESIDE if _is_named(url, self.settings) else Origin.STRANGE

    async def _signed(self, call: Call, url: httpx.URL) -> httpx.Response:
        response = await self._once(call, url, None)
        if response.status_code in (401, 403):
            await response.aclose()
            raise NotFound(f"{url.host} answers {response.status_code} to who does not log in")
        return response

    def resolve_location(self, url: httpx.URL, location: str) -> httpx.URL:
        resolved = super().resolve_location(url, location)
        if resolved.scheme != "https":
            raise Refused(f"{url.host} redirects to {resolved.scheme}://{resolved.host}, which is not https")
        _check_host(resolved, self.settings)
        return resolved


def _checked(text: str, settings: Settings) -> httpx.URL:
    try:
        url = read_url(text)
    except httpx.InvalidURL as error:
        raise Refused(f"a foreign layer's address is not a URL: {text[:200]!r}") from error
    if url.userinfo or not url.host or url.scheme not in ("https", "http"):
        raise Refused(f"a foreign layer's address is not one of https: {url.scheme}://{url.host}")
    if url.scheme == "http" and not _is_named(url, settings):
        raise Refused(
            f"a foreign layer is to be had by plain HTTP only: http://{url.netloc.decode('ascii')}",
            hint="--plain-http HOST allows that",
        )
    _check_host(url, settings)
    return url


def _check_host(url: httpx.URL, settings: Settings) -> None:
    """What a manifest's author names must not be somebody's inner network."""
    if not _is_named(url, settings) and not is_public(url.host):
        raise Refused(f"a foreign layer is to be had at {url.host}, an address that is not public")


def _is_named(url: httpx.URL, settings: Settings) -> bool:
    return url.netloc.decode("ascii").lower() in settings.plain_http

"""Lists that come in pages: tags, referrers, and those of the hosts' own APIs.

A list ends where there is no next page, and only there: an empty page may have a next one, and a page that leads back
to one that was read is an error, because then the list is not known. Pages are given one at a time and not kept.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import httpx

from imagesync_cli.stores.transport.addresses import read_url
from imagesync_cli.values.errors import ContentError, Unavailable

_MOST_PAGES = 1000
_MOST_BYTES = 512 * 1024 * 1024
# RFC 8288, section 3: a URL in angle brackets, then parameters, whose values may be quoted. Each alternative begins
# with a character that no other one begins with, so nothing is looked at twice.
_LINK = re.compile(r'[\s,]*<([^<>]*)>((?:[^",]|"(?:[^"\\]|\\.)*")*)(?:,|$)')
_PARAMETER = re.compile(r';\s*([^\s=;,"]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?\s*')

Answer = tuple[httpx.Response, bytes]
Fetch = Callable[[str | httpx.URL], Awaitable[Answer]]


class Pages:
    """The pages of one list. ``fetch`` gets one, ``doing`` opens every error."""

    def __init__(self, fetch: Fetch, doing: str) -> None:
        self._fetch = fetch
        self._doing = doing
        self._read: set[httpx.URL] = set()
        self._bytes = 0

    async def starting_at(self, target: str | httpx.URL) -> AsyncIterator[bytes]:
        """Yield the body of this page, and of those that follow it."""
        following: str | httpx.URL | None = target
        while following is not None:
            response, content = await self._fetch(following)
            self._note(response.url, len(content))
            yield content
            following = self._next(response)

    def _note(self, url: httpx.URL, size_bytes: int) -> None:
        self._read.add(url)
        self._bytes += size_bytes
        if len(self._read) > _MOST_PAGES:
            raise Unavailable(f"{self._doing}: more than {_MOST_PAGES} pages", may_pass=False)
        if self._bytes > _MOST_BYTES:
            raise Unavailable(f"{self._doing}: more than {_MOST_BYTES} bytes", may_pass=False)

    def _next(self, response: httpx.Response) -> httpx.URL | None:
        """The next page's URL; ContentError for one that is on another host or was read already."""
        try:
            link = next_link(response.headers.get_list("link"))
            if link is None:
                return None
            page = read_url(link, response.url)
        except (ValueError, httpx.InvalidURL) as error:
            raise ContentError(f"{self._doing}: the next page cannot be told from the answer") from error
        if (page.scheme, page.netloc) != (response.url.scheme, response.url.netloc):
            raise ContentError(f"{self._doing}: the next page is on another host, {page.host}")
        page = page.copy_with(fragment=None)
        if page in self._read:
            raise ContentError(f"{self._doing}: the next page is one that came before, so the list has no end")
        return page


def next_link(headers: Iterable[str]) -> str | None:
    """The URL of the relation ``next`` among these Link headers (RFC 8288), None where there is none.

    ValueError for a header that cannot be read and may name one.
    """
    for header in headers:
        position = 0
        while link := _LINK.match(header, position):
            if "next" in _relations(link[2]):
                return link[1].strip()
            position = link.end()
        if "next" in header[position:].lower():
            raise ValueError("a Link header that cannot be read")
    return None


def _relations(parameters: str) -> list[str]:
    """What the link is to this page, in lower case; only the first ``rel`` counts (section 3.3)."""
    for name, quoted, bare in _PARAMETER.findall(parameters):
        if name.lower() == "rel":
            return re.sub(r"\\(.)", r"\1", quoted or bare.strip("'")).lower().split()
    return []

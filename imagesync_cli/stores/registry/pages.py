"""Lists that come in pages: tags, referrers, and those of the hosts' own APIs.

A list ends where there is no next page, and only there: an empty page may have a next one, and a page that leads back
to one that was read is an error, because then the list is not known. So is a page that is not there: half a list must
not pass for the whole, nor for none. Pages are given one at a time and not kept.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import httpx

from imagesync_cli.stores.registry.client import Client, Scopes
from imagesync_cli.stores.transport.addresses import read_url
from imagesync_cli.stores.transport.retry import persist
from imagesync_cli.values.documents import read_document
from imagesync_cli.values.errors import ContentError, Denied, NotFound, Refused, Unavailable
from imagesync_cli.values.progress import note
from imagesync_cli.values.secret import redacted

_MOST_PAGES = 1000
_MOST_BYTES = 512 * 1024 * 1024
_LIMIT_BYTES = 4 * 1024 * 1024
# As many as possible, since each page is a round trip. ECR and GitLab refuse to give more than 1,000, others more than
# 100; 0 leaves it to the registry.
PAGE_SIZES = (10_000, 1000, 100, 0)
# How registries say that a page is too large: by a refusal, or because they cannot make it in time.
_TOO_LARGE = frozenset({400, 413, 414, 416, 422, 504})
_USUAL_PAGES = frozenset({50, 100, 200, 250, 500, 1000})
_MOST_NAMES = 100_000
_MOST_CHARACTERS = 16 * 1024 * 1024  # of names, together: as many tags as there may be have fewer
LONGEST_SHOWN, _MOST_SAID = 100, 10  # of names that are none
# RFC 8288, section 3: a URL in angle brackets, then parameters, whose values may be quoted. Each alternative begins
# with a character that no other one begins with, so nothing is looked at twice.
_LINK = re.compile(r'[\s,]*<([^<>]*)>((?:[^",]|"(?:[^"\\]|\\.)*")*)(?:,|$)')
_PARAMETER = re.compile(r';\s*([^\s=;,"]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?\s*')

Answer = tuple[httpx.Response, bytes]
Fetch = Callable[[str | httpx.URL], Awaitable[Answer]]
Link = Callable[[httpx.Response, bytes], str | None]
_T = TypeVar("_T")


def in_header(response: httpx.Response, _: bytes) -> str | None:
    """Where all lists name the next page, but for Docker Hub's own."""
    return next_link(response.headers.get_list("link"))


class Pages:
    """The pages of one list. ``fetch`` gets one, ``link`` finds the next in it, ``doing`` opens every error."""

    def __init__(self, fetch: Fetch, doing: str, link: Link = in_header) -> None:
        self._fetch = fetch
        self._link = link
        self._doing = doing
        self._read: set[httpx.URL] = set()
        self._bytes = 0

    async def starting_at(self, target: str | httpx.URL) -> AsyncIterator[bytes]:
        """Yield the body of this page, and of those that follow it."""
        following: str | httpx.URL | None = target
        while following is not None:
            try:
                response, content = await self._fetch(following)
            except (Denied, NotFound, Refused) as error:
                if not self._read:
                    raise
                why = f"{self._doing}: the list ends in the middle: {error.reason}"
                raise ContentError(why, hint=error.hint) from error
            self._note(response.url, len(content))
            yield content
            following = self._next(response, content)

    def _note(self, url: httpx.URL, size_bytes: int) -> None:
        self._read.add(url)
        self._bytes += size_bytes
        if len(self._read) > _MOST_PAGES:
            raise Unavailable(f"{self._doing}: more than {_MOST_PAGES} pages", may_pass=False)
        if self._bytes > _MOST_BYTES:
            raise Unavailable(f"{self._doing}: more than {_MOST_BYTES} bytes", may_pass=False)

    def _next(self, response: httpx.Response, content: bytes) -> httpx.URL | None:
        """The next page's URL; ContentError for one that is on another host or was read already."""
        try:
            link = self._link(response, content)
            if link is None:
                return None
            page = read_url(link, response.url)
        except (ValueError, TypeError, KeyError, httpx.InvalidURL) as error:
            raise ContentError(f"{self._doing}: the next page cannot be told from the answer") from error
        if (page.scheme, page.netloc) != (response.url.scheme, response.url.netloc):
            raise ContentError(f"{self._doing}: the next page is on another host, {page.host}")
        page = page.copy_with(fragment=None)
        if page in self._read:
            raise ContentError(f"{self._doing}: the next page is one that came before, so the list has no end")
        return page


@dataclass
class NameList(Generic[_T]):
    """The list at a path. ``what`` is what it names, there as well, and ``doing`` opens every error.

    ``told`` gives what a page says beside the names, by them.
    ``keeps`` says which names are wanted, and ``most`` how many of them there may be. ``sizes`` are those of pages that
    may be asked for yet; whoever has them from an earlier list does not try in vain again.
    """

    client: Client
    path: str
    what: str
    doing: str
    scopes: Scopes
    told: Callable[[Any], Mapping[str, _T]] = lambda _: {}
    keeps: Callable[[str], object] = lambda _: True
    most: int = _MOST_NAMES
    sizes: list[int] = field(default_factory=lambda: list(PAGE_SIZES))

    async def all(self) -> dict[str, _T | None]:
        """Every name, following the pages."""
        pages = Pages(self._page, self.doing)
        names, seen = dict[str, _T | None](), set[int]()  # of a long list, names that are not kept are hashes alone
        target: str | None = ""
        characters = 0
        while target is not None:
            known, page = len(seen), dict[str, _T | None]()
            async for content in pages.starting_at(target):
                page = read_page(content, self.what, self.doing, self.told)
                seen.update(map(hash, page))
                kept = {name: told for name, told in page.items() if self.keeps(name)}
                names.update(kept)
                characters += sum(map(len, kept))
                if characters > _MOST_CHARACTERS:
                    why = f"{self.what} of more than {_MOST_CHARACTERS} characters"
                    raise Unavailable(f"{self.doing}: {why}", may_pass=False)
                if len(seen) > _MOST_NAMES or len(names) > self.most:
                    most = min(_MOST_NAMES, self.most)
                    raise Unavailable(f"{self.doing}: more than {most} {self.what}", may_pass=False)
            target = None
            if len(page) in (self.sizes[0], *_USUAL_PAGES) and len(seen) > known:
                # The go-containerregistry registry cuts its answer at n and names no next page; others may.
                target = self._target(last=list(page)[-1])
        return names

    async def _page(self, target: str | httpx.URL) -> Answer:
        """One page; the first one as large as the registry gives it."""

        async def attempt() -> Answer:
            page = target or self._target()
            try:
                return await self.client.fetch(
                    page, doing=self.doing, scopes=self.scopes, limit_bytes=_LIMIT_BYTES, again=False
                )
            except (Refused, Unavailable) as error:
                if target or error.status not in _TOO_LARGE or len(self.sizes) == 1:
                    raise
                del self.sizes[0]
            return await attempt()

        return await persist(attempt)

    def _target(self, last: str = "") -> str:
        wanted = {"n": str(self.sizes[0])} if self.sizes[0] else {}
        query = str(httpx.QueryParams({**wanted, **({"last": last} if last else {})}))
        return f"{self.path}{f'?{query}' if query else ''}"


def read_page(content: bytes, what: str, doing: str, told: Callable[[Any], Mapping[str, _T]]) -> dict[str, _T | None]:
    """The names in a page, with what is told of each; ContentError for anything else."""
    try:
        document = read_document(content)
        names = document[what] or []  # null where there are none
    except (ValueError, TypeError, KeyError) as error:
        raise ContentError(f"{doing}: the answer is not a list of {what}") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ContentError(f"{doing}: the answer is not a list of {what}")
    by_name = told(document)
    return {name: by_name.get(name) for name in names}


def leave_out(names: Sequence[str], doing: str, what: str) -> None:
    """Say that these are left out: they are not names, and would become a part of a URL."""
    for name in names[:_MOST_SAID]:
        note(redacted(f"{doing}: {name[:LONGEST_SHOWN]!r} is not a {what}: left out"))


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

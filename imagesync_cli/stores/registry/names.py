"""A list of names that comes in pages: the tags of a repository, the repositories of a registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import httpx

from imagesync_cli.stores.registry.client import Client, Scopes
from imagesync_cli.stores.registry.pages import Answer, Pages
from imagesync_cli.stores.transport.retry import persist
from imagesync_cli.values.documents import read_document
from imagesync_cli.values.errors import ContentError, Refused, Unavailable

_LIMIT_BYTES = 4 * 1024 * 1024
# As many as possible, since each page is a round trip. ECR and GitLab refuse to give more than 1,000, others more than
# 100; 0 leaves it to the registry.
PAGE_SIZES = (10_000, 1000, 100, 0)
# How registries say that a page is too large: by a refusal, or because they cannot make it in time.
_TOO_LARGE = frozenset({400, 413, 414, 416, 422, 504})
_USUAL_PAGES = frozenset({50, 100, 200, 250, 500, 1000})
_MOST = 100_000
_MOST_CHARACTERS = 16 * 1024 * 1024  # of names, together: as many tags as there may be have fewer
_T = TypeVar("_T")


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
    keeps: Callable[[str], bool] = lambda _: True
    most: int = _MOST
    sizes: list[int] = field(default_factory=lambda: list(PAGE_SIZES))
    begun: bool = False

    async def all(self) -> dict[str, _T | None]:
        """Every name, following the pages; a list that ends in the middle is an error, with ``begun`` set."""
        pages = Pages(self._page, self.doing)
        names, seen = dict[str, _T | None](), set[int]()  # of a long list, names that are not kept are hashes alone
        target: str | None = ""
        characters = 0
        while target is not None:
            known, page = len(seen), dict[str, _T | None]()
            async for content in pages.starting_at(target):
                self.begun = True
                page = read_page(content, self.what, self.doing, self.told)
                seen.update(map(hash, page))
                kept = {name: told for name, told in page.items() if self.keeps(name)}
                names.update(kept)
                characters += sum(map(len, kept))
                if characters > _MOST_CHARACTERS:
                    why = f"{self.what} of more than {_MOST_CHARACTERS} characters"
                    raise Unavailable(f"{self.doing}: {why}", may_pass=False)
                if len(seen) > _MOST or len(names) > self.most:
                    most = min(_MOST, self.most)
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

"""A repository as a host's own API sees it, and requests to that API: by the one client, under a login of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Any

import httpx

from imagesync_cli.credentials import Credential
from imagesync_cli.stores.registry.client import Call, Client, OneRepository
from imagesync_cli.stores.registry.pages import Answer, Link, Pages, in_header
from imagesync_cli.stores.transport.http import read_all
from imagesync_cli.values.documents import read_document
from imagesync_cli.values.errors import ContentError, Denied
from imagesync_cli.values.hosts import known_host
from imagesync_cli.values.secret import Secret

_ANSWER_LIMIT_BYTES = 4 * 1024 * 1024
_JSON = {"Accept": "application/json"}


class _ApiClient(Client):
    """Requests to a host's own API, which is told ``login`` and nothing else; "" is the registry's own address."""

    def __init__(self, client: Client, address: str, login: Secret | None) -> None:
        super().__init__(client.registry, client.http, client.settings)
        self.base = httpx.URL(address) if address else client.base
        self._may_be_https = False
        self._told = login

    async def _signed(self, call: Call, url: httpx.URL) -> httpx.Response:
        return await self._once(call, url, self._told if self.is_own(url) else None)


class HostApi(OneRepository):
    """One repository, at its host's own API."""

    @property
    def address(self) -> str:
        """Where that API is, "" for the registry's own address."""
        host = known_host(self.client.registry)
        return host.api if host else ""

    async def login(self) -> Credential:
        """Who we are at the registry; Denied for nobody, since these APIs change nothing for nobody."""
        credential = await self.client.login.credential(self.scopes)
        if credential is None:
            raise Denied(
                f"{self.client.registry} wants a login to delete",
                hint=f"log in, for example with: imagesync login --username NAME {self.client.registry}",
            )
        return credential

    async def ask(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        login: Secret | None = None,
        accept: Collection[int] = (200,),
        content: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> Any:
        """The JSON document that answers, None where there is none; ``login`` is an Authorization header."""
        response = await _ApiClient(self.client, self.address, login).send(
            method,
            path,
            doing=doing,
            scopes=(),
            accept=accept,
            headers={**_JSON, **({"Content-Type": "application/json"} if content else {}), **(headers or {})},
            body=content,
            with_body=True,
        )
        return _document(await read_all(response, _ANSWER_LIMIT_BYTES), doing)

    async def pages(
        self, path: str, *, doing: str, login: Secret | None, headers: dict[str, str] = _JSON, link: Link = in_header
    ) -> AsyncIterator[Any]:
        """The JSON documents of a list that comes in pages; ``link`` is as in Pages."""
        client = _ApiClient(self.client, self.address, login)

        async def fetch(target: str | httpx.URL) -> Answer:
            return await client.fetch(target, doing=doing, scopes=(), limit_bytes=_ANSWER_LIMIT_BYTES, headers=headers)

        async for content in Pages(fetch, doing, link).starting_at(path):
            yield _document(content, doing)


def member(document: Any, name: str) -> Any:
    """A member of an object, None where this is none or does not have it."""
    return document.get(name) if isinstance(document, dict) else None


def names_in(listed: Any, doing: str) -> list[str]:
    """The names in a list of repositories."""
    try:
        return [str(each["name"]) for each in listed]
    except (KeyError, TypeError) as error:
        raise ContentError(f"{doing}: the answer is not a list of repositories") from error


def _document(content: bytes, doing: str) -> Any:
    try:
        return read_document(content) if content else None
    except ValueError as error:
        raise ContentError(f"{doing}: the answer is not JSON") from error

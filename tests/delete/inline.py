"""Requests handed straight to embedded registries, one at a time, in the order that a seed picks.

Operations run as tasks of one event loop. Whenever all of them wait for an answer, the schedule picks the request that
is handled next: every order in which requests of different operations may reach a registry can happen, no other thing
decides it, and a seed brings it back.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any

import httpx

from imagesync_cli.concurrency import ByteLimit
from imagesync_cli.settings import Settings
from imagesync_cli.stores import Stores
from tests.embedded_registry import EmbeddedRegistry, Request
from tests.embedded_registry.wire import without_body

# How often the loop turns before whoever has something to ask has asked it: more than the deepest chain of awaits.
_TURNS = 12


class Schedule:
    """Which waiting request goes next; without a seed they go as they come."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed) if seed is not None else None  # noqa: S311
        self._waiting: list[asyncio.Future[None]] = []

    async def turn(self) -> None:
        """Wait until it is this request's turn."""
        if self._random is not None:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future

    def end(self) -> None:
        """From now on requests go as they come."""
        self._random = None

    async def run(self, operations: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
        """Run the operations to their ends; raises what one of them raises."""
        tasks = [asyncio.ensure_future(operation) for operation in operations]
        while not all(task.done() for task in tasks):
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            self._waiting = [future for future in self._waiting if not future.done()]
            if self._waiting and self._random is not None:
                self._waiting.pop(self._random.randrange(len(self._waiting))).set_result(None)
        return [task.result() for task in tasks]


class InlineHttp:
    """Stands where stores.http.Http does; requests to the first registry wait for their turn."""

    def __init__(self, schedule: Schedule, registry: EmbeddedRegistry, *others: EmbeddedRegistry) -> None:
        self._registries = {one.host: one for one in (registry, *others)}
        self._scheduled = registry.host
        self._schedule = schedule
        self.count = 0
        self.documents = ByteLimit(1024)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The registry's answer, when it is this request's turn."""
        body = await request.aread()
        url = request.url
        if url.netloc.decode() == self._scheduled:
            await self._schedule.turn()
            self.count += 1
        headers = {name.lower(): value for name, value in request.headers.items()}
        incoming = Request(request.method, url.path, dict(url.params), headers, url.raw_path.decode(), body=body)
        answer = self._registries[url.netloc.decode()].handle(incoming)
        if request.method == "HEAD":
            answer = without_body(answer)
        length = str(len(answer.body)) if answer.length is None else answer.length
        return httpx.Response(
            answer.status,
            headers={**answer.headers, "Content-Length": length},
            content=bytes(answer.body),
            request=request,
        )

    def warm(self, url: httpx.URL, count: int) -> None:
        """There are no connections to open beforehand."""

    async def aclose(self) -> None:
        """Nothing is open."""


class InlineStores(Stores):
    """Stores whose requests all go through one schedule; one such for each process that is played."""

    def __init__(self, settings: Settings, http: InlineHttp) -> None:
        super().__init__(settings)
        self._http = http  # type: ignore[assignment]


def waiting(awaitable: Awaitable[Any]) -> Any:
    """Run to the end, for a test that has no loop of its own."""

    async def run() -> Any:
        return await awaitable

    return asyncio.run(run())

"""Several things at once, and a limit on how long something may take.

asyncio.wait_for of Python 3.10 and 3.11 can lose a cancellation that comes as its work ends; what was to stop goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

_S = TypeVar("_S")
_T = TypeVar("_T")
_U = TypeVar("_U")


async def gather(coroutines: Iterable[Coroutine[Any, Any, _T]]) -> list[_T]:
    """The results in order. Unlike asyncio.gather, a failure cancels and awaits the others before it is raised."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def both(one: Coroutine[Any, Any, _T], other: Coroutine[Any, Any, _U]) -> tuple[_T, _U]:
    """Two results of different kinds; see gather."""
    works: list[Coroutine[Any, Any, Any]] = [one, other]
    first, second = await gather(works)
    return first, second


@contextlib.contextmanager
def having(variable: ContextVar[_T], value: _T) -> Iterator[None]:
    """Give a variable this value in the block, and in the tasks that begin in it."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


async def gather_few(at_once: int, awaitables: Iterable[Awaitable[object]]) -> None:
    """Run them all, so many at a time. The iterable is drawn on as they end: what has not begun takes no memory."""
    waiting = iter(awaitables)

    async def next_ones() -> None:
        for awaitable in waiting:
            await awaitable

    await gather(next_ones() for _ in range(at_once))


async def each_of(at_once: int, work: Callable[[_S], Awaitable[_T]], items: Iterable[_S]) -> list[_T]:
    """The results of the work on each item, in order; so many at a time."""
    results: dict[int, _T] = {}

    async def one(number: int, item: _S) -> None:
        results[number] = await work(item)

    await gather_few(at_once, (one(*each) for each in enumerate(items)))
    return [results[number] for number in range(len(results))]


async def within(
    timeout_s: float, work: Coroutine[Any, Any, _T] | asyncio.Future[_T], late: Exception | None = None
) -> _T:
    """The work's result, or after so many seconds ``late`` or asyncio.TimeoutError; a cancellation always arrives."""
    task = asyncio.ensure_future(work)
    try:
        # Not the task itself: whoever cancels us would cancel it as the timeout does, and nobody could tell them apart.
        await asyncio.wait({task}, timeout=timeout_s)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
    if expired := task.cancel():
        await asyncio.gather(task, return_exceptions=True)
    if expired and task.cancelled():
        raise late or asyncio.TimeoutError(f"nothing within {timeout_s:g} s")
    return task.result()


async def finish(timeout_s: float, task: asyncio.Future[Any]) -> bool:
    """Give the task so many seconds to end, however often we are cancelled meanwhile; whether that has happened.

    The caller raises CancelledError then, as soon as there is nothing more to be done.
    """
    ends, cancelled = asyncio.get_running_loop().time() + timeout_s, False
    while not task.done() and (left_s := ends - asyncio.get_running_loop().time()) > 0:
        try:
            await asyncio.wait({task}, timeout=left_s)
        except asyncio.CancelledError:  # noqa: PERF203
            cancelled = True
    task.cancel()
    return cancelled


class ByteLimit:
    """At most so many bytes are held at a time; whoever wants more than all of them holds them alone."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = self._free_bytes = most_bytes
        self._freed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def held(self, size_bytes: int) -> AsyncIterator[None]:
        """Wait until there is room, and hold it until the block ends."""
        wanted = min(size_bytes, self._most_bytes)
        while self._free_bytes < wanted:
            self._freed.clear()
            await self._freed.wait()
        self._free_bytes -= wanted
        try:
            yield
        finally:
            self._free_bytes += wanted
            self._freed.set()


class SharedExclusive:
    """A lock that many hold together, or one alone: that one waits until all have left, and lets nobody in."""

    def __init__(self) -> None:
        self._holders = 0
        self._left = asyncio.Event()
        self._door = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Hold it with others."""
        async with self._door:
            self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            self._left.set()

    @contextlib.asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Hold it alone."""
        async with self._door:
            while self._holders:
                self._left.clear()
                await self._left.wait()
            yield


# What reading a document costs beside its bytes: an object of JSON becomes a descriptor, and a place in a walk.
_OBJECT_BYTES = 700
# Works that found no room and begin again together, before each goes alone.
_FEW = 4
_LARGE_BYTES = 1024 * 1024
_WORTH_COLLECTING_BYTES = 1024 * 1024


class _NoRoom(Exception):
    """There is no room for what a work reads while others go on."""


class Crowd:
    """Works that go on at the same time, and together read documents that cost so many bytes at most.

    Whichever finds no room ends, and so holds nothing that another one waits for; it begins again as one of a few, and
    then when no other one of those is at work. Then it is bounded only by what an image may have.
    """

    def __init__(self, most_bytes: int = 4 * 1024 * 1024) -> None:
        self.left_bytes = most_bytes
        self._few = asyncio.Semaphore(_FEW)
        self._alone = asyncio.Lock()

    async def run(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """The result of the work, which may have begun several times; one within another is a part of it."""
        if _share.get() is not None:
            return await work()
        for few in (contextlib.nullcontext(), self._few):
            async with few:
                share = _Share(self)
                with _finding_room():
                    return await self._as(share, work)
            if share.is_large:
                break
        async with self._alone:
            while True:
                with _finding_room():  # of another one, whose reading this one waited for
                    return await self._as(_Share(None), work)

    async def _as(self, share: _Share, work: Callable[[], Awaitable[_T]]) -> _T:
        with having(_share, share):
            try:
                return await work()
            finally:
                share.give_back()


@contextlib.contextmanager
def _finding_room() -> Iterator[None]:
    """Go on after a block that found no room, without the frames that it came through: they hold what was read."""
    try:
        yield
    except _NoRoom as error:
        error.__context__ = error.with_traceback(None).__cause__ = None


class _Share:
    """What one work has read of what its crowd may; without a crowd it is alone."""

    def __init__(self, crowd: Crowd | None) -> None:
        self.crowd = crowd
        self._taken_bytes = 0
        self.is_large = False  # would hardly find room among a few either

    def take(self, size_bytes: int) -> None:
        if self.crowd is not None:
            if size_bytes > self.crowd.left_bytes:
                self.is_large = self._taken_bytes + size_bytes > _LARGE_BYTES
                raise _NoRoom
            self.crowd.left_bytes -= size_bytes
        self._taken_bytes += size_bytes

    def give_back(self) -> None:
        if self._taken_bytes > _WORTH_COLLECTING_BYTES:
            gc.collect()  # tasks and errors refer to each other, and so hold what was read until somebody looks
        if self.crowd is not None:
            self.crowd.left_bytes += self._taken_bytes
            self.crowd = None


_share: ContextVar[_Share | None] = ContextVar("share", default=None)


def passing() -> contextlib.AbstractContextManager[None]:
    """A block that lets go of each document before it reads the next one: they take no room."""
    return having(_share, None)


def take_room(content: bytes) -> None:
    """Count this part of a document for the work that reads it, if that is one of a crowd."""
    if (share := _share.get()) is not None:
        share.take(len(content) + _OBJECT_BYTES * content.count(b"{"))

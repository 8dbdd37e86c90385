"""Documents that arrive at the same time: what of them is in memory together has a bound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from imagesync_cli.settings import Settings
from imagesync_cli.stores.transport.http import Http, read_all

KIB, MIB = 1024, 1024 * 1024
URL = "https://registry.example.com/v2/"


class _Slow(httpx.AsyncByteStream):
    """A body that lets all others go on between two parts; ``here`` counts the bytes of all that are under way."""

    def __init__(self, size_bytes: int, here: list[int], most: list[int]) -> None:
        self._size_bytes, self._here, self._most = size_bytes, here, most
        self._given_bytes = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._given_bytes < self._size_bytes:
            part = bytes(min(64 * KIB, self._size_bytes - self._given_bytes))
            self._given_bytes += len(part)
            self._here[0] += len(part)
            self._most[0] = max(self._most[0], self._here[0])
            await asyncio.sleep(0)
            yield part

    async def aclose(self) -> None:
        self._here[0] -= self._given_bytes
        self._given_bytes = 0


def _read(number: int, size_bytes: int, *, told: bool) -> tuple[int, int]:
    """Read so many at the same time; the bytes that arrived, and the most that were there together."""
    here, most = [0], [0]

    async def read_one(http: Http) -> int:
        headers = {"Content-Length": str(size_bytes)} if told else {}
        answer = httpx.Response(
            200, headers=headers, stream=_Slow(size_bytes, here, most), request=httpx.Request("GET", URL)
        )
        return len(await read_all(answer, 4 * MIB, http.documents))

    async def read() -> int:
        http = Http(Settings())
        return sum(await asyncio.gather(*(read_one(http) for _ in range(number))))

    return asyncio.run(read()), most[0]


@pytest.mark.parametrize("told", [True, False])
def test_many_large_ones(told: bool) -> None:
    """Of thirty slow documents of 4 MiB, two are in memory at a time, and of the others only their beginnings."""
    arrived, most_bytes = _read(30, 4 * MIB, told=told)
    assert arrived == 30 * 4 * MIB
    assert most_bytes <= 8 * MIB + 30 * 256 * KIB


def test_many_small_ones() -> None:
    """Small documents do not wait for each other."""
    arrived, most_bytes = _read(30, 100 * KIB, told=True)
    assert arrived == most_bytes == 30 * 100 * KIB

"""Connections that are closed, by either side, are forgotten with all that came over them."""

from __future__ import annotations

import asyncio
import contextlib
import gc

import httpx
import pytest

from imagesync_cli.settings import Settings
from imagesync_cli.stores.transport.http import Http
from imagesync_cli.stores.transport.wire import Wire

REQUESTS = 30
UNREAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + bytes(400 * 1024)
ENDED = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
OLD = b"HTTP/1.0 200 OK\r\n\r\nok"
BROKEN = b"HTTP/1.1 200 OK\r\nno header\r\n\r\n" + bytes(1000)


def _wires() -> list[Wire]:
    gc.collect()
    return [each for each in gc.get_objects() if isinstance(each, Wire)]


@pytest.mark.parametrize("says", [UNREAD, ENDED, OLD, BROKEN], ids=["unread", "close", "http-1.0", "broken"])
def test_closed_connections_are_forgotten(says: bytes) -> None:
    """After many answers that end their connection, no more is held than after one."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(says)
        if says == UNREAD:
            with contextlib.suppress(ConnectionError):
                await reader.read()  # until the other side has closed it
        writer.close()

    async def ask(http: Http, url: str) -> None:
        try:
            response = await http.handle_async_request(httpx.Request("GET", url))
        except Exception:  # noqa: BLE001  (how it fails is another test's)
            return
        await response.aclose()

    async def measure() -> int:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        http = Http(Settings())
        before = len(_wires())
        async with server:
            for _ in range(REQUESTS):
                await ask(http, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
            held = len(_wires()) - before
            await http.aclose()
        return held

    assert asyncio.run(measure()) <= 3

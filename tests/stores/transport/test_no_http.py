"""Servers that do not speak HTTP are told in words, not in a parser's."""

from __future__ import annotations

import asyncio

import pytest

from imagesync_cli.settings import Settings
from imagesync_cli.stores import Stores
from imagesync_cli.stores.transport import retry
from imagesync_cli.values.errors import Unavailable
from imagesync_cli.values.reference import parse_reference


async def _asked(says: bytes) -> str:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(says)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    stores = Stores(Settings())
    async with server:
        try:
            await stores.open(parse_reference(f"{host}/app:1")).head("1")
        except Unavailable as error:
            return str(error).replace(host, "HOST")
        finally:
            await stores.aclose()
    return ""


@pytest.mark.parametrize(
    "says",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"HTTP/1.1 1000 X\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon \x1b[2J\r\n\r\n",
    ],
)
def test_what_is_no_answer(says: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says that there was no answer and why, without what was said."""
    monkeypatch.setattr(retry, "ATTEMPTS", 1)
    said = asyncio.run(_asked(says))
    assert "no answer from HOST: illegal" in said
    assert "bytearray" not in said
    assert "'" not in said

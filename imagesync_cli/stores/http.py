"""One HTTP exchange: httpx requests and responses over our own connections.

Each host has a stack of idle connections and a bound on those in use. There are no cookies, no decoding, no
redirects, no logging of URLs and no waiting for a pool: what httpx's client adds is what a registry client must not
have. Errors of the network become ours here and nowhere else.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from typing import Any

# httpx builds its own command line (click, rich, pygments) if it can; this halves its import.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
import httpcore
import httpx

from imagesync_cli.errors import ContentError, Unavailable
from imagesync_cli.reference import host_name
from imagesync_cli.settings import Settings
from imagesync_cli.stores.wire import StreamBackend

CONNECTIONS_PER_HOST = 32
# A silent server is given up within 35 s: connecting and the first byte have their own limits.
_TIMEOUTS_S = {"connect": 10.0, "read": 30.0, "write": 30.0, "pool": None}
_Connection = httpcore.AsyncHTTPConnection | httpcore.AsyncHTTPProxy


class Http(httpx.AsyncBaseTransport):
    """Sends one request and gives the response with its body still on the wire; the caller closes it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._hosts: dict[tuple[bytes, bytes, int], _Host] = {}
        self._context: ssl.SSLContext | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raise Unavailable when there is no connection, no answer, or none that is HTTP."""
        url = request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        origin = httpcore.Origin(url.raw_scheme, url.raw_host, port)
        host = self._host(origin)
        core = httpcore.Request(
            request.method,
            httpcore.URL(scheme=origin.scheme, host=origin.host, port=port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions={"timeout": _TIMEOUTS_S},
        )
        connection = await host.take()
        try:
            answer = await connection.handle_async_request(core)
        except BaseException as error:
            await host.give_back(connection)
            _raise_ours(error, url)
            raise
        body = _Body(answer, host, connection, url)
        return httpx.Response(answer.status, headers=answer.headers, stream=body, request=request)

    async def aclose(self) -> None:
        """Close every connection."""
        for host in self._hosts.values():
            await host.aclose()

    def _host(self, origin: httpcore.Origin) -> _Host:
        key = (origin.scheme, origin.host, origin.port)
        if key not in self._hosts:
            context = self._ssl_context() if origin.scheme == b"https" else None
            self._hosts[key] = _Host(origin, context, self._proxy(origin))
        return self._hosts[key]

    def _ssl_context(self) -> ssl.SSLContext:
        # Loading the CAs takes 20 ms: once, and only when a host speaks TLS.
        if self._context is None:
            self._context = ssl.create_default_context()
        return self._context

    def _proxy(self, origin: httpcore.Origin) -> str | None:
        proxies, scheme = self._settings.proxies, origin.scheme.decode()
        proxy = proxies.get(f"{scheme}_proxy") or proxies.get("all_proxy")
        if not proxy:
            return None
        if _bypassed(origin.host.decode("ascii"), origin.port, proxies.get("no_proxy", "")):
            return None
        return proxy if "://" in proxy else f"http://{proxy}"


class _Host:
    """The connections to one origin."""

    def __init__(self, origin: httpcore.Origin, context: ssl.SSLContext | None, proxy: str | None) -> None:
        self._origin = origin
        self._context = context
        self._proxy = proxy
        self._idle: list[_Connection] = []
        self._free = asyncio.Semaphore(CONNECTIONS_PER_HOST)

    async def take(self) -> _Connection:
        await self._free.acquire()
        while self._idle:
            # Last used, first taken: the others grow old and are closed by the server, not by a surprise.
            connection = self._idle.pop()
            if isinstance(connection, httpcore.AsyncHTTPProxy) or not connection.has_expired():
                return connection
            await connection.aclose()
        return self._connect()

    async def give_back(self, connection: _Connection) -> None:
        self._free.release()
        if isinstance(connection, httpcore.AsyncHTTPProxy) or connection.is_idle():
            self._idle.append(connection)
        else:
            await connection.aclose()

    async def aclose(self) -> None:
        for connection in self._idle:
            await connection.aclose()

    def _connect(self) -> _Connection:
        backend = StreamBackend()
        if self._proxy is not None:
            url = httpx.URL(self._proxy)
            return httpcore.AsyncHTTPProxy(
                httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port or 80, target=b"/"),
                proxy_auth=(url.username, url.password) if url.username else None,
                ssl_context=self._context,
                max_connections=1,
                network_backend=backend,
            )
        return httpcore.AsyncHTTPConnection(self._origin, ssl_context=self._context, network_backend=backend)


class _Body(httpx.AsyncByteStream):
    """A response's body; gives the connection back when it is closed."""

    def __init__(self, answer: httpcore.Response, host: _Host, connection: _Connection, url: httpx.URL) -> None:
        self._answer = answer
        self._host = host
        self._connection = connection
        self._url = url
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._answer.aiter_stream():
                yield chunk
        except Exception as error:
            _raise_ours(error, self._url)
            raise

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            await self._answer.aclose()
            await self._host.give_back(self._connection)


def _raise_ours(error: BaseException, url: httpx.URL) -> None:
    """Raise our error for one of the network's, the most specific class first; return if it is none."""
    cause = error.__cause__
    where = url.netloc.decode("ascii")
    if isinstance(cause, ssl.SSLCertVerificationError):
        raise Unavailable(
            f"the certificate of {where} is not trusted: {cause.verify_message}",
            hint="set SSL_CERT_FILE to a file with the CA that signed it",
            may_pass=False,
        ) from error
    if isinstance(cause, ssl.SSLError):
        raise Unavailable(
            f"{where} does not speak TLS as expected: {cause.reason}",
            hint=f"if it speaks plain HTTP, add --plain-http {where}",
            may_pass=False,
        ) from error
    if isinstance(cause, socket.gaierror):
        raise Unavailable(
            f"there is no host {host_name(where)}",
            hint="check the name and the DNS",
            may_pass=cause.errno == socket.EAI_AGAIN,
        ) from error
    if isinstance(error, httpcore.TimeoutException):
        raise Unavailable(f"{where} did not answer: {error}") from error
    if isinstance(error, (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError)):
        raise Unavailable(f"no answer from {where}: {error or type(error).__name__}") from error


def _bypassed(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY names the host: itself, a domain it is in, with or without a port, or all with ``*``."""
    for entry in no_proxy.lower().split(","):
        name = entry.strip().removeprefix("*").removeprefix(".")
        if entry.strip() == "*" or (name and f"{host}:{port}".endswith((f".{name}", f".{name}:{port}"))):
            return True
        if name in (host, f"{host}:{port}"):
            return True
    return False


async def read_all(response: httpx.Response, limit_bytes: int) -> bytes:
    """The whole body, which must not be longer than ``limit_bytes``; the response is closed."""
    try:
        content = bytearray()
        async for chunk in raw_chunks(response):
            content += chunk
            if len(content) > limit_bytes:
                raise ContentError(f"{response.url.host} answers with more than {limit_bytes} bytes")
        return bytes(content)
    finally:
        await response.aclose()


def raw_chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body as it came over the wire, not decoded."""
    stream: Any = response.stream
    return stream.__aiter__()  # type: ignore[no-any-return]

"""The connections to one host: idle ones are used again, and there is a bound on those in use (limits/)."""

from __future__ import annotations

import asyncio
import errno
import functools
import os
import re
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx

from imagesync_cli.concurrency import having
from imagesync_cli.stores.transport.addresses import Origin, is_of_machines
from imagesync_cli.stores.transport.http1 import Answer, Connection
from imagesync_cli.stores.transport.limits.action import Action
from imagesync_cli.stores.transport.limits.host_limit import HostLimit, is_kept, is_needed
from imagesync_cli.stores.transport.patience import Patience
from imagesync_cli.stores.transport.proxy import is_socks, proxy_login, proxy_port, socks_connection, start_tls, tunnel
from imagesync_cli.stores.transport.tls import Tls
from imagesync_cli.stores.transport.wire import Wire
from imagesync_cli.values.errors import Refused
from imagesync_cli.values.hosts import HOW_TO_REACH

if TYPE_CHECKING:
    from imagesync_cli.stores.transport.preconnect import Preconnected

_CONNECT_S = 10.0
_LONGEST_REASON = 300
_UNREACHABLE = {errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH}


class Connections:
    """The connections to one origin, straight or through a proxy."""

    def __init__(
        self,
        url: httpx.URL,
        port: int,
        tls: Tls,
        proxy: httpx.URL | None,
        preconnected: Preconnected | None,
        *,
        limit: HostLimit,
        origin: Origin,
    ) -> None:
        self._name = url.host
        self._port = port
        self._tls = tls
        self._origin = origin
        is_stranger = origin is not Origin.OWN
        self._context = tls.context(url.host, port, is_stranger=is_stranger) if url.scheme == "https" else None
        self._proxy = proxy
        self._preconnected = preconnected
        self._idle: list[Connection] = []
        self._every: list[Wire] = []  # those that are open, and a few that were
        self._opening: deque[asyncio.Task[Connection]] = deque()
        self._limit = limit
        self.patience = Patience()

    def warm(self, count: int) -> None:
        """Begin connections, so that ``count`` more requests than are under way find one open."""
        missing = min(count, self._limit.most - self._limit.taken) - len(self._idle) - len(self._opening)
        self._opening.extend(asyncio.create_task(self._connect()) for _ in range(missing))

    async def exchange(self, request: httpx.Request) -> tuple[Answer, Callable[[], None]]:
        """Send over a connection of our own; to be called when the answer's body is closed, which gives it back."""
        action, sends = self._limit.action(request.extensions.get("action", "")), _sends(request)
        keeps = sends or is_kept.get()
        await self._limit.take(action, keeps=keeps, is_needed=is_needed.get())
        try:
            while True:
                async with self._limit.turn(action) as sent:
                    connection = await self._take()
                    try:
                        sent()
                        answer = await self._send(connection, request)
                    except BaseException as error:
                        connection.close()
                        # A server may close an idle connection at the moment it is used again: not a failure yet.
                        stale = isinstance(error, ConnectionError) and connection.served > 0
                        if not stale or sends:
                            raise
                        action.queue()
                    else:
                        action.answered(answer.status)
                        return answer, functools.partial(self._give_back, connection, action, keeps=keeps)
        except BaseException:
            self._limit.free(action, keeps=keeps)
            raise

    async def _send(self, connection: Connection, request: httpx.Request) -> Answer:
        request.extensions["sent_at"] = time.monotonic()
        request.extensions["patience_s"] = self.patience.wait_s(request.extensions.get("longer_s", 0.0))
        with having(is_needed, is_needed.get() or _sends(request)):  # what a body is read from
            return await connection.exchange(request, self._target(request))

    def _give_back(self, connection: Connection, action: Action, *, keeps: bool) -> None:
        self._limit.free(action, keeps=keeps)
        if connection.idle:
            self._idle.append(connection)
        else:
            connection.close()

    async def aclose(self) -> None:
        """Close what is idle or was never needed."""
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        if self._preconnected is not None:  # begun, and then nobody asked for a connection
            from imagesync_cli.stores.transport.preconnect import close_unused

            close_unused([self._preconnected])
        # Not the idle ones alone: whoever was cancelled between two steps has not given his back.
        for wire in self._every:
            wire.close()

    async def _take(self) -> Connection:
        while self._idle:
            # Last used, first taken: the others grow old and are closed by the server, not by a surprise.
            connection = self._idle.pop()
            if connection.idle:
                return connection
            connection.close()
        return await (self._opening.popleft() if self._opening else self._connect())

    async def explain(self, error: ssl.SSLError) -> Exception:
        return await self._tls.explain(error, self._name, self._port, direct=self._proxy is None)

    def hint(self, error: Exception) -> str:
        """What may be behind a connection that failed: with TLS 1.3 a missing certificate can look like that."""
        if isinstance(error, OSError) and error.errno in _UNREACHABLE:
            return HOW_TO_REACH
        if self._context is None or not isinstance(error, ConnectionError):
            return ""
        return self._tls.certificate_hint(self._name, self._port)

    async def _connect(self) -> Connection:
        proxy, preconnected, self._preconnected = self._proxy, self._preconnected, None
        name, port = (proxy.host, proxy_port(proxy)) if proxy else (self._name, self._port)
        try:
            if proxy is not None and is_socks(proxy):
                preconnected = asyncio.ensure_future(socks_connection(proxy, self._name, self._port, _CONNECT_S))
            wire = await Wire.connect(name, port, _CONNECT_S, preconnected)
        except OSError as error:
            if proxy is None:
                raise
            message = f"the proxy {name}:{port} is not reachable: {reason(error)}"
            raise ConnectionRefusedError(errno.ECONNREFUSED, message) from error
        try:
            # Nothing is sent yet to where the name leads. A proxy looks up names itself, and has to judge them.
            if proxy is None and self._origin is Origin.STRANGE and is_of_machines(wire.peer):
                raise Refused(f"{name} is at {wire.peer}, a cloud's metadata address")  # noqa: TRY301
            if proxy is not None and proxy.scheme == "https":
                await start_tls(wire, proxy, self._tls.context(name, port), _CONNECT_S)
            if proxy is not None and self._context is not None and not is_socks(proxy):
                await tunnel(wire, proxy, self._name, self._port)
            if self._context is not None:
                await wire.start_tls(self._context, self._name, _CONNECT_S)
        except BaseException:
            wire.close()
            raise
        self._every = [*(each for each in self._every if not each.closed), wire]
        return Connection(wire)

    def _target(self, request: httpx.Request) -> bytes:
        if self._proxy is None or self._context is not None or is_socks(self._proxy):
            return request.url.raw_path
        request.headers.update(proxy_login(self._proxy))
        return str(request.url).encode("ascii")  # a proxy wants the whole URL (RFC 9112, section 3.2.2)


def reason(error: BaseException) -> str:
    """What the system calls it: asyncio names every address it has tried, in a line that says little else.

    h11 quotes the whole line of a server that it cannot read, as Python would write it: that is left out.
    """
    text = (str(error) or type(error).__name__)[:_LONGEST_REASON].partition(": bytearray(")[0]
    numbers = dict.fromkeys(map(int, re.findall(r"\[Errno (\d+)\] Connect call failed", text)))
    return ", ".join(map(os.strerror, numbers)) or re.sub(r"^\[Errno -?\d+\] ", "", text)


def _sends(request: httpx.Request) -> bool:
    """Whether its body comes piece by piece, from somewhere."""
    return not isinstance(request.stream, httpx.ByteStream)

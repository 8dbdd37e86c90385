"""One HTTP exchange: httpx requests and responses over our own connections.

Each host has a stack of idle connections and a bound on those in use. There are no cookies, no decoding, no
redirects, no logging of URLs and no waiting for a pool: what httpx's client adds is what a registry client must not
have. Errors of the network become ours here and nowhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import email.utils
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import h11
import httpx

from imagesync_cli.concurrency import ByteLimit, take_room
from imagesync_cli.settings import Settings
from imagesync_cli.stores.transport.addresses import Origin
from imagesync_cli.stores.transport.connections import Connections, reason
from imagesync_cli.stores.transport.http1 import Answer
from imagesync_cli.stores.transport.limits.host_limit import HostLimit
from imagesync_cli.stores.transport.patience import fast_enough
from imagesync_cli.stores.transport.proxy import proxy_for
from imagesync_cli.stores.transport.retry import attempt_number
from imagesync_cli.stores.transport.tally import count
from imagesync_cli.stores.transport.tls import Tls
from imagesync_cli.values.errors import ContentError, Unavailable, UsageError, exhausted
from imagesync_cli.values.hosts import host_name, known_host

if TYPE_CHECKING:
    from imagesync_cli.stores.transport.preconnect import Preconnected


_log = logging.getLogger(__name__)
_LONGEST_DATE = 100
_LONGEST_WAIT_S = 365 * 24 * 3600.0
# What a registry calls an exchange, and its support asks for.
_REQUEST_IDS = ("x-request-id", "x-amzn-requestid", "x-ms-correlation-request-id", "x-github-request-id")
_LONGEST_ID = 100
_MOST_DIGITS = 18  # of a length
# Members of a query that say what is asked for; any other one may be a signature or a session.
_TELLING = frozenset({"n", "last", "digest", "mount", "from", "scope", "service", "artifactType", "page", "per_page"})
# A piece is in memory up to three times: as it is gathered, as it is sent, and what of it the socket has not taken.
_PIECES_BYTES = 8 * 1024 * 1024
# Documents that arrive at the same time, beyond what of each is small: many slow ones would fill the memory together.
_DOCUMENTS_BYTES = 8 * 1024 * 1024
_SMALL_BYTES = 128 * 1024
_ANSWER_BYTES = 64 * 1024  # what an error, a token or a login may have at most


class Http(httpx.AsyncBaseTransport):
    """Sends one request and gives the response with its body still on the wire; the caller closes it."""

    def __init__(self, settings: Settings, preconnected: dict[tuple[str, int], Preconnected] | None = None) -> None:
        self._settings = settings
        self._preconnected = preconnected or {}
        self._hosts: dict[tuple[str, str, int, Origin], Connections] = {}
        self._limits: dict[tuple[str, int], HostLimit] = {}
        self._tls = Tls(settings)
        self.pieces = ByteLimit(_PIECES_BYTES)  # those of blobs that are not sent whole
        self.documents = ByteLimit(_DOCUMENTS_BYTES)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raise Unavailable when there is no connection, no answer, or none that is HTTP."""
        url = request.url
        host = self._host(url, request.extensions.get("origin", Origin.OWN))
        count(requests=1)
        began = time.monotonic()
        try:
            answer, give_back = await host.exchange(request)
        except ssl.SSLError as error:
            _note(request, began, error=error)
            raise await host.explain(error) from error
        except Exception as error:
            _note(request, began, error=error)
            if not isinstance(error, asyncio.TimeoutError):
                host.patience.heard(answer=False)
            ours = _as_ours(error, url, host.hint(error), is_dead=host.patience.is_dead)
            if ours is None:
                raise
            if isinstance(ours, Unavailable):
                ours.is_unreachable = not host.patience.answered
            raise ours from error
        host.patience.heard(answer=True)
        _note(request, began, answer)
        body = _Body(answer, give_back, url)
        return httpx.Response(answer.status, headers=answer.headers, stream=body, request=request)

    async def aclose(self) -> None:
        for host in self._hosts.values():
            await host.aclose()

    def warm(self, url: httpx.URL, count: int) -> None:
        """Begin connections that ``count`` requests to this host will need soon."""
        self._host(url).warm(count)

    def _host(self, url: httpx.URL, origin: Origin = Origin.OWN) -> Connections:
        """The connections to a host, by what it is to the registry that was named: less may be done elsewhere."""
        port = url.port or (443 if url.scheme == "https" else 80)
        key = (url.scheme, url.host, port, origin)
        if key not in self._hosts:
            proxy, begun = proxy_for(self._settings, url, port), self._preconnected.pop((url.host, port), None)
            self._hosts[key] = Connections(
                url, port, self._tls, proxy, begun, limit=self._limit(url, port), origin=origin
            )
        return self._hosts[key]

    def _limit(self, url: httpx.URL, port: int) -> HostLimit:
        """The limits of a host and port, the same whoever named it. Who sets a pace knows better than a document."""
        key = (url.host, port)
        if key not in self._limits:
            connections, per_second = self._settings.limits_at(*key)
            known = known_host(url.netloc.decode("ascii"))
            rates = known.rates if known and per_second is None else ()
            self._limits[key] = HostLimit(connections, per_second, rates)
        return self._limits[key]


def _note(
    request: httpx.Request, began: float, answer: Answer | None = None, *, error: BaseException | None = None
) -> None:
    """Log an exchange, where somebody asked for that: no header but the registry's own name for it, no body."""
    if not _log.isEnabledFor(logging.DEBUG):
        return
    headers = httpx.Headers(answer.headers) if answer else httpx.Headers()
    told = {
        "method": request.method,
        "url": _loggable(request.url),
        "status": answer.status if answer else 0,
        "ms": round((time.monotonic() - request.extensions.get("sent_at", began)) * 1000),
        "sent_bytes": told_length(request.headers),
        "bytes": told_length(headers),
        "attempt": attempt_number.get(),
        "request_id": next((headers[name][:_LONGEST_ID] for name in _REQUEST_IDS if name in headers), ""),
        "error": "" if error is None else reason(error),
    }
    _log.debug("", extra={"exchange": told})


def told_length(headers: httpx.Headers) -> int | None:
    """The length of a body that these tell, None for none."""
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None


def _loggable(url: httpx.URL) -> str:
    """The URL without what may be a login: user, signature, session."""
    query = "&".join(f"{name}={value if name in _TELLING else '…'}" for name, value in url.params.multi_items())
    return f"{url.scheme}://{url.netloc.decode('ascii')}{url.path}{f'?{query}' if query else ''}"


class _Body(httpx.AsyncByteStream):
    """A response's body; gives the connection back when it is closed."""

    def __init__(self, answer: Answer, give_back: Callable[[], None], url: httpx.URL) -> None:
        self._answer, self._give_back, self._url = answer, give_back, url
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._answer:
                yield chunk
        except Exception as error:
            if ours := _as_ours(error, self._url):
                raise ours from error
            raise

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            try:
                await self._answer.aclose()
            finally:
                self._give_back()


def _as_ours(
    error: Exception, url: httpx.URL, hint: str = "", *, is_dead: bool = False
) -> Unavailable | UsageError | None:
    """Our error for one of the network's, the most specific class first; None if it is none."""
    where = url.netloc.decode("ascii")
    if ours := exhausted(error):
        return ours
    if isinstance(error, (socket.gaierror, UnicodeError)):  # a name may be too long for the DNS
        return Unavailable(
            f"there is no host {host_name(where)}",
            hint="check the name and the DNS",
            may_pass=isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN,
        )
    if isinstance(error, asyncio.TimeoutError):
        # Of a host that never answered, how long the last try was says nothing: it is what was left of the time.
        why = " for half a minute" if is_dead else f": {error or 'no connection'}"
        return Unavailable(f"{where} did not answer{why}", may_pass=not is_dead)
    if isinstance(error, (OSError, h11.ProtocolError)):
        return Unavailable(f"no answer from {where}: {reason(error)}", hint=hint)
    return None


async def read_all(response: httpx.Response, limit_bytes: int = _ANSWER_BYTES, room: ByteLimit | None = None) -> bytes:
    """The whole body, which must not be longer than ``limit_bytes``; the response is closed.

    One that is not small waits until there is ``room`` for the longest that may come.
    """
    content, chunk = bytearray(), b""
    try:
        async with contextlib.AsyncExitStack() as held:

            async def wait_for_room(size_bytes: int) -> None:
                nonlocal room
                if room is not None and size_bytes > _SMALL_BYTES:
                    taken, room = room, None
                    await held.enter_async_context(taken.held(limit_bytes))

            await wait_for_room(told_length(response.headers) or 0)
            async for chunk in fast_enough(raw_chunks(response)):
                take_room(chunk)
                content += chunk
                if len(content) > limit_bytes:
                    raise ContentError(f"{response.url.host} answers with more than {limit_bytes} bytes")  # noqa: TRY301
                await wait_for_room(len(content))
            return bytes(content)
    except BaseException:
        content.clear()  # the error may be kept, and with it all that is named here
        chunk = b""
        raise
    finally:
        await response.aclose()


def raw_chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body as it came over the wire, not decoded."""
    stream: Any = response.stream
    return stream.__aiter__()  # type: ignore[no-any-return]


def retry_after_s(text: str) -> float | None:
    """Seconds from a Retry-After header, in seconds or as a date (RFC 9110, section 10.2.3); None for now.

    Who leaves a second's fraction out says 0: all tries at once would meet the same.
    """
    if len(text) > _LONGEST_DATE:
        return None
    if text.isascii() and text.isdecimal():
        return min(float(text), _LONGEST_WAIT_S) or None
    try:
        when = email.utils.parsedate_to_datetime(text)
        # Without a zone it means the same as with GMT; Python would take it for this machine's time.
        seconds = when.replace(tzinfo=when.tzinfo or datetime.timezone.utc).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):  # the parser raises what happens to it
        return None
    return min(max(0.0, seconds - time.time()), _LONGEST_WAIT_S) or None

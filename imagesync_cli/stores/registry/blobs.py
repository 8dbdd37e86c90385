"""Blobs of one repository: streamed out with resumption, streamed in with as few requests as the registry allows.

distribution-spec v1.1: pulling blobs (end-2), pushing blobs (end-4 to end-6), mounting (end-11).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any

import httpx

from imagesync_cli.concurrency import finish
from imagesync_cli.stores.registry.client import Client, Stream
from imagesync_cli.stores.store import Written
from imagesync_cli.stores.transport import tally
from imagesync_cli.stores.transport.http import raw_chunks
from imagesync_cli.stores.transport.patience import fast_enough
from imagesync_cli.stores.transport.retry import Budget, persist
from imagesync_cli.values.digest import Verifier
from imagesync_cli.values.errors import ContentError, Denied, ImagesyncError, NotFound, Refused, Unavailable
from imagesync_cli.values.manifest import Descriptor

if TYPE_CHECKING:
    from imagesync_cli.stores.registry.tokens import Scopes

CHUNK_BYTES = 8 * 1024 * 1024
# Where connections break, the less there is to send again the better; so often an upload in one piece is tried before.
SMALL_CHUNK_BYTES = 1024 * 1024
_MOST_BROKEN = 2
# Up to two such waits follow each other, and all of a run is to end within 2 s of a signal.
_CANCEL_TIMEOUT_S = 0.9
# Resuming costs a request: a connection that brings less than this does not count as progress.
_PROGRESS_BYTES = 64 * 1024
# Registries hash a blob, or move it to where it is to stay, before they say that they have it.
_COMMITTED_BYTES_A_SECOND = 20 * 1024 * 1024
# Ways to say that a body must come in pieces, or not in this way.
_TOO_LARGE_AT_ONCE = frozenset({405, 411, 413, 501})
# What an upload session answers that is there no longer, or has another offset than ours.
_LOST_SESSION = frozenset({404, 416})


class BlobReader:
    """Streams blobs out of a repository; every byte is checked before the last one is given away."""

    def __init__(self, client: Client, repository: str, name: str, scopes: Scopes) -> None:
        self._client = client
        self._path = f"/v2/{repository}/blobs/"
        self._name = name
        self._scopes = scopes

    async def read(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        """Yield the blob. The last chunk is held back until size and digest are right; else ContentError.

        A connection that breaks is replaced and the blob continued by Range as long as bytes keep coming.
        """
        verifier, last = Verifier(blob.digest, blob.size), b""
        try:
            async with contextlib.aclosing(self._unbroken(blob)) as chunks:
                async for chunk in chunks:
                    verifier.update(chunk)
                    if verifier.complete:
                        last = chunk
                    else:
                        yield chunk
            verifier.check()
        except ImagesyncError as error:
            error.during(self._doing(blob))
            raise
        if last:
            yield last

    async def size(self, blob: Descriptor) -> int | None:
        """The length that one HEAD request tells, or the head of a GET where HEAD is refused (end-2); None if none."""
        try:
            response = await self._look(blob, "HEAD")
        except (Denied, Refused) as error:
            # As for manifests: some allow or know GET alone, and a real refusal is repeated there, with its reason.
            if isinstance(error, Refused) and error.status not in (400, 405, 501):
                raise
            response = await self._look(blob, "GET")
        await response.aclose()
        length = response.headers.get("content-length", "")
        return int(length) if re.fullmatch("[0-9]{1,18}", length) else None

    async def _look(self, blob: Descriptor, method: str) -> httpx.Response:
        doing = f"looking up blob {blob.digest} of {self._name}"
        return await self._client.send(method, self._path + blob.digest, doing=doing, scopes=self._scopes)

    async def _unbroken(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        """As many bytes as the blob has, from as many connections as that takes."""
        seen_bytes, budget, pieces = 0, Budget(), 0
        while seen_bytes < blob.size:
            start, broken = seen_bytes, Unavailable("the body ended early")
            response = await self._open(blob, start)
            pieces += start > 0
            if pieces == 1:
                tally.resumed()
            try:
                async for chunk in _from(fast_enough(raw_chunks(response)), start, blob.size, response):
                    seen_bytes += len(chunk)
                    yield chunk
                if seen_bytes < blob.size and "content-length" in response.headers:
                    # Nothing broke off: the registry gave all that it has.
                    raise ContentError(f"it has {seen_bytes} bytes, its descriptor says {blob.size}")
            except Unavailable as error:
                broken = error
            finally:
                await response.aclose()
            if seen_bytes < blob.size:
                if seen_bytes - start >= _PROGRESS_BYTES:
                    budget.renew()
                await budget.spend(broken)

    def _address(self, blob: Descriptor) -> str | httpx.URL:
        return self._path + blob.digest

    def _doing(self, blob: Descriptor) -> str:
        return f"reading blob {blob.digest} from {self._name}"

    async def _open(self, blob: Descriptor, start: int) -> httpx.Response:
        response = await self._client.send(
            "GET",
            self._address(blob),
            doing=self._doing(blob),
            scopes=self._scopes,
            accept=(200, 206, 416) if start else (200,),
            # Both ends are named: the go-containerregistry registry answers 416 to an open one.
            headers={"Range": f"bytes={start}-{blob.size - 1}"} if start else None,
        )
        if response.status_code == 416:
            await response.aclose()
            raise ContentError(f"it has no byte {start}, and its descriptor says {blob.size}")
        return response


async def _from(chunks: AsyncIterator[bytes], start: int, size: int, response: httpx.Response) -> AsyncIterator[bytes]:
    """The bytes from ``start`` on: of the rest, if that is what the server sends, or of the whole blob once more."""
    if response.status_code == 206 and not _is_rest(response, start, size):
        raise Unavailable(f"{response.url.host} does not resume at byte {start}")
    skip = start if response.status_code == 200 else 0
    async for chunk in chunks:
        if len(chunk) > skip:
            yield chunk[skip:]
        skip = max(0, skip - len(chunk))


def _is_rest(response: httpx.Response, start: int, size: int) -> bool:
    """Whether a partial answer begins at ``start`` and is a part of ``size`` bytes (RFC 9110, section 14.4)."""
    found = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)", response.headers.get("content-range", ""))
    return found is not None and int(found[1]) == start and found[2] in ("*", str(size))


class BlobWriter:
    """Streams blobs into a repository: by mount, in one piece, or in chunks where that is refused."""

    def __init__(self, client: Client, repository: str, name: str, scopes: Scopes) -> None:
        self._client = client
        self._repository = repository
        self._path = f"/v2/{repository}/blobs/"
        self._name = name
        self._scopes = scopes
        self._mounts = True
        self._in_chunks = False

    async def has(self, blob: Descriptor) -> bool:
        """Whether the repository holds this blob, by one HEAD request; one that will not tell is taken for a no."""
        try:
            response = await self._send("HEAD", self._path + blob.digest, blob)
        except (NotFound, Denied, Refused):
            return False
        await response.aclose()
        return True

    async def write(self, blob: Descriptor, content: Stream, sibling: str = "", *, anew: bool = False) -> Written:
        """Make sure that the repository holds the blob; ``content`` is called for each time it must be sent.

        ``sibling`` is a repository on the same registry that has the blob, or "". A failed upload starts again with
        the question whether the blob is there, so that one which only lost its answer is not sent twice; ``anew``
        does not ask. One that breaks off again and again is sent in chunks, which can be continued.
        """
        broken = 0

        async def attempt() -> Written:
            nonlocal broken
            chunk_bytes = SMALL_CHUNK_BYTES if broken >= _MOST_BROKEN else CHUNK_BYTES * self._in_chunks
            session = await self._opened(self._open(blob) if anew else self._begin(blob, sibling), blob)
            if isinstance(session, Written):
                return session
            try:
                await self._fill(session, blob, content, chunk_bytes)
            except BaseException as error:
                # An answer, whatever it says, is no line that breaks.
                broken += isinstance(error, Unavailable) and not error.status and blob.size > SMALL_CHUNK_BYTES
                await self._cancel(session, blob)
                raise
            return Written.SENT

        return await persist(attempt)

    async def _opened(self, opening: Coroutine[Any, Any, httpx.URL | Written], blob: Descriptor) -> httpx.URL | Written:
        """What opens a session is not left halfway: only its answer says where the session can be given up."""
        task = asyncio.ensure_future(opening)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await finish(_CANCEL_TIMEOUT_S, task)
            if task.done() and task.exception() is None and isinstance(session := task.result(), httpx.URL):
                await self._cancel(session, blob)
            raise

    async def _begin(self, blob: Descriptor, sibling: str) -> httpx.URL | Written:
        """Ask for a mount, from the repository itself if there is no sibling: "is it there?" and "I upload" in one.

        201 is a blob that is there; 202 opens a session (distribution-spec, end-11).
        """
        if self._mounts:
            source = sibling or self._repository
            mounts_from = (f"repository:{sibling}:pull",) if sibling else ()
            response = await self._send(
                "POST",
                f"{self._path}uploads/?mount={blob.digest}&from={source}",
                blob,
                accept=(201, 202, 400, 403, 404, 405, 415, 422),
                scopes=(*self._scopes, *mounts_from),
            )
            await response.aclose()
            if response.status_code == 201:
                return Written.MOUNTED if sibling else Written.THERE
            if response.status_code == 202:
                return self._location(response)
            self._mounts = False
        return Written.THERE if await self.has(blob) else await self._open(blob)

    async def _open(self, blob: Descriptor) -> httpx.URL:
        response = await self._send("POST", f"{self._path}uploads/", blob, accept=(202,))
        await response.aclose()
        return self._location(response)

    async def _fill(self, session: httpx.URL, blob: Descriptor, content: Stream, chunk_bytes: int) -> None:
        if chunk_bytes:
            await self._in_pieces(session, blob, content, chunk_bytes)
            return
        try:
            await self._put(session, blob, content, blob.size)
        except Refused as error:
            if error.status not in _TOO_LARGE_AT_ONCE:
                raise
            self._in_chunks = True
            raise Unavailable(f"{error.message}; sending it in chunks", retry_after_s=0) from error

    async def _in_pieces(self, session: httpx.URL, blob: Descriptor, content: Stream, chunk_bytes: int) -> None:
        sent_bytes = 0
        async with contextlib.aclosing(content()) as stream:
            async for piece in _pieces(stream, chunk_bytes):
                session = await self._piece(session, blob, piece, sent_bytes)
                sent_bytes += len(piece)
        await self._put(session, blob, None, 0)

    async def _piece(self, session: httpx.URL, blob: Descriptor, piece: bytes, start: int) -> httpx.URL:
        """Send a piece; one that breaks off goes on where the registry says that it has come to (end-5, end-13)."""
        budget, done = Budget(), 0
        while done < len(piece):
            try:
                return await self._patch(session, blob, piece[done:], start + done)
            except Unavailable as error:
                await budget.spend(error)
            session, has_bytes = await self._progress(session, blob, start + done)
            if not start + done <= has_bytes <= start + len(piece):
                raise Unavailable(f"{self._name} has {has_bytes} bytes of {blob.digest}: the upload is lost")
            if has_bytes > start + done:
                budget.renew()
            done = has_bytes - start
        return session

    async def _patch(self, session: httpx.URL, blob: Descriptor, piece: bytes, start: int) -> httpx.URL:
        headers = {"Content-Type": "application/octet-stream", "Content-Range": f"{start}-{start + len(piece) - 1}"}
        # ECR answers 201.
        response = await self._send(
            "PATCH", session, blob, accept=(201, 202, 204), headers=headers, body=piece, again=False
        )
        await response.aclose()
        return self._location(response)

    async def _progress(self, session: httpx.URL, blob: Descriptor, expected: int) -> tuple[httpx.URL, int]:
        """Where to go on, and how many bytes are there: as ``expected`` where the registry does not tell."""
        response = await self._send("GET", session, blob, accept=(200, 204, 400, 405, 501))
        await response.aclose()
        found = re.fullmatch(r"(?:bytes=)?0-([0-9]{1,18})", response.headers.get("range", ""))
        if response.status_code not in (200, 204) or found is None:
            return session, expected
        location = self._location(response) if "location" in response.headers else session
        return location, int(found[1]) + 1 if found[1] != "0" else 0  # "0-0" is also said of nothing

    async def _put(self, session: httpx.URL, blob: Descriptor, content: Stream | None, size_bytes: int) -> None:
        query = f"{session.query.decode('ascii')}&" if session.query else ""
        response = await self._send(
            "PUT",
            session.copy_with(query=f"{query}digest={blob.digest}".encode("ascii")),
            blob,
            accept=(201, 202, 204),
            headers={"Content-Type": "application/octet-stream"},
            body=content or b"",
            size_bytes=size_bytes,
            again=False,
            longer_s=blob.size / _COMMITTED_BYTES_A_SECOND,
        )
        await response.aclose()
        stored = response.headers.get("docker-content-digest", blob.digest)
        if stored != blob.digest and stored.partition(":")[0] == blob.digest.partition(":")[0]:
            raise ContentError(f"writing blob {blob.digest} to {self._name}: the registry stored {stored}")

    async def _cancel(self, session: httpx.URL, blob: Descriptor) -> None:
        """Give up a session, even while this copy is itself given up; if that fails, the registry forgets it."""
        if await finish(_CANCEL_TIMEOUT_S, asyncio.ensure_future(self._forget(session, blob))):
            raise asyncio.CancelledError

    async def _forget(self, session: httpx.URL, blob: Descriptor) -> None:
        with contextlib.suppress(ImagesyncError):
            # distribution wants the action delete for this, although nothing is deleted.
            scopes = (f"{self._scopes[0].removesuffix(',delete')},delete",)
            accept = (200, 202, 204)
            response = await self._send("DELETE", session, blob, accept=accept, scopes=scopes, again=False)
            await response.aclose()

    def _location(self, response: httpx.Response) -> httpx.URL:
        location = response.headers.get("location", "")
        if not location:
            raise Unavailable(f"{self._name} opens an upload without a location", may_pass=False)
        return self._client.resolve_location(response.url, location)

    async def _send(
        self,
        method: str,
        target: str | httpx.URL,
        blob: Descriptor,
        *,
        accept: tuple[int, ...] = (200,),
        scopes: Scopes | None = None,
        headers: dict[str, str] | None = None,
        body: bytes | Stream = b"",
        size_bytes: int | None = None,
        again: bool = True,
        longer_s: float = 0.0,
    ) -> httpx.Response:
        doing = f"writing blob {blob.digest} to {self._name}"
        try:
            return await self._client.send(
                method,
                target,
                doing=doing,
                scopes=scopes or self._scopes,
                accept=accept,
                headers=headers,
                body=body,
                size_bytes=size_bytes,
                again=again,
                longer_s=longer_s,
                is_upload=method in ("PUT", "PATCH"),
            )
        except (NotFound, Refused) as error:
            lost = isinstance(error, NotFound) or error.status in _LOST_SESSION
            if lost and method in ("GET", "PUT", "PATCH") and error.step == doing:  # not an error of the source
                raise Unavailable(f"{error.message}; the upload is lost") from error
            if "DIGEST_INVALID" in error.codes and method == "PUT":  # we have checked what we sent
                raise ContentError(f"{error.message}; it was damaged on the way") from error
            raise


async def _pieces(stream: AsyncIterator[bytes], size_bytes: int) -> AsyncIterator[bytes]:
    """The same bytes in pieces of exactly ``size_bytes``, the last one shorter."""
    piece = bytearray()
    async for chunk in stream:
        piece += chunk
        while len(piece) >= size_bytes:
            yield bytes(piece[:size_bytes])
            del piece[:size_bytes]
    if piece:
        yield bytes(piece)

"""One upload of one blob: in one piece, or in several where that is refused (distribution-spec v1.1, end-4 to end-6).

It knows the session that the registry has opened; whether one is needed at all is writer.py's question.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncGenerator
from typing import Any

import httpx

from imagesync_cli.concurrency import finish, having
from imagesync_cli.stores.registry.client import OneRepository, Stream
from imagesync_cli.stores.transport import retry
from imagesync_cli.stores.transport.limits.host_limit import is_kept, is_needed
from imagesync_cli.values.errors import ContentError, ImagesyncError, NotFound, Refused, Unavailable
from imagesync_cli.values.manifest import Descriptor

CHUNK_BYTES = 8 * 1024 * 1024
# Where connections break, the less there is to send again the better.
SMALL_CHUNK_BYTES = 1024 * 1024
# A registry may ask for pieces that are larger than ours would be by now, up to this; ECR's are 5 MiB.
_LARGEST_PIECE_BYTES = 8 * 1024 * 1024
# It may also take none but smaller ones, down to this.
_SMALLEST_PIECE_BYTES = 64 * 1024
# Up to two such waits follow each other, and all of a run is to end within 2 s of a signal.
CANCEL_TIMEOUT_S = 0.9
# distribution 3.1.1 takes a DELETE at the newest Location alone, and that changes until it has seen the connection end.
_CANCEL_AGAIN_AFTER_S = (0.02, 0.1, 0.3)
# Registries hash a blob, or move it to where it is to stay, before they say that they have it.
_COMMITTED_BYTES_A_SECOND = 20 * 1024 * 1024
# Ways to say that a body must come in pieces, or not in this way.
_TOO_LARGE_AT_ONCE = frozenset({405, 411, 413, 501})
# What an upload session answers that is there no longer, or has another offset than ours.
_LOST_SESSION = frozenset({404, 416})


class BodySizes:
    """How much one repository takes in one request, as far as it has shown."""

    def __init__(self) -> None:
        self.whole_bytes = sys.maxsize
        self.piece_bytes = CHUNK_BYTES

    def whole_refused(self, size_bytes: int, status: int) -> None:
        """No blob of this size is taken in one piece; where its size is not the reason, none is."""
        is_size = status == 413 and size_bytes > self.piece_bytes
        self.whole_bytes = self.piece_bytes if is_size else 0

    def piece_refused(self, size_bytes: int, least_bytes: int) -> bool:
        """Go on with half of it, as long as that is not less than the registry takes; False if it is."""
        smaller = size_bytes // 2
        if smaller < max(least_bytes, _SMALLEST_PIECE_BYTES):
            return False
        self.piece_bytes = min(self.piece_bytes, smaller)
        self.whole_bytes = min(self.whole_bytes, self.piece_bytes)
        return True


class Upload:
    """An open session."""

    def __init__(self, repository: OneRepository, blob: Descriptor, opened: httpx.Response) -> None:
        self._repository, self._client = repository, repository.client
        self._blob = blob
        self._opened_at = opened.url
        self._session = self._location(opened)
        self._is_new = True  # nothing was sent to it yet
        least = opened.headers.get("oci-chunk-min-length", "")
        self._least_bytes = min(int(least), _LARGEST_PIECE_BYTES) if re.fullmatch("[0-9]{1,18}", least) else 0

    async def send(self, content: Stream, sizes: BodySizes, *, breaks: bool) -> bool:
        """Send the blob in one piece, or in several where that is refused or the line ``breaks`` again and again.

        Whether the registry names it as what it has now.
        """
        self._is_new = False
        if self._blob.size > sizes.whole_bytes or (breaks and self._blob.size > SMALL_CHUNK_BYTES):
            return await self._send_in_pieces(content, sizes, SMALL_CHUNK_BYTES if breaks else sys.maxsize)
        try:
            return await self._put(content, self._blob.size)
        except Refused as error:
            if error.status not in _TOO_LARGE_AT_ONCE:
                raise
            sizes.whole_refused(self._blob.size, error.status)
            raise Unavailable(f"{error.message}; sending it in chunks", retry_after_s=0) from error

    async def _send_in_pieces(self, content: Stream, sizes: BodySizes, most_bytes: int) -> bool:
        """One that breaks off goes on where the registry says that it has come to (end-5, end-13)."""
        budget, sent_bytes = retry.Budget(), 0
        held_bytes = max(self._least_bytes, min(sizes.piece_bytes, most_bytes))
        async with self._client.http.pieces.held(held_bytes), contextlib.aclosing(content()) as stream:
            pieces = _Pieces(stream)
            while piece := await pieces.next(max(self._least_bytes, min(sizes.piece_bytes, most_bytes))):
                try:
                    with having(is_needed, value=True):
                        taken_bytes = await self._piece(piece, sent_bytes, budget)
                except Refused as error:
                    if error.status != 413 or not sizes.piece_refused(len(piece), self._least_bytes):
                        raise
                    taken_bytes = 0
                pieces.taken(taken_bytes)
                sent_bytes += taken_bytes
        return await self._put(b"", 0)

    async def _piece(self, piece: bytes, start: int, budget: retry.Budget) -> int:
        """Send a piece; how much of it the registry has now."""
        headers = {"Content-Type": "application/octet-stream", "Content-Range": f"{start}-{start + len(piece) - 1}"}
        try:
            # ECR answers 201.
            response = await self._ask("PATCH", accept=(201, 202, 204), headers=headers, body=piece)
            self._session = self._location(response)
        except Unavailable as error:
            await budget.spend(error)
        else:
            budget.advance(start + len(piece))
            return len(piece)
        has_bytes = await self._progress(start)
        if not start <= has_bytes <= start + len(piece):
            raise Unavailable(
                f"{self._repository.name} has {has_bytes} bytes of {self._blob.digest}: the upload is lost"
            )
        budget.advance(has_bytes)
        return has_bytes - start

    async def _progress(self, expected: int) -> int:
        """How many bytes are there: as ``expected`` where the registry does not tell (end-13)."""
        response = await self._ask("GET", accept=(200, 204, 400, 405, 501))
        told = re.fullmatch(r"(?:bytes=)?0-([0-9]{1,18})", response.headers.get("range", ""))
        if response.status_code not in (200, 204) or told is None:
            return expected
        if "location" in response.headers:
            self._session = self._location(response)
        return int(told[1]) + 1 if told[1] != "0" else 0  # "0-0" is also said of nothing

    async def _put(self, content: bytes | Stream, size_bytes: int) -> bool:
        query = f"{self._session.query.decode('ascii')}&" if self._session.query else ""
        response = await self._ask(
            "PUT",
            self._session.copy_with(query=f"{query}digest={self._blob.digest}".encode("ascii")),
            accept=(201, 202, 204),
            headers={"Content-Type": "application/octet-stream"},
            body=content,
            size_bytes=size_bytes,
            longer_s=self._blob.size / _COMMITTED_BYTES_A_SECOND,
        )
        stored, wanted = response.headers.get("docker-content-digest", self._blob.digest), self._blob.digest
        if stored != wanted and stored.partition(":")[0] == wanted.partition(":")[0]:
            raise ContentError(f"{self._doing}: the registry stored {stored}")
        return names(response, self._blob)

    async def cancel(self) -> None:
        """Give up the session, even while this copy is itself given up; if that fails, the registry forgets it."""
        if await finish(CANCEL_TIMEOUT_S, asyncio.ensure_future(self._forget())):
            raise asyncio.CancelledError

    async def _forget(self) -> None:
        if not self._client.may_cancel(self._session, self._opened_at):
            return  # the blob's bytes may go to anywhere, what removes something may not
        # distribution wants the action delete for this, although nothing is deleted.
        scopes = (f"{self._repository.scopes[0].removesuffix(',delete')},delete",)
        with contextlib.suppress(ImagesyncError):
            for wait_s in _CANCEL_AGAIN_AFTER_S:
                if not self._is_new:
                    await self._progress(0)
                answer = await self._ask("DELETE", accept=(200, 202, 204, 416), scopes=scopes)
                if answer.status_code != 416:
                    return
                await retry.pause(wait_s)

    def _location(self, response: httpx.Response) -> httpx.URL:
        location = response.headers.get("location", "")
        if not location:
            raise Unavailable(f"{self._repository.name} opens an upload without a location", may_pass=False)
        return self._client.resolve_location(response.url, location)

    @property
    def _doing(self) -> str:
        return f"writing blob {self._blob.digest} to {self._repository.name}"

    async def _ask(self, method: str, target: httpx.URL | None = None, **more: Any) -> httpx.Response:
        """One request to the session; ``more`` is for ``Client.send``."""
        is_upload = method in ("PUT", "PATCH")
        try:
            return await self._repository.send(
                method, target or self._session, doing=self._doing, again=False, is_upload=is_upload, **more
            )
        except (NotFound, Refused) as error:
            lost = isinstance(error, NotFound) or error.status in _LOST_SESSION
            if lost and method != "DELETE" and error.step == self._doing:  # not an error of the source
                raise Unavailable(f"{error.message}; the upload is lost") from error
            if "DIGEST_INVALID" in error.codes and method == "PUT":  # we have checked what we sent
                raise ContentError(f"{error.message}; it was damaged on the way") from error
            raise


def names(response: httpx.Response, blob: Descriptor) -> bool:
    """Whether an answer names the blob as what is there: by its digest, or where it is (end-4b, end-6, end-11)."""
    told = (response.headers.get(name, "") for name in ("docker-content-digest", "location"))
    return blob.digest.partition(":")[2] in "\n".join(told)


class _Pieces:
    """A stream in pieces; what a registry has not taken is in the next one again."""

    def __init__(self, stream: AsyncGenerator[bytes, None]) -> None:
        self._stream = stream
        self._held = bytearray()

    async def next(self, size_bytes: int) -> bytes:
        """So many bytes, or what is left; b"" at the end."""
        with having(is_kept, value=True):
            while len(self._held) < size_bytes and (chunk := await anext(self._stream, b"")):
                self._held += chunk
        return bytes(memoryview(self._held)[:size_bytes])

    def taken(self, size_bytes: int) -> None:
        """So many bytes have arrived."""
        del self._held[:size_bytes]

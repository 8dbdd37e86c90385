"""Blobs read out of a repository, resumed where a connection breaks (distribution-spec v1.1, end-2)."""

from __future__ import annotations

import contextlib
import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator

import httpx

from imagesync_cli.stores.registry.client import OneRepository
from imagesync_cli.stores.registry.refusals import may_answer_get, note_encoding
from imagesync_cli.stores.transport.http import raw_chunks, told_length
from imagesync_cli.stores.transport.patience import fast_enough
from imagesync_cli.stores.transport.retry import Budget
from imagesync_cli.stores.transport.tally import count
from imagesync_cli.values.digest import Verifier
from imagesync_cli.values.errors import ContentError, Denied, ImagesyncError, Refused, Unavailable
from imagesync_cli.values.manifest import Descriptor


class BlobReader:
    """Streams blobs out of a repository; every byte is checked before the last one is given away."""

    def __init__(self, repository: OneRepository) -> None:
        self._repository = repository

    async def read(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        """Yield the blob. The last chunk is held back until size and digest are right; else ContentError.

        A connection that breaks is replaced and the blob continued by Range as long as bytes keep coming.
        """
        verifier, answers = Verifier(blob.digest, blob.size), deque[httpx.Response](maxlen=1)
        try:
            async with contextlib.aclosing(self._unbroken(blob, answers)) as chunks:
                async for chunk in chunks:
                    if right := verifier.update(chunk):
                        yield right
            last = verifier.check()
        except ImagesyncError as error:
            error.during(self._doing(blob))
            for response in answers:
                note_encoding(error, response)
            raise
        if last:
            yield last

    async def size(self, blob: Descriptor) -> int | None:
        """The length that one HEAD request tells, or the head of a GET where HEAD is refused (end-2); None if none."""
        try:
            response = await self._look("HEAD", blob)
        except (Denied, Refused) as error:
            if not may_answer_get(error):
                raise
            response = await self._look("GET", blob)
        return told_length(response.headers)

    async def _look(self, method: str, blob: Descriptor) -> httpx.Response:
        doing = f"looking up blob {blob.digest} of {self._repository.name}"
        return await self._repository.send(method, self._address(blob), doing=doing)

    async def _unbroken(self, blob: Descriptor, answers: deque[httpx.Response]) -> AsyncGenerator[bytes, None]:
        """As many bytes as the blob has, from as many connections as that takes; ``answers`` keeps the last answer."""
        seen_bytes, budget, pieces = 0, Budget(), 0
        while seen_bytes < blob.size:
            start, broken = seen_bytes, Unavailable("the body ended early")
            response = await self._open(blob, start)
            answers.append(response)
            pieces += start > 0
            if pieces == 1:
                count(resumed=1)
            try:
                _check_length(response, blob)
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
                budget.advance(seen_bytes)
                await budget.spend(broken)

    def _address(self, blob: Descriptor) -> str | httpx.URL:
        return f"blobs/{blob.digest}"

    def _doing(self, blob: Descriptor) -> str:
        return f"reading blob {blob.digest} from {self._repository.name}"

    async def _open(self, blob: Descriptor, start: int) -> httpx.Response:
        response = await self._repository.send(
            "GET",
            self._address(blob),
            doing=self._doing(blob),
            accept=(200, 206, 416) if start else (200,),
            # Both ends are named: the go-containerregistry registry answers 416 to an open one.
            headers={"Range": f"bytes={start}-{blob.size - 1}"} if start else None,
            with_body=True,
        )
        if response.status_code == 416:
            await response.aclose()
            raise ContentError(f"it has no byte {start}, and its descriptor says {blob.size}")
        return response


def _check_length(response: httpx.Response, blob: Descriptor) -> None:
    """Refuse a whole answer that is said to be longer: after the last byte, nobody would know how long to wait."""
    if response.status_code == 200 and (told_length(response.headers) or 0) > blob.size:
        raise ContentError(f"{blob.digest} is longer than the {blob.size} bytes its descriptor names")


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
    told = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)", response.headers.get("content-range", ""))
    return told is not None and int(told[1]) == start and told[2] in ("*", str(size))

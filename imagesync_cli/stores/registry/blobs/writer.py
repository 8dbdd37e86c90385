"""Blobs written into a repository, with as few requests as the registry allows: there already, mounted, or sent.

distribution-spec v1.1: mounting (end-11), opening an upload (end-4a); the upload itself is upload.py's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import httpx

from imagesync_cli.concurrency import finish
from imagesync_cli.stores.registry.blobs.upload import CANCEL_TIMEOUT_S, BodySizes, Upload, names
from imagesync_cli.stores.registry.client import OneRepository, Stream
from imagesync_cli.stores.store import Written
from imagesync_cli.stores.transport.http import told_length
from imagesync_cli.stores.transport.retry import persist
from imagesync_cli.values.errors import Denied, NotFound, Refused, Unavailable
from imagesync_cli.values.manifest import Descriptor

# So often an upload in one piece may break off before it is sent in small ones.
_MOST_BROKEN = 2


class BlobWriter:
    """Writes the blobs of one repository, and remembers how it takes them."""

    def __init__(self, repository: OneRepository) -> None:
        self._repository = repository
        self._mounts = True
        self._closed: set[str] = set()  # siblings that we may not mount from
        self._sizes = BodySizes()

    async def has(self, blob: Descriptor) -> bool:
        """Whether the repository holds this blob, by one HEAD request; one that will not tell is taken for a no.

        So is another length than the blob's: what a full disk cut short is there, and is no such blob.
        """
        try:
            response = await self._repository.send("HEAD", f"blobs/{blob.digest}", doing=self._doing(blob))
        except (NotFound, Denied, Refused):
            return False
        return response.is_success and told_length(response.headers) in (None, blob.size)

    async def write(self, blob: Descriptor, content: Stream, sibling: str = "", *, anew: bool = False) -> Written:
        """Make sure that the repository holds the blob; ``content`` is called for each time it must be sent.

        ``sibling`` is a repository on the same registry that has the blob, or "". A failed upload starts again with
        the question whether the blob is there, so that one which only lost its answer is not sent twice; ``anew``
        does not ask. One that breaks off again and again is sent in chunks, which can be continued.
        """
        broken = 0

        async def attempt() -> Written:
            nonlocal broken
            opened = await self._opened(self._open(blob) if anew else self._begin(blob, sibling))
            if isinstance(opened, Written):
                return opened
            try:
                is_named = await opened.send(content, self._sizes, breaks=broken >= _MOST_BROKEN)
            except BaseException as error:
                # An answer, whatever it says, is no line that breaks.
                broken += isinstance(error, Unavailable) and not error.status
                await opened.cancel()
                raise
            if not is_named and await self._lacks(blob):
                raise Unavailable(f"{self._doing(blob)}: the registry took it, and does not have it")
            return Written.SENT

        return await persist(attempt)

    async def _opened(self, opening: Coroutine[Any, Any, Upload | Written]) -> Upload | Written:
        """What opens a session is not left halfway: only its answer says where the session can be given up."""
        task = asyncio.ensure_future(opening)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await finish(CANCEL_TIMEOUT_S, task)
            if task.done() and task.exception() is None and isinstance(opened := task.result(), Upload):
                await opened.cancel()
            raise

    async def _begin(self, blob: Descriptor, sibling: str) -> Upload | Written:
        """Ask for a mount, from the repository itself if there is no sibling: "is it there?" and "I upload" in one.

        201 is a blob that is there; 202 opens a session (distribution-spec, end-11).
        """
        if not self._mounts or sibling in self._closed:
            return Written.THERE if await self.has(blob) else await self._open(blob)
        try:
            response = await self._mount(blob, sibling)
        except Denied:
            # Perhaps only what is mounted from is not ours to read. If it is more, the upload is denied as well.
            self._closed.add(sibling)
            return await self._begin(blob, sibling)
        if response.status_code == 201 and (names(response, blob) or not await self._lacks(blob)):
            return Written.MOUNTED if sibling else Written.THERE
        if response.status_code == 202:
            upload = Upload(self._repository, blob, response)
            return await self._unless_there(blob, upload) if sibling else upload
        self._mounts = False
        return await self._begin(blob, sibling)

    async def _lacks(self, blob: Descriptor) -> bool:
        """Whether it is not there: asked where a success does not name the blob, as a proxy's own would not."""
        try:
            await self._repository.send("HEAD", f"blobs/{blob.digest}", doing=self._doing(blob))
        except NotFound:
            return True
        except (Denied, Refused):
            pass  # who may push may not look
        return False

    async def _mount(self, blob: Descriptor, sibling: str) -> httpx.Response:
        mounts_from = (f"repository:{sibling}:pull",) if sibling else ()
        return await self._repository.send(
            "POST",
            f"blobs/uploads/?mount={blob.digest}&from={sibling or self._repository.repository}",
            doing=self._doing(blob),
            accept=(201, 202, 400, 404, 405, 415, 422),
            scopes=(*self._repository.scopes, *mounts_from),
        )

    async def _unless_there(self, blob: Descriptor, upload: Upload) -> Upload | Written:
        """A server that mounts nothing may have the blob all the same: crane's registry has one store for everything.

        It locks that while it reads an upload, so that one whose bytes come from it would never end (crane 0.22).
        """
        if not await self.has(blob):
            return upload
        await upload.cancel()
        return Written.THERE

    async def _open(self, blob: Descriptor) -> Upload:
        opened = await self._repository.send("POST", "blobs/uploads/", doing=self._doing(blob), accept=(202,))
        return Upload(self._repository, blob, opened)

    def _doing(self, blob: Descriptor) -> str:
        return f"writing blob {blob.digest} to {self._repository.name}"

"""An OCI image layout folder as a store (OCI image-spec v1.1, image-layout.md).

Files appear complete or not at all (new_file.py). index.json is changed last, when all that it names is on the disk,
under a lock that other processes respect, and never replaced when it cannot be read. All names are opened from the
folder, and no link in it is followed (folder.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from imagesync_cli.concurrency import take_room
from imagesync_cli.stores.files.folder import Folder, Place
from imagesync_cli.stores.files.layout_files import LayoutFiles
from imagesync_cli.stores.files.layout_index import INDEX_FILE, LAYOUT, LAYOUT_FILE, Index, Writing, blob_name
from imagesync_cli.stores.files.lock import locked
from imagesync_cli.stores.files.new_file import flush_folder, new_file, sweep
from imagesync_cli.stores.store import Content, Store, Untagged, Written
from imagesync_cli.values.digest import ALGORITHMS, Digest, parse_digest, verified
from imagesync_cli.values.errors import ContentError
from imagesync_cli.values.manifest import Descriptor, Manifest
from imagesync_cli.values.reference import LayoutReference

_READ_BYTES = 1024 * 1024
_LOCK_FILE = ".imagesync.lock"


class Layout(LayoutFiles):
    """A layout folder; it is made by the first write."""

    _is_folder = True

    def __init__(self, reference: LayoutReference, max_manifest_bytes: int) -> None:
        super().__init__(reference.name, max_manifest_bytes)
        self._folder = Folder(Path(reference.path))

    async def read_blob(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        """Yield the file's bytes, the last chunk only when size and digest are right."""
        with self._readable(blob.digest), self._folder.file(blob_name(blob.digest)) as file:
            for chunk in verified(iter(lambda: file.read(_READ_BYTES), b""), blob.digest, blob.size):
                yield chunk

    async def has_blob(self, blob: Descriptor) -> bool:
        with contextlib.suppress(OSError):
            return self._folder.status(blob_name(blob.digest)).st_size == blob.size
        return False

    async def blob_size(self, blob: Descriptor) -> int | None:
        with self._readable(blob.digest):
            return self._folder.status(blob_name(blob.digest)).st_size

    async def write_blob(self, blob: Descriptor, content: Content, origin: Store, *, anew: bool = False) -> Written:
        if not anew and await self.has_blob(blob):
            return Written.THERE
        async with contextlib.aclosing(content()) as chunks:
            with Writing(self.name), self._new(blob_name(blob.digest)) as file:
                async for chunk in chunks:
                    file.write(chunk)
        return Written.SENT

    async def put_manifest(self, manifest: Manifest, tag: str = "") -> bool:
        """Write the manifest's file and, with a tag, its entry in index.json in place of the tag's old one.

        A referrer has to be listed under its subject's tag, as regctl does in a layout and oras finds it too.
        """
        with Writing(self.name):
            self._write(blob_name(manifest.digest), manifest.content)
            if not tag:
                return False
            async with self._locked():
                self._check_complete(manifest, tag)
                self._write_index(self.index().tagged(manifest, tag))
        return False

    async def untag(self, tag: str, digest: str) -> Untagged:
        """Take the tag's entry out of index.json if it is on this digest; the files stay."""
        with Writing(self.name):
            async with self._locked():
                index = self.index()
                others = [one for one in index.entries if one.spelled != tag or one.target.digest != digest]
                if len(others) == len(index.entries):
                    return Untagged.ABSENT
                self._write_index(index.of(others))
                return Untagged.DONE

    async def delete_manifest(self, digest: str, tags: Collection[str] = ()) -> str:
        """Remove the manifest's entry if it has one without a tag, its file, and the blobs that only it used.

        Nobody collects garbage in a folder, so this does: under the lock, and what index.json reaches by then stays.
        What another process has written and not yet named there may go; it finds out and writes it again
        (``put_manifest``).
        """
        with Writing(self.name):
            async with self._locked():
                index = self.index()
                others = [one for one in index.entries if one.target.digest != digest or one.spelled]
                used = self._reached(one.target.digest for one in others)
                if digest in used:
                    return "an image that came meanwhile uses it"
                if len(others) != len(index.entries):
                    self._write_index(index.of(others))
                self._remove(parse_digest(digest), used)
        return ""

    # The folder's files.

    def _write_index(self, index: Index) -> None:
        self._write(LAYOUT_FILE, LAYOUT)
        self._settle()
        self._write(INDEX_FILE, bytes(index))
        with self._folder.place("") as here:
            flush_folder(here)
        flush_folder(Place(str(self._folder.path.absolute())))

    def _settle(self) -> None:
        """Make all that was renamed here outlast a power failure, and remove what dead writers have left."""
        for beside in (*(f"blobs/{algorithm}/" for algorithm in ALGORITHMS), "blobs/", ""):
            with contextlib.suppress(FileNotFoundError), self._folder.place(beside) as here:
                flush_folder(here)
                sweep(here)

    def _remove(self, digest: Digest, used: Collection[str]) -> None:
        try:
            manifest = self._manifest(digest)
        except FileNotFoundError:
            return
        for blob in (*(blob.digest for blob in manifest.blobs if blob.digest not in used), digest):
            self._folder.unlink(blob_name(blob))

    def _file(self, name: str, most_bytes: int | None = None) -> bytes:
        limit_bytes = min(filter(None, (most_bytes, self._max_manifest_bytes)))
        with self._folder.file(name) as file:
            content = file.read(limit_bytes + 1)
        take_room(content)
        if len(content) > limit_bytes:
            raise ContentError(f"{self._where(name)} is longer than the {limit_bytes} bytes that it may have")
        return content

    def _where(self, name: str) -> str:
        return str(self._folder.path / name)

    def _has(self, blob: Descriptor) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return bool(self._folder.status(blob_name(blob.digest)))
        return False

    @contextlib.contextmanager
    def _new(self, name: str) -> Iterator[BinaryIO]:
        with self._folder.place(name, make=True) as place, new_file(place) as file:
            yield file

    def _write(self, name: str, content: bytes) -> None:
        with self._new(name) as file:
            file.write(content)

    @contextlib.asynccontextmanager
    async def _locked(self) -> AsyncIterator[None]:
        with self._folder.place(_LOCK_FILE, make=True) as place:
            async with locked(place, self.name):
                yield

"""An OCI image layout folder as a store (OCI image-spec v1.1, image-layout.md).

Files appear complete or not at all (new_file.py). index.json is changed last, when all that it names is on the disk,
under a lock that other processes respect, and never replaced when it cannot be read. All names are opened from the
folder, and no link in it is followed (folder.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from imagesync_cli.concurrency import take_room
from imagesync_cli.stores.files.folder import Folder, Place
from imagesync_cli.stores.files.layout_index import (
    INDEX_FILE,
    LAYOUT,
    LAYOUT_FILE,
    Index,
    Reading,
    Writing,
    blob_name,
    described,
    find_entry,
    lacking,
    listed_under,
    reached,
    read_index,
    referring,
    went_missing,
)
from imagesync_cli.stores.files.lock import locked
from imagesync_cli.stores.files.new_file import flush_folder, new_file, sweep
from imagesync_cli.stores.store import Content, Store, Untagged, Written
from imagesync_cli.values.digest import ALGORITHMS, Digest, is_digest, parse_digest, verified
from imagesync_cli.values.errors import ContentError
from imagesync_cli.values.manifest import Descriptor, Manifest, parse_manifest
from imagesync_cli.values.reference import LayoutReference

_READ_BYTES = 1024 * 1024
_LOCK_FILE = ".imagesync.lock"


class Layout:
    """A layout folder; it is made by the first write."""

    drops_untagged = False

    def __init__(self, reference: LayoutReference, max_manifest_bytes: int) -> None:
        self.name = reference.name
        self._folder = Folder(Path(reference.folder))
        self._max_manifest_bytes = max_manifest_bytes

    def warm(self, count: int) -> None:
        """Nothing: files are there."""

    async def head(self, wanted: str) -> Descriptor:
        """The entry for the tag, or the manifest with the digest; "" means the only image or the tag latest."""
        return (await self.manifest(wanted)).descriptor

    async def manifest(self, wanted: str, most_bytes: int | None = None) -> Manifest:
        """The manifest's file, checked against its digest."""
        with self._readable(wanted):
            if is_digest(wanted):
                return parse_manifest(self._read(blob_name(wanted), most_bytes), digest=wanted)
            found = find_entry(self._index(), wanted, self.name, self._manifest_file)
            content = self._read(blob_name(found.digest), most_bytes)
            return parse_manifest(content, found.media_type, digest=found.digest)

    async def has_manifest(self, manifest: Descriptor) -> bool:
        """Whether the manifest's file is there, and all that it names: what a delete has been at is not there."""
        with self._readable(manifest.digest), contextlib.suppress(FileNotFoundError):
            found = parse_manifest(self._read(blob_name(manifest.digest)), digest=manifest.digest)
            return not self._lacking(found)
        return False

    async def read_blob(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        """Yield the file's bytes, the last chunk only when size and digest are right."""
        with self._readable(blob.digest), self._folder.file(blob_name(blob.digest)) as file:
            for chunk in verified(iter(lambda: file.read(_READ_BYTES), b""), blob.digest, blob.size):
                yield chunk

    async def has_blob(self, blob: Descriptor) -> bool:
        """Whether the file is there with the right size."""
        with contextlib.suppress(OSError):
            return self._folder.status(blob_name(blob.digest)).st_size == blob.size
        return False

    async def blob_size(self, blob: Descriptor) -> int | None:
        """The file's size."""
        with self._readable(blob.digest):
            return self._folder.status(blob_name(blob.digest)).st_size

    async def write_blob(self, blob: Descriptor, content: Content, origin: Store, *, anew: bool = False) -> Written:
        """Write the file, unless it is there."""
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
                # Another process may have removed, as unused, what this one found there and did not write again.
                if missing := self._lacking(manifest):
                    raise went_missing(f"{self.name}: {missing} was removed while {tag} was being written")
                self._write_index(self._index().tagged(manifest, tag))
        return False

    async def tags(self, *, sound_only: bool = False, must_exist: bool = False) -> Mapping[str, Descriptor | None]:
        """Every name in index.json that keeps an image: its tag, or its digest where it has none."""
        with self._readable(""):
            if must_exist:
                self._folder.status(INDEX_FILE)
            return described(self._index(), self.name)

    async def tagged(self, tags: Iterable[str], advance: Callable[[], None] | None = None) -> Mapping[str, Descriptor]:
        """The entries for these names."""
        wanted = set(tags)
        return {tag: told for tag, told in (await self.tags()).items() if told is not None and tag in wanted}

    async def referrers(self, digest: str) -> list[Descriptor]:
        """The entries of index.json whose subject this is: where oras keeps them."""
        with self._readable(""):
            return referring(self._index(), digest, self._manifest_file)

    async def listed(self, tag: str) -> Manifest | None:
        """The index under this tag."""
        with self._readable(tag):
            return listed_under(self._index(), tag, self._manifest_file)

    async def untag(self, tag: str, digest: str) -> Untagged:
        """Take the tag's entry out of index.json if it is on this digest; the files stay."""
        with Writing(self.name):
            async with self._locked():
                index = self._index()
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
                index = self._index()
                others = [one for one in index.entries if one.target.digest != digest or one.spelled]
                used = reached((one.target.digest for one in others), self._manifest_file)
                if digest in used:
                    return "an image that came meanwhile uses it"
                if len(others) != len(index.entries):
                    self._write_index(index.of(others))
                self._remove(parse_digest(digest), used)
        return ""

    # The folder's files.

    def _index(self) -> Index:
        """index.json; one of no images where the folder has none yet."""
        try:
            return read_index(self._read(INDEX_FILE), str(self._folder.path / INDEX_FILE))
        except FileNotFoundError:
            return Index()

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
        """Remove a manifest's file and the blobs that only it used."""
        try:
            manifest = parse_manifest(self._manifest_file(digest), digest=digest)
        except FileNotFoundError:
            return
        for blob in (*(blob.digest for blob in manifest.blobs if blob.digest not in used), digest):
            self._folder.unlink(blob_name(blob))

    def _read(self, name: str, most_bytes: int | None = None) -> bytes:
        limit_bytes = min(filter(None, (most_bytes, self._max_manifest_bytes)))
        with self._folder.file(name) as file:
            content = file.read(limit_bytes + 1)
        take_room(content)
        if len(content) > limit_bytes:
            raise ContentError(f"{self._folder.path / name} is longer than the {limit_bytes} bytes that it may have")
        return content

    def _manifest_file(self, digest: Digest) -> bytes:
        return self._read(blob_name(digest))

    def _lacking(self, manifest: Manifest) -> str:
        return lacking(manifest, self._manifest_file, self._has)

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

    def _readable(self, wanted: str) -> Reading:
        return Reading(self.name, wanted, folder=True)

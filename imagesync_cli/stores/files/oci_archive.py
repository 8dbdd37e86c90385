"""An OCI image layout in a tar file as a store (OCI image-spec v1.1, image-layout.md).

It is read where it lies. Writing makes a new file beside it: blobs as they arrive, and when a tag is put, under a lock
that other processes respect, whatever the images of the old file still need, index.json last; then the new file takes
the old one's name. Nothing is deleted from an archive.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping
from pathlib import Path

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
from imagesync_cli.stores.files.new_archive import NewArchive
from imagesync_cli.stores.files.shared_exclusive import SharedExclusive
from imagesync_cli.stores.files.tar import Tar
from imagesync_cli.stores.store import Content, Store, Untagged, Written
from imagesync_cli.values.digest import Digest, is_digest, verified
from imagesync_cli.values.errors import ContentError, Refused
from imagesync_cli.values.manifest import Descriptor, Manifest, parse_manifest
from imagesync_cli.values.reference import ArchiveReference


class OciArchive:
    """An archive file; it is made by the first tag that is put. ``close`` ends what was not."""

    drops_untagged = False

    def __init__(self, reference: ArchiveReference, max_manifest_bytes: int) -> None:
        self.name = reference.name
        self._path = Path(reference.file)
        self._max_manifest_bytes = max_manifest_bytes
        self._opened: list[Tar] = []  # the last one is the archive as it is now
        self._new: NewArchive | None = None
        self._writing = SharedExclusive()

    def close(self) -> None:
        """Let go of the file, and of what was written for a tag that was never put."""
        if self._new is not None:
            self._new.discard()
        for tar in self._opened:
            tar.close()

    def warm(self, count: int) -> None:
        """Nothing: the file is there."""

    async def head(self, wanted: str) -> Descriptor:
        """The entry for the tag, or the manifest with the digest; "" means the only image or the tag latest."""
        return (await self.manifest(wanted)).descriptor

    async def manifest(self, wanted: str, most_bytes: int | None = None) -> Manifest:
        """The manifest's bytes, checked against its digest."""
        with self._readable(wanted):
            if is_digest(wanted):
                return parse_manifest(self._manifest_file(wanted, most_bytes), digest=wanted)
            found = find_entry(self.index(), wanted, self.name, self._manifest_file)
            return parse_manifest(self._manifest_file(found.digest), found.media_type, digest=found.digest)

    async def has_manifest(self, manifest: Descriptor) -> bool:
        """Whether the manifest is there, and all that it names."""
        with self._readable(manifest.digest), contextlib.suppress(FileNotFoundError):
            found = parse_manifest(self._manifest_file(manifest.digest), digest=manifest.digest)
            return not self._lacking(found)
        return False

    async def read_blob(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        """Yield the member's bytes, the last chunk only when size and digest are right."""
        with self._readable(blob.digest):
            tar = self._tar()
            chunks = tar.chunks(tar.member(blob_name(blob.digest)))
            for chunk in verified(chunks, blob.digest, blob.size):
                yield chunk

    async def has_blob(self, blob: Descriptor) -> bool:
        """Whether the blob is there, or will be, with the right size."""
        with self._readable(blob.digest):
            return self._has(blob)

    async def blob_size(self, blob: Descriptor) -> int | None:
        """The member's size."""
        with self._readable(blob.digest):
            if self._is_written(blob):
                return blob.size
            return self._tar().member(blob_name(blob.digest)).size

    async def write_blob(self, blob: Descriptor, content: Content, origin: Store, *, anew: bool = False) -> Written:
        """Write the blob to its place in the new file, unless the old one has it."""
        name = blob_name(blob.digest)
        if self._is_written(blob) or (not anew and self._has(blob)):
            return Written.THERE
        async with self._writing.shared(), contextlib.aclosing(content()) as chunks:
            with Writing(self.name):
                new = self._writer()
                offset = new.begin(name, blob.size)
                async for chunk in chunks:
                    new.write(offset, chunk)
                    offset += len(chunk)
                new.end(name)
        return Written.SENT

    async def put_manifest(self, manifest: Manifest, tag: str = "") -> bool:
        """Add the manifest to the new file and, with a tag, put that file in the place of the old one.

        A referrer has to be listed under its subject's tag, as in a folder.
        """
        if not tag:
            async with self._writing.shared():
                with Writing(self.name):
                    self._writer().add(blob_name(manifest.digest), manifest.content)
            return False
        # Other images may be on their way into the same file: what of them is here by now goes along.
        async with self._writing.exclusive():
            with Writing(self.name):
                await self._publish(manifest, tag)
        return False

    async def _publish(self, manifest: Manifest, tag: str) -> None:
        self._new = new = await self._writer().without_torn()
        new.add(blob_name(manifest.digest), manifest.content)
        async with locked(new.lock, self.name):
            # Another process may have replaced the archive, and left out what this one found in it.
            if missing := self._lacking(manifest):
                raise went_missing(f"{self.name}: {missing} was removed while {tag} was being written")
            index = self._index_or_new().tagged(manifest, tag)
            try:
                await self._carry(new, index)
                new.add(LAYOUT_FILE, LAYOUT)
                new.add(INDEX_FILE, bytes(index))
                new.publish()
            finally:
                # What could not be published holds an index that nobody must find in it.
                self._new = None
                new.discard()

    async def tags(self, *, sound_only: bool = False, must_exist: bool = False) -> Mapping[str, Descriptor | None]:
        """Every name in index.json that keeps an image: its tag, or its digest where it has none."""
        with self._readable(""):
            return described(self.index(), self.name)

    async def tagged(self, tags: Iterable[str], advance: Callable[[], None] | None = None) -> Mapping[str, Descriptor]:
        """The entries for these names."""
        wanted = set(tags)
        return {tag: told for tag, told in (await self.tags()).items() if told is not None and tag in wanted}

    async def referrers(self, digest: str) -> list[Descriptor]:
        """The entries of index.json whose subject this is."""
        with self._readable(""), contextlib.suppress(FileNotFoundError):
            return referring(self.index(), digest, self._manifest_file)
        return []

    async def listed(self, tag: str) -> Manifest | None:
        """The index under this tag."""
        with self._readable(tag), contextlib.suppress(FileNotFoundError):
            return listed_under(self.index(), tag, self._manifest_file)
        return None

    async def untag(self, tag: str, digest: str) -> Untagged:
        """Refused: an archive is written, carried and thrown away whole."""
        raise self._keeps()

    async def delete_manifest(self, digest: str, tags: Collection[str] = ()) -> str:
        """Refused, like untag."""
        raise self._keeps()

    def index(self) -> Index:
        """The archive's index.json."""
        tar = self._tar()
        if INDEX_FILE not in tar:
            hint = "name it as docker-archive:" if "manifest.json" in tar else ""
            raise ContentError(f"{self._path} is no OCI archive: it has no {INDEX_FILE}", hint=hint)
        return read_index(tar.read(INDEX_FILE, self._max_manifest_bytes), f"{INDEX_FILE} in {self._path}")

    # The two files.

    def _index_or_new(self) -> Index:
        try:
            return self.index()
        except FileNotFoundError:
            return Index()

    def _tar(self) -> Tar:
        if not self._opened or not self._opened[-1].is_current:
            self._opened.append(Tar(self._path))
        return self._opened[-1]

    def _writer(self) -> NewArchive:
        if self._new is None:
            self._new = NewArchive(self._path)
        return self._new

    async def _carry(self, new: NewArchive, index: Index) -> None:
        """Take over what the index reaches and the new file does not have."""
        for digest in sorted(reached((entry.target.digest for entry in index.entries), self._manifest_file)):
            with contextlib.suppress(FileNotFoundError):  # no archive yet, or one that lacks it already
                tar, name = self._tar(), blob_name(digest)
                if not new.has(name, tar.member(name).size):
                    await new.carry(name, tar)

    def _manifest_file(self, digest: Digest, most_bytes: int | None = None) -> bytes:
        if self._new is not None:
            with contextlib.suppress(FileNotFoundError):
                return self._new.read(blob_name(digest))
        limit_bytes = min(filter(None, (most_bytes, self._max_manifest_bytes)))
        return self._tar().read(blob_name(digest), limit_bytes)

    def _lacking(self, manifest: Manifest) -> str:
        return lacking(manifest, self._manifest_file, self._has)

    def _has(self, blob: Descriptor) -> bool:
        if self._is_written(blob):
            return True
        try:
            return self._tar().member(blob_name(blob.digest)).size == blob.size
        except FileNotFoundError:
            return False

    def _is_written(self, blob: Descriptor) -> bool:
        return self._new is not None and self._new.has(blob_name(blob.digest), blob.size)

    def _keeps(self) -> Refused:
        return Refused(
            f"{self.name}: nothing is deleted from an archive",
            hint='write the images that should stay into a new one; in Terraform, on_destroy = "keep"',
        )

    def _readable(self, wanted: str) -> Reading:
        return Reading(self.name, wanted)

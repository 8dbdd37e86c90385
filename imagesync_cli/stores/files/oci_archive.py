"""An OCI image layout in a tar file as a store (OCI image-spec v1.1, image-layout.md).

It is read where it lies. Writing makes a new file beside it: blobs as they arrive, and when a tag is put, under a lock
that other processes respect, whatever the images of the old file still need, index.json last; then the new file takes
the old one's name. All tags of a run that wait for that go into the same new file. What has come for tags that are
still to be put waits in a file of its own: in the archive others would take it for what is there to stay. Nothing is
deleted from an archive.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Collection, Iterable, Iterator
from pathlib import Path

from imagesync_cli.concurrency import SharedExclusive
from imagesync_cli.stores.files.layout_files import LayoutFiles
from imagesync_cli.stores.files.layout_index import INDEX_FILE, LAYOUT, LAYOUT_FILE, Index, Writing, blob_name
from imagesync_cli.stores.files.lock import locked
from imagesync_cli.stores.files.new_archive import NewArchive
from imagesync_cli.stores.files.tar import Tar
from imagesync_cli.stores.files.tar_headers import Member
from imagesync_cli.stores.store import Content, Store, Untagged, Written
from imagesync_cli.values.digest import Digest, verified
from imagesync_cli.values.errors import ContentError, Incomplete, Refused
from imagesync_cli.values.manifest import Descriptor, Manifest
from imagesync_cli.values.reference import ArchiveReference


class OpenArchive:
    """The archive as it is now, open once for all of a run who write to it.

    ``waiting`` has the tag that each of them is about to put. Who has the ``turn`` puts all that wait by then.
    """

    def __init__(self, path: Path) -> None:
        self.turn = asyncio.Lock()
        self.waiting: dict[OciArchive, tuple[Manifest, str]] = {}
        self._path = path
        self._opened: list[Tar] = []  # the last one is the archive as it is now
        self._readings = 0

    def tar(self, *, as_it_was: bool = False) -> Tar:
        if not self._opened or not (as_it_was or self._opened[-1].is_current):
            self.let_go()
            self._opened.append(Tar(self._path))
        return self._opened[-1]

    def now(self) -> Tar | None:
        """The archive as it is now, None where there is none."""
        try:
            return self.tar()
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Keep open what is open."""
        self._readings += 1
        try:
            yield
        finally:
            self._readings -= 1

    def let_go(self) -> None:
        """Close what was the archive before, unless it is being read: an open file takes its room on the disk."""
        while self._opened and not self._readings:
            self._opened.pop().close()

    def close(self) -> None:
        self._readings = 0
        self.let_go()


class OciArchive(LayoutFiles):
    """An archive file; it is made by the first tag that is put. ``close`` ends what was not."""

    def __init__(self, reference: ArchiveReference, max_manifest_bytes: int) -> None:
        super().__init__(reference.name, max_manifest_bytes)
        self._path = Path(reference.path)
        self.opened = OpenArchive(self._path)  # the same for all who write to it
        self._new: NewArchive | None = None
        self._along: list[NewArchive] = []  # those of others, while their tags are put with ours
        self._writing = SharedExclusive()

    def close(self) -> None:
        """Let go of the file, and of what was written for a tag that was never put."""
        if self._new is not None:
            self._new.discard()
        self.opened.close()

    async def read_blob(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        """Yield the member's bytes, the last chunk only when size and digest are right."""
        with self._readable(blob.digest):
            tar, member = self._stored(blob.digest)
            with self.opened.reading():
                for chunk in verified(tar.chunks(member), blob.digest, blob.size):
                    yield chunk

    async def has_blob(self, blob: Descriptor) -> bool:
        """Whether the blob is there, or will be, with the right size."""
        with self._readable(blob.digest):
            return self._has(blob)

    async def blob_size(self, blob: Descriptor) -> int | None:
        with self._readable(blob.digest):
            if self._is_written(blob):
                return blob.size
            return self._stored(blob.digest)[1].size

    async def write_blob(self, blob: Descriptor, content: Content, origin: Store, *, anew: bool = False) -> Written:
        """Write the blob to its place in the new file, unless the old one has it, or another image's new file."""
        name = blob_name(blob.digest)
        if not anew and isinstance(origin, OciArchive) and await self._took(blob, origin):
            return Written.MOUNTED
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

    async def _took(self, blob: Descriptor, other: OciArchive) -> bool:
        """Take the blob from another new file, if it is there and not published meanwhile."""
        first, second = sorted((self, other), key=id)  # one order for all: two that wait for each other wait forever
        async with first._writing.shared(), second._writing.shared():
            if other is self or other._new is None or not other._is_written(blob):
                return False
            with Writing(self.name):
                await self._writer().take_from(other._new, [blob_name(blob.digest)])
            return True

    async def put_manifest(self, manifest: Manifest, tag: str = "") -> bool:
        """Add the manifest to the new file and, with a tag, put that file in the place of the old one.

        A referrer has to be listed under its subject's tag, as in a folder.
        """
        if not tag:
            async with self._writing.shared():
                with Writing(self.name):
                    self._writer().add(blob_name(manifest.digest), manifest.content)
            return False
        # Other images may be on their way into the same file: what of them is here by now waits.
        async with self._writing.exclusive():
            with Writing(self.name):
                await self._publish(manifest, tag)
        return False

    async def _publish(self, manifest: Manifest, tag: str) -> None:
        """Put the tag, unless somebody who puts one before has put this one along with it."""
        self._new = arrived = await self._writer().without_torn()
        arrived.add(blob_name(manifest.digest), manifest.content)
        waiting = self.opened.waiting
        waiting[self] = manifest, tag
        try:
            async with self.opened.turn:
                if self in waiting:
                    async with locked(arrived.lock, self.name):
                        await self._publish_waiting(arrived)
        finally:
            waiting.pop(self, None)
            self._along = []

    async def _publish_waiting(self, arrived: NewArchive) -> None:
        """Put our tag, and those of others that lack nothing: what another one lacks, it says when it has the turn."""
        waiting = {each: (each._writer(), *wanted) for each, wanted in self.opened.waiting.items()}
        self._along = [new for new, *_ in waiting.values() if new is not arrived]
        before, index, put = self.opened.now(), self.index(), dict[OciArchive, NewArchive]()
        for each, (brought, manifest, tag) in waiting.items():
            try:
                self._check_complete(manifest, tag)
            except Incomplete:  # noqa: PERF203  (of one of them)
                if each is self:
                    raise
            else:
                index, put[each] = index.tagged(manifest, tag), brought
        names = sorted(map(blob_name, self._reached(entry.target.digest for entry in index.entries)))
        new = arrived if arrived.names <= {*names} else NewArchive(self._path)
        try:
            for each_new in (arrived, *self._along):
                await new.take_from(each_new, names)
            await self._carry(new, names)
            new.add(LAYOUT_FILE, LAYOUT)
            new.add(INDEX_FILE, bytes(index))
            if self.opened.now() is not before:
                message = f"{self.name}: another program has changed it while images were being written"
                raise Incomplete(message, hint="run it again")
            new.publish()
            self.opened.let_go()
            for other, brought in put.items():
                self.opened.waiting.pop(other, None)
                if other is not self and brought.names <= {*names}:
                    other._new = None
                    brought.discard()
        finally:
            # What could not be published holds an index that nobody must find in it.
            self._new = None if new is arrived else arrived
            new.discard()

    async def untag(self, tag: str, digest: str) -> Untagged:
        """Refused: an archive is written, carried and thrown away whole."""
        raise self._keeps()

    async def delete_manifest(self, digest: str, tags: Collection[str] = ()) -> str:
        raise self._keeps()

    # The two files.

    def _tar(self) -> Tar:
        return self.opened.tar()

    def _stored(self, digest: Digest) -> tuple[Tar, Member]:
        """Where a blob is; FileNotFoundError for one that is not."""
        tar = self._tar()
        return tar, tar.member(blob_name(digest))

    def _writer(self) -> NewArchive:
        if self._new is None:
            self._new = NewArchive(self._path)
        return self._new

    async def _carry(self, new: NewArchive, names: Iterable[str]) -> None:
        """Take over those of these members that the new file does not have."""
        with self.opened.reading():
            for name in names:
                with contextlib.suppress(FileNotFoundError):  # no archive yet, or one that lacks it already
                    if not new.has(name):
                        member = (tar := self._tar()).member(name)
                        await new.take(name, member.size, tar.fileno(), member.offset)

    def _read_index(self) -> Index:
        """There is no archive without an index."""
        tar = self._tar()
        if INDEX_FILE not in tar:
            hint = "name it as docker-archive:" if "manifest.json" in tar else ""
            raise ContentError(f"{self._path} is not an OCI archive: it has no {INDEX_FILE}", hint=hint)
        return super()._read_index()

    def _file(self, name: str, most_bytes: int | None = None) -> bytes:
        for new in self._news():
            with contextlib.suppress(FileNotFoundError):
                return new.read(name)
        return self._tar().read(name, min(filter(None, (most_bytes, self._max_manifest_bytes))))

    def _where(self, name: str) -> str:
        return f"{name} in {self._path}"

    def _has(self, blob: Descriptor) -> bool:
        if self._is_written(blob):
            return True
        try:
            return self._stored(blob.digest)[1].size == blob.size
        except FileNotFoundError:
            return False

    def _is_written(self, blob: Descriptor) -> bool:
        return any(new.has(blob_name(blob.digest), blob.size) for new in self._news())

    def _news(self) -> list[NewArchive]:
        return [*filter(None, [self._new]), *self._along]

    def _keeps(self) -> Refused:
        return Refused(
            f"{self.name}: nothing is deleted from an archive",
            hint='write the images that should stay into a new one; in Terraform, on_destroy = "keep"',
        )

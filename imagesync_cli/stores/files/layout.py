"""An OCI image layout folder as a store (OCI image-spec v1.1, image-layout.md).

Files appear complete or not at all (new_file.py). index.json is changed last, when all that it names is on the disk,
under a lock that other processes respect, and never replaced when it cannot be read.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from imagesync_cli.stores.files.layout_index import (
    LAYOUT,
    Entry,
    Reading,
    Writing,
    as_json,
    blob_name,
    described,
    find_entry,
    lacking,
    listed_under,
    new_index,
    reached,
    read_index,
    referring,
    tag_of,
    tagged_entries,
    went_missing,
)
from imagesync_cli.stores.files.lock import locked
from imagesync_cli.stores.files.new_file import flush_folders, new_file, sweep
from imagesync_cli.stores.store import Content, Store, Untagged, Written
from imagesync_cli.values.digest import is_digest, verified
from imagesync_cli.values.errors import ContentError
from imagesync_cli.values.manifest import Descriptor, Manifest, parse_manifest
from imagesync_cli.values.reference import LayoutReference

_READ_BYTES = 1024 * 1024


class Layout:
    """A layout folder; it is made by the first write."""

    def __init__(self, reference: LayoutReference, max_manifest_bytes: int) -> None:
        self.name = reference.name
        self._folder = Path(reference.folder)
        self._max_manifest_bytes = max_manifest_bytes

    def warm(self, count: int) -> None:
        """Nothing: files are there."""

    async def head(self, wanted: str) -> Descriptor:
        """The entry for the tag, or the manifest with the digest; "" means the only image or the tag latest."""
        return (await self.manifest(wanted)).descriptor

    async def manifest(self, wanted: str, most_bytes: int | None = None) -> Manifest:
        """The manifest's file, checked against its digest."""
        with self._readable(wanted):
            entry = (
                {"digest": wanted}
                if is_digest(wanted)
                else find_entry(self._entries(), wanted, self.name, self._manifest_file)
            )
            content = self._read(self._blob_path(entry["digest"]), most_bytes)
            return parse_manifest(content, entry.get("mediaType", ""), digest=entry["digest"])

    async def has_manifest(self, manifest: Descriptor) -> bool:
        """Whether the manifest's file is there, and all that it names: what a delete has been at is not there."""
        with self._readable(manifest.digest), contextlib.suppress(FileNotFoundError):
            found = parse_manifest(self._read(self._blob_path(manifest.digest)), digest=manifest.digest)
            return not self._lacking(found)
        return False

    async def read_blob(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        """Yield the file's bytes, the last chunk only when size and digest are right."""
        with self._readable(blob.digest), self._blob_path(blob.digest).open("rb") as file:
            for chunk in verified(iter(lambda: file.read(_READ_BYTES), b""), blob.digest, blob.size):
                yield chunk

    async def has_blob(self, blob: Descriptor) -> bool:
        """Whether the file is there with the right size."""
        with contextlib.suppress(OSError):
            return self._blob_path(blob.digest).stat().st_size == blob.size
        return False

    async def blob_size(self, blob: Descriptor) -> int | None:
        """The file's size."""
        with self._readable(blob.digest):
            return self._blob_path(blob.digest).stat().st_size

    async def write_blob(self, blob: Descriptor, content: Content, origin: Store, *, anew: bool = False) -> Written:
        """Write the file, unless it is there."""
        if not anew and await self.has_blob(blob):
            return Written.THERE
        async with contextlib.aclosing(content()) as chunks:
            with Writing(self.name), new_file(self._blob_path(blob.digest)) as file:
                async for chunk in chunks:
                    file.write(chunk)
        return Written.SENT

    async def put_manifest(self, manifest: Manifest, tag: str = "") -> bool:
        """Write the manifest's file and, with a tag, its entry in index.json in place of the tag's old one.

        A referrer has to be listed under its subject's tag, as regctl does in a layout and oras finds it too.
        """
        with Writing(self.name):
            self._write(self._blob_path(manifest.digest), manifest.content)
            if not tag:
                return False
            async with locked(self._folder):
                # Another process may have removed, as unused, what this one found there and did not write again.
                if missing := self._lacking(manifest):
                    raise went_missing(f"{self.name}: {missing} was removed while {tag} was being written")
                self._write_index(tagged_entries(self._entries(), manifest, tag))
        return False

    async def tags(self) -> Mapping[str, Descriptor | None]:
        """Every name in index.json that keeps an image: its tag, or its digest where it has none."""
        with self._readable(""):
            return described(self._entries())

    async def tagged(self, tags: Iterable[str], advance: Callable[[], None] | None = None) -> Mapping[str, Descriptor]:
        """The entries for these names."""
        wanted = set(tags)
        return {tag: told for tag, told in (await self.tags()).items() if told is not None and tag in wanted}

    async def referrers(self, digest: str) -> list[Descriptor]:
        """The entries of index.json whose subject this is: where oras keeps them."""
        with self._readable(""):
            return referring(self._entries(), digest, self._manifest_file)

    async def listed(self, tag: str) -> Manifest | None:
        """The index under this tag."""
        with self._readable(tag):
            return listed_under(self._entries(), tag, self._manifest_file)

    async def untag(self, tag: str, digest: str) -> Untagged:
        """Take the tag's entry out of index.json if it is on this digest; the files stay."""
        with Writing(self.name):
            async with locked(self._folder):
                entries = self._entries()
                others = [entry for entry in entries if tag_of(entry) != tag or entry["digest"] != digest]
                if len(others) == len(entries):
                    return Untagged.ABSENT
                self._write_index(others)
                return Untagged.DONE

    async def delete_manifest(self, digest: str, tags: Collection[str] = ()) -> str:
        """Remove the manifest's entry if it has one without a tag, its file, and the blobs that only it used.

        Nobody collects garbage in a folder, so this does: under the lock, and what index.json reaches by then stays.
        What another process has written and not yet named there may go; it finds out and writes it again
        (``put_manifest``).
        """
        with Writing(self.name):
            async with locked(self._folder):
                entries = self._entries()
                others = [entry for entry in entries if entry["digest"] != digest or tag_of(entry)]
                used = reached((entry["digest"] for entry in others), self._manifest_file)
                if digest in used:
                    return "an image that came meanwhile uses it"
                if len(others) != len(entries):
                    self._write_index(others)
                self._remove(digest, used)
        return ""

    # The folder's files.

    def _entries(self) -> list[Entry]:
        """The manifests of index.json; none where the folder has no index yet."""
        return self._index()["manifests"] or []

    def _index(self) -> dict[str, Any]:
        try:
            content = self._read(self._folder / "index.json")
        except FileNotFoundError:
            return new_index()
        return read_index(content, str(self._folder / "index.json"))

    def _write_index(self, entries: list[Entry]) -> None:
        index = {**self._index(), "manifests": entries}  # with what else somebody may have noted there
        folders = [*(self._folder / "blobs").glob("*/"), self._folder / "blobs", self._folder]
        self._write(self._folder / "oci-layout", LAYOUT)
        flush_folders(folders)
        self._write(self._folder / "index.json", as_json(index))
        flush_folders([self._folder, self._folder.parent])
        sweep(folders)

    def _remove(self, digest: str, used: Collection[str]) -> None:
        """Remove a manifest's file and the blobs that only it used."""
        try:
            manifest = parse_manifest(self._read(self._blob_path(digest)), digest=digest)
        except FileNotFoundError:
            return
        for blob in manifest.blobs:
            if blob.digest not in used:
                self._blob_path(blob.digest).unlink(missing_ok=True)
        self._blob_path(digest).unlink()

    def _read(self, path: Path, most_bytes: int | None = None) -> bytes:
        limit_bytes = min(filter(None, (most_bytes, self._max_manifest_bytes)))
        with path.open("rb") as file:
            content = file.read(limit_bytes + 1)
        if len(content) > limit_bytes:
            raise ContentError(f"{path} is longer than the {limit_bytes} bytes that it may have")
        return content

    def _manifest_file(self, digest: str) -> bytes:
        return self._read(self._blob_path(digest))

    def _lacking(self, manifest: Manifest) -> str:
        return lacking(manifest, self._manifest_file, lambda blob: self._blob_path(blob.digest).is_file())

    def _blob_path(self, digest: str) -> Path:
        path = self._folder / blob_name(digest)
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise ContentError(f"{path} is not a regular file, as a layout's blobs are")
        return path

    def _write(self, path: Path, content: bytes) -> None:
        with new_file(path) as file:
            file.write(content)

    def _readable(self, wanted: str) -> Reading:
        return Reading(self.name, wanted, folder=True)

"""An OCI image layout folder as a store (OCI image-spec v1.1, image-layout.md).

Files appear complete or not at all: written beside their place, flushed, renamed. index.json is changed last, under a
lock that other processes respect, and never replaced when it cannot be read.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from imagesync_cli.digest import Verifier, is_digest
from imagesync_cli.errors import ContentError, ImagesyncError, NotFound, Refused, UsageError
from imagesync_cli.manifest import OCI_INDEX, Descriptor, Manifest, parse_manifest
from imagesync_cli.reference import LayoutReference
from imagesync_cli.stores.lock import locked
from imagesync_cli.stores.store import Content, Store, Untagged, Written

_TAG = "org.opencontainers.image.ref.name"
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_READ_BYTES = 1024 * 1024
Entry = dict[str, Any]


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

    async def manifest(self, wanted: str) -> Manifest:
        """The manifest's file, checked against its digest."""
        with self._readable(wanted):
            entry = {"digest": wanted} if is_digest(wanted) else self._find(wanted)
            content = self._read(self._blob_path(entry["digest"]))
            return parse_manifest(content, entry.get("mediaType", ""), digest=entry["digest"])
        raise AssertionError

    async def has_manifest(self, manifest: Descriptor) -> bool:
        """Whether the manifest's file is there, and all that it names: what a delete has been at is not there."""
        with self._readable(manifest.digest), contextlib.suppress(FileNotFoundError):
            found = parse_manifest(self._read(self._blob_path(manifest.digest)), digest=manifest.digest)
            return not self._lacking(found)
        return False

    async def read_blob(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        """Yield the file's bytes, the last chunk only when size and digest are right."""
        with self._readable(blob.digest):
            verifier, held = Verifier(blob.digest, blob.size), b""
            with self._blob_path(blob.digest).open("rb") as file:
                while chunk := file.read(_READ_BYTES):
                    verifier.update(chunk)
                    if held:
                        yield held
                    held = chunk
            verifier.check()
            if held:
                yield held

    async def has_blob(self, blob: Descriptor) -> bool:
        """Whether the file is there with the right size."""
        with contextlib.suppress(OSError):
            return self._blob_path(blob.digest).stat().st_size == blob.size
        return False

    async def blob_size(self, blob: Descriptor) -> int | None:
        """The file's size."""
        with self._readable(blob.digest):
            return self._blob_path(blob.digest).stat().st_size
        raise AssertionError

    async def write_blob(self, blob: Descriptor, content: Content, origin: Store, *, anew: bool = False) -> Written:
        """Write the file, unless it is there."""
        if not anew and await self.has_blob(blob):
            return Written.THERE
        async with contextlib.aclosing(content()) as chunks:
            with self._writable(), self._new_file(self._blob_path(blob.digest)) as file:
                async for chunk in chunks:
                    file.write(chunk)
        return Written.SENT

    async def put_manifest(self, manifest: Manifest, tag: str = "") -> None:
        """Write the manifest's file and, with a tag, its entry in index.json in place of the tag's old one."""
        with self._writable():
            self._write(self._blob_path(manifest.digest), manifest.content)
            if not tag:
                return
            with locked(self._folder):
                # Another process may have removed, as unused, what this one found there and did not write again.
                if missing := self._lacking(manifest):
                    raise _missing(f"{self.name}: {missing} was removed while {tag} was being written")
                entry = {
                    "mediaType": manifest.media_type,
                    "digest": manifest.digest,
                    "size": manifest.size,
                    "annotations": {_TAG: tag},
                }
                others = [other for other in self._entries() if _tag(other) != tag]
                self._write_index([*others, entry])

    async def tags(self) -> Mapping[str, Descriptor | None]:
        """Every name in index.json that keeps an image: its tag, or its digest where it has none."""
        with self._readable(""):
            return {
                _tag(entry) or entry["digest"]: Descriptor(entry["mediaType"], entry["digest"], entry["size"])
                for entry in self._entries()
            }
        raise AssertionError

    async def tagged(self, tags: Iterable[str], advance: Callable[[], None] | None = None) -> Mapping[str, Descriptor]:
        """The entries for these names."""
        wanted = set(tags)
        return {tag: told for tag, told in (await self.tags()).items() if told is not None and tag in wanted}

    async def referrers(self, digest: str) -> list[Descriptor]:
        """None: in a layout, referrers are entries of index.json like every other image."""
        return []

    async def untag(self, tag: str, digest: str) -> Untagged:
        """Take the tag's entry out of index.json if it is on this digest; the files stay."""
        with self._writable(), locked(self._folder):
            entries = self._entries()
            others = [entry for entry in entries if _tag(entry) != tag or entry["digest"] != digest]
            if len(others) == len(entries):
                return Untagged.ABSENT
            self._write_index(others)
            return Untagged.DONE
        raise AssertionError

    async def delete_manifest(self, digest: str, tags: Collection[str] = ()) -> str:
        """Remove the manifest's entry if it has one without a tag, its file, and the blobs that only it used.

        Nobody collects garbage in a folder, so this does: under the lock, and what index.json reaches by then stays.
        What another process has written and not yet named there may go; it finds out and writes it again
        (``put_manifest``).
        """
        with self._writable(), locked(self._folder):
            entries = self._entries()
            others = [entry for entry in entries if entry["digest"] != digest or _tag(entry)]
            used = self._reached(entry["digest"] for entry in others)
            if digest in used:
                return "an image that came meanwhile uses it"
            if len(others) != len(entries):
                self._write_index(others)
            try:
                manifest = parse_manifest(self._read(self._blob_path(digest)), digest=digest)
            except FileNotFoundError:
                return ""
            for blob in manifest.blobs:
                if blob.digest not in used:
                    self._blob_path(blob.digest).unlink(missing_ok=True)
            self._blob_path(digest).unlink()
        return ""

    # The folder's files.

    def _find(self, tag: str) -> Entry:
        entries = self._entries()
        tags = [_tag(entry) for entry in entries]
        if tag or "latest" in tags:
            found = [entry for entry in entries if _tag(entry) == (tag or "latest")]
        else:
            found = entries if len(entries) == 1 else []
        if not found:
            listed = ", ".join(sorted(filter(None, tags))) or "no tags"
            raise _not_found(f"{self.name}: no image {tag!r}" if tag else f"{self.name}: which image?", hint=listed)
        return found[-1]

    def _entries(self) -> list[Entry]:
        """The manifests of index.json; none where the folder has no index yet."""
        return self._index()["manifests"] or []

    def _index(self) -> dict[str, Any]:
        try:
            content = self._read(self._folder / "index.json")
        except FileNotFoundError:
            return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
        try:
            # Parsed as an index first: its descriptors must be sound before one of them names a file.
            parse_manifest(content, OCI_INDEX)
            return json.loads(content)  # type: ignore[no-any-return]
        except (ContentError, Refused) as error:
            raise ContentError(
                f"{self._folder / 'index.json'} is not an index: {error.message}",
                hint="imagesync does not replace what it cannot read",
            ) from error

    def _write_index(self, entries: list[Entry]) -> None:
        index = {**self._index(), "manifests": entries}  # with what else somebody may have noted there
        self._write(self._folder / "oci-layout", _LAYOUT)
        self._write(self._folder / "index.json", json.dumps(index).encode("utf-8"))

    def _read(self, path: Path) -> bytes:
        with path.open("rb") as file:
            content = file.read(self._max_manifest_bytes + 1)
        if len(content) > self._max_manifest_bytes:
            raise ContentError(f"{path} is longer than the {self._max_manifest_bytes} bytes a manifest may have")
        return content

    def _reached(self, roots: Iterable[str]) -> set[str]:
        """The digests of everything that these manifests reach, themselves included; an error if one cannot be read."""
        reached: set[str] = set()
        waiting = list(roots)
        while waiting:
            digest = waiting.pop()
            if digest not in reached:
                reached.add(digest)
                with contextlib.suppress(FileNotFoundError):  # an index may list what was never copied here
                    manifest = parse_manifest(self._read(self._blob_path(digest)), digest=digest)
                    reached.update(blob.digest for blob in manifest.blobs)
                    waiting.extend(child.digest for child in manifest.manifests)
        return reached

    def _lacking(self, manifest: Manifest) -> str:
        """The first digest below this manifest that has no file, "" if all are there."""
        for blob in manifest.blobs:
            if not self._has_file(blob):
                return blob.digest
        for child in manifest.manifests:
            if not self._has_file(child):
                return child.digest
            content = self._read(self._blob_path(child.digest))
            if missing := self._lacking(parse_manifest(content, digest=child.digest)):
                return missing
        return ""

    def _has_file(self, blob: Descriptor) -> bool:
        return blob.is_foreign or self._blob_path(blob.digest).is_file()

    def _blob_path(self, digest: str) -> Path:
        algorithm, _, encoded = digest.partition(":")
        path = self._folder / "blobs" / algorithm / encoded
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise ContentError(f"{path} is not a regular file, as a layout's blobs are")
        return path

    def _write(self, path: Path, content: bytes) -> None:
        with self._new_file(path) as file:
            file.write(content)

    @contextlib.contextmanager
    def _new_file(self, path: Path) -> Iterator[Any]:
        """A file that takes its name when the block ends well, and leaves nothing when it does not."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).chmod(0o644)
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise

    @contextlib.contextmanager
    def _readable(self, wanted: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise _not_found(f"{self.name} has no {wanted or 'image'}") from error
        except OSError as error:
            raise UsageError(f"cannot read {self.name}: {error.strerror}") from error
        except ImagesyncError as error:
            if self.name not in error.message:
                error.during(f"reading {self.name}")
            raise

    @contextlib.contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UsageError(
                f"cannot write {self.name}: {error.strerror}", hint="nothing that was there before is lost"
            ) from error


def _not_found(message: str, hint: str = "") -> NotFound:
    error = NotFound(message, hint=hint)
    error.codes = frozenset({"MANIFEST_UNKNOWN"})
    return error


def _missing(message: str) -> Refused:
    """What sync mends by sending it again."""
    error = Refused(message, hint="run it again")
    error.codes = frozenset({"MANIFEST_BLOB_UNKNOWN"})
    return error


def _tag(entry: Entry) -> str:
    annotations = entry.get("annotations")
    tag = annotations.get(_TAG) if isinstance(annotations, dict) else None
    return tag if isinstance(tag, str) else ""

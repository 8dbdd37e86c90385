"""An OCI image layout folder as a store (OCI image-spec v1.1, image-layout.md).

Files appear complete or not at all: written beside their place, flushed, renamed. index.json is changed last, under a
lock that other processes respect, and never replaced when it cannot be read.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
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

    async def head(self, wanted: str) -> Descriptor:
        """The entry for the tag, or the manifest with the digest; "" means the only image or the tag latest."""
        return (await self.manifest(wanted)).descriptor

    async def manifest(self, wanted: str) -> Manifest:
        """The manifest's file, checked against its digest."""
        with self._readable(wanted):
            entry = {"digest": wanted} if is_digest(wanted) else self._find(wanted)
            content = self._blob_path(entry["digest"]).read_bytes()
            if len(content) > self._max_manifest_bytes:
                raise ContentError(f"{self.name}: {entry['digest']} is longer than a manifest may be")
            return parse_manifest(content, entry.get("mediaType", ""), digest=entry["digest"])
        raise AssertionError

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
                missing = [d for d in manifest.manifests + manifest.blobs if not self._has_file(d)]
                if missing:
                    raise Refused(f"{self.name}: {missing[0].digest} was removed while {tag} was being written")
                entry = {
                    "mediaType": manifest.media_type,
                    "digest": manifest.digest,
                    "size": manifest.size,
                    "annotations": {_TAG: tag},
                }
                others = [other for other in self._entries() if _tag(other) != tag]
                self._write_index([*others, entry])

    async def tags(self) -> list[str]:
        """Every name in index.json that keeps an image: its tag, or its digest where it has none."""
        with self._readable(""):
            return [_tag(entry) or entry["digest"] for entry in self._entries()]
        raise AssertionError

    async def tagged(self, tags: Iterable[str], advance: Callable[[], None] | None = None) -> Mapping[str, Descriptor]:
        """The entries for these names."""
        with self._readable(""):
            index = {_tag(entry) or entry["digest"]: entry for entry in self._entries()}
            return {
                name: Descriptor(entry["mediaType"], entry["digest"], entry["size"])
                for name, entry in index.items()
                if name in set(tags)
            }
        raise AssertionError

    async def referrers(self, digest: str) -> list[Descriptor]:
        """None: in a layout, referrers are entries of index.json like every other image."""
        return []

    async def untag(self, tag: str) -> Untagged:
        """Take the tag's entry out of index.json; the files stay."""
        with self._writable(), locked(self._folder):
            entries = self._entries()
            others = [entry for entry in entries if _tag(entry) != tag]
            if len(others) == len(entries):
                return Untagged.ABSENT
            self._write_index(others)
            return Untagged.DONE
        raise AssertionError

    async def delete_manifest(self, digest: str) -> str:
        """Remove the manifest's file and its entry, if it has one without a tag."""
        with self._writable(), locked(self._folder):
            entries = self._entries()
            others = [entry for entry in entries if entry["digest"] != digest]
            if len(others) != len(entries):
                self._write_index(others)
            self._blob_path(digest).unlink(missing_ok=True)
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
        try:
            content = (self._folder / "index.json").read_bytes()
        except FileNotFoundError:
            return []
        try:
            # Parsed as an index first: its descriptors must be sound before one of them names a file.
            parse_manifest(content, OCI_INDEX)
            return json.loads(content)["manifests"] or []
        except (ContentError, Refused) as error:
            raise ContentError(
                f"{self._folder / 'index.json'} is not an index: {error.message}",
                hint="imagesync does not replace what it cannot read",
            ) from error

    def _write_index(self, entries: list[Entry]) -> None:
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
        self._write(self._folder / "oci-layout", _LAYOUT)
        self._write(self._folder / "index.json", json.dumps(index).encode("utf-8"))

    def _has_file(self, blob: Descriptor) -> bool:
        return blob.is_foreign or self._blob_path(blob.digest).is_file()

    def _blob_path(self, digest: str) -> Path:
        algorithm, _, encoded = digest.partition(":")
        path = self._folder / "blobs" / algorithm / encoded
        if path.is_symlink():
            raise ContentError(f"{path} is a link, which a layout's blobs are not")
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
                error.message = f"reading {self.name}: {error.message}"
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


def _tag(entry: Entry) -> str:
    annotations = entry.get("annotations")
    tag = annotations.get(_TAG) if isinstance(annotations, dict) else None
    return tag if isinstance(tag, str) else ""

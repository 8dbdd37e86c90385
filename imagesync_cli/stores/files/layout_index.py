"""index.json of an image layout, folder or archive: which images it names (image-layout.md)."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from imagesync_cli.values.digest import Digest, parse_digest
from imagesync_cli.values.documents import MISREAD, read_document, why_misread
from imagesync_cli.values.errors import ContentError, Gone, ImagesyncError, Refused, UsageError
from imagesync_cli.values.manifest import OCI_INDEX, Descriptor, Manifest, parse_manifest
from imagesync_cli.values.names import ImageName, Tag, is_image_name
from imagesync_cli.values.progress import note

INDEX_FILE, LAYOUT_FILE = "index.json", "oci-layout"
_VERSION = "1.0.0"
LAYOUT = b'{"imageLayoutVersion":"%s"}' % _VERSION.encode("ascii")
_NAME = "org.opencontainers.image.ref.name"
_SHOWN = 200


@dataclass(frozen=True)
class Entry:
    """An image of index.json: what it is, and how it is ``written`` there, with all that others may have noted."""

    target: Descriptor
    written: dict[str, Any]

    @property
    def spelled(self) -> str:
        """Its name as it stands there, whatever that is; "" for none."""
        return self.annotation(_NAME)

    @functools.cached_property
    def name(self) -> Tag | ImageName | None:
        return self.spelled if is_image_name(self.spelled) else None

    def annotation(self, key: str) -> str:
        """An annotation's text, "" where there is none."""
        annotations = self.written.get("annotations")
        text = annotations.get(key) if isinstance(annotations, dict) else None
        return text if isinstance(text, str) else ""


@dataclass(frozen=True)
class Index:
    """index.json: its entries, and the ``document`` in which they stand."""

    entries: tuple[Entry, ...] = ()
    document: Mapping[str, Any] | None = None

    def tagged(self, manifest: Manifest, tag: str) -> Index:
        """The index once this manifest has the tag: entries of other tags stay as they are."""
        target = manifest.descriptor
        written = {
            "mediaType": target.media_type,
            "digest": target.digest,
            "size": target.size,
            "annotations": {_NAME: tag},
        }
        return self.of([*(entry for entry in self.entries if entry.spelled != tag), Entry(target, written)])

    def named(self, where: str) -> Mapping[str, Descriptor | None]:
        """What each name points at; an entry without a name, or with one that is none, goes by its digest."""
        for entry in self.entries:
            if entry.spelled and not entry.name:
                note(f"{where} calls an image {entry.spelled[:_SHOWN]!r}, which is not a tag: left out")
        return {entry.name or entry.target.digest: entry.target for entry in self.entries}

    def of(self, entries: Iterable[Entry]) -> Index:
        """The index with these entries in place of its own."""
        return replace(self, entries=tuple(entries))

    def __bytes__(self) -> bytes:
        document = self.document or {"schemaVersion": 2, "mediaType": OCI_INDEX}
        document = {**document, "manifests": [entry.written for entry in self.entries]}
        try:
            return json.dumps(document, allow_nan=False).encode("ascii")
        except (ValueError, RecursionError) as error:  # 1e400 is good JSON, and nothing that Python can write
            raise ContentError(f"index.json holds what cannot be written again: {error}") from error


def read_index(file: Callable[[str], bytes], where: Callable[[str], str]) -> Index:
    """The index, its descriptors sound. ``file`` reads one of the layout, and ``where`` names it in errors."""
    with contextlib.suppress(FileNotFoundError):  # the layout itself, or older tools wrote none
        _check_layout(file(LAYOUT_FILE), where(LAYOUT_FILE))
    content = file(INDEX_FILE)
    try:
        return _parsed(content)
    except (ContentError, Refused) as error:
        raise ContentError(
            f"{where(INDEX_FILE)} is not an index: {error.message}",
            hint="imagesync does not replace what it cannot read",
        ) from error


@functools.lru_cache(maxsize=2)  # of many images, each looks its own tag up where it comes from and where it goes
def _parsed(content: bytes) -> Index:
    """Parsed as an index first: its descriptors must be sound before one of them names a file."""
    parse_manifest(content, OCI_INDEX)
    document = read_document(content)
    entries = (
        Entry(Descriptor(written["mediaType"], parse_digest(written["digest"]), written["size"]), written)
        for written in document["manifests"] or []
    )
    return Index(tuple(entries), document)


def _check_layout(content: bytes, where: str) -> None:
    """Refuse a layout of another version: what its files mean is not known."""
    try:
        version = read_document(content)["imageLayoutVersion"]
    except MISREAD as error:
        raise ContentError(f"{where} does not tell the layout's version: {why_misread(error)}") from error
    if version != _VERSION:
        raise Refused(f"{where} has the layout's version {str(version)[:_SHOWN]!r}, and only {_VERSION} is known")


def blob_name(digest: Digest) -> str:
    """The file of a blob or manifest, below the layout's root."""
    return f"blobs/{digest.replace(':', '/')}"


@dataclass(frozen=True)
class Reading(contextlib.AbstractContextManager[None]):
    """Says of each error that it came of reading this layout; of an archive, whether its own file is what is missing.

    A class, since type checkers take a generator's block for one that may swallow its errors.
    """

    name: str
    wanted: str
    is_folder: bool

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FileNotFoundError):
            if error.filename is not None and not self.is_folder:
                raise Gone(f"there is no file {error.filename}") from error
            raise Gone(f"{self.name} has no {self.wanted or 'image'}") from error
        if isinstance(error, OSError):
            raise UsageError(f"cannot read {self.name}: {error.strerror}") from error
        if isinstance(error, ImagesyncError) and self.name not in error.message:
            error.during(f"reading {self.name}")


@dataclass(frozen=True)
class Writing(contextlib.AbstractContextManager[None]):
    """Says of each failure of the disk that it came of writing this layout."""

    name: str

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            hint = "nothing that was there before is lost"
            raise UsageError(f"cannot write {self.name}: {error.strerror}", hint=hint) from error

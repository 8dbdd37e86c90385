"""index.json of an image layout, folder or archive: which images it names, and what they reach (image-layout.md).

Where the files are is not known here: whoever calls brings a function that reads one.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from imagesync_cli.values.digest import Digest, parse_digest, subject_of_tag
from imagesync_cli.values.documents import read_document
from imagesync_cli.values.errors import ContentError, Gone, ImagesyncError, Incomplete, Refused, UsageError
from imagesync_cli.values.manifest import OCI_INDEX, Descriptor, Manifest, parse_manifest
from imagesync_cli.values.names import ImageName, Tag, is_image_name
from imagesync_cli.values.progress import note

INDEX_FILE, LAYOUT_FILE = "index.json", "oci-layout"
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_NAME = "org.opencontainers.image.ref.name"
_SHOWN = 200
Read = Callable[[Digest], bytes]


@dataclass(frozen=True)
class Entry:
    """An image of index.json: what it is, and how it is ``written`` there, with all that others may have noted."""

    target: Descriptor
    written: dict[str, Any]

    @property
    def spelled(self) -> str:
        """Its name as it stands there, whatever that is; "" for none."""
        return self.annotation(_NAME)

    @property
    def name(self) -> Tag | ImageName | None:
        """The name by which it can be asked for."""
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

    def of(self, entries: Iterable[Entry]) -> Index:
        """The index with these entries in place of its own."""
        return replace(self, entries=tuple(entries))

    def __bytes__(self) -> bytes:
        """As it is written."""
        document = self.document or {"schemaVersion": 2, "mediaType": OCI_INDEX}
        document = {**document, "manifests": [entry.written for entry in self.entries]}
        try:
            return json.dumps(document, allow_nan=False).encode("ascii")
        except (ValueError, RecursionError) as error:  # 1e400 is good JSON, and nothing that Python can write
            raise ContentError(f"index.json holds what cannot be written again: {error}") from error


def read_index(content: bytes, where: str) -> Index:
    """The index, its descriptors sound; ``where`` names it in errors."""
    try:
        # Parsed as an index first: its descriptors must be sound before one of them names a file.
        parse_manifest(content, OCI_INDEX)
    except (ContentError, Refused) as error:
        raise ContentError(
            f"{where} is not an index: {error.message}", hint="imagesync does not replace what it cannot read"
        ) from error
    document = read_document(content)
    return Index(tuple(map(_entry, document["manifests"] or [])), document)


def _entry(written: dict[str, Any]) -> Entry:
    return Entry(Descriptor(written["mediaType"], parse_digest(written["digest"]), written["size"]), written)


def blob_name(digest: Digest) -> str:
    """The file of a blob or manifest, below the layout's root."""
    return f"blobs/{digest.replace(':', '/')}"


def find_entry(index: Index, tag: str, name: str, read: Read) -> Descriptor:
    """What the tag is; without one the only entry, or the one named latest. NotFound lists the tags there are."""
    # What is attached to the images comes when it is named.
    entries = [entry for entry in index.entries if tag or not _is_attached(entry, read)]
    tags = [entry.name for entry in entries if entry.name]
    if tag or "latest" in tags:
        found = [entry for entry in entries if entry.name == (tag or "latest")]
    else:
        found = entries if len(entries) == 1 else []
    if not found:
        hint = f"it has: {', '.join(sorted(tags))}" if tags else "it has no tags"
        raise no_manifest(f"{name}: no image {tag!r}" if tag else f"{name}: which image?", hint=hint)
    return found[-1].target


def _is_attached(entry: Entry, read: Read) -> bool:
    return bool(subject_of_tag(entry.name) if entry.name else _subject(entry.target.digest, read))


def described(index: Index, where: str) -> Mapping[str, Descriptor | None]:
    """What each name points at; an entry without a name, or with one that is none, goes by its digest."""
    for entry in index.entries:
        if entry.spelled and not entry.name:
            note(f"{where} calls an image {entry.spelled[:_SHOWN]!r}, which is no tag: left out")
    return {entry.name or entry.target.digest: entry.target for entry in index.entries}


def referring(index: Index, digest: str, read: Read) -> list[Descriptor]:
    """The entries whose subject this is: where oras keeps referrers."""
    distinct = {entry.target.digest: entry.target for entry in index.entries}.values()
    return [target for target in distinct if _subject(target.digest, read) == digest]


def _subject(digest: Digest, read: Read) -> str:
    with contextlib.suppress(FileNotFoundError, ContentError, Refused):
        manifest = parse_manifest(read(digest), digest=digest, sound_only=True)
        return manifest.subject.digest if manifest.subject else ""
    return ""


def listed_under(index: Index, tag: str, read: Read) -> Manifest | None:
    """The list of referrers under this tag, None for none; ContentError for something else of that name."""
    target = next((entry.target for entry in index.entries if entry.name == tag), None)
    if target is None:
        return None
    found = parse_manifest(read(target.digest), target.media_type, digest=target.digest, sound_only=True)
    if not found.descriptor.is_index:
        raise ContentError(f"{tag} is not a list of referrers, as its name says")
    return found


def reached(roots: Iterable[Digest], read: Read) -> set[Digest]:
    """The digests of everything that these manifests reach, themselves included; an error if one cannot be read."""
    found: set[Digest] = set()
    waiting = list(roots)
    while waiting:
        digest = waiting.pop()
        if digest not in found:
            found.add(digest)
            with contextlib.suppress(FileNotFoundError):  # an index may list what was never copied here
                manifest = parse_manifest(read(digest), digest=digest)
                found.update(blob.digest for blob in manifest.blobs)
                waiting.extend(child.digest for child in manifest.manifests)
    return found


def lacking(manifest: Manifest, read: Read, has: Callable[[Descriptor], bool]) -> str:
    """The first digest below this manifest that is not there, "" if all are; foreign layers need not be."""
    waiting, seen = [manifest], {manifest.digest}
    while waiting:
        holder = waiting.pop()
        for named in (*holder.blobs, *holder.manifests):
            if not named.is_foreign and not has(named):
                return named.digest
        children = {child.digest for child in holder.manifests} - seen  # each once, however often it is named
        seen |= children
        waiting += [parse_manifest(read(child), digest=child) for child in children]
    return ""


class Reading:
    """Says of each error that it came of reading this layout; of an archive, whether its own file is what is missing.

    A class, since type checkers take a generator's block for one that may swallow its errors.
    """

    def __init__(self, name: str, wanted: str, *, folder: bool = False) -> None:
        self._name = name
        self._wanted = wanted
        self._folder = folder

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Raise in our words what the disk says in its own."""
        if isinstance(error, FileNotFoundError):
            if error.filename is not None and not self._folder:
                raise no_manifest(f"there is no file {error.filename}") from error
            raise no_manifest(f"{self._name} has no {self._wanted or 'image'}") from error
        if isinstance(error, OSError):
            raise UsageError(f"cannot read {self._name}: {error.strerror}") from error
        if isinstance(error, ImagesyncError) and self._name not in error.message:
            error.during(f"reading {self._name}")


def no_manifest(message: str, hint: str = "") -> Gone:
    """An image or a file that a layout does not have."""
    return Gone(message, hint=hint)


def went_missing(message: str) -> Incomplete:
    """What sync mends by sending it again."""
    return Incomplete(message, hint="run it again")


class Writing:
    """Says of each failure of the disk that it came of writing this layout."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Raise in our words what the disk says in its own."""
        if isinstance(error, OSError):
            hint = "nothing that was there before is lost"
            raise UsageError(f"cannot write {self._name}: {error.strerror}", hint=hint) from error

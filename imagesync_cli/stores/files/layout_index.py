"""index.json of an image layout, folder or archive: which images it names, and what they reach (image-layout.md).

Where the files are is not known here: whoever calls brings a function that reads one.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from imagesync_cli.values.digest import subject_of_tag
from imagesync_cli.values.errors import ContentError, Gone, ImagesyncError, Incomplete, Refused, UsageError
from imagesync_cli.values.manifest import OCI_INDEX, Descriptor, Manifest, parse_manifest

INDEX_FILE, LAYOUT_FILE = "index.json", "oci-layout"
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_TAG = "org.opencontainers.image.ref.name"
Entry = dict[str, Any]
Read = Callable[[str], bytes]


def new_index() -> dict[str, Any]:
    """An index of no images."""
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}


def read_index(content: bytes, where: str) -> dict[str, Any]:
    """The index as it was written, its descriptors sound; ``where`` names it in errors."""
    try:
        # Parsed as an index first: its descriptors must be sound before one of them names a file.
        parse_manifest(content, OCI_INDEX)
        return json.loads(content)  # type: ignore[no-any-return]
    except (ContentError, Refused) as error:
        raise ContentError(
            f"{where} is not an index: {error.message}", hint="imagesync does not replace what it cannot read"
        ) from error


def as_json(index: dict[str, Any]) -> bytes:
    """The index as it is written."""
    try:
        return json.dumps(index, allow_nan=False).encode("ascii")
    except (ValueError, RecursionError) as error:  # 1e400 is good JSON, and nothing that Python can write
        raise ContentError(f"index.json holds what cannot be written again: {error}") from error


def blob_name(digest: str) -> str:
    """The file of a blob or manifest, below the layout's root."""
    return f"blobs/{digest.replace(':', '/')}"


def tag_of(entry: Entry) -> str:
    """The name of an entry, "" if it has none."""
    annotations = entry.get("annotations")
    tag = annotations.get(_TAG) if isinstance(annotations, dict) else None
    return tag if isinstance(tag, str) else ""


def tagged_entries(entries: Iterable[Entry], manifest: Manifest, tag: str) -> list[Entry]:
    """The entries once this manifest has the tag: those of other tags stay as they are."""
    entry = {
        "mediaType": manifest.media_type,
        "digest": manifest.digest,
        "size": manifest.size,
        "annotations": {_TAG: tag},
    }
    return [*(other for other in entries if tag_of(other) != tag), entry]


def find_entry(entries: list[Entry], tag: str, name: str, read: Read) -> Entry:
    """The entry of the tag; without one the only entry, or the one named latest. NotFound lists the tags there are."""
    # What is attached to the images comes when it is named.
    entries = [entry for entry in entries if tag or not _is_attached(entry, read)]
    tags = [tag_of(entry) for entry in entries]
    if tag or "latest" in tags:
        found = [entry for entry in entries if tag_of(entry) == (tag or "latest")]
    else:
        found = entries if len(entries) == 1 else []
    if not found:
        listed = ", ".join(sorted(filter(None, tags))) or "no tags"
        raise no_manifest(f"{name}: no image {tag!r}" if tag else f"{name}: which image?", hint=listed)
    return found[-1]


def _is_attached(entry: Entry, read: Read) -> bool:
    return bool(subject_of_tag(tag_of(entry)) if tag_of(entry) else _subject(entry["digest"], read))


def described(entries: Iterable[Entry]) -> Mapping[str, Descriptor | None]:
    """What each name points at; an entry without a name goes by its digest."""
    return {
        tag_of(entry) or entry["digest"]: Descriptor(entry["mediaType"], entry["digest"], entry["size"])
        for entry in entries
    }


def referring(entries: Iterable[Entry], digest: str, read: Read) -> list[Descriptor]:
    """The entries whose subject this is: where oras keeps referrers."""
    distinct = {entry["digest"]: entry for entry in entries}.values()
    return [
        Descriptor(entry["mediaType"], entry["digest"], entry["size"])
        for entry in distinct
        if _subject(entry["digest"], read) == digest
    ]


def _subject(digest: str, read: Read) -> str:
    with contextlib.suppress(FileNotFoundError, ContentError, Refused):
        manifest = parse_manifest(read(digest), digest=digest, sound_only=True)
        return manifest.subject.digest if manifest.subject else ""
    return ""


def listed_under(entries: Iterable[Entry], tag: str, read: Read) -> Manifest | None:
    """The list of referrers under this tag, None for none; ContentError for something else of that name."""
    entry = next((entry for entry in entries if tag_of(entry) == tag), None)
    if entry is None:
        return None
    found = parse_manifest(read(entry["digest"]), entry["mediaType"], digest=entry["digest"], sound_only=True)
    if not found.descriptor.is_index:
        raise ContentError(f"{tag} is not a list of referrers, as its name says")
    return found


def reached(roots: Iterable[str], read: Read) -> set[str]:
    """The digests of everything that these manifests reach, themselves included; an error if one cannot be read."""
    found: set[str] = set()
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

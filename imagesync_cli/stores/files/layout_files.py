"""What a layout folder and an archive have in common: index.json, and the images that it leads to."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence

from imagesync_cli.concurrency import passing
from imagesync_cli.stores.files.layout_index import Entry, Index, Reading, blob_name, read_index
from imagesync_cli.values.digest import Digest, is_digest, subject_of_tag
from imagesync_cli.values.errors import ContentError, Gone, Incomplete, Refused
from imagesync_cli.values.manifest import Descriptor, Manifest, parse_manifest

_MOST_SHOWN = 10


class LayoutFiles:
    """A store of files. Whoever derives from it knows where they are, and how they are written."""

    drops_untagged = False
    _is_folder = False  # one that is not there is a layout of no images; there is no archive without a file

    def __init__(self, name: str, max_manifest_bytes: int) -> None:
        self.name = name
        self._max_manifest_bytes = max_manifest_bytes

    @abstractmethod
    def _file(self, name: str, most_bytes: int | None = None) -> bytes:
        """A small file whole; ContentError for more than it may have, FileNotFoundError for none."""

    @abstractmethod
    def _where(self, name: str) -> str:
        """What that file is called in errors."""

    @abstractmethod
    def _has(self, blob: Descriptor) -> bool:
        """Whether there is a file for the blob or manifest."""

    def warm(self, count: int) -> None:
        """Nothing: files are there."""

    async def head(self, wanted: str) -> Descriptor:
        """The entry for the tag, or the manifest with the digest; "" means the only image or the tag latest."""
        return (await self.manifest(wanted)).descriptor

    async def manifest(self, wanted: str, most_bytes: int | None = None) -> Manifest:
        """The manifest's bytes, checked against its digest."""
        with self._readable(wanted):
            if is_digest(wanted):
                return self._manifest(wanted, most_bytes=most_bytes)
            target = self._target_of(wanted)
            return self._manifest(target.digest, target.media_type, most_bytes)

    async def has_manifest(self, manifest: Descriptor) -> bool:
        """Whether the manifest is there, and all that it names: what a delete has been at is not there."""
        with self._readable(manifest.digest), contextlib.suppress(FileNotFoundError):
            return not self._lacking(self._manifest(manifest.digest))
        return False

    async def tags(self, *, sound_only: bool = False, must_exist: bool = False) -> Mapping[str, Descriptor | None]:
        """Every name in index.json that keeps an image: its tag, or its digest where it has none."""
        with self._readable(""):
            return self.index(must_exist=must_exist or not self._is_folder).named(self.name)

    async def tagged(self, tags: Iterable[str], advance: Callable[[], None] | None = None) -> Mapping[str, Descriptor]:
        wanted = set(tags)
        with self._readable(""):
            named = self.index().named(self.name)
        return {tag: told for tag, told in named.items() if told is not None and tag in wanted}

    async def referrers(self, digest: str) -> list[Descriptor]:
        """The entries of index.json whose subject this is: where oras keeps them."""
        with self._readable(""):
            distinct = {entry.target.digest: entry.target for entry in self.index().entries}.values()
            return [target for target in distinct if self._subject_of(target.digest) == digest]

    async def listed(self, tag: str) -> Manifest | None:
        with self._readable(tag):
            target = next((entry.target for entry in self.index().entries if entry.name == tag), None)
            if target is None:
                return None
            listed = self._manifest(target.digest, target.media_type, sound_only=True)
            if not listed.descriptor.is_index:
                raise ContentError(f"{tag} is not a list of referrers, as its name says")
            return listed

    def _manifest(
        self, digest: Digest, media_type: str = "", most_bytes: int | None = None, *, sound_only: bool = False
    ) -> Manifest:
        content = self._file(blob_name(digest), most_bytes)
        return parse_manifest(content, media_type, digest=digest, sound_only=sound_only)

    def index(self, *, must_exist: bool = False) -> Index:
        """index.json; one of no images where there is none yet, unless it ``must_exist``."""
        try:
            return self._read_index()
        except FileNotFoundError:
            if must_exist:
                raise
            return Index()

    def _read_index(self) -> Index:
        with passing():
            index = read_index(self._file, self._where)
        return index  # noqa: RET504  (type checkers take the block for one that may swallow its errors)

    def _target_of(self, tag: str) -> Descriptor:
        """What the tag is; without one the only entry, or the one named latest. NotFound lists the tags there are."""
        listed = entries = self.index(must_exist=not self._is_folder).entries
        wanted = tag
        if not tag:  # what is attached to the images comes when it is named
            entries = tuple(entry for entry in listed if not self._is_attached(entry))
            if any(entry.name == "latest" for entry in entries):
                wanted = "latest"
            elif len({entry.target.digest for entry in entries}) != 1:
                raise Gone(
                    f"{self.name}: which image?" if entries else f"{self.name} has no image", hint=_choices(entries)
                )
        if wanted:
            entries = tuple(entry for entry in entries if entry.name == wanted)
        if not entries:
            raise Gone(f"{self.name}: no image {tag!r}", hint=_choices(listed))
        return entries[-1].target

    def _is_attached(self, entry: Entry) -> bool:
        return bool(subject_of_tag(entry.name) if entry.name else self._subject_of(entry.target.digest))

    def _subject_of(self, digest: Digest) -> str:
        with passing(), contextlib.suppress(FileNotFoundError, ContentError, Refused):
            manifest = self._manifest(digest, sound_only=True)
            return manifest.subject.digest if manifest.subject else ""
        return ""

    def _reached(self, roots: Iterable[Digest]) -> set[Digest]:
        """The digests of all that these manifests reach, themselves included; an error if one cannot be read."""
        reached: set[Digest] = set()
        waiting = list(roots)
        while waiting:
            digest = waiting.pop()
            if digest not in reached:
                reached.add(digest)
                with passing(), contextlib.suppress(FileNotFoundError):  # an index may list what was never copied here
                    manifest = self._manifest(digest)
                    reached.update(blob.digest for blob in manifest.blobs)
                    waiting.extend(child.digest for child in manifest.manifests)
        return reached

    def _check_complete(self, manifest: Manifest, tag: str) -> None:
        """Incomplete, which sync mends by sending it again, where another process has removed a part as unused."""
        if missing := self._lacking(manifest):
            message = f"{self.name}: {missing} was removed while {tag} was being written"
            raise Incomplete(message, hint="run it again")

    def _lacking(self, manifest: Manifest) -> str:
        """The first digest below this manifest that is not there, "" if all are; foreign layers need not be."""
        waiting, seen, holder = list[Digest](), {manifest.digest}, manifest
        with passing():
            while True:
                for named in (*holder.blobs, *holder.manifests):
                    if not named.is_foreign and not self._has(named):
                        return named.digest
                children = {child.digest for child in holder.manifests} - seen  # each once, however often it is named
                seen |= children
                waiting += children
                if not waiting:
                    return ""
                holder = self._manifest(waiting.pop())

    def _readable(self, wanted: str) -> Reading:
        return Reading(self.name, wanted, self._is_folder)


def _choices(entries: Sequence[Entry]) -> str:
    """What may be named instead: a tag, or where there is none a digest."""
    if tags := sorted({entry.name for entry in entries if entry.name}):
        return f"it has: {', '.join(tags)}"
    digests = ", ".join(f"@{entry.target.digest}" for entry in entries[:_MOST_SHOWN])
    return f"it has no tags, but {digests}" if digests else "it is empty, or not there"

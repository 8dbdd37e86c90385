"""What ``docker save`` writes, as a store that is only read.

From Docker 25 on it is an OCI image layout as well, and that is what is read: digests as they are. Older ones, and
skopeo's and podman's, hold manifest.json, configs and layers, and no manifest. Then each image is given one, Docker
image manifest v2 schema 2, that depends on the archive's bytes alone: the config as it is, the layers as they are. A
layer that is not compressed has in its config the digest it must have; one that is must be hashed first, once.
"""

from __future__ import annotations

import contextlib
import json
import posixpath
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from imagesync_cli.stores.files.layout_index import INDEX_FILE, LAYOUT_FILE
from imagesync_cli.stores.files.oci_archive import OciArchive
from imagesync_cli.stores.files.tar import Tar
from imagesync_cli.stores.files.tar_headers import Member
from imagesync_cli.values.digest import Digest, is_digest, new_hash, sha256
from imagesync_cli.values.documents import read_document
from imagesync_cli.values.errors import ContentError, Gone, NotFound, Refused, UsageError
from imagesync_cli.values.manifest import DOCKER_MANIFEST, Descriptor, Manifest, parse_manifest
from imagesync_cli.values.reference import ArchiveReference, normal_name

_LIST_FILE = "manifest.json"
_IMAGE_NAME = "io.containerd.image.name"
_CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
_LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar"
_COMPRESSIONS = {b"\x1f\x8b": ".gzip", b"\x28\xb5\x2f\xfd": ".zstd"}
_MOST_LINKS = 16
_MOST_LAYERS = 30_000  # of all images together


@dataclass(frozen=True)
class _Saved:
    """An image and its names in normal form."""

    names: tuple[str, ...]
    digest: str


class DockerArchive(OciArchive):
    """An archive file of images that Docker knew by name."""

    def __init__(self, reference: ArchiveReference, max_manifest_bytes: int) -> None:
        super().__init__(reference, max_manifest_bytes)
        self._images: list[_Saved] | None = None
        self._manifests: dict[str, Manifest] = {}
        self._blobs: dict[str, Member] = {}
        # Each is read once, however many images name it.
        self._hashed: dict[Member, str] = {}
        self._configs: dict[str, tuple[Digest, list[str]]] = {}

    async def manifest(self, wanted: str, most_bytes: int | None = None) -> Manifest:
        """The archive's manifest, or the one that is made for it."""
        with self._readable(wanted):
            images = self._read()
            digest = wanted if is_digest(wanted) else self._find(images, wanted).digest
            if digest in self._manifests:
                return self._manifests[digest]
        try:
            return await super().manifest(digest, most_bytes)
        except NotFound as error:
            error.hint = (
                error.hint
                or "docker save keeps what its machine had: where that is one platform, choose it with --platform"
            )
            raise

    async def has_manifest(self, manifest: Descriptor) -> bool:
        return manifest.digest in self._manifests or await super().has_manifest(manifest)

    async def tags(self, *, sound_only: bool = False, must_exist: bool = False) -> Mapping[str, Descriptor | None]:
        with self._readable(""):
            return {name: None for image in self._read() for name in image.names}

    async def tagged(self, tags: Iterable[str], advance: Callable[[], None] | None = None) -> Mapping[str, Descriptor]:
        return {tag: await self.head(tag) for tag in tags}

    async def referrers(self, digest: str) -> list[Descriptor]:
        """None: docker save keeps images alone."""
        return []

    async def listed(self, tag: str) -> Manifest | None:
        """None, likewise."""
        return None

    # The archive's images.

    def _tar(self) -> Tar:
        """The file as it was when it was first looked at: where its blobs are is known from then."""
        return self.opened.tar(as_it_was=True)

    def _stored(self, digest: Digest) -> tuple[Tar, Member]:
        self._read()
        return (self._tar(), self._blobs[digest]) if digest in self._blobs else super()._stored(digest)

    def _writer(self) -> NoReturn:
        raise Refused(f"{self.name} is read-only")

    def _read(self) -> list[_Saved]:
        if self._images is None:
            if INDEX_FILE in self._tar() and LAYOUT_FILE in self._tar():
                entries = self.index().entries
                self._images = [_Saved(_names([e.annotation(_IMAGE_NAME)]), e.target.digest) for e in entries]
            # Docker 25 lists no image that it saves by its digest alone.
            try:
                self._images = self._images or [self._saved_image(item) for item in self._items()]
            except FileNotFoundError as error:
                raise ContentError(f"{self._path} lacks {error}, which its {_LIST_FILE} names") from error
        return self._images

    def _find(self, images: list[_Saved], wanted: str) -> _Saved:
        if wanted.startswith("@") and int(wanted[1:]) < len(images):
            return images[int(wanted[1:])]
        digests = {image.digest for image in images}
        if not wanted and len(digests) == 1:
            return images[0]
        if wanted and not wanted.startswith("@"):
            name = normal_name(wanted)
            named = [image for image in images if name in image.names]
            if named:
                return named[-1]
        listed = ", ".join(sorted(name for image in images for name in image.names))
        raise Gone(
            f"{self.name}: no image {wanted!r}" if wanted else f"{self.name}: which image?",
            hint=f"it has: {listed}" if listed else "it has no names",
        )

    def _items(self) -> list[dict[str, Any]]:
        if _LIST_FILE not in self._tar():
            raise ContentError(f"{self._path} is not what docker save writes: it has no {_LIST_FILE}")
        try:
            items = read_document(self._file(_LIST_FILE))
        except ValueError as error:
            raise ContentError(f"{self._where(_LIST_FILE)} is not JSON: {error}") from error
        if not isinstance(items, list) or not all(_is_item(item) for item in items):
            raise ContentError(f"{self._where(_LIST_FILE)} is not a list of images")
        if sum(len(item["Layers"]) for item in items) > _MOST_LAYERS:
            raise ContentError(f"{self._where(_LIST_FILE)} names more than {_MOST_LAYERS} layers")
        return items

    def _saved_image(self, item: dict[str, Any]) -> _Saved:
        digest, diff_ids = self._config(item["Config"])
        if len(diff_ids) != len(item["Layers"]):
            raise ContentError(f"{self._path} has {len(item['Layers'])} layers for the {len(diff_ids)} of its config")
        document = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": self._described(_CONFIG_TYPE, digest, self._tar().member(item["Config"])),
            "layers": [self._layer(name, diff_id) for name, diff_id in zip(item["Layers"], diff_ids, strict=True)],
        }
        manifest = parse_manifest(json.dumps(document, separators=(",", ":")).encode("ascii"), DOCKER_MANIFEST)
        self._manifests[manifest.digest] = manifest
        return _Saved(_names(item.get("RepoTags") or []), manifest.digest)

    def _config(self, name: str) -> tuple[Digest, list[str]]:
        """A config's digest, and those of the layers as they are when they are not compressed, one for each."""
        if name not in self._configs:
            content = self._file(name)
            try:
                diff_ids = read_document(content)["rootfs"]["diff_ids"]
            except (ValueError, KeyError, TypeError) as error:
                raise ContentError(f"{self._where(name)} is not the config of an image") from error
            if not isinstance(diff_ids, list) or not all(isinstance(one, str) and is_digest(one) for one in diff_ids):
                raise ContentError(f"{self._where(name)} names layers by no digest")
            self._configs[name] = sha256(content), diff_ids
        return self._configs[name]

    def _layer(self, name: str, diff_id: str) -> dict[str, Any]:
        member = self._followed(name)
        start = next(self._tar().chunks(Member(member.offset, min(4, member.size), is_file=True)), b"")
        compression = next((kind for magic, kind in _COMPRESSIONS.items() if start.startswith(magic)), "")
        if not compression:
            return self._described(_LAYER_TYPE, diff_id, member)
        if member not in self._hashed:
            hashed = new_hash("sha256:")
            for chunk in self._tar().chunks(member):
                hashed.update(chunk)
            self._hashed[member] = f"sha256:{hashed.hexdigest()}"
        return self._described(_LAYER_TYPE + compression, self._hashed[member], member)

    def _followed(self, name: str) -> Member:
        """The file of a layer: older Dockers save a layer that two images share once, and link to it."""
        for _ in range(_MOST_LINKS):
            entry = self._tar().entry(name)
            if not entry.link:
                return self._tar().member(name)
            name = posixpath.normpath(entry.link)
        raise ContentError(f"{self._path}: {name} is a link to a link, without end")

    def _described(self, media_type: str, digest: str, member: Member) -> dict[str, Any]:
        self._blobs[digest] = member
        return {"mediaType": media_type, "size": member.size, "digest": digest}


def _names(texts: Iterable[str]) -> tuple[str, ...]:
    """Names in normal form; what is no name cannot be asked for."""
    names: list[str] = []
    for text in texts:
        with contextlib.suppress(UsageError):
            names.append(normal_name(text))
    return tuple(names)


def _is_item(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("Config"), str)
        and _are_texts(item.get("Layers"))
        and _are_texts(item.get("RepoTags") or [])
    )


def _are_texts(texts: Any) -> bool:
    return isinstance(texts, list) and all(isinstance(each, str) for each in texts)

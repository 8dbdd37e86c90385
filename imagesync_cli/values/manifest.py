"""Manifests, indexes and the descriptors in them (OCI image-spec v1.1, Docker image manifest v2 schema 2).

Bytes are kept as they came: a manifest is never written again from its parsed form, so its digest cannot change.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from imagesync_cli.values.digest import Digest, check_bytes, is_digest, parse_digest, sha256
from imagesync_cli.values.documents import read_document
from imagesync_cli.values.errors import ContentError, Refused

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
ARTIFACT_MANIFEST = "application/vnd.oci.artifact.manifest.v1+json"
INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFEST_TYPES = (OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST, ARTIFACT_MANIFEST)
# Docker image manifest v2 schema 1, with and without a signature; the signed one has not the digest of its bytes.
SCHEMA_1_TYPES = frozenset(f"application/vnd.docker.distribution.manifest.v1+{form}" for form in ("json", "prettyjws"))
# Layers that registries must not hold; clients fetch them from the URLs in their descriptor.
_FOREIGN = ("application/vnd.docker.image.rootfs.foreign.", "application/vnd.oci.image.layer.nondistributable.")
# What an index may list and is a part of an image for sure, as the layers of a build cache are.
_PARTS = (
    "application/vnd.oci.image.layer.",
    "application/vnd.oci.image.config.",
    "application/vnd.docker.image.rootfs.",
    "application/vnd.docker.container.image.",
    "application/vnd.buildkit.cacheconfig.",
)
MAX_DESCRIPTORS = 10_000
MAX_DEPTH = 16  # indexes within indexes
_LARGEST_BYTES = 2**63 - 1  # image-spec, descriptor.md: size is an int64
# What decides how a manifest is read, at its top and in a descriptor.
_MANIFEST_KEYS = frozenset({"schemaVersion", "mediaType", "manifests", "config", "layers", "blobs", "subject"})
_DESCRIPTOR_KEYS = frozenset({"mediaType", "digest", "size", "urls", "platform"})
_PLATFORM_KEYS = ("os", "architecture", "variant", "os.version")
_MOST_CHARACTERS = 200
_MOST_URLS, _MOST_URL_CHARACTERS = 16, 4096
# What BuildKit notes at the entries of an index that say something about other entries.
ROLE, REFERS_TO = "vnd.docker.reference.type", "vnd.docker.reference.digest"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a manifest says of something it refers to: type, digest and size in bytes, and what else is of use.

    ``urls`` are where a foreign layer may be fetched, ``platform`` is what an index says that its entry runs on, as it
    stands there, and ``notes`` are the annotations ROLE and REFERS_TO. Whatever else there is may be long, so it is not
    kept.
    """

    media_type: str
    digest: Digest
    size: int
    urls: tuple[str, ...] = field(default=(), compare=False, repr=False)
    platform: Mapping[str, str] | None = field(default=None, compare=False, repr=False)
    notes: Mapping[str, str] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, digest: str) -> Descriptor:
        """What is known by its digest alone."""
        return cls("", parse_digest(digest), 0)

    @property
    def bare(self) -> Descriptor:
        """The same with no more than type, digest and size, for whoever keeps many."""
        return Descriptor(self.media_type, self.digest, self.size)

    @property
    def is_index(self) -> bool:
        """It refers to a list of manifests."""
        return self.media_type in INDEX_TYPES

    @property
    def may_be_index(self) -> bool:
        """It may refer to a list of manifests, which an index may list under a type of its own."""
        return self.is_index or self.media_type not in MANIFEST_TYPES

    @property
    def is_manifest(self) -> bool:
        """It refers to a manifest or index: what names no type is taken for one, any other type for a blob."""
        return not self.media_type or self.media_type in MANIFEST_TYPES or self.media_type in SCHEMA_1_TYPES

    @property
    def may_be_manifest(self) -> bool:
        """An index may list a manifest under a type of its own: only who has it can tell."""
        return self.is_manifest or not self.media_type.startswith(_PARTS)

    @property
    def is_foreign(self) -> bool:
        """A layer that is fetched from its own URLs and that registries do not hold."""
        return self.media_type.startswith(_FOREIGN)


@dataclass(frozen=True)
class Manifest:
    """A manifest or index: its bytes, and what they refer to.

    What an index lists and is no manifest, such as the layers of a build cache, counts among its ``blobs``. Where there
    is a config it is the first of them.
    """

    content: bytes = field(repr=False)
    media_type: str
    digest: Digest
    manifests: tuple[Descriptor, ...] = ()
    blobs: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    has_config: bool = False

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        """The blobs without the config."""
        return self.blobs[1:] if self.has_config else self.blobs

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def descriptor(self) -> Descriptor:
        """How an index or a report refers to this manifest."""
        return Descriptor(self.media_type, self.digest, self.size)


def parse_manifest(content: bytes, media_type: str = "", *, digest: str = "", sound_only: bool = False) -> Manifest:
    """Read a manifest and check it against itself, its media type and the digest it was asked by.

    ``media_type`` is the Content-Type it came with, or "". Raises ContentError, or Refused for Docker schema 1.
    ``sound_only`` passes over entries of an index that are no descriptors: anybody may write into a list of referrers.
    """
    if media_type.partition(";")[0].strip() in SCHEMA_1_TYPES:
        raise schema_1(f"manifest {digest}".strip())
    if digest:
        check_bytes(content, digest)
    named = parse_digest(digest) if digest else sha256(content)
    document = _read(content, named)
    media_type = _agreed_type(document, media_type.partition(";")[0].strip(), named)
    if media_type in INDEX_TYPES:
        listed = _descriptors(document, "manifests", named, sound_only=sound_only)
        manifests = tuple(entry for entry in listed if entry.is_manifest)
        blobs = tuple(entry for entry in listed if not entry.is_manifest)
    else:
        manifests, blobs = (), _blobs(document, named)
    subject = _descriptor(document["subject"], named) if document.get("subject") else None
    has_config = bool(document.get("config"))
    return Manifest(content, media_type, named, manifests, blobs, subject, has_config)


def schema_1(what: str) -> Refused:
    """The error for an image in Docker's first format; ``what`` names it."""
    return Refused(
        f"{what} is Docker schema 1, which registries no longer accept",
        hint="push the image again with a current client; the registry's own interface removes it",
    )


def _read(content: bytes, digest: str) -> dict[str, Any]:
    try:
        document = read_document(content)
    except ValueError as error:
        if content.lstrip().startswith(b"<"):
            hint = "check the host: something else than a registry may answer there"
            raise ContentError(f"manifest {digest} is not JSON, but a web page", hint=hint) from error
        raise ContentError(f"manifest {digest} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ContentError(f"manifest {digest} is not a JSON object")
    _check_case(document, _MANIFEST_KEYS, digest)
    if document.get("schemaVersion") == 1:
        raise schema_1(f"manifest {digest}")
    if "manifests" in document and ("layers" in document or "config" in document):
        # One document, two readings: what one tool checks, another would run.
        raise ContentError(f"manifest {digest} is an index and an image at once")
    return document


def _check_case(document: Mapping[str, Any], known: frozenset[str], digest: str) -> None:
    """Go's parsers do not care about the case of a field, others do: one reading for each."""
    folded = {key.casefold() for key in known}
    for key in document.keys() - known:
        if key.casefold() in folded:
            raise ContentError(f"manifest {digest} has {key[:100]!r} in the wrong case")


def _agreed_type(document: dict[str, Any], header: str, digest: str) -> str:
    """The media type: what body and header agree on, told from the shape where both are silent."""
    body = document.get("mediaType") or ""
    known = {header} & set(MANIFEST_TYPES)
    if not isinstance(body, str) or (body and known and body != header):
        raise ContentError(f"manifest {digest} calls itself {body!r}, the registry calls it {header!r}")
    media_type = body or (header if known else "") or (OCI_INDEX if "manifests" in document else OCI_MANIFEST)
    if not body and not known and document.get("schemaVersion") != 2:
        raise ContentError(f"{digest} is JSON, but not a manifest")  # any web server may answer 200 with some
    if media_type not in MANIFEST_TYPES:
        raise ContentError(f"{digest} has media type {media_type!r}, which is not a manifest")
    if (media_type in INDEX_TYPES) != ("manifests" in document):
        raise ContentError(f"manifest {digest} does not have the shape of a {media_type}")
    return media_type


def _blobs(document: dict[str, Any], digest: str) -> tuple[Descriptor, ...]:
    config = (_descriptor(document["config"], digest),) if document.get("config") else ()
    layers = _descriptors(document, "layers", digest) or _descriptors(document, "blobs", digest)
    return config + layers


def _descriptors(
    document: dict[str, Any], key: str, digest: str, *, sound_only: bool = False
) -> tuple[Descriptor, ...]:
    entries = document.get(key) or []
    if not isinstance(entries, list) or len(entries) > MAX_DESCRIPTORS:
        raise ContentError(f"manifest {digest}: {key} is not a list of at most {MAX_DESCRIPTORS}")
    descriptors: list[Descriptor] = []
    for entry in entries:
        with contextlib.suppress(*(ContentError,) * sound_only):
            descriptors.append(_descriptor(entry, digest))
    return tuple(descriptors)


def _descriptor(entry: Any, digest: str) -> Descriptor:
    if not isinstance(entry, dict):
        raise ContentError(f"manifest {digest} has a descriptor that is not an object")
    _check_case(entry, _DESCRIPTOR_KEYS, digest)
    media_type, target, size = entry.get("mediaType"), entry.get("digest"), entry.get("size")
    if not isinstance(media_type, str) or not isinstance(target, str) or not is_digest(target):
        raise ContentError(f"manifest {digest} has a descriptor without media type or digest")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _LARGEST_BYTES:
        raise ContentError(f"manifest {digest}: the size of {target} is not a number of bytes")
    # One text for each digest, however many lists of them there are.
    named = parse_digest(sys.intern(target))
    platform = _texts(entry.get("platform"), _PLATFORM_KEYS)
    notes = _texts(entry.get("annotations"), (ROLE, REFERS_TO))
    return Descriptor(sys.intern(media_type), named, size, _urls(entry), platform, notes)


def _urls(entry: dict[str, Any]) -> tuple[str, ...]:
    urls = entry.get("urls")
    if not isinstance(urls, list):
        return ()
    return tuple(url for url in urls[:_MOST_URLS] if isinstance(url, str) and len(url) <= _MOST_URL_CHARACTERS)


def _texts(document: Any, keys: Iterable[str]) -> Mapping[str, str] | None:
    """What this says under these keys, None for nothing, or for what is no short text."""
    told = {key: document[key] for key in keys if document.get(key)} if isinstance(document, dict) else {}
    are_short = all(isinstance(text, str) and len(text) <= _MOST_CHARACTERS for text in told.values())
    return told if told and are_short else None

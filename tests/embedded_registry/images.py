"""Images to copy: made up from a seed, the same bytes every time, valid down to the diff_ids.

Nothing in them runs; a real image that does is in tests/real_image.py, made of the same parts.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.embedded_registry.state import Manifest, Repository, digest_of

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
IN_TOTO = "application/vnd.in-toto+json"

SIX_PLATFORMS = (
    "linux/amd64",
    "linux/arm64",
    "linux/arm/v7",
    "linux/ppc64le",
    "linux/riscv64",
    "linux/s390x",
)

Descriptor = dict[str, Any]


@dataclass(frozen=True)
class Image:
    """A whole image: its root, every manifest (children before parents) and every blob."""

    root: Manifest
    manifests: dict[str, Manifest]
    blobs: dict[str, bytes] = field(repr=False)

    @property
    def digest(self) -> str:
        return self.root.digest

    @property
    def children(self) -> list[str]:
        return self.root.children

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self.blobs.values())) + sum(len(m.content) for m in self.manifests.values())

    def seed(self, repository: Repository, *tags: str) -> str:
        """Put it into an embedded registry's repository without any request; returns the digest."""
        repository.blobs.update(self.blobs)
        repository.manifests.update(self.manifests)
        repository.tags.update(dict.fromkeys(tags, self.digest))
        return self.digest

    def write_layout(self, folder: Path, tag: str) -> Path:
        """Write it as an OCI image layout with one tag (image-spec v1.1, image-layout.md)."""
        blobs = folder / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        manifests = {digest: manifest.content for digest, manifest in self.manifests.items()}
        for digest, content in (self.blobs | manifests).items():
            (blobs / digest.removeprefix("sha256:")).write_bytes(content)
        entry = describe(self.root.media_type, self.root.content)
        entry["annotations"] = {"org.opencontainers.image.ref.name": tag}
        (folder / "index.json").write_bytes(to_json({"schemaVersion": 2, "manifests": [entry]}))
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        return folder


def to_json(document: object) -> bytes:
    return json.dumps(document, indent=2).encode()


def describe(media_type: str, content: bytes) -> Descriptor:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def platform_of(text: str) -> dict[str, str]:
    """Turn "linux/arm/v7" or "windows(10.0.17763.1)/amd64" into the platform of a descriptor."""
    system, *others = text.split("/")
    name, _, version = system.rstrip(")").partition("(")
    told = dict(zip(("os", "architecture", "variant"), (name, *others), strict=False))
    return told | ({"os.version": version} if version else {})


def random_bytes(seed: object, size_bytes: int) -> bytes:
    """Return bytes that do not compress and depend on the seed alone."""
    return hashlib.shake_128(repr(seed).encode()).digest(size_bytes)


def tar(files: dict[str, tuple[int, bytes]]) -> bytes:
    """Pack files (path → mode and content) without times or owners, so that equal files make equal bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, (mode, content) in files.items():
            entry = tarfile.TarInfo(path)
            entry.mode, entry.size = mode, len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def compose(platform: str, layers: Iterable[bytes], *, docker: bool = False, compression: int = 0) -> Image:
    """Make the image of one platform from uncompressed tar layers."""
    tars = list(layers)
    packed = [gzip.compress(layer, compression, mtime=0) for layer in tars]
    config = to_json(
        {
            **platform_of(platform),
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in tars]},
        }
    )
    media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
    document = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": describe(DOCKER_CONFIG if docker else OCI_CONFIG, config),
        "layers": [describe(DOCKER_LAYER if docker else OCI_LAYER, layer) for layer in packed],
    }
    root = Manifest(media_type, to_json(document))
    return Image(root, {root.digest: root}, {digest_of(blob): blob for blob in (config, *packed)})


def image(
    seed: object = 0,
    *,
    layers: int = 1,
    layer_size_bytes: int = 1024,
    platform: str = "linux/amd64",
    docker: bool = False,
) -> Image:
    """Make up an image of one platform; another seed or platform gives other layers."""
    tars = []
    for number in range(layers):
        content = random_bytes((seed, platform, number), layer_size_bytes)
        tars.append(tar({f"layer-{number}": (0o644, content)}))
    return compose(platform, tars, docker=docker)


def attestation(of: str, seed: object = 0) -> Image:
    """Make what BuildKit adds for each platform: an in-toto statement as a one-layer image."""
    statement = to_json({"_type": "https://in-toto.io/Statement/v0.1", "subject": [], "seed": repr(seed)})
    config = to_json({**platform_of("unknown/unknown"), "config": {}, "rootfs": {"type": "layers", "of": of}})
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": describe(OCI_CONFIG, config),
        "layers": [describe(IN_TOTO, statement)],
    }
    root = Manifest(OCI_MANIFEST, to_json(document))
    return Image(root, {root.digest: root}, {digest_of(blob): blob for blob in (config, statement)})


def listing(parts: Iterable[tuple[Image, Descriptor]], *, docker: bool = False, **members: Any) -> Image:
    """Put images under one index, each with what its entry says besides type, digest and size."""
    parts = list(parts)
    entries = [describe(part.root.media_type, part.root.content) | said for part, said in parts]
    media_type = DOCKER_LIST if docker else OCI_INDEX
    document = {"schemaVersion": 2, "mediaType": media_type, "manifests": entries, **members}
    root = Manifest(media_type, to_json(document))
    manifests = {digest: manifest for part, _ in parts for digest, manifest in part.manifests.items()}
    blobs = {digest: blob for part, _ in parts for digest, blob in part.blobs.items()}
    return Image(root, manifests | {root.digest: root}, blobs)


def index_of(images: dict[str, Image], *, docker: bool = False, attested: bool = False) -> Image:
    """Put images (by platform) under one index, with an attestation beside each if wanted."""
    parts = [(part, {"platform": platform_of(platform)}) for platform, part in images.items()]
    attestations = [(attestation(part.digest), about(part)) for part in images.values()] if attested else []
    return listing([*parts, *attestations], docker=docker)


def about(part: Image) -> Descriptor:
    """Say what BuildKit says in the entry of an attestation about an image."""
    return {
        "platform": platform_of("unknown/unknown"),
        "annotations": {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": part.digest,
        },
    }


def index(
    seed: object = 0,
    *,
    platforms: Iterable[str] = SIX_PLATFORMS,
    layers: int = 1,
    layer_size_bytes: int = 1024,
    docker: bool = False,
    attested: bool = False,
) -> Image:
    """Make up a multi-platform image."""
    made = {
        platform: image(seed, layers=layers, layer_size_bytes=layer_size_bytes, platform=platform, docker=docker)
        for platform in platforms
    }
    return index_of(made, docker=docker, attested=attested)


def referrer(subject: Image, artifact_type: str = "application/vnd.example.signature", seed: object = 0) -> Image:
    """Make an artifact that points at an image, such as a signature or an SBOM (image-spec v1.1)."""
    empty, content = b"{}", random_bytes((seed, artifact_type, subject.digest), 64)
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": describe(OCI_EMPTY, empty),
        "layers": [describe("application/octet-stream", content)],
        "subject": describe(subject.root.media_type, subject.root.content),
        "annotations": {"org.example.seed": repr(seed)},
    }
    root = Manifest(OCI_MANIFEST, to_json(document))
    return Image(root, {root.digest: root}, {digest_of(blob): blob for blob in (empty, content)})

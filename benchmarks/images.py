"""The images that are copied: their shapes, and their bytes as a stream made from a number.

A layer is one block of random bytes over and over, each time numbered, under a gzip header: no two alike, and nothing
that a tool would want to compress. What is large is never held.
"""

from __future__ import annotations

import functools
import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass

MIB = 1024 * 1024
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_ARCHITECTURES = ("amd64", "arm64", "arm", "386", "ppc64le", "s390x")


@dataclass(frozen=True)
class Layer:
    """One layer; its number is its content."""

    number: int
    size_mib: int

    @property
    def size_bytes(self) -> int:
        return self.size_mib * MIB

    def chunks(self) -> Iterator[bytes]:
        block = random.Random(self.number).randbytes(MIB)  # noqa: S311  (filling, not secrets)
        for part in range(self.size_mib):
            yield b"\x1f\x8b\x08\x00" + part.to_bytes(8, "big") + block[12:]


@dataclass(frozen=True)
class Document:
    """A manifest, an index or a config."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"


@dataclass(frozen=True)
class Image:
    """The layers of each platform: one platform makes a plain manifest, several make an index."""

    name: str
    platforms: tuple[tuple[Layer, ...], ...]

    @property
    def layers(self) -> list[Layer]:
        """Each distinct layer once."""
        return list(dict.fromkeys(layer for layers in self.platforms for layer in layers))

    @property
    def size_bytes(self) -> int:
        return sum(layer.size_bytes for layer in self.layers)

    def configs(self) -> list[Document]:
        return [_config(*platform) for platform in zip(_ARCHITECTURES, self.platforms, strict=False)]

    def manifests(self) -> list[Document]:
        """Children first, the root last."""
        manifests = [_manifest(config, layers) for config, layers in zip(self.configs(), self.platforms, strict=True)]
        return manifests if len(manifests) == 1 else [*manifests, _index(manifests)]


def _config(architecture: str, layers: tuple[Layer, ...]) -> Document:
    rootfs = {"type": "layers", "diff_ids": [digest(layer) for layer in layers]}
    return _document(_CONFIG, {"architecture": architecture, "os": "linux", "config": {}, "rootfs": rootfs})


def _manifest(config: Document, layers: tuple[Layer, ...]) -> Document:
    entries = [{"mediaType": _LAYER, "digest": digest(layer), "size": layer.size_bytes} for layer in layers]
    content = {"schemaVersion": 2, "mediaType": MANIFEST, "config": _descriptor(config), "layers": entries}
    return _document(MANIFEST, content)


def _index(manifests: list[Document]) -> Document:
    entries = [
        _descriptor(manifest) | {"platform": {"os": "linux", "architecture": architecture}}
        for architecture, manifest in zip(_ARCHITECTURES, manifests, strict=True)
    ]
    return _document(INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})


def _document(media_type: str, content: dict[str, object]) -> Document:
    return Document(media_type, json.dumps(content).encode())


def _descriptor(document: Document) -> dict[str, object]:
    return {"mediaType": document.media_type, "digest": document.digest, "size": len(document.content)}


@functools.cache
def digest(layer: Layer) -> str:
    """The layer's digest, worked out once."""
    hasher = hashlib.sha256()
    for chunk in layer.chunks():
        hasher.update(chunk)
    return f"sha256:{hasher.hexdigest()}"


def _layers(first: int, count: int, size_mib: int) -> tuple[Layer, ...]:
    return tuple(Layer(first + number, size_mib) for number in range(count))


SMALL = Image("small", (_layers(100, 1, 1),))
MEDIUM = Image("medium", (_layers(200, 10, 20),))
BIG = Image("big", (_layers(300, 4, 500),))
HUGE = Image("huge", (_layers(400, 20, 500),))
# 95 MiB in 19 layers: one that all platforms share, and three of each.
SIX = Image("six platforms", tuple((Layer(500, 5), *_layers(501 + 3 * number, 3, 5)) for number in range(6)))
# Another image's layer, in place of the last one of an image that is nearly there.
_OTHER = Layer(299, 1)
IMAGES = {image.name: image for image in (SMALL, MEDIUM, BIG, HUGE, SIX)}


def indexes_of(image: Image, count: int) -> Iterator[Document]:
    """So many indexes, no two alike, each with ten entries that are all this image."""
    entry = _descriptor(image.manifests()[-1])
    entries = [entry | {"platform": {"os": "linux", "architecture": f"variant-{number}"}} for number in range(10)]
    for number in range(count):
        annotations = {"number": str(number)}
        content = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries, "annotations": annotations}
        yield _document(INDEX, content)


def nearly(image: Image) -> Image:
    """What a destination has before the image comes: all of its layers but the last."""
    *others, last = image.platforms
    return Image(f"nearly {image.name}", (*others, (*last[:-1], _OTHER)))

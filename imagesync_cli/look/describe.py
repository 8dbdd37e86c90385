"""What an image is: its platforms, sizes, layers, configs and annotations, and what is attached to it.

Nothing is checked but digests. What the manifests and configs of an image say of it may be long: a bounded part is
kept, and ``left_out`` says where that was not all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagesync_cli.look.referrer import Referrer
from imagesync_cli.look.referrers import Referrers
from imagesync_cli.look.selection import read_whole
from imagesync_cli.look.walk import Place, Walk
from imagesync_cli.stores import Store, Stores
from imagesync_cli.values.documents import read_document
from imagesync_cli.values.errors import ContentError
from imagesync_cli.values.manifest import Descriptor, Manifest
from imagesync_cli.values.platforms import read_platform
from imagesync_cli.values.reference import Reference

_LARGEST_CONFIG_BYTES = 256 * 1024
_MOST_KEPT_BYTES = 2 * 1024 * 1024
_LAYER_BYTES = 256  # what a layer takes to be kept and told


@dataclass(frozen=True)
class ImageDescription:
    """One manifest that is no index. ``size`` is that of its config and layers, in bytes; ``config`` is its document.

    ``platform`` is "" for what runs on none, such as an attestation.
    """

    digest: str
    media_type: str
    platform: str
    size: int
    layers: tuple[Descriptor, ...]
    config: Mapping[str, Any]
    annotations: Mapping[str, str]


@dataclass
class Description:
    """``id`` is NAME@DIGEST; ``size`` counts each blob once, however many platforms share it, in bytes."""

    reference: str
    id: str
    digest: str
    media_type: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    images: list[ImageDescription] = field(default_factory=list)
    referrers: list[Referrer] = field(default_factory=list)
    left_out: bool = False

    @property
    def platforms(self) -> list[str]:
        """Each once, in the order of the index."""
        return list(dict.fromkeys(image.platform for image in self.images if image.platform))

    @property
    def size(self) -> int:
        """All blobs of all platforms."""
        return sum({blob.digest: blob.size for image in self.images for blob in image.layers}.values())


async def describe(stores: Stores, reference: Reference, *, whole: bool = True) -> Description:
    """Read every manifest of the image and each image's config. NotFound where there is no image.

    Unless ``whole`` nobody is asked what is attached, and no config is read but a single image's: an index tells more.
    """
    store = stores.open(reference)
    root = await store.manifest(reference.wanted)
    made = Description(str(reference), f"{reference.name}@{root.digest}", root.digest, root.media_type)
    await _Describing(store, made, whole).fill(root)
    if whole:
        found = {each.digest: each for each in (await Referrers(store).all_of(root.descriptor, root)).referrers}
        made.referrers = sorted(found.values(), key=lambda each: each.digest)
    return made


@dataclass
class _Describing:
    _store: Store
    _made: Description
    _whole: bool
    _room_bytes: int = _MOST_KEPT_BYTES
    _images: list[tuple[tuple[int, ...], ImageDescription]] = field(default_factory=list)

    async def fill(self, root: Manifest) -> None:
        place = Place(root.descriptor)
        self._made.annotations = self._annotations(root)
        async with Walk(self._visit) as self._walk:
            if root.descriptor.is_index:
                await self._walk.below(root, place)
            else:
                await self._describe(root, place)
        self._made.images = [image for _, image in sorted(self._images, key=lambda image: image[0])]

    async def _visit(self, place: Place) -> None:
        manifest = await self._walk.read(self._store, place)
        if manifest.descriptor.is_index:
            below = self._walk.below(manifest, place)
            del manifest
            await below
        else:
            await self._describe(manifest, place)

    async def _describe(self, manifest: Manifest, place: Place) -> None:
        config = await self._config(manifest) if self._whole or not place.parent else {}
        platform = place.platform or str(read_platform(config) or "")
        layers = manifest.layers if self._has_room(len(manifest.layers) * _LAYER_BYTES) else ()
        blobs = tuple(blob.bare for blob in layers)
        size = sum(blob.size for blob in manifest.blobs)
        image = ImageDescription(
            manifest.digest, manifest.media_type, platform, size, blobs, config, self._annotations(manifest)
        )
        self._images.append((place.order, image))

    async def _config(self, manifest: Manifest) -> Mapping[str, Any]:
        """The config's document, empty where it is none of an image, too long, or what no parser reads."""
        if not manifest.has_config or "json" not in manifest.blobs[0].media_type:
            return {}
        config = manifest.blobs[0]
        if config.size > _LARGEST_CONFIG_BYTES or not self._has_room(config.size):
            self._made.left_out = True
            return {}
        try:
            document = read_document(await read_whole(self._store, config))
        except ValueError as error:
            raise ContentError(f"config {config.digest} is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise ContentError(f"config {config.digest} is not a JSON object")
        return document

    def _annotations(self, manifest: Manifest) -> Mapping[str, str]:
        annotations = read_document(manifest.content).get("annotations")
        if not isinstance(annotations, dict):
            return {}
        texts = {key: text for key, text in annotations.items() if isinstance(text, str)}
        if not self._has_room(sum(len(key) + len(text) for key, text in texts.items())):
            return {}
        return texts

    def _has_room(self, size_bytes: int) -> bool:
        if size_bytes > self._room_bytes:
            self._made.left_out = True
            return False
        self._room_bytes -= size_bytes
        return True

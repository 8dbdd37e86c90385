"""Say what a copy would come to before it is made: how much the destination lacks, and what speaks against it.

Manifests are read where that costs least: at the destination what it has already, at the source the rest. Blobs are
asked for by HEAD, none is read but the config that tells a single image's platform; and a config is not asked for where
one of its layers is missing, for it arrives with them. Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from imagesync_cli.concurrency import gather_few
from imagesync_cli.look.selection import Selection, find_wanted
from imagesync_cli.look.walk import Place, Walk
from imagesync_cli.stores import Side, Store, Stores
from imagesync_cli.values.errors import ContentError, NoPlatform, Refused
from imagesync_cli.values.manifest import MAX_DESCRIPTORS, Descriptor, Manifest
from imagesync_cli.values.reference import Reference, RegistryReference

if TYPE_CHECKING:
    from imagesync_cli.look.trust.age import MinimumAge
    from imagesync_cli.values.platforms import Platform

_AT_ONCE = 64
# Nothing is held of what was read.
_MOST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Intent:
    """A copy that is meant to be made, and what is asked about it.

    ``digest`` is what arrives; ``selection`` has the digest of the whole image that this is chosen from. ``estimated``
    asks how much is to be copied where the image is not there, ``sized`` how large it is in any case, of which
    ``max_size_bytes`` is the most, 0 for any. ``required`` are platforms that the image must have, ``signed`` says that
    it must have a signature, and ``minimum_age`` how old it must be.
    """

    source: Reference
    digest: str
    selection: Selection
    estimated: bool = False
    sized: bool = False
    max_size_bytes: int = 0
    required: tuple[Platform, ...] = ()
    signed: bool = False
    minimum_age: MinimumAge | None = None

    @property
    def decides(self) -> bool:
        """Whether the answer may keep the copy from being made."""
        return bool(self.sized or self.required or self.signed)

    def asks(self, present: str) -> bool:
        """Whether anything is to be found out where the destination has this digest, "" for none."""
        return self.decides or ((self.estimated or self.minimum_age is not None) and present != self.digest)


@dataclass(frozen=True)
class Estimate:
    """How much an image is and how much of it is missing, each blob once: layers, and bytes of layers and configs.

    ``mounts`` says that what is missing comes from another repository of the destination's registry. ``lacks`` and
    ``unsigned`` say in a sentence which platform or signature is not there, "" where all are, or none was asked for.
    """

    layers: int = 0
    layers_missing: int = 0
    size_bytes: int = 0
    missing_bytes: int = 0
    mounts: bool = False
    lacks: str = ""
    unsigned: str = ""


async def estimate(stores: Stores, intent: Intent, destination: Reference, present: str) -> Estimate:
    """Look at the image that is meant to be copied; ``present`` is the digest that the destination's tag has, or "".

    What cannot be read is an error of errors.py.
    """
    is_there = present == intent.digest
    # An image's signatures are at the destination only if they are copied too.
    if is_there and (intent.selection.referrers or not intent.signed):
        here = stores.open(destination)
        root = await here.manifest(intent.digest)
    else:
        here = stores.open(intent.source)
        root = await _arriving(here, intent)
    content = _Content(
        here, None if is_there else stores.open(destination, side=Side.DESTINATION), is_fresh=not present
    )
    if intent.sized or (intent.estimated and not is_there):
        await content.add(root)
    mounts = isinstance(destination, RegistryReference) and intent.source.location[0] == destination.location[0]
    missing = [] if intent.source.location == destination.location else await content.missing()
    return Estimate(
        len(content.layers),
        len(content.layers.intersection(blob.digest for blob in missing)),
        sum(blob.size for blob in content.blobs.values()),
        sum(blob.size for blob in missing),
        mounts=mounts,
        lacks=await _lacking(here, root, intent),
        unsigned=await _unsigned(here, root) if intent.signed else "",
    )


async def _arriving(here: Store, intent: Intent) -> Manifest:
    if not intent.selection.platforms:
        return await here.manifest(intent.selection.digest)
    wanted = await find_wanted(here, intent.source, intent.selection)
    return wanted.root or await here.manifest(wanted.descriptor.digest)


async def _lacking(here: Store, root: Manifest, intent: Intent) -> str:
    if not intent.required:
        return ""
    from imagesync_cli.look.choose_platforms import choose_platforms

    try:
        await choose_platforms(here, root, intent.required, str(intent.source))
    except NoPlatform as error:
        return str(error)
    return ""


async def _unsigned(here: Store, root: Manifest) -> str:
    from imagesync_cli.look.referrers import Referrers, require_signature

    try:
        require_signature(here.name, root, await Referrers(here).all_of(root.descriptor, root))
    except Refused as error:
        return error.message
    return ""


@dataclass
class _Content:
    """Everything that an image names, each digest once, and what of it the destination has.

    Without ``there`` nothing is compared. A destination without the tag ``is_fresh``: no child is looked for.
    """

    here: Store
    there: Store | None
    is_fresh: bool
    present: set[str] = field(default_factory=set)
    blobs: dict[str, Descriptor] = field(default_factory=dict)
    layers: set[str] = field(default_factory=set)
    configs: dict[str, set[str]] = field(default_factory=dict)  # with the layers that they come with

    async def add(self, root: Manifest) -> None:
        """This manifest and all below it."""
        self._note(root, present=False)
        async with Walk(self._child, most_bytes=_MOST_BYTES) as self._walk:
            await self._walk.below(root)

    def _note(self, manifest: Manifest, *, present: bool) -> None:
        blobs: dict[str, Descriptor] = {blob.digest: blob for blob in manifest.blobs if not blob.is_foreign}
        self.blobs |= blobs
        layers = {layer.digest for layer in manifest.layers if layer.digest in blobs}
        self.layers |= layers
        if manifest.has_config:
            self.configs.setdefault(manifest.blobs[0].digest, set()).update(layers)
        self.present.update(blobs if present else ())
        if len(self.blobs) > MAX_DESCRIPTORS:
            raise ContentError(f"the image names more than {MAX_DESCRIPTORS} manifests and blobs")

    async def _child(self, place: Place) -> None:
        """The blobs of a manifest that is present at the destination are there too."""
        there = self.there
        present = there is not None and not self.is_fresh and await there.has_manifest(place.target)
        manifest = await self._walk.read(there if present and there is not None else self.here, place)
        self._note(manifest, present=present)
        below = self._walk.below(manifest, place)
        del manifest
        await below

    async def missing(self) -> list[Descriptor]:
        """The blobs that the destination does not have."""
        there, lacking = self.there, dict[str, Descriptor]()
        if there is None:
            return []

        async def look(blob: Descriptor) -> None:
            alone = lacking.keys().isdisjoint(self.configs.get(blob.digest, ()))
            if not (alone and await there.has_blob(blob)):
                lacking[blob.digest] = blob

        unknown = [blob for digest, blob in self.blobs.items() if digest not in self.present]
        for some in (
            [blob for blob in unknown if blob.digest not in self.configs],
            [blob for blob in unknown if blob.digest in self.configs],
        ):
            await gather_few(min(_AT_ONCE, len(some)), map(look, some))
        return list(lacking.values())

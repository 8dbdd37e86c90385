"""Choose the platforms that are wanted of an image. Reads no more of it than that takes, and writes nothing.

One platform is that platform's own manifest. Several are a new index of their entries and of the attestations about
them, written in one fixed form, so that the same source and platforms give the same digest everywhere and always.
Where that would leave nothing out it is the source's own index, byte for byte.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from imagesync_cli.concurrency import gather
from imagesync_cli.look.selection import Wanted, read_whole
from imagesync_cli.stores import Store
from imagesync_cli.values.digest import NO_DIGEST
from imagesync_cli.values.documents import read_document
from imagesync_cli.values.errors import ContentError, NoPlatform, first_few
from imagesync_cli.values.manifest import REFERS_TO, ROLE, Descriptor, Manifest, parse_manifest
from imagesync_cli.values.platforms import Platform, nearness, read_platform

_MOST_CONFIG_BYTES = 4 * 1024 * 1024
_CONFIGS_AT_ONCE = 4
_MOST_NAMED = 50
_UNKNOWN = ("unknown", "unknown")


async def choose_platforms(store: Store, root: Manifest, platforms: Iterable[Platform], image: str) -> Wanted:
    """Choose from the image whose root this is; all of it where no platform is named.

    Raises NoPlatform, which names the ``image`` and what it has, for a platform that it does not have.
    """
    wanted = list(dict.fromkeys(platforms))
    if not wanted:
        return Wanted(root.descriptor, root.digest, root)
    if not root.descriptor.is_index:
        await _check_single(store, root, wanted, image)
        return Wanted(root.descriptor, root.digest, root)
    offered = await _offered(store, root)
    chosen = [_nearest(one, offered) for one in wanted]
    lacking = [one for one, places in zip(wanted, chosen, strict=True) if not places]
    if lacking:
        raise _not_for(lacking, filter(None, offered), image)
    if len(wanted) == 1:
        return Wanted(root.manifests[chosen[0][0]], root.digest)
    return _several(root, {place for places in chosen for place in places})


async def _check_single(store: Store, root: Manifest, wanted: list[Platform], image: str) -> None:
    platform = await config_platform(store, root)
    if platform is None:
        kind = read_document(root.content).get("artifactType") or (
            root.blobs[0].media_type if root.blobs else "unknown"
        )
        raise NoPlatform(f"{image} has no platform, its type is {kind}", hint="leave the platforms out")
    lacking = [one for one in wanted if nearness(one, platform) is None]
    if lacking:
        raise _not_for(lacking, [platform], image)


def _not_for(lacking: list[Platform], has: Iterable[Platform], image: str) -> NoPlatform:
    return NoPlatform(
        f"{image} is not there for {', '.join(map(str, lacking))}",
        hint=f"it has {first_few(map(str, has), _MOST_NAMED) or 'no platform'}",
    )


def _nearest(wanted: Platform, offered: list[Platform | None]) -> list[int]:
    """The places of those that serve best, all of them: of a Windows image each OS version, for instance."""
    found = {place: near for place, one in enumerate(offered) if one and (near := nearness(wanted, one)) is not None}
    best = max(found.values(), default=None)
    return [place for place, near in found.items() if near == best]


async def _offered(store: Store, root: Manifest) -> list[Platform | None]:
    """The platform of each entry; None for what has none, such as attestations and other data."""
    limit = asyncio.Semaphore(_CONFIGS_AT_ONCE)

    async def one(entry: Descriptor) -> Platform | None:
        if _is_data(entry):
            return None
        platform = _stated(entry)
        if platform is not None or entry.is_index:
            return platform
        async with limit:
            return await config_platform(store, await store.manifest(entry.digest))

    return await gather(one(entry) for entry in root.manifests)


async def config_platform(store: Store, manifest: Manifest) -> Platform | None:
    """What the image's config says; None for an artifact, whose config is something else or not there."""
    config = await read_config(store, manifest)
    return None if config is None else read_platform(config)


async def read_config(store: Store, manifest: Manifest) -> dict[str, Any] | None:
    """The image's config; None for an artifact, whose config is something else or not there."""
    if not manifest.has_config:
        return None
    config = manifest.blobs[0]
    if config.size > _MOST_CONFIG_BYTES:
        raise ContentError(f"{manifest.digest}: its config is longer than {_MOST_CONFIG_BYTES} bytes")
    try:
        document = read_document(await read_whole(store, config))
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _several(root: Manifest, places: set[int]) -> Wanted:
    about = {root.manifests[place].digest for place in places}
    kept = {
        place
        for place, entry in enumerate(root.manifests)
        if place in places or (_is_data(entry) and (entry.notes or {}).get(REFERS_TO) in about)
    }
    if len(kept) == len(root.manifests):
        return Wanted(root.descriptor, root.digest, root)
    try:
        document = read_document(root.content)
        document["manifests"] = [entry for place, entry in enumerate(_listed(document)) if place in kept]
        # All keys sorted, no space, everything but ASCII escaped: no version of Python writes that differently.
        content = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise ContentError(f"index {root.digest} cannot be written again: {error}") from error
    made = parse_manifest(content.encode("ascii"), root.media_type)
    return Wanted(made.descriptor, root.digest, made, is_new=True)


def _listed(index: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries that ``Manifest.manifests`` has, as they are written."""
    return [entry for entry in index["manifests"] if Descriptor(entry["mediaType"], NO_DIGEST, 0).is_manifest]


def _is_data(entry: Descriptor) -> bool:
    """It says something about other entries, and is nothing to run."""
    platform = _stated(entry)
    unknown = platform is not None and (platform.os, platform.architecture) == _UNKNOWN
    return unknown or (entry.notes or {}).get(ROLE) == "attestation-manifest"


def _stated(entry: Descriptor) -> Platform | None:
    return read_platform(entry.platform or {})

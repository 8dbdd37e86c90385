"""Remove a tag where the registry deletes no tags, only manifests together with every tag on them.

    alone    the digest is on no other tag and in no index: deleting it is exact
    shared   the tag is first moved to a tombstone, a copy of the same manifest with one more annotation, which is
             then deleted with the tag; only on distribution 2.x, where this was seen to leave everything else alone
    else     nothing is done, and the error names who shares the digest

A tombstone runs like the image it stands for: a crash leaves the tag on equal content, and the next delete knows it.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from imagesync_cli.errors import Refused, Unavailable
from imagesync_cli.manifest import Manifest, parse_manifest
from imagesync_cli.operations.usage import Usage
from imagesync_cli.stores import Store, Untagged

_TOMBSTONE = "imagesync.tombstone"


def original_of(manifest: Manifest) -> str:
    """The digest that this manifest is a tombstone of, or "" if it is none."""
    document: Any = json.loads(manifest.content)
    annotations = document.get("annotations")
    mark = annotations.get(_TOMBSTONE) if isinstance(annotations, dict) else None
    return mark.partition(" ")[0] if isinstance(mark, str) else ""


def tombstone_of(manifest: Manifest) -> Manifest:
    """The same manifest with a digest of its own; it needs no blob that the original does not."""
    document = json.loads(manifest.content)
    mark = {_TOMBSTONE: f"{manifest.digest} {uuid.uuid4().hex}"}
    document["annotations"] = {**(document.get("annotations") or {}), **mark}
    return parse_manifest(json.dumps(document).encode("utf-8"), manifest.media_type)


async def untag_by_digest(store: Store, tag: str, current: Manifest, usage: Usage, offer: Untagged) -> bool:
    """Remove the tag and nothing that anybody else uses; whether the manifest went with it.

    ``usage`` is that of all other tags. Raises Refused when it cannot be done, with nothing changed.
    """
    user = usage.users.get(current.digest)
    if user is None:
        await _delete(store, tag, current.digest)
        return True
    if offer is not Untagged.ONLY_BY_DIGEST:
        raise Refused(
            f"{store.name} deletes no tags, and {user} uses {current.digest} too",
            hint=f"remove {tag} in the registry's own interface",
        )
    if not original_of(current):
        await _prove(store, current)
        grave = tombstone_of(current)
        await store.put_manifest(grave)
        await _expect(store, tag, current.digest)
        await store.put_manifest(grave, tag)
        current = grave
    await _delete(store, tag, current.digest)
    return False


async def _prove(store: Store, manifest: Manifest) -> None:
    """Put and delete a tombstone that no tag points at: what fails here has changed nothing."""
    trial = tombstone_of(manifest)
    await store.put_manifest(trial)
    await _must_go(store, trial.digest)


async def _delete(store: Store, tag: str, digest: str) -> None:
    await _expect(store, tag, digest)
    await _must_go(store, digest)


async def _expect(store: Store, tag: str, digest: str) -> None:
    if (await store.head(tag)).digest != digest:
        raise Unavailable(f"{store.name}:{tag} was moved while it was being removed", hint="run it again")


async def _must_go(store: Store, digest: str) -> None:
    if reason := await store.delete_manifest(digest):
        raise Refused(
            f"{store.name} deletes neither tags nor manifests: {reason}",
            hint="for distribution, set storage.delete.enabled",
        )

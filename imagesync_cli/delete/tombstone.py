"""Remove a tag where the registry deletes no tags, only manifests together with every tag on them.

    alone    the digest is on no other tag, in no index and no referrer's subject: deleting it is exact
    shared   the tag is first moved to a tombstone, a copy of the same manifest with one more annotation, which is
             then deleted with the tag; only on distribution 2.x, where this was seen to leave everything else alone
    else     nothing is done, and the error names who shares the digest

A tombstone runs like the image it stands for: a crash leaves the tag on equal content, and the next delete knows it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Sequence
from typing import Any

from imagesync_cli.delete.references import References, first_few
from imagesync_cli.stores import Store, Untagged
from imagesync_cli.values.errors import NotFound, Refused, Unavailable
from imagesync_cli.values.manifest import Manifest, parse_manifest

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
    mark = {_TOMBSTONE: f"{original_of(manifest) or manifest.digest} {uuid.uuid4().hex}"}
    document["annotations"] = {**(document.get("annotations") or {}), **mark}
    return parse_manifest(json.dumps(document).encode("utf-8"), manifest.media_type)


async def untag_by_digest(
    store: Store, tags: Sequence[str], current: Manifest, references: References | None, offer: Untagged
) -> bool:
    """Remove the first of the tags and nothing that anybody else uses; whether the manifest went with it.

    The other ``tags`` are on the same digest and go too. ``references`` are those of all tags that stay, None where
    they are not known, on distribution 2.x. Raises Refused when it cannot be done, with nothing changed.
    """
    tag = tags[0]
    user = await _user(store, current.digest, references, offer)
    if not user:
        if await _points_at(store, tag, current.digest):
            await _must_go(store, current.digest, tags)
        return True
    if offer is not Untagged.ONLY_BY_DIGEST:
        tags = references.tags_at(current.digest) if references else []
        going = f"; {first_few(tags)} would go too" if tags else ""
        raise Refused(
            f"{store.name} deletes no tags, only manifests, and {current.digest} is used by {user} as well{going}",
            hint=f"remove {tag} in the registry's own interface",
        )
    grave = tombstone_of(current)
    # First without a tag, to see that deleting works: what fails here has changed nothing.
    await store.put_manifest(grave)
    await _must_go(store, grave.digest)
    if await _points_at(store, tag, current.digest):
        await store.put_manifest(grave, tag)
        await _must_go(store, grave.digest, [tag])
    return False


async def _user(store: Store, digest: str, references: References | None, offer: Untagged) -> str:
    """Who else uses the digest; distribution 2.x has no Referrers API to ask."""
    if references is None:
        return "somebody unknown"
    user = references.user_of(digest)
    # Where it is planned that referrers go as well, those that stay are known as users.
    if (
        not user
        and references.planned is None
        and offer is not Untagged.ONLY_BY_DIGEST
        and (referrers := await store.referrers(digest))
    ):
        user = f"referrer {referrers[0].digest}"
    return user


async def _points_at(store: Store, tag: str, digest: str) -> bool:
    """Whether the tag is still there; Unavailable where it was moved meanwhile."""
    try:
        found = await store.head(tag)
    except NotFound:
        return False
    if found.digest != digest:
        raise Unavailable(f"{store.name}:{tag} was moved while it was being removed", hint="run it again")
    return True


async def _must_go(store: Store, digest: str, tags: Collection[str] = ()) -> None:
    if reason := await store.delete_manifest(digest, tags):
        raise Refused(
            f"{store.name} deletes neither tags nor {digest}: {reason}",
            hint="for distribution, set storage.delete.enabled; elsewhere, use the registry's own interface",
        )

"""What a process that removes several times from one repository remembers in between: a reading serves all of them.

Before a manifest goes, every tag of its repository is asked what it points at. Where many removals follow each other,
the next one asks those that are not known from the last one. What a tag answered counts for TRUSTED_S: of a repository
with thousands of tags, the first answers are as old as that when one removal has them all.

Only the reading of many tags is answered from memory, which tells, too, whether their list is whole. Few are asked
anew, and so is what a removal looks at once more: somebody else may have moved them meanwhile. Where several come
together, it begins with what a plan has seen (seen.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

from imagesync_cli.delete.tags import FEW_TAGS, check_whole
from imagesync_cli.stores import Access, Side, Store, Stores, Untagged
from imagesync_cli.values.digest import is_digest
from imagesync_cli.values.manifest import Descriptor, Manifest, parse_manifest
from imagesync_cli.values.reference import Reference

TRUSTED_S = 30.0
# More than that are asked again each time; together they take some ten megabytes.
_MOST_TAGS = 10_000
_MOST_BYTES = 4 * 1024 * 1024


class RememberingStores:
    """The stores of a run, with one store for each repository."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._written_at = 0
        self._remembered: dict[tuple[str, str], Store] = {}
        self._seen: Mapping[str, tuple[float, Descriptor]] = {}

    def open(self, reference: Reference, access: Access = Access.READ, side: Side = Side.SOURCE) -> Store:
        """The store that holds the reference."""
        if reference.location not in self._remembered:
            store = self._stores.open(reference, access, side)
            self._remembered[reference.location] = cast(Store, _Remembering(store, self._seen))
        return self._remembered[reference.location]

    def removing(self, reference: Reference) -> AbstractAsyncContextManager[None]:
        """As the stores themselves do."""
        return self._stores.removing(reference)

    def trust(self, written_at: int, seen: Mapping[str, tuple[float, Descriptor]]) -> None:
        """Go on with what is remembered, unless somebody has written since: ``written_at`` is when that was last.

        A repository that is opened next begins with what was ``seen`` of its tags, and how many seconds ago.
        """
        if written_at != self._written_at:
            self._remembered.clear()
        self._written_at, self._seen = written_at, seen


class _Remembering:
    """A store; what is not defined here, it does itself."""

    def __init__(self, store: Store, seen: Mapping[str, tuple[float, Descriptor]]) -> None:
        self._store = store
        now = time.monotonic()
        self._tags = {tag: (now - age_s, told) for tag, (age_s, told) in seen.items()}  # when it was told, and what
        self._indexes: dict[str, tuple[bytes, str]] = {}
        self._read_bytes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def tagged(self, tags: Iterable[str], advance: Callable[[], None] | None = None) -> Mapping[str, Descriptor]:
        """What these tags point at; from memory, where it is a reading, whose advance is shown, and of many."""
        wanted, since = list(tags), time.monotonic() - TRUSTED_S
        remembered = self._tags if advance and len(wanted) > FEW_TAGS else {}
        known = {tag: told[1] for tag in wanted if (told := remembered.get(tag)) and told[0] > since}
        asked = [tag for tag in wanted if tag not in known]
        asked_now = await self._store.tagged(asked, advance)
        for tag in asked:
            self._tags.pop(tag, None)
        if len(self._tags) + len(asked_now) <= _MOST_TAGS:
            now = time.monotonic()
            self._tags.update((tag, (now, told)) for tag, told in asked_now.items())
        return {**known, **asked_now}

    async def tags(self, *, sound_only: bool = False, must_exist: bool = False) -> Mapping[str, Descriptor | None]:
        """Every tag. ContentError where a reading (``must_exist``) lacks one that is remembered and still there."""
        names = await self._store.tags(sound_only=sound_only, must_exist=must_exist)
        if must_exist:
            await check_whole(self._store, names, self._tags)
        return names

    async def untag(self, tag: str, digest: str) -> Untagged:
        """Remove the tag, and remember it no more."""
        self._tags.pop(tag, None)
        return await self._store.untag(tag, digest)

    async def manifest(self, wanted: str, most_bytes: int | None = None) -> Manifest:
        """The manifest; an index that was read before does not change."""
        if wanted in self._indexes:
            content, media_type = self._indexes[wanted]
            return parse_manifest(content, media_type, digest=wanted)
        manifest = await self._store.manifest(wanted, most_bytes)
        if is_digest(wanted) and manifest.manifests and self._read_bytes + manifest.size <= _MOST_BYTES:
            self._indexes[wanted] = manifest.content, manifest.media_type
            self._read_bytes += manifest.size
        return manifest

    async def delete_manifest(self, digest: str, tags: Collection[str] = ()) -> str:
        """Delete it, and remember it no more."""
        self._indexes.pop(digest, None)
        for tag in tags:
            self._tags.pop(tag, None)
        return await self._store.delete_manifest(digest, tags)

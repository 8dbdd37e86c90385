"""Attach at the destination what is attached at the source, digest for digest, and destroy nothing of others there.

A registry without the Referrers API needs the list under ``sha256-<hex>`` written by its clients. No registry writes a
tag only if it is still what one has read, so what is written is read again, and mended where somebody was quicker.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from imagesync_cli.concurrency import gather
from imagesync_cli.copy.copy import Copy
from imagesync_cli.look.referrer import Referrer, list_entry, read_referrer
from imagesync_cli.look.referrers import Listed, Referrers, ReferrerSet
from imagesync_cli.stores import Store
from imagesync_cli.values.digest import digest_tag
from imagesync_cli.values.documents import read_document
from imagesync_cli.values.errors import ImagesyncError, Incomplete, NotFound, Unavailable
from imagesync_cli.values.manifest import OCI_INDEX, Descriptor, Manifest, parse_manifest

_ROUNDS = 5


class ReferrersCopy:
    """What is attached to one image, on its way."""

    def __init__(self, copy: Copy, wanted: ReferrerSet) -> None:
        self._there = copy.there
        self._copy = copy
        self._report = copy.report
        self._wanted = wanted
        self._tagged: set[str] = set()  # cosign's tags that the destination was seen to have

    @property
    def roots(self) -> list[Descriptor]:
        """What the destination has by now, but for what stays away because others' signatures are in its place."""
        present = [referrer for referrer in self._wanted.referrers if referrer.tag not in self._report.left]
        return [referrer.target for referrer in present]

    async def complete(self) -> None:
        """Bring what is missing; called again, what went missing since."""
        if self._report.attached and self._report.dry_run:
            return
        if missing := await self._missing():
            await self._bring(missing)

    async def _missing(self) -> list[Referrer]:
        """What the destination does not name as attached; its tags are listed anew for that."""
        subjects = list(dict.fromkeys(referrer.subject for referrer in self._wanted.referrers))
        asked = Referrers(self._there)
        # One alone first, which tells whether there is an API to ask about the others.
        listed = [await asked.listed(subject) for subject in subjects[:1]]
        listed += await gather(asked.listed(subject) for subject in subjects[1:])
        at = dict(zip(subjects, listed, strict=True))
        self._tagged.update(*(each.tagged for each in listed))
        there = await gather(self._is_there(referrer, at[referrer.subject]) for referrer in self._wanted.referrers)
        return [referrer for referrer, is_there in zip(self._wanted.referrers, there, strict=True) if not is_there]

    async def _is_there(self, referrer: Referrer, listed: Listed) -> bool:
        digest = referrer.digest
        if referrer.tag:
            return listed.tagged.get(referrer.tag) == digest
        # A list may name what somebody has deleted.
        return digest in listed.by_api or (digest in listed.by_list and await self._there.has_manifest(referrer.target))

    async def _bring(self, missing: Iterable[Referrer]) -> None:
        """Write these and make the destination name them."""
        by_subject = [referrer for referrer in missing if not referrer.tag]
        listed = await gather(self._copy.referrer(_kept(referrer)) for referrer in by_subject)
        unlisted: dict[str, list[Referrer]] = {}
        for referrer, is_listed in zip(by_subject, listed, strict=True):
            if not is_listed:
                unlisted.setdefault(referrer.subject, []).append(referrer)
        await gather(self._tag(referrer) for referrer in missing if referrer.tag)
        await gather(self._list(subject, referrer) for subject, referrer in unlisted.items())
        self._report.attached += len(by_subject)

    async def _list(self, subject: str, referrers: Sequence[Referrer]) -> None:
        """Make the list of this subject's referrers name these and all that it names already.

        Where the source's list names just these, and there is none yet, its bytes are written.
        """
        there, tag = self._there, digest_tag(subject)
        for _ in range(_ROUNDS):
            present = await there.listed(tag)
            wanted = _merged(present, referrers, self._wanted.lists.get(tag))
            if wanted is None:
                return
            try:
                await there.put_manifest(wanted, tag)
            except Incomplete:
                if present is None:
                    raise
                # Somebody deleted a referrer and left it in the list; a registry that looks refuses that list for ever.
                await there.put_manifest(await _without_gone(wanted, present.manifests, there), tag)
        raise Unavailable(f"{there.name}:{tag} is changed faster than it can be read", hint="run it again")

    async def _tag(self, referrer: Referrer) -> None:
        """Put a manifest of cosign's under its tag, unless that holds what would be lost."""
        if referrer.tag in self._tagged and not await self._is_free(referrer):
            return
        await self._copy.below(_kept(referrer))
        if await self._is_free(referrer):  # somebody may have signed meanwhile
            await self._copy.put(_kept(referrer), referrer.tag)
            self._report.attached += 1

    async def _is_free(self, referrer: Referrer) -> bool:
        """Whether the tag may be written: it is not there, or ours has every layer that it has, and more."""
        try:
            theirs = read_referrer(await self._there.manifest(referrer.tag), referrer.tag)
        except NotFound:
            return True
        if not referrer.layers <= theirs.layers and not theirs.layers <= referrer.layers:
            self._report.left = sorted({*self._report.left, referrer.tag})
        return theirs.layers < referrer.layers


def _kept(referrer: Referrer) -> Manifest:
    """The bytes that were kept to be written."""
    if referrer.manifest is None:
        raise ImagesyncError(f"{referrer.digest} was looked at and not kept")
    return referrer.manifest


def _merged(present: Manifest | None, referrers: Sequence[Referrer], model: Manifest | None) -> Manifest | None:
    """The list to write, None where nothing is missing. What is not understood in it is kept as it is."""
    known = {entry.digest for entry in present.manifests} if present else set()
    missing = {referrer.digest: _kept(referrer) for referrer in referrers if referrer.digest not in known}
    if not missing and present is not None:
        return None
    if present is None and model is not None and _names_just(model, missing.keys()):
        return model
    document: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    if present is not None:
        document = read_document(present.content)
    document["manifests"] = [*(document["manifests"] or []), *map(list_entry, missing.values())]
    return _index(document, present)


def _names_just(model: Manifest, digests: Collection[str]) -> bool:
    """Whether the list has these entries, and none that is unsound."""
    entries = read_document(model.content)["manifests"]
    return {entry.digest for entry in model.manifests} == digests and len(entries) == len(model.manifests)


async def _without_gone(index: Manifest, listed: Sequence[Descriptor], there: Store) -> Manifest:
    are_there = await gather(map(there.has_manifest, listed))
    gone = {entry.digest for entry, is_there in zip(listed, are_there, strict=True) if not is_there}
    document = read_document(index.content)
    entries = document["manifests"]
    document["manifests"] = [e for e in entries if not (isinstance(e, dict) and e.get("digest") in gone)]
    return _index(document, index)


def _index(document: dict[str, Any], like: Manifest | None) -> Manifest:
    content = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    return parse_manifest(content, like.media_type if like else OCI_INDEX, sound_only=True)

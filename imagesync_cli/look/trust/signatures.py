"""What is attached to a digest and may be a signature of it. Nothing in it is believed, and little of it is read.

Looked for in three places, each asked for by the digest's name, so that no list of tags is needed:

1. the Referrers API (distribution-spec v1.1, end-12)
2. the list under the tag ``sha256-<hex>`` where there is no such API
3. cosign's tags ``sha256-<hex>.sig`` and ``.att``

What is found there has a layer for each signature: a Sigstore bundle, or in cosign's earlier form what was signed.

Anybody may attach anything to a public image. So the number and the bytes that are read have bounds, the small comes
first, and what is past a bound is told rather than passed over.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from imagesync_cli.concurrency import gather, gather_few
from imagesync_cli.look.selection import read_whole
from imagesync_cli.stores import Store
from imagesync_cli.values.digest import digest_tag
from imagesync_cli.values.documents import read_document
from imagesync_cli.values.errors import ContentError, Denied, NotFound, Refused
from imagesync_cli.values.manifest import Descriptor, Manifest
from imagesync_cli.values.names import is_tag

_NOTATION = "application/vnd.cncf.notary.signature"
BUNDLE = "application/vnd.dev.sigstore.bundle"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
_TAGGED = {".sig": SIMPLE_SIGNING, ".att": ENVELOPE}
_MOST_SIGNATURES = 200
_MOST_BYTES = 8 * 1024 * 1024
_LONGEST = 4 * 1024 * 1024
_MOST_REFERRERS = 500
_LONGEST_REFERRER = 64 * 1024  # of its manifest
_AT_ONCE = 16
_BATCH_BYTES = 256 * 1024
_NOTES = "dev.sigstore.cosign/"


@dataclass(frozen=True)
class Signature:
    """What may be a signature: ``content`` is a bundle, or what was signed where the ``notes`` have the signature."""

    media_type: str
    content: bytes
    notes: Mapping[str, str]

    @property
    def is_bundle(self) -> bool:
        """A Sigstore bundle, which has everything in it."""
        return self.media_type.startswith(BUNDLE)

    @property
    def is_envelope(self) -> bool:
        """An envelope (DSSE) of cosign's, which has the signature in it and the certificate in the notes."""
        return self.media_type == ENVELOPE

    def note(self, name: str) -> str:
        """One of cosign's annotations, "" where there is none."""
        return self.notes.get(f"{_NOTES}{name}", "")


@dataclass(frozen=True)
class _Candidate:
    """A blob that may be a signature, still to be read."""

    blob: Descriptor
    notes: Mapping[str, str]


@dataclass
class Budget:
    """What may still be looked at for an image and those in its index: twice what one digest may have."""

    referrers: int = 2 * _MOST_REFERRERS
    signatures: int = 2 * _MOST_SIGNATURES
    bytes: int = 2 * _MOST_BYTES


class Signatures:
    """Those of one digest, in a store; ``left`` says in a sentence what was not looked at, "" for nothing.

    cosign's tag is the one for signatures, or where the image is to be ``attested`` that for attestations. What is
    looked at is taken from the ``budget``.
    """

    def __init__(self, store: Store, digest: str, budget: Budget, *, attested: bool = False) -> None:
        self._store = store
        self._digest = digest
        self._budget = budget
        self._suffix = ".att" if attested else ".sig"
        self._candidates: dict[object, _Candidate] = {}
        self._dropped = 0
        self.left = ""

    async def read(self) -> AsyncGenerator[Signature, None]:
        """Each of them, the smallest first."""
        await gather([self._by_subject(), self._by_tag()])
        most = min(_MOST_SIGNATURES, self._budget.signatures)
        candidates = self._smallest(most)
        if self._dropped:
            self.left = f"only the smallest {most} of {most + self._dropped} signatures were looked at"
        begun, left_bytes = 0, min(_MOST_BYTES, self._budget.bytes)
        while begun < len(candidates):
            batch = _batch(candidates[begun:])
            size = sum(each.blob.size for each in batch)
            if batch[0].blob.size > _LONGEST or size > left_bytes:
                self.left = f"{len(candidates) - begun} signatures are too long to be looked at"
                return
            begun, left_bytes = begun + len(batch), left_bytes - size
            self._budget.signatures -= len(batch)
            self._budget.bytes -= size
            for signature in await gather(map(self._read, batch)):
                if signature is not None:
                    yield signature

    async def _read(self, candidate: _Candidate) -> Signature | None:
        """None for one whose bytes are not there, or are others."""
        try:
            content = await read_whole(self._store, candidate.blob)
        except (ContentError, NotFound):
            return None
        return Signature(candidate.blob.media_type, content, candidate.notes)

    def _add(self, found: list[_Candidate]) -> None:
        """Keep those that may be looked at: all that strangers have attached would take too much memory."""
        # The same one twice is one; what differs in its size or type alone may be in the way of the good one.
        self._candidates |= {(each.blob, *sorted(each.notes.items())): each for each in found}
        if len(self._candidates) > 2 * _MOST_SIGNATURES:
            self._smallest(_MOST_SIGNATURES)

    def _smallest(self, most: int) -> list[_Candidate]:
        """The smallest candidates, and no others from now on."""
        kept = sorted(self._candidates.items(), key=lambda each: each[1].blob.size)[:most]
        self._dropped += len(self._candidates) - len(kept)
        self._candidates = dict(kept)
        return list(self._candidates.values())

    async def _by_subject(self) -> None:
        by_api, by_list = await gather([self._store.referrers(self._digest), self._by_list()])
        named = {each.digest: each for each in (*by_api, *by_list)}
        most = min(_MOST_REFERRERS, self._budget.referrers)
        if len(named) > most:
            raise Refused(
                f"{self._store.name}@{self._digest} has {len(named)} referrers, more than {most}",
                hint=f"imagesync reads at most {2 * _MOST_REFERRERS} for an index and all of its images",
            )
        self._budget.referrers -= len(named)
        await gather_few(_AT_ONCE, map(self._by_referrer, sorted(named)))

    async def _by_list(self) -> list[Descriptor]:
        try:
            listed = await self._store.listed(digest_tag(self._digest))
        except (ContentError, Denied, NotFound):
            return []
        return list(listed.manifests) if listed else []

    async def _by_referrer(self, digest: str) -> None:
        """What is in this referrer, if it says itself that it is about our digest."""
        manifest = await self._manifest(digest, _LONGEST_REFERRER)
        if manifest is None or manifest.subject is None or manifest.subject.digest != self._digest:
            return
        if _NOTATION.encode() in manifest.content:
            self.left = "one by Notation is not supported"
        self._add(self._in(manifest))

    async def _by_tag(self) -> None:
        tag = self._digest.replace(":", "-") + self._suffix
        manifest = await self._manifest(tag) if is_tag(tag) else None  # that of a SHA-512 digest would be too long
        if manifest is not None and not manifest.descriptor.is_index:
            self._add(self._in(manifest))

    def _in(self, manifest: Manifest) -> list[_Candidate]:
        """The layers that may be signatures, with the annotations of those that need them."""
        document = read_document(manifest.content)
        layers = zip(manifest.layers, document.get("layers") or document.get("blobs") or [], strict=False)
        notes = [(blob, _notes(layer) if blob.media_type == _TAGGED[self._suffix] else {}) for blob, layer in layers]
        wanted = (BUNDLE, _TAGGED[self._suffix])
        return [_Candidate(blob, said) for blob, said in notes if blob.media_type.startswith(wanted)]

    async def _manifest(self, wanted: str, most_bytes: int | None = None) -> Manifest | None:
        """None for what is not there, and for what is no manifest: a stranger may have put anything in its place."""
        try:
            return await self._store.manifest(wanted, most_bytes)
        except (ContentError, NotFound):
            return None


def _batch(candidates: list[_Candidate]) -> list[_Candidate]:
    """The first of them that together are short enough to be read at once, one at least."""
    sizes, count = 0, 0
    for each in candidates[:_AT_ONCE]:
        sizes += each.blob.size
        if sizes > _BATCH_BYTES:
            break
        count += 1
    return candidates[: max(count, 1)]


def _notes(layer: Mapping[str, Any]) -> dict[str, str]:
    annotations = layer.get("annotations")
    if not isinstance(annotations, dict):
        return {}
    notes = {key.replace("dev.cosignproject.cosign/", _NOTES): value for key, value in annotations.items()}
    return {key: value for key, value in notes.items() if key.startswith(_NOTES) and isinstance(value, str)}

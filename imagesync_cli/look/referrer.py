"""One thing that is attached to an image, and what it is: a signature, an SBOM, an attestation, or something else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from imagesync_cli.values.digest import Digest, sha256
from imagesync_cli.values.documents import read_document
from imagesync_cli.values.manifest import INDEX_TYPES, Descriptor, Manifest

# Words by which a media type, or an artifactType, or the suffix of a tag tells what it is; the first that fits counts.
_KINDS = (
    ("signature", ("vnd.cncf.notary.signature", "vnd.dev.cosign.simplesigning", "vnd.dev.cosign.artifact.sig", ".sig")),
    ("SBOM", ("spdx", "cyclonedx", "syft", "sbom")),
    ("attestation", ("in-toto", "dsse", "attestation", "vnd.dev.cosign.artifact.att", ".att", "provenance")),
    ("signature", ("signature", "vnd.dev.cosign.", "vnd.dev.sigstore.bundle")),
)
# What counts as a signature where one is required.
_SIGNED = (
    "application/vnd.cncf.notary.signature",
    "application/vnd.dev.cosign.",
    "application/vnd.dev.sigstore.bundle",
)
_MOST_TYPES, _MOST_CHARACTERS = 64, 200
_PREDICATE = "dev.sigstore.bundle.predicateType"
_COSIGN_SIGNS = "https://sigstore.dev/cosign/sign/"


@dataclass(frozen=True, slots=True)
class Referrer:
    """A manifest that is about ``subject``: by its subject field, or by its ``tag`` where it has one.

    ``types`` is what it says of itself, the most telling first, and ``predicate`` what a sigstore bundle states.
    ``layers`` are hashes of the whole descriptors: cosign keeps the signature itself in an annotation there.
    ``manifest`` is there if it was kept.
    """

    subject: str
    target: Descriptor
    tag: str
    types: tuple[str, ...]
    predicate: str
    layers: frozenset[str]
    children: tuple[Descriptor, ...]
    manifest: Manifest | None = None

    @property
    def digest(self) -> Digest:
        return self.target.digest

    @property
    def kind(self) -> str:
        """Signature, SBOM, attestation or other, in the words of a report."""
        if self.predicate and not self.predicate.startswith(_COSIGN_SIGNS):
            # A sigstore bundle holds any statement.
            return "SBOM" if _tells(self.predicate, _KINDS[1][1]) else "attestation"
        types = [*self.types, *(["." + self.tag.partition(".")[2]] if self.tag else [])]
        return next((kind for kind, words in _KINDS if any(_tells(told, words) for told in types)), "other")

    @property
    def is_signature(self) -> bool:
        """Whether somebody signed it, as far as can be told without verifying: by cosign, sigstore or notation."""
        # An SBOM that cosign attached is not signed by that.
        return self.tag.endswith(".sig") or any(told.startswith(_SIGNED) and "sbom" not in told for told in self.types)

    @property
    def identities(self) -> list[str]:
        """Digests by which to find it again at a mirror: its own, or with a tag one for each layer.

        Whoever signs the mirror with cosign adds a layer to the same tag; what was there is there still.
        """
        return [sha256(f"{self.tag} {layer}".encode()) for layer in self.layers] if self.tag else [self.digest]


def read_referrer(manifest: Manifest, tag: str = "", *, keep: bool = False) -> Referrer:
    """What this manifest says of itself; all but its bytes is small, and these only ``keep`` keeps."""
    document = read_document(manifest.content)
    annotations = document.get("annotations")
    predicate = annotations.get(_PREDICATE) if isinstance(annotations, dict) else None
    named = document.get("artifactType")
    types = [*([named] if isinstance(named, str) else []), *(blob.media_type for blob in manifest.blobs)]
    return Referrer(
        manifest.subject.digest if manifest.subject else "",
        manifest.descriptor,
        tag,
        tuple(told[:_MOST_CHARACTERS] for told in list(dict.fromkeys(types))[:_MOST_TYPES]),
        predicate[:_MOST_CHARACTERS] if isinstance(predicate, str) else "",
        frozenset(sha256(json.dumps(layer, sort_keys=True).encode()) for layer in document.get("layers") or ()),
        tuple(child.bare for child in manifest.manifests),
        manifest if keep else None,
    )


def list_entry(manifest: Manifest) -> dict[str, Any]:
    """How a list of referrers names it (distribution-spec v1.1, "Pushing Manifests with Subject")."""
    document = read_document(manifest.content)
    entry: dict[str, Any] = {
        "mediaType": manifest.media_type,
        "digest": manifest.digest,
        "size": manifest.size,
    }
    if document.get("annotations"):
        entry["annotations"] = document["annotations"]
    artifact_type = document.get("artifactType")
    if not artifact_type and manifest.media_type not in INDEX_TYPES and manifest.blobs:
        artifact_type = manifest.blobs[0].media_type  # the config
    return {**entry, "artifactType": artifact_type} if artifact_type else entry


def _tells(told: str, words: Iterable[str]) -> bool:
    return any(word in told.lower() for word in words)

"""One thing that is attached to an image, and what it is: a signature, an SBOM, an attestation, or something else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from imagesync_cli.values.digest import sha256
from imagesync_cli.values.manifest import INDEX_TYPES, Manifest

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
_PREDICATE = "dev.sigstore.bundle.predicateType"
_COSIGN_SIGNS = "https://sigstore.dev/cosign/sign/"


@dataclass(frozen=True)
class Attachment:
    """A manifest that is about ``subject``, a digest: by its subject field, or by its ``tag`` where it has one."""

    subject: str
    manifest: Manifest
    tag: str = ""

    @property
    def _document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.manifest.content)
        return document

    @property
    def _types(self) -> Iterator[str]:
        """What it says of itself, the most telling first."""
        document = self._document
        if isinstance(named := document.get("artifactType"), str):
            yield named
        yield from (blob.media_type for blob in self.manifest.blobs)
        if self.tag:
            yield "." + self.tag.partition(".")[2]

    @property
    def kind(self) -> str:
        """Signature, SBOM, attestation or other, in the words of a report."""
        annotations = self._document.get("annotations")
        predicate = annotations.get(_PREDICATE) if isinstance(annotations, dict) else None
        if isinstance(predicate, str) and not predicate.startswith(_COSIGN_SIGNS):
            # A sigstore bundle holds any statement.
            return "SBOM" if _tells(predicate, _KINDS[1][1]) else "attestation"
        types = list(self._types)
        return next((kind for kind, words in _KINDS if any(_tells(told, words) for told in types)), "other")

    @property
    def is_signature(self) -> bool:
        """Whether somebody signed it, as far as can be told without verifying: by cosign, sigstore or notation."""
        # An SBOM that cosign attached is not signed by that.
        return self.tag.endswith(".sig") or any(told.startswith(_SIGNED) and "sbom" not in told for told in self._types)

    @property
    def layers(self) -> frozenset[str]:
        """Each layer as its whole descriptor says it: cosign keeps the signature itself in an annotation there."""
        layers = self._document.get("layers") or []
        return frozenset(json.dumps(layer, sort_keys=True) for layer in layers)

    @property
    def identities(self) -> list[str]:
        """Digests by which to find it again at a mirror: its own, or with a tag one for each layer.

        Whoever signs the mirror with cosign adds a layer to the same tag; what was there is there still.
        """
        if not self.tag:
            return [self.manifest.digest]
        return [sha256(f"{self.tag} {layer}".encode()) for layer in self.layers]

    @property
    def entry(self) -> dict[str, Any]:
        """How a list of referrers names it (distribution-spec v1.1, "Pushing Manifests with Subject")."""
        manifest, document = self.manifest, self._document
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

"""Images with what people attach to them: by cosign's tags, by a subject, and to what is attached."""

from __future__ import annotations

from typing import Any

from imagesync_cli.values.digest import digest_tag
from tests.embedded_registry.images import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    describe,
    image,
    index,
    referrer,
    to_json,
)
from tests.embedded_registry.state import Manifest, Repository, digest_of

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
DSSE = "application/vnd.dsse.envelope.v1+json"
SPDX = "text/spdx+json"
NOTATION = "application/vnd.cncf.notary.signature"
SIGSTORE_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"

ATTESTED = index("attested", platforms=("linux/amd64", "linux/arm64"), attested=True)
PLAIN = image("plain")


def child(of: Image, number: int = 0) -> Image:
    """One manifest below an index, as something to attach to."""
    root = of.manifests[of.children[number]]
    return Image(root, {root.digest: root}, {})


def cosign(subject: Image, media_type: str = SIMPLE_SIGNING, *signers: object) -> Image:
    """What cosign 2 stores under a tag: an image with one layer for each signer, who signs in an annotation of it."""
    payload = to_json({"critical": {"image": {"docker-manifest-digest": subject.digest}}, "type": media_type})
    config = to_json({"architecture": "", "rootfs": {"type": "layers", "diff_ids": [digest_of(payload)]}})
    layers: list[dict[str, Any]] = [
        {**describe(media_type, payload), "annotations": {"dev.cosignproject.cosign/signature": repr(signer)}}
        for signer in signers or ("us",)
    ]
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": describe(OCI_CONFIG, config),
        "layers": layers,
    }
    root = Manifest(OCI_MANIFEST, to_json(document))
    return Image(root, {root.digest: root}, {digest_of(blob): blob for blob in (payload, config)})


def about(subject: Image, suffix: str = "") -> str:
    """The tag of what is attached to this image."""
    return digest_tag(subject.digest) + suffix


def list_of(*referrers: Image, **more: object) -> Image:
    """The list that clients keep where there is no Referrers API."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [one.root.descriptor() for one in referrers],
        **more,
    }
    root = Manifest(OCI_INDEX, to_json(document))
    return Image(root, {root.digest: root}, {})


class Upstream:
    """An image and what is attached to it, ready to be pushed anywhere."""

    def __init__(self, made: Image, attached: list[tuple[Image, Image]], tagged: dict[str, Image]) -> None:
        self.image = made
        self.attached = attached  # (subject, referrer)
        self.tagged = tagged

    @property
    def referrers(self) -> set[str]:
        """The digests of all that is attached."""
        return {one.digest for _, one in self.attached} | {one.digest for one in self.tagged.values()}

    def lists(self) -> dict[str, Image]:
        """The lists under their tags."""
        subjects = {subject.digest: subject for subject, _ in self.attached}.values()
        return {
            about(subject): list_of(*(one for at, one in self.attached if at.digest == subject.digest))
            for subject in subjects
        }

    def seed(self, repository: Repository, tag: str = "1", *, listed: bool = False) -> None:
        """Put all of it into an embedded registry's repository; ``listed`` with the lists, where there is no API."""
        self.image.seed(repository, tag)
        for _, one in self.attached:
            one.seed(repository)
        for name, one in [*self.tagged.items(), *(self.lists().items() if listed else ())]:
            one.seed(repository, name)


def attested() -> Upstream:
    """An index with BuildKit's attestations, and a signature on it and on one of its images."""
    amd64 = child(ATTESTED)
    return Upstream(ATTESTED, [(ATTESTED, referrer(ATTESTED, NOTATION)), (amd64, referrer(amd64, NOTATION))], {})


def signed() -> Upstream:
    """An index that cosign 2 signed, with an attestation and an SBOM for one of its images."""
    amd64 = child(ATTESTED)
    tagged = {
        about(ATTESTED, ".sig"): cosign(ATTESTED),
        about(amd64, ".sig"): cosign(amd64),
        about(amd64, ".att"): cosign(amd64, DSSE),
        about(amd64, ".sbom"): cosign(amd64, SPDX),
    }
    return Upstream(ATTESTED, [], tagged)


def graph() -> Upstream:
    """A signature and an SBOM, and a signature on the SBOM."""
    sbom = referrer(PLAIN, "application/spdx+json")
    return Upstream(PLAIN, [(PLAIN, referrer(PLAIN, NOTATION)), (PLAIN, sbom), (sbom, referrer(sbom, NOTATION))], {})


UPSTREAMS = {"attested": attested, "signed": signed, "graph": graph}

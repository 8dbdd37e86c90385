"""Sign images as cosign does, with keys of the tests' own: what a test changes is one thing, and the rest is sound."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from tests.embedded_registry import Manifest, Repository
from tests.embedded_registry.images import OCI_CONFIG, OCI_EMPTY, OCI_MANIFEST, Image, describe, to_json
from tests.embedded_registry.state import digest_of

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
IN_TOTO = "application/vnd.in-toto+json"
SIGNS = "https://sigstore.dev/cosign/sign/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
_MADE: dict[str, Any] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
}


@dataclass(frozen=True)
class KeyPair:
    """A private key and what it makes."""

    private: Any

    @property
    def pem(self) -> str:
        """Its public key."""
        encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        return str(self.private.public_key().public_bytes(encoding, form).decode())

    def sign(self, message: bytes, algorithm: Any = None) -> bytes:
        """A signature of the message; RSA and curves hash it by SHA-256, or as they are told."""
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(message)
        algorithm = algorithm or hashes.SHA256()
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(message, padding.PKCS1v15(), algorithm)
        return bytes(self.private.sign(message, ec.ECDSA(algorithm)))

    def sign_digest(self, digest: str) -> bytes:
        """A signature of what has this digest."""
        return self.sign(bytes.fromhex(digest.partition(":")[2]), Prehashed(hashes.SHA256()))


@cache
def key_pair(kind: str = "P-256", number: int = 0) -> KeyPair:
    """A pair of this kind; made once a run, for an RSA key takes a while."""
    return KeyPair(_MADE[kind]())


def payload(digest: str) -> bytes:
    """What cosign signs for a ``.sig`` (containers/image, "simple signing")."""
    image = {"docker-manifest-digest": digest}
    identity = {"docker-reference": "registry.example.com/anything"}
    kind = "cosign container image signature"
    return json.dumps({"critical": {"identity": identity, "image": image, "type": kind}, "optional": None}).encode()


def statement(digest: str, kind: str = SIGNS, predicate: object = None) -> bytes:
    """What cosign signs for a bundle (in-toto's Statement v1)."""
    algorithm, _, encoded = digest.partition(":")
    document = {"_type": "https://in-toto.io/Statement/v1", "subject": [{"digest": {algorithm: encoded}}]}
    return json.dumps({**document, "predicateType": kind, "predicate": predicate or {}}).encode()


def pae(content: bytes, payload_type: str = IN_TOTO) -> bytes:
    """What is signed of an envelope (DSSE v1, "Protocol")."""
    return b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(content), content)


def text(content: bytes) -> str:
    return b64encode(content).decode()


def envelope(content: bytes, signature: bytes, payload_type: str = IN_TOTO) -> dict[str, Any]:
    """An envelope (DSSE v1)."""
    return {"payload": text(content), "payloadType": payload_type, "signatures": [{"sig": text(signature)}]}


def key_bundle(**content: Any) -> bytes:
    """A bundle that was made with a key."""
    return json.dumps({"mediaType": BUNDLE, "verificationMaterial": {"publicKey": {"hint": "a"}}, **content}).encode()


def signed_bundle(key: KeyPair, digest: str, kind: str = SIGNS, predicate: object = None) -> bytes:
    """What ``cosign sign --key`` and ``cosign attest --key`` write, since cosign 3."""
    content = statement(digest, kind, predicate)
    return key_bundle(dsseEnvelope=envelope(content, key.sign(pae(content))))


def attach(repository: Repository, subject: Image, *bundles: bytes, media_type: str = BUNDLE) -> list[Image]:
    """Put each bundle there as a referrer of the image, as cosign 3 does."""
    return [_referrer(repository, subject, bundle, media_type) for bundle in bundles]


def _referrer(repository: Repository, subject: Image, bundle: bytes, media_type: str) -> Image:
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": media_type,
        "config": describe(OCI_EMPTY, b"{}"),
        "layers": [describe(media_type, bundle)],
        "subject": describe(subject.root.media_type, subject.root.content),
    }
    root = Manifest(OCI_MANIFEST, to_json(document))
    made = Image(root, {root.digest: root}, {digest_of(blob): blob for blob in (bundle, b"{}")})
    made.seed(repository)
    return made


Layer = tuple[bytes, dict[str, str]]


def cosign_layer(content: bytes, signature: bytes, **notes: str) -> Layer:
    """One signature of a ``.sig``: what was signed, and annotations."""
    more = {f"dev.sigstore.cosign/{name}": value for name, value in notes.items()}
    return content, {"dev.cosignproject.cosign/signature": text(signature), **more}


def cosign_image(*layers: Layer, media_type: str = SIMPLE_SIGNING) -> Image:
    """The image in which cosign 2 keeps signatures, one a layer."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": describe(OCI_CONFIG, b"{}"),
        "layers": [{**describe(media_type, content), "annotations": notes} for content, notes in layers],
    }
    root = Manifest(OCI_MANIFEST, to_json(document))
    return Image(root, {root.digest: root}, {digest_of(blob): blob for blob in (b"{}", *(each[0] for each in layers))})


def cosign_tag(digest: str, suffix: str = ".sig") -> str:
    """Where it keeps that."""
    return digest.replace(":", "-") + suffix


def tag(
    repository: Repository, digest: str, *layers: Layer, suffix: str = ".sig", media_type: str = SIMPLE_SIGNING
) -> Image:
    """Put the layers there."""
    made = cosign_image(*layers, media_type=media_type)
    made.seed(repository, cosign_tag(digest, suffix))
    return made


def signature(digest: str, key: KeyPair) -> Image:
    """What ``cosign sign --key`` writes, before cosign 3."""
    content = payload(digest)
    return cosign_image(cosign_layer(content, key.sign(content)))


def sign(repository: Repository, digest: str, key: KeyPair) -> None:
    """Put that where it belongs."""
    signature(digest, key).seed(repository, cosign_tag(digest))


def write_trust(folder: Path, *rules: dict[str, Any], **more: Any) -> str:
    """Write a file for --trust; gives its path."""
    file = folder / "trust.json"
    file.write_text(json.dumps({"rules": rules, **more}))
    return str(file)


def trusting(*keys: KeyPair, **more: Any) -> dict[str, Any]:
    """A rule for every source."""
    return {"sources": ["**"], "signers": [{"key": key.pem} for key in keys], **more}

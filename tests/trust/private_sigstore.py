"""A private Sigstore of the tests' own: a *double* with a CA, a CT log and a transparency log of two entries.

It gives certificates to whoever asks and logs whatever it is told. What it makes has the forms of Fulcio v1 and
Rekor v1, and cosign and sigstore verify it as they do the real one's.
"""

from __future__ import annotations

import hashlib
import json
import struct
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.trust.signing import BUNDLE, SIGNS, KeyPair, cosign_layer, envelope, pae, payload, statement, text

ISSUER = "https://token.actions.example.com"
RELEASE = "https://example.com/org/app/.github/workflows/release.yml@refs/heads/main"
_BEGINNING = datetime(2020, 1, 1, tzinfo=timezone.utc)
_END = datetime(2120, 1, 1, tzinfo=timezone.utc)
_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_V2 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_SCT = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_ORIGIN = "rekor.example.com"
_FIRST = hashlib.sha256(b"the entry before").digest()


def _new() -> KeyPair:
    return KeyPair(ec.generate_private_key(ec.SECP256R1()))


def der(key: KeyPair) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key.private.public_key().public_bytes(serialization.Encoding.DER, form))


def key_id(key: KeyPair) -> bytes:
    """By which a log is known (RFC 6962, "LogID")."""
    return hashlib.sha256(der(key)).digest()


def canonical(document: object) -> bytes:
    """JSON as it is signed (RFC 8785), for what stands in it here."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Certificate:
    """A certificate for an identity, with the key that it is for."""

    key: KeyPair
    x509: x509.Certificate
    issued: datetime

    @property
    def pem(self) -> bytes:
        return self.x509.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.x509.public_bytes(serialization.Encoding.DER)


@dataclass(frozen=True)
class Entry:
    """What the log says of one entry, the second of two: index 0 is left out by those who write JSON as Go does."""

    body: bytes
    time: int
    log_id: bytes
    promise: bytes
    checkpoint: str
    root: bytes
    kind: str
    version: str

    @property
    def for_bundle(self) -> dict[str, Any]:
        """As a bundle has it."""
        proof = {"logIndex": "1", "rootHash": text(self.root), "treeSize": "2", "hashes": [text(_FIRST)]}
        return {
            "logIndex": "1",
            "logId": {"keyId": text(self.log_id)},
            "kindVersion": {"kind": self.kind, "version": self.version},
            "integratedTime": str(self.time),
            "inclusionPromise": {"signedEntryTimestamp": text(self.promise)},
            "inclusionProof": {**proof, "checkpoint": {"envelope": self.checkpoint}},
            "canonicalizedBody": text(self.body),
        }

    @property
    def for_annotation(self) -> str:
        """As cosign 2 keeps it."""
        payload = {"body": text(self.body), "integratedTime": self.time, "logIndex": 1, "logID": self.log_id.hex()}
        return json.dumps({"SignedEntryTimestamp": text(self.promise), "Payload": payload})

    @property
    def as_answer(self) -> dict[str, Any]:
        """As the log's API answers (Rekor v1, POST /api/v1/log/entries)."""
        proof = {"checkpoint": self.checkpoint, "hashes": [_FIRST.hex()], "rootHash": self.root.hex()}
        return {
            "body": text(self.body),
            "integratedTime": self.time,
            "logID": self.log_id.hex(),
            "logIndex": 1,
            "verification": {
                "signedEntryTimestamp": text(self.promise),
                "inclusionProof": {**proof, "logIndex": 1, "treeSize": 2},
            },
        }


@dataclass(frozen=True)
class PrivateSigstore:
    """The authorities; each is a key of its own, and ``root`` the CA's certificate."""

    ca: KeyPair = field(default_factory=_new)
    ct: KeyPair = field(default_factory=_new)
    log: KeyPair = field(default_factory=_new)

    @property
    def root(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a CA of the tests")])
        public = self.ca.private.public_key()
        builder = _dated(x509.CertificateBuilder().subject_name(name).issuer_name(name), _BEGINNING, _END)
        builder = builder.public_key(public).serial_number(1)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        return builder.sign(self.ca.private, hashes.SHA256())

    def certificate(
        self,
        identity: str = RELEASE,
        issuer: str = ISSUER,
        *,
        age: timedelta = timedelta(days=3),
        public: Any = None,
        sct: bool = True,
    ) -> Certificate:
        """A new one, issued so long ago and good for ten minutes from then; for a key of its own, or a public one."""
        key, issued = _new(), datetime.now(timezone.utc).replace(microsecond=0) - age
        public, root = public or key.private.public_key(), self.root
        name: Any = x509.RFC822Name if "@" in identity and ":" not in identity else x509.UniformResourceIdentifier
        builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(root.subject)
        builder = _dated(builder, issued, issued + timedelta(minutes=10))
        builder = builder.public_key(public).serial_number(x509.random_serial_number())
        for extension, critical in (
            (_usage(signs_certificates=False), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False),
            (x509.SubjectKeyIdentifier.from_public_key(public), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(self.ca.private.public_key()), False),
            (x509.SubjectAlternativeName([name(identity)]), True),
            (x509.UnrecognizedExtension(_ISSUER, issuer.encode()), False),
            (x509.UnrecognizedExtension(_ISSUER_V2, b"\x0c" + bytes([len(issuer)]) + issuer.encode()), False),
        ):
            builder = builder.add_extension(extension, critical=critical)
        if sct:
            before = builder.sign(self.ca.private, hashes.SHA256()).tbs_certificate_bytes
            told = self._sct(before, issued)
            builder = builder.add_extension(x509.UnrecognizedExtension(_SCT, told), critical=False)
        return Certificate(key, builder.sign(self.ca.private, hashes.SHA256()), issued)

    def _sct(self, certificate: bytes, time: datetime) -> bytes:
        """What the CT log promises (RFC 6962, "SignedCertificateTimestampList"), as an OCTET STRING."""
        issuer = hashlib.sha256(der(self.ca)).digest()
        stamp = int(time.timestamp() * 1000)
        entry = issuer + len(certificate).to_bytes(3, "big") + certificate
        signature = self.ct.sign(struct.pack("!BBQH", 0, 0, stamp, 1) + entry + b"\0\0")
        sct = b"\0" + key_id(self.ct) + struct.pack("!QH", stamp, 0) + b"\x04\x03" + _long(signature)
        listed = _long(_long(sct))
        return b"\x04" + (bytes([len(listed)]) if len(listed) < 128 else b"\x81" + bytes([len(listed)])) + listed

    def logged(self, body: dict[str, Any], time: datetime) -> Entry:
        """The log's word for this entry."""
        content, seconds = canonical(body), int(time.timestamp())
        log_id, leaf = key_id(self.log), hashlib.sha256(b"\0" + content).digest()
        root = hashlib.sha256(b"\1" + _FIRST + leaf).digest()  # RFC 6962, "Merkle Hash Trees"
        signed = {"body": text(content), "integratedTime": seconds, "logID": log_id.hex(), "logIndex": 1}
        told = body["kind"], body["apiVersion"]
        note = f"{_ORIGIN} - 1\n2\n{text(root)}\n"
        signature = text(log_id[:4] + self.log.sign(note.encode()))
        checkpoint = f"{note}\n\N{EM DASH} {_ORIGIN} {signature}\n"
        return Entry(content, seconds, log_id, self.log.sign(canonical(signed)), checkpoint, root, *told)

    def trusted_root(self, *, timestamps: tuple[bytes, ...] = ()) -> dict[str, Any]:
        """What whoever verifies is told of it (protobuf-specs, TrustedRoot)."""
        period = {"start": _BEGINNING.strftime("%Y-%m-%dT%H:%M:%SZ")}
        stamps = [_authority(period, timestamps)] if timestamps else []
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [_log(self.log, period, f"https://{_ORIGIN}")],
            "certificateAuthorities": [_authority(period, (self.root.public_bytes(serialization.Encoding.DER),))],
            "ctlogs": [_log(self.ct, period, "https://ct.example.com")],
            "timestampAuthorities": stamps,
        }

    def write_root(self, folder: Path, **more: Any) -> str:
        """Write that to a file; gives its path."""
        file = folder / "trusted_root.json"
        file.write_text(json.dumps(self.trusted_root(**more)))
        return str(file)

    # What cosign writes.

    def bundle(self, digest: str, certificate: Certificate | None = None, **changed: Any) -> bytes:
        """What ``cosign sign`` writes, since cosign 3; ``changed`` are arguments of ``attestation``."""
        return self.attestation(digest, SIGNS, None, certificate, **changed)

    def attestation(
        self,
        digest: str,
        kind: str,
        predicate: object = None,
        certificate: Certificate | None = None,
        *,
        log: Entry | None = None,
        logged: timedelta = timedelta(minutes=1),
        **material: Any,
    ) -> bytes:
        """What ``cosign attest`` writes: a signed and logged statement; ``material`` replaces what is usual."""
        used = certificate or self.certificate()
        content = statement(digest, kind, predicate)
        made = envelope(content, used.key.sign(pae(content)))
        entry = log or self.logged(dsse_entry(made, used), used.issued + logged)
        usual = {"certificate": {"rawBytes": text(used.der)}, "tlogEntries": [entry.for_bundle]}
        return bundle({**usual, **material}, dsseEnvelope=made)

    def message_bundle(self, digest: str, certificate: Certificate | None = None) -> bytes:
        """A bundle that signs the manifest itself."""
        used = certificate or self.certificate()
        signature = used.key.sign_digest(digest)
        entry = self.logged(hashed_entry(digest.partition(":")[2], signature, used), used.issued + timedelta(minutes=1))
        hashed = {"algorithm": "SHA2_256", "digest": text(bytes.fromhex(digest.partition(":")[2]))}
        return bundle(
            {"certificate": {"rawBytes": text(used.der)}, "tlogEntries": [entry.for_bundle]},
            messageSignature={"messageDigest": hashed, "signature": text(signature)},
        )

    def layer(
        self,
        digest: str,
        used: Certificate | None = None,
        *,
        content: bytes = b"",
        notes: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[bytes, dict[str, str]]:
        """What ``cosign sign`` wrote before, as a layer of a ``.sig``; an empty note is left out."""
        used, content = used or self.certificate(), content or payload(digest)
        signature = used.key.sign(content)
        hashed = hashed_entry(hashlib.sha256(content).hexdigest(), signature, used)
        entry = self.logged(hashed, used.issued + timedelta(minutes=1))
        chain = self.root.public_bytes(serialization.Encoding.PEM).decode()
        usual = {"certificate": used.pem.decode(), "chain": chain, "bundle": entry.for_annotation}
        return cosign_layer(content, signature, **{name: note for name, note in {**usual, **notes}.items() if note})


def bundle(material: dict[str, Any], **content: Any) -> bytes:
    """A bundle of these parts."""
    return json.dumps({"mediaType": BUNDLE, "verificationMaterial": material, **content}).encode()


def hashed_entry(digest: str, signature: bytes, certificate: Certificate) -> dict[str, Any]:
    """What is logged of a signature of what has this SHA-256 (Rekor's hashedrekord v0.0.1)."""
    public = {"content": text(certificate.pem)}
    signed = {"content": text(signature), "publicKey": public}
    spec = {"data": {"hash": {"algorithm": "sha256", "value": digest}}, "signature": signed}
    return {"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": spec}


def dsse_entry(made: dict[str, Any], certificate: Certificate) -> dict[str, Any]:
    """What is logged of an envelope (Rekor's dsse v0.0.1)."""
    return dsse_entry_of(canonical(made), text(certificate.pem))


def dsse_entry_of(written: bytes, verifier: str) -> dict[str, Any]:
    """The same for an envelope as it is written, and a verifier as it is logged."""
    made = json.loads(written)

    spec = {
        "envelopeHash": _sha256(written),
        "payloadHash": _sha256(b64decode(made["payload"])),
        "signatures": [{"signature": made["signatures"][0]["sig"], "verifier": verifier}],
    }
    return {"apiVersion": "0.0.1", "kind": "dsse", "spec": spec}


def entry_v2(made: dict[str, Any], certificate: Certificate) -> dict[str, Any]:
    """What the second version of the log keeps of an envelope (Rekor's hashedrekord v0.0.2)."""
    hashed = hashlib.sha256(pae(b64decode(made["payload"]))).digest()
    verifier = {"keyDetails": "PKIX_ECDSA_P256_SHA_256", "x509Certificate": {"rawBytes": text(certificate.der)}}
    signature = {"content": made["signatures"][0]["sig"], "verifier": verifier}
    spec = {"hashedRekordV002": {"data": {"algorithm": "SHA2_256", "digest": text(hashed)}, "signature": signature}}
    return {"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": spec}


def _sha256(content: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": hashlib.sha256(content).hexdigest()}


def _long(content: bytes) -> bytes:
    return len(content).to_bytes(2, "big") + content


def _dated(builder: x509.CertificateBuilder, start: datetime, end: datetime) -> x509.CertificateBuilder:
    return builder.not_valid_before(start).not_valid_after(end)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    others = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
    )
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        decipher_only=False,
        **others,
    )


def _log(key: KeyPair, period: dict[str, str], url: str) -> dict[str, Any]:
    public = {"rawBytes": text(der(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": period}
    return {"baseUrl": url, "hashAlgorithm": "SHA2_256", "publicKey": public, "logId": {"keyId": text(key_id(key))}}


def _authority(period: dict[str, str], certificates: tuple[bytes, ...]) -> dict[str, Any]:
    return {
        "subject": {"organization": "the tests", "commonName": "an authority of the tests"},
        "uri": "https://ca.example.com",
        "certChain": {"certificates": [{"rawBytes": text(each)} for each in certificates]},
        "validFor": period,
    }

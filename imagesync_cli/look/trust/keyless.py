"""Whether a signature is good for an identity: certificate, SCT, log or timestamp, and the signature, by sigstore.

The library's trust root is the one that came with it, unless a file has another, or it may be brought up to date.

cosign 2 keeps no proof of inclusion beside a ``.sig``, only the log's signed promise. The library verifies such a
promise, but takes no bundle without a proof. So ``_Promised`` is a bundle that must have a promise in place of one.
"""

from __future__ import annotations

import json
import logging
import warnings
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagesync_cli.look.trust.extra import importing
from imagesync_cli.look.trust.statements import (
    SIGNS,
    Claim,
    NotGood,
    check_payload,
    decoded,
    read_object,
    read_statement,
)
from imagesync_cli.values.documents import read_file
from imagesync_cli.values.errors import Unavailable, UsageError
from imagesync_cli.values.times import time_text

with importing("sigstore"):
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding
    from sigstore._internal.tuf import DEFAULT_TUF_URL
    from sigstore._utils import read_embedded
    from sigstore.errors import Error, TUFError, VerificationError
    from sigstore.hashes import Hashed
    from sigstore.models import Bundle, ClientTrustConfig, TransparencyLogEntry, TrustedRoot
    from sigstore.verify import Verifier
    from sigstore.verify.policy import Identity
    from sigstore_models.bundle import v1 as bundle_v1
    from sigstore_models.common import v1 as common_v1
    from sigstore_models.intoto import Envelope as EnvelopeModel
    from sigstore_models.rekor import v1 as rekor_v1
    from sigstore_models.trustroot import v1 as trustroot_v1

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from imagesync_cli.look.trust.rules import IdentitySigner
    from imagesync_cli.look.trust.signatures import Signature

_SHOWN = 300
_MOST_CHARACTERS = 2048  # of all names in a certificate: an expression takes its time, and Fulcio writes one name
_BY_KEY = "it has no certificate: it was made with a key"
_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
# What the libraries raise for what a stranger may have written: a key of another kind is a TypeError, for instance.
_BROKEN = (
    *(Error, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError, OSError),
    *(UnsupportedAlgorithm, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType),
    x509.InvalidVersion,
)


class Keyless:
    """The authorities and logs that are believed: those in the file ``trusted_root``, "" for the public Sigstore's."""

    def __init__(self, trusted_root: str, *, refreshed: bool = False) -> None:
        logging.getLogger("sigstore").setLevel(logging.ERROR)
        self._verifier = _verifier(trusted_root, refreshed=refreshed)

    def claim(self, signature: Signature, signer: IdentitySigner, digest: str) -> Claim:
        """What it says, if it is good, about this digest and by this signer; NotGood if not, with who it is by."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about oddities in a stranger's certificate
            return self._claim(signature, signer, digest)

    def _claim(self, signature: Signature, signer: IdentitySigner, digest: str) -> Claim:
        try:
            bundle = _bundle(signature)
        except _BROKEN as error:
            raise NotGood(f"it is not in the form of its type: {_plain(error)}") from error
        identity, policy = _identity(bundle.signing_certificate), _Policy(signer)
        try:
            policy.verify(bundle.signing_certificate)  # cheap, so first: what is by others needs no more
            kind, predicate = self._verified(signature, bundle, policy, digest)
            times = self._verifier._establish_time(bundle)  # verified before, and told by nothing else
        except NotGood as error:
            raise NotGood(str(error), identity) from error
        except _BROKEN as error:
            raise NotGood(_plain(error), identity) from error
        return Claim(identity, time_text(max(each.time for each in times)), kind, predicate)

    def _verified(self, signature: Signature, bundle: Bundle, policy: _Policy, digest: str) -> tuple[str, Any]:
        if bundle._dsse_envelope is not None:
            return read_statement(*self._verifier.verify_dsse(bundle, policy), digest)
        if not signature.is_bundle:
            self._verifier.verify_artifact(signature.content, bundle, policy)
            check_payload(signature.content, digest)
            return SIGNS, {}
        algorithm, _, encoded = digest.partition(":")
        if algorithm != "sha256":
            raise NotGood(f"a bundle signs no {algorithm} digest")
        hashed = Hashed(algorithm=common_v1.HashAlgorithm.SHA2_256, digest=bytes.fromhex(encoded))
        self._verifier.verify_artifact(hashed, bundle, policy)
        return SIGNS, {}


class _Policy:
    """The library's policy, for each of a certificate's identities that an expression matches."""

    def __init__(self, signer: IdentitySigner) -> None:
        self._signer = signer

    def verify(self, certificate: Certificate) -> None:
        wanted = self._signer.identity
        if self._signer.matches is not None:
            names = _identities(certificate)
            is_short = sum(map(len, names)) <= _MOST_CHARACTERS
            matching = list(filter(self._signer.matches, names)) if is_short else []
            if not matching:
                raise VerificationError(f"the certificate's identity does not match /{wanted}/")
            wanted = matching[0]
        Identity(identity=wanted, issuer=self._signer.issuer).verify(certificate)


class _PromisedEntry(TransparencyLogEntry):
    """An entry of the log with its signed promise; where there is a proof as well, it is not looked at."""

    def _validate(self) -> None:
        if self._inner.inclusion_promise is None or not self._inner.integrated_time:
            raise NotGood("its log entry is missing")

    def _verify(self, keyring: Any) -> None:
        self._verify_set(keyring)


class _Promised(Bundle):
    """A bundle with such an entry."""

    def _verify(self) -> None:
        material = self._inner.verification_material
        if material.certificate is None or len(material.tlog_entries) != 1:
            raise NotGood("its certificate or its log entry is missing")
        self._signing_certificate = x509.load_der_x509_certificate(material.certificate.raw_bytes)
        self._log_entry = _PromisedEntry(material.tlog_entries[0])


def _verifier(file: str, *, refreshed: bool) -> Verifier:
    try:
        return Verifier(trusted_root=_trusted_root(file, refreshed=refreshed))
    except TUFError as error:
        raise Unavailable(f"trust: Sigstore's keys could not be brought up to date: {_plain(error)}") from error
    except (OSError, Error, ValueError, AttributeError, TypeError) as error:
        raise UsageError(
            f"trust: the trusted_root {file or 'of Sigstore'} cannot be read: {_plain(error)}",
            hint="cosign trusted-root create makes one",
        ) from error


def _trusted_root(file: str, *, refreshed: bool) -> TrustedRoot:
    if file:
        return _private_root(Path(file))
    if refreshed:
        return ClientTrustConfig.production().trusted_root
    return TrustedRoot(trustroot_v1.TrustedRoot.from_json(read_embedded("trusted_root.json", DEFAULT_TUF_URL)))


def _private_root(file: Path) -> TrustedRoot:
    """The root in a file. What is empty is left out where cosign has written it, and the library's model wants it."""
    root = json.loads(read_file(file))
    authorities = ("certificateAuthorities", "timestampAuthorities")
    for authority in (each for name in authorities for each in root.setdefault(name, [])):
        authority["subject"] = {"organization": "", "commonName": "", **authority.get("subject", {})}
    made = {"tlogs": [], "ctlogs": [], **root}
    return TrustedRoot(trustroot_v1.TrustedRoot.from_json(json.dumps(made)))


def _bundle(signature: Signature) -> Bundle:
    if signature.is_bundle:
        material = read_object(signature.content).get("verificationMaterial")
        if isinstance(material, dict) and "publicKey" in material:
            raise NotGood(_BY_KEY)
        return Bundle.from_json(signature.content)
    pem = signature.note("certificate")
    if not pem:
        raise NotGood(_BY_KEY)
    certificate = x509.load_pem_x509_certificate(pem.encode())
    content: dict[str, Any] = (
        {"message_signature": common_v1.MessageSignature(signature=b64encode(decoded(signature.note("signature"))))}
        if not signature.is_envelope
        else {"dsse_envelope": EnvelopeModel.from_json(signature.content)}
    )
    return _Promised(
        bundle_v1.Bundle(
            media_type=Bundle.BundleType.BUNDLE_0_3.value,
            verification_material=bundle_v1.VerificationMaterial(
                certificate=common_v1.X509Certificate(raw_bytes=b64encode(certificate.public_bytes(Encoding.DER))),
                tlog_entries=_entries(signature.note("bundle")),
                timestamp_verification_data=_timestamps(signature.note("rfc3161timestamp")),
            ),
            **content,
        )
    )


def _entries(note: str) -> list[rekor_v1.TransparencyLogEntry]:
    """The log's entry as cosign 2 keeps it, {"SignedEntryTimestamp": …, "Payload": {"body": …, …}}."""
    if not note:
        raise NotGood("its log entry is missing")
    entry = read_object(note)
    payload = entry.get("Payload")
    if not isinstance(payload, dict):
        raise NotGood("its log entry is missing")
    body = decoded(str(payload.get("body")))
    told = read_object(body)
    return [
        rekor_v1.TransparencyLogEntry.model_construct(
            log_index=int(payload.get("logIndex", 0)),
            log_id=common_v1.LogId(key_id=b64encode(bytes.fromhex(str(payload.get("logID"))))),
            kind_version=rekor_v1.KindVersion(kind=str(told.get("kind")), version=str(told.get("apiVersion"))),
            integrated_time=int(payload.get("integratedTime", 0)),
            inclusion_promise=rekor_v1.InclusionPromise(
                signed_entry_timestamp=b64encode(decoded(str(entry.get("SignedEntryTimestamp"))))
            ),
            inclusion_proof=None,
            canonicalized_body=body,
        )
    ]


def _timestamps(note: str) -> bundle_v1.TimestampVerificationData | None:
    if not note:
        return None
    signed = decoded(str(read_object(note).get("SignedRFC3161Timestamp")))
    stamp = common_v1.RFC3161SignedTimestamp(signed_timestamp=b64encode(signed))
    return bundle_v1.TimestampVerificationData(rfc3161_timestamps=[stamp])


def _identities(certificate: Certificate) -> list[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [
        *names.get_values_for_type(x509.RFC822Name),
        *names.get_values_for_type(x509.UniformResourceIdentifier),
    ]


def _identity(certificate: Certificate) -> str:
    """Whom the certificate names, and its issuer of tokens; for messages, and believed only once it is verified."""
    try:
        names = _identities(certificate)
        issuer = certificate.extensions.get_extension_for_oid(_ISSUER).value
    except _BROKEN:
        return "a certificate without identity and issuer"
    told = issuer.value if isinstance(issuer, x509.UnrecognizedExtension) else b""
    return f"{', '.join(names)[:_SHOWN]} (issuer {told.decode('utf-8', errors='replace')[:_SHOWN]})"


def _plain(error: Exception) -> str:
    return " ".join(str(error).split())[:_SHOWN]

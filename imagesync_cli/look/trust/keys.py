"""Whether a signature is good for a public key: ECDSA, Ed25519 or RSA (PKCS #1 v1.5), by the library cryptography.

No log is asked and no time is known: whoever has the private key can sign whenever they like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagesync_cli.look.trust.extra import importing
from imagesync_cli.look.trust.statements import Claim, NotGood, check_payload, decoded, read_object, read_statement
from imagesync_cli.values.errors import UsageError

with importing("cryptography"):
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

if TYPE_CHECKING:
    from imagesync_cli.look.trust.rules import KeySigner
    from imagesync_cli.look.trust.signatures import Signature

_SHOWN = 16
_WRONG = "it was not made with this key"


class Key:
    """A public key of a rule."""

    def __init__(self, signer: KeySigner) -> None:
        self._key = _load(signer)
        der = self._key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        digest = hashes.Hash(hashes.SHA256())
        digest.update(der)
        self.name = f"key {signer.name or 'sha256:' + digest.finalize().hex()[:_SHOWN]}"

    def claim(self, signature: Signature, digest: str) -> Claim:
        """What it says, if it is good and about this digest; NotGood if not."""
        if signature.is_bundle:
            return self._bundle(signature.content, digest)
        if signature.is_envelope:
            return self._envelope(read_object(signature.content), digest)
        if not self._signed(decoded(signature.note("signature")), signature.content):
            raise NotGood(_WRONG)
        check_payload(signature.content, digest)
        return Claim(self.name, "")

    def _bundle(self, content: bytes, digest: str) -> Claim:
        """Read without the library's model of a bundle, which demands a log entry: a key's bundle need have none.

        The digest that it says it signs is not believed, since the image's is known.
        """
        bundle = read_object(content)
        if isinstance(fields := bundle.get("dsseEnvelope"), dict):
            return self._envelope(fields, digest)
        fields = bundle.get("messageSignature")
        signature = fields.get("signature", "") if isinstance(fields, dict) else ""
        if not self._signed_digest(decoded(str(signature)), digest):
            raise NotGood(_WRONG)
        return Claim(self.name, "")

    def _envelope(self, fields: dict[str, Any], digest: str) -> Claim:
        """An envelope (DSSE), by the model that comes with sigstore: that is strict, an unknown field is an error."""
        with importing("sigstore"):
            from sigstore.dsse import Envelope
            from sigstore.errors import Error
            from sigstore_models.intoto import Envelope as EnvelopeModel
        try:
            model = EnvelopeModel.from_dict(fields)
            signed = Envelope(model)
        except (Error, ValueError, RecursionError) as error:
            raise NotGood("its envelope is not in the form of one") from error
        if not self._signed(signed.signature, signed.pae()):
            raise NotGood(_WRONG)
        kind, predicate = read_statement(model.payload_type, model.payload, digest)
        return Claim(self.name, "", kind, predicate)

    def _signed(self, signature: bytes, message: bytes) -> bool:
        if isinstance(self._key, ed25519.Ed25519PublicKey):
            return _is_good(self._key.verify, signature, message)
        return any(self._hashed(signature, message, each) for each in self._hashes())

    def _signed_digest(self, signature: bytes, digest: str) -> bool:
        """Whether it is a signature of the manifest with this digest, whose bytes are not needed for that."""
        if isinstance(self._key, ed25519.Ed25519PublicKey):
            raise NotGood("an Ed25519 key signs no digest")
        algorithm, _, encoded = digest.partition(":")
        known = next((each for each in _HASHES if each.name == algorithm), None)
        return known is not None and self._hashed(signature, bytes.fromhex(encoded), utils.Prehashed(known))

    def _hashes(self) -> list[hashes.HashAlgorithm]:
        """SHA-256 always; cosign's bundles have for the larger curves what is as long as they are."""
        if not isinstance(self._key, ec.EllipticCurvePublicKey):
            return [_HASHES[0]]
        return [_HASHES[0], *(each for each in _HASHES[1:] if each.digest_size * 8 in (self._key.key_size, 512))]

    def _hashed(self, signature: bytes, message: bytes, algorithm: hashes.HashAlgorithm | utils.Prehashed) -> bool:
        if isinstance(self._key, rsa.RSAPublicKey):
            return _is_good(self._key.verify, signature, message, padding.PKCS1v15(), algorithm)
        return _is_good(self._key.verify, signature, message, ec.ECDSA(algorithm))


_HASHES = (hashes.SHA256(), hashes.SHA384(), hashes.SHA512())


def _load(signer: KeySigner) -> Any:
    try:
        key = serialization.load_pem_public_key(signer.pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"trust: the key {signer.name} is not a public key in PEM".replace("  ", " "),
            hint="it begins with -----BEGIN PUBLIC KEY-----",
        ) from error
    if not isinstance(key, (ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey, rsa.RSAPublicKey)):
        raise UsageError(f"trust: the key {signer.name} is not an ECDSA, Ed25519 or RSA key".replace("  ", " "))
    return key


def _is_good(verify: Any, *arguments: Any) -> bool:
    try:
        verify(*arguments)
    except (InvalidSignature, ValueError):
        return False
    return True

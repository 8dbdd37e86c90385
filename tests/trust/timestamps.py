"""A timestamp authority of the tests' own: openssl's, with a certificate made here (RFC 3161)."""

from __future__ import annotations

import subprocess
from datetime import datetime, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests import peers

_CONFIG = """\
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""
_BEGINNING, _END = datetime(2020, 1, 1, tzinfo=timezone.utc), datetime(2120, 1, 1, tzinfo=timezone.utc)
_DER, _PEM = serialization.Encoding.DER, serialization.Encoding.PEM


class TimestampAuthority:
    """It says that it has seen something just now; ``chain`` is what it is known by."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)
        ca, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root = _certificate("a timestamp CA of the tests", ca, ca)
        leaf = _certificate("a timestamp authority of the tests", key, ca, root)
        self.chain = (leaf.public_bytes(_DER), root.public_bytes(_DER))
        private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / "tsa.key").write_bytes(private)
        (folder / "tsa.pem").write_bytes(leaf.public_bytes(_PEM))
        (folder / "serial").write_text("01\n")
        (folder / "tsa.cnf").write_text(_CONFIG.format(folder=folder))

    def stamp(self, content: bytes) -> bytes:
        """A signed timestamp of this content."""
        (self._folder / "content").write_bytes(content)
        self._openssl("-query", "-data", "content", "-sha256", "-out", "query")
        how = ("-config", "tsa.cnf", "-section", "one", "-signer", "tsa.pem", "-inkey", "tsa.key")
        self._openssl("-reply", *how, "-queryfile", "query", "-out", "reply")
        return (self._folder / "reply").read_bytes()

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(
            [peers.program("openssl"), "ts", *arguments], cwd=self._folder, check=True, capture_output=True, timeout=60
        )


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, ca: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None = None
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.subject if issuer else subject)
    builder = builder.not_valid_before(_BEGINNING).not_valid_after(_END).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.public_key()), critical=False)
    if issuer is None:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    else:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(ca, hashes.SHA256())

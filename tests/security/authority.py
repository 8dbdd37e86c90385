"""A private certificate authority, made anew for a test run: for servers, and for clients that must show one."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)


class Authority:
    """Signs certificates into a folder; ``ca_file`` is what clients are to trust.

    A ``lax`` one is as many companies have it: it does not call itself one critically, and says nowhere who signed.
    """

    def __init__(self, folder: Path, name: str = "imagesync tests", *, lax: bool = False) -> None:
        self._lax = lax
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key_identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        builder = self._builder(self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=not lax)
        builder = builder.add_extension(_signing_only(), critical=True)
        self.ca_file = folder / "ca.crt"
        self.ca_file.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))

    def issue(self, *names: str, expired: bool = False) -> tuple[Path, Path]:
        """Make a certificate for these names, the first one also its common name; returns its file and its key's."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        builder = self._builder(subject, key.public_key(), expired=expired)
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), False)
        stem = names[0].replace(":", "_") + ("-expired" if expired else "")
        certificate, key_file = self._folder / f"{stem}.cert", self._folder / f"{stem}.key"
        certificate.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate, key_file

    def server_context(self, *names: str, expired: bool = False, clients: bool = False) -> ssl.SSLContext:
        """Make what a server needs to speak TLS under these names; ``clients`` must show a certificate of ours."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue(*names, expired=expired))
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca_file)
        return context

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, expired: bool = False
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - 3 * _DAY).not_valid_after(now - _DAY if expired else now + _DAY)
        if self._lax:
            return builder
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._key_identifier)
        return builder.add_extension(by, critical=False)


def _signing_only() -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**dict.fromkeys(names, False), key_cert_sign=True, crl_sign=True)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)

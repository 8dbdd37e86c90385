"""The private Sigstore of the tests behind HTTP, so that cosign itself signs with it: a *double* of Fulcio and Rekor.

Of Fulcio there is what cosign 2 asks (v1) and cosign 3 (v2); of Rekor (v1) that which takes an entry. Tokens are
believed, and nothing is kept.
"""

from __future__ import annotations

import contextlib
import json
import threading
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.trust.private_sigstore import ISSUER, RELEASE, PrivateSigstore, canonical, dsse_entry_of

_UUID = "1" * 64


def token(identity: str = RELEASE, issuer: str = ISSUER) -> str:
    """An identity token without a signature that anybody checks."""
    expires = int((datetime.now(timezone.utc) + timedelta(hours=1)).timestamp())
    claims = {"iss": issuer, "sub": identity, "aud": "sigstore", "exp": expires, "iat": expires - 3600}
    parts = ({"alg": "RS256", "typ": "JWT"}, claims, "no signature")
    return ".".join(urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


class _Handler(BaseHTTPRequestHandler):
    sigstore: PrivateSigstore

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/v2/signingCert":
            self._answer(200, {"signedCertificateEmbeddedSct": {"chain": {"certificates": self._certificates(asked)}}})
        elif self.path == "/api/v1/signingCert":
            self._say(201, "application/pem-certificate-chain", "".join(self._certificates(asked)).encode())
        else:
            self._answer(201, {_UUID: self._entry(asked)})

    def _certificates(self, asked: dict[str, Any]) -> list[str]:
        claims = json.loads(b64decode(self.headers["Authorization"].split(".")[1] + "=="))
        certificate = self.sigstore.certificate(
            claims["sub"], claims["iss"], age=timedelta(minutes=1), public=_public_key(asked)
        )
        root = self.sigstore.root.public_bytes(serialization.Encoding.PEM)
        return [certificate.pem.decode(), root.decode()]

    def _entry(self, proposed: dict[str, Any]) -> dict[str, Any]:
        content = proposed["spec"].get("proposedContent")
        if content is not None:
            proposed = dsse_entry_of(content["envelope"].encode(), content["verifiers"][0])
        return self.sigstore.logged(proposed, datetime.now(timezone.utc)).as_answer

    def _answer(self, status: int, document: object) -> None:
        self._say(status, "application/json", canonical(document))

    def _say(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Location", f"/api/v1/log/entries/{_UUID}")
        self.send_header("ETag", _UUID)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _public_key(asked: dict[str, Any]) -> Any:
    """The key in a request, in whichever of its forms."""
    if asked.get("certificateSigningRequest"):
        return x509.load_pem_x509_csr(b64decode(asked["certificateSigningRequest"])).public_key()
    if "publicKeyRequest" in asked:
        return serialization.load_pem_public_key(asked["publicKeyRequest"]["publicKey"]["content"].encode())
    return serialization.load_pem_public_key(b64decode(asked["publicKey"]["content"]))


@contextlib.contextmanager
def serving(sigstore: PrivateSigstore) -> Iterator[str]:
    """Serve it until the block ends; gives its address."""
    handler = type("Handler", (_Handler,), {"sigstore": sigstore})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def signing_config(folder: Path, url: str) -> str:
    """Write what tells cosign 3 where these services are (protobuf-specs, SigningConfig); gives its path."""
    service = {"url": url, "majorApiVersion": 1, "validFor": {"start": "2020-01-01T00:00:00Z"}, "operator": "tests"}
    document = {
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": [service],
        "rekorTlogUrls": [service],
        "rekorTlogConfig": {"selector": "ANY"},
        "tsaConfig": {"selector": "ANY"},
    }
    file = folder / "signing_config.json"
    file.write_text(json.dumps(document))
    return str(file)

"""A token server for a real registry: signs what distribution accepts, and lets tokens die as soon as it says.

Docker's registry token authentication: GET with Basic, and the OAuth2 form with a refresh token.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import json
import time
import uuid
from pathlib import Path
from urllib.parse import parse_qs

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from tests.embedded_registry.server import LoopbackServer
from tests.embedded_registry.wire import Request, Response, json_response

ISSUER = SERVICE = "imagesync-tests"
READ_ONLY = "read-only/"  # repositories that begin like this are nobody's to change
# distribution accepts a token so much longer than it says.
_LEEWAY_S = 60


class TokenServer:
    """Tokens of ``life_s`` seconds for one account; ``bundle`` is what the registry is to trust."""

    def __init__(self, folder: Path, username: str, password: str, life_s: int = 300) -> None:
        self._account = f"{username}:{password}"
        self._life_s = life_s
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        certificate = self._certificate()
        self._x5c = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
        self.bundle = folder / "bundle.pem"
        self.bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.refresh_tokens: set[str] = set()
        self.server = LoopbackServer(self.answer)

    def answer(self, request: Request) -> Response:
        form = parse_qs(bytes(request.body).decode())
        query = parse_qs(request.target.partition("?")[2])
        if request.method == "POST":
            known = form.get("refresh_token", [""])[0] in self.refresh_tokens
            scopes = form.get("scope", [""])
        else:
            known, scopes = self._knows(request.headers.get("authorization", "")), query.get("scope", [])
        if not known:
            return json_response(401, {"errors": [{"code": "UNAUTHORIZED", "message": "wrong password"}]})
        token = self._sign([_access(scope) for scope in " ".join(scopes).split()])
        answer = {"token": token, "access_token": token, "expires_in": self._life_s}
        if query.get("offline_token") == ["true"]:
            answer["refresh_token"] = f"refresh-{uuid.uuid4().hex}"
            self.refresh_tokens.add(str(answer["refresh_token"]))
        return json_response(200, answer)

    def _knows(self, header: str) -> bool:
        try:
            return base64.b64decode(header.removeprefix("Basic ")).decode() == self._account
        except (binascii.Error, UnicodeDecodeError):
            return False

    def _sign(self, access: list[dict[str, object]]) -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": SERVICE,
            "sub": "somebody",
            "jti": uuid.uuid4().hex,
            "iat": now,
            "nbf": now - 600,
            "exp": now + self._life_s - _LEEWAY_S,
            "access": access,
        }
        header = {"typ": "JWT", "alg": "RS256", "x5c": [self._x5c]}
        signed = f"{_encoded(header)}.{_encoded(claims)}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_url64(signature)}"

    def _certificate(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER)])
        now = datetime.datetime.now(datetime.timezone.utc)
        day = datetime.timedelta(days=1)
        builder = x509.CertificateBuilder(name, name, self._key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - day).not_valid_after(now + day)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        return builder.sign(self._key, hashes.SHA256())


def _access(scope: str) -> dict[str, object]:
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    granted = {"pull"} if name.startswith(READ_ONLY) else {"pull", "push", "delete"}
    return {"type": kind, "name": name, "actions": [action for action in actions.split(",") if action in granted]}


def _encoded(document: object) -> str:
    return _url64(json.dumps(document).encode())


def _url64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

"""cosign itself signs, by a key and for an identity of a private Sigstore; and imagesync verifies what it wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.command import imagesync
from tests.embedded_registry import MANNERS, EmbeddedRegistry
from tests.embedded_registry.images import image
from tests.trust.cosign import cosign
from tests.trust.private_sigstore import ISSUER, RELEASE, PrivateSigstore
from tests.trust.signing import attach, write_trust
from tests.trust.sigstore_server import serving, signing_config, token

APP = image("app")
TYPE = "https://example.com/built-by/v1"


@pytest.fixture(params=["oci-1.1", "distribution-3"])
def registry(request: pytest.FixtureRequest) -> Iterator[EmbeddedRegistry]:
    """One with the Referrers API, and one without."""
    with EmbeddedRegistry(manner=MANNERS[request.param]) as running:
        APP.seed(running.repository("app"), "1")
        yield running


def call(folder: Path, *arguments: str) -> None:
    done = cosign(folder, *arguments)
    assert done.returncode == 0, done.stderr


def test_a_key(registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """What cosign signs and attests with a key, without a log."""
    app = f"{registry.host}/app@{APP.digest}"
    config = tmp_path / "none.json"
    config.write_text(json.dumps({"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json"}))
    sigstore = PrivateSigstore()
    how = ("--key", "cosign.key", "--signing-config", str(config), "--trusted-root", sigstore.write_root(tmp_path))
    call(tmp_path, "generate-key-pair")
    signers = [{"key": "cosign.pub"}]
    rules = write_trust(tmp_path, {"sources": ["**"], "signers": signers})
    assert "it has no signature" in imagesync("verify", "--trust", rules, app).err
    call(tmp_path, "sign", *how, app)
    assert f"{app} is signed by key cosign.pub" in imagesync("verify", "--trust", rules, app).out
    (tmp_path / "predicate.json").write_text('{"builder": {"id": "a"}}')
    call(tmp_path, "attest", *how[:4], *how[4:], "--type", TYPE, "--predicate", "predicate.json", app)
    for value, code in (("a", 0), ("b", 7)):
        attested = [{"type": TYPE, "field": "builder.id", "value": value}]
        rules = write_trust(tmp_path, {"sources": ["**"], "signers": signers, "attestations": attested})
        assert imagesync("verify", "--trust", rules, app).code == code


def test_an_identity(registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """What cosign signs with a certificate and a log, and another identity that is refused."""
    app, sigstore = f"{registry.host}/app@{APP.digest}", PrivateSigstore()
    root = sigstore.write_root(tmp_path)
    with serving(sigstore) as url:
        how = ("--signing-config", signing_config(tmp_path, url), "--trusted-root", root, "--identity-token")
        call(tmp_path, "sign", *how, token(), app)
    for identity, code in ((RELEASE, 0), ("https://example.com/other", 7)):
        rule = {"sources": ["**"], "signers": [{"identity": identity, "issuer": ISSUER}]}
        found = imagesync("verify", "--trust", write_trust(tmp_path, rule, trusted_root=root), app)
        assert found.code == code
        assert f"by {RELEASE} (issuer {ISSUER})" in found.out + found.err


def test_a_trusted_root_made_by_cosign(tmp_path: Path) -> None:
    """What the how-to's command makes of the keys of a private Sigstore is what is read."""
    sigstore = PrivateSigstore()
    (tmp_path / "fulcio.pem").write_bytes(sigstore.root.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "rekor.pub").write_text(sigstore.log.pem)
    (tmp_path / "ctfe.pub").write_text(sigstore.ct.pem)
    since = "start-time=2020-01-01T00:00:00Z"
    call(
        tmp_path,
        *("trusted-root", "create", "--out", "root.json"),
        f"--fulcio=url=https://fulcio.example.com,certificate-chain=fulcio.pem,{since}",
        f"--rekor=url=https://rekor.example.com,public-key=rekor.pub,{since}",
        f"--ctfe=url=https://ctfe.example.com,public-key=ctfe.pub,{since}",
    )
    rule = {"sources": ["**"], "signers": [{"identity": RELEASE, "issuer": ISSUER}]}
    rules = write_trust(tmp_path, rule, trusted_root="root.json")
    with EmbeddedRegistry() as registry:
        app = registry.repository("app")
        APP.seed(app, "1")
        attach(app, APP, sigstore.bundle(APP.digest))
        assert imagesync("verify", "--trust", rules, f"{registry.host}/app:1").code == 0

"""cosign 2 itself signs: in tags, bundles and referrers, by key and identity. imagesync and cosign 3 verify it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests import peers
from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import image
from tests.trust.cosign import cosign
from tests.trust.private_sigstore import ISSUER, RELEASE, PrivateSigstore
from tests.trust.signing import write_trust
from tests.trust.sigstore_server import serving, token

TYPE = "https://example.com/built-by/v1"
APP = image("app")
KEY = ("--key", "cosign.key", "--tlog-upload=false")
ATTEST = ("attest", "--type", TYPE, "--predicate", "predicate.json")
# What cosign 2 takes a private Sigstore from.
ROOTS = {
    "SIGSTORE_ROOT_FILE": "root.pem",
    "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": "ct.pub",
    "SIGSTORE_REKOR_PUBLIC_KEY": "rekor.pub",
}
NAMES = (
    *("key-tag", "key-attested", "key-bundle", "key-referrer"),
    *("identity-tag", "identity-attested", "identity-bundle", "identity-referrer"),
)
# How cosign 2 puts a signature elsewhere than under its tag.
ELSEWHERE = {"bundle": ("--new-bundle-format",), "referrer": ("--registry-referrers-mode", "oci-1-1")}


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedRegistry, Path]]:
    """A registry with a repository for each way to sign, and the folder with the key and the root to verify by."""
    folder, sigstore = tmp_path_factory.mktemp("cosign-2"), PrivateSigstore()
    (folder / "predicate.json").write_text('{"builder": {"id": "a"}}')
    (folder / "root.pem").write_bytes(sigstore.root.public_bytes(serialization.Encoding.PEM))
    (folder / "ct.pub").write_text(sigstore.ct.pem)
    (folder / "rekor.pub").write_text(sigstore.log.pem)
    (folder / "root.json").write_text(json.dumps(sigstore.trusted_root()))
    _run(folder, "generate-key-pair")
    with EmbeddedRegistry() as registry, serving(sigstore) as url:
        identity = ("--fulcio-url", url, "--rekor-url", url, "--identity-token", token())
        for name in NAMES:
            verb = ATTEST if name.endswith("attested") else ("sign",)
            place = ELSEWHERE.get(name.partition("-")[2], ())
            APP.seed(registry.repository(name), "1")
            how = KEY if name.startswith("key") else identity
            _run(folder, *verb, *how, *place, f"{registry.host}/{name}@{APP.digest}")
        yield registry, folder


def _run(folder: Path, *arguments: str) -> None:
    done = cosign(folder, *arguments, program=peers.program("cosign2"), COSIGN_EXPERIMENTAL="1", **ROOTS)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_what_cosign_2_wrote(signed: tuple[EmbeddedRegistry, Path], name: str) -> None:
    """Tags, bundles and referrers, with a key and for an identity; another key or identity is refused."""
    registry, folder = signed
    identity = {"identity": RELEASE, "issuer": ISSUER}
    signer = {"key": "cosign.pub"} if name.startswith("key") else identity
    attested = [{"type": TYPE, "field": "builder.id", "value": "a"}] if name.endswith("attested") else []
    rule = {"sources": ["**"], "signers": [signer], "attestations": attested}
    reference = f"{registry.host}/{name}@{APP.digest}"
    found = imagesync("verify", "--trust", write_trust(folder, rule, trusted_root="root.json"), reference)
    assert (found.code, found.err) == (0, "")
    assert ("key cosign.pub" if name.startswith("key") else RELEASE) in found.out
    other = {**rule, "signers": [{**identity, "identity": "https://example.com/other"}]}
    refused = imagesync("verify", "--trust", write_trust(folder, other, trusted_root="root.json"), reference)
    assert refused.code == 7

    verb = ["verify-attestation", "--type", TYPE] if attested else ["verify"]
    how = ["--key", "cosign.pub", "--insecure-ignore-tlog"]
    if not name.startswith("key"):
        how = ["--certificate-identity", RELEASE, "--certificate-oidc-issuer", ISSUER, "--trusted-root", "root.json"]
    place = ["--experimental-oci11"] if name.endswith("referrer") else []
    done = cosign(folder, *verb, *how, *place, reference)
    assert done.returncode == 0, done.stderr

"""Identities: what the table has no case for, since cosign has no word for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagesync_cli.output.check import signed_text
from tests.command import Finished, imagesync
from tests.embedded_registry import EmbeddedRegistry, Repository
from tests.trust.cases import APP, OTHER
from tests.trust.private_sigstore import ISSUER, RELEASE, PrivateSigstore
from tests.trust.signing import attach, key_pair, sign, tag, write_trust

SIGSTORE = PrivateSigstore()
RULE: dict[str, Any] = {"sources": ["**"], "signers": [{"identity": RELEASE, "issuer": ISSUER}]}


@pytest.fixture
def registry() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry() as running:
        APP.seed(running.repository("app"), "1")
        yield running


@pytest.fixture
def app(registry: EmbeddedRegistry) -> Repository:
    return registry.repository("app")


def verify(registry: EmbeddedRegistry, folder: Path, *options: str, **more: object) -> Finished:
    rules = write_trust(folder, RULE, **{"trusted_root": SIGSTORE.write_root(folder), **more})
    return imagesync("verify", "--trust", rules, *options, f"{registry.host}/app:1")


def test_the_time(registry: EmbeddedRegistry, app: Repository, tmp_path: Path) -> None:
    """It is the log's, and said in days."""
    attach(app, APP, SIGSTORE.bundle(APP.digest))
    (told,) = json.loads(verify(registry, tmp_path, "--json").out)
    (signer,) = told["signed_by"]
    assert signer["signer"] == f"{RELEASE} (issuer {ISSUER})"
    assert signer["time"].endswith("Z")
    assert "2 days ago" in verify(registry, tmp_path).out  # three, less the minute until it was logged
    assert signed_text([]) == ""


def test_a_bundle_that_signs_the_manifest(registry: EmbeddedRegistry, app: Repository, tmp_path: Path) -> None:
    """It counts, and one of another manifest does not."""
    attach(app, APP, SIGSTORE.message_bundle(OTHER.digest))
    assert "digest mismatch" in verify(registry, tmp_path).err
    attach(app, APP, SIGSTORE.message_bundle(APP.digest))
    assert verify(registry, tmp_path).code == 0


@pytest.mark.parametrize(("length", "code"), [(2000, 0), (3000, 7)])
def test_an_identity_beyond_any_use(
    registry: EmbeddedRegistry, app: Repository, tmp_path: Path, length: int, code: int
) -> None:
    """An expression is asked about no longer name than anybody has: a stranger's certificate may be megabytes long."""
    certificate = SIGSTORE.certificate(f"https://example.com/{'a' * (length - 20)}")
    attach(app, APP, SIGSTORE.bundle(APP.digest, certificate))
    signers = [{"identity_regexp": "https://example\\.com/.*", "issuer": ISSUER}]
    rule = {"sources": ["**"], "signers": signers}
    rules = write_trust(tmp_path, rule, trusted_root=SIGSTORE.write_root(tmp_path))
    found = imagesync("verify", "--trust", rules, f"{registry.host}/app:1")
    assert (found.code, "identity does not match" in found.err) == (code, code == 7), found.err


@pytest.mark.parametrize("kind", ["RSA", "Ed25519", "P-384"])
def test_a_certificate_for_a_key_of_another_kind(
    registry: EmbeddedRegistry, app: Repository, tmp_path: Path, kind: str
) -> None:
    """The library takes those of ECDSA with P-256, which is what Fulcio signs for cosign; any other is told."""
    certificate = SIGSTORE.certificate(public=key_pair(kind).private.public_key())
    attach(app, APP, SIGSTORE.bundle(APP.digest, replace(certificate, key=key_pair(kind))))
    found = verify(registry, tmp_path)
    assert (found.code, f"one by {RELEASE}" in found.err) == (0 if kind == "P-384" else 7, kind != "P-384"), found.err


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ({"bundle": "[]"}, "not in the form of its type"),
        ({"bundle": "{}"}, "its log entry is missing"),
        ({"bundle": '{"Payload": {"body": "bm8=", "logID": "00"}}'}, "not in the form of its type"),
        ({"bundle": '{"Payload": {"body": "e30=", "logID": "xx"}}'}, "not in the form of its type"),
        ({"certificate": "-----BEGIN CERTIFICATE-----"}, "not in the form of its type"),
        ({"rfc3161timestamp": '{"SignedRFC3161Timestamp": "AAAA"}'}, "Timestamp"),
    ],
)
def test_broken_annotations(
    registry: EmbeddedRegistry, app: Repository, tmp_path: Path, notes: dict[str, str], said: str
) -> None:
    """Each is told, and none ends in more than that."""
    tag(app, APP.digest, SIGSTORE.layer(APP.digest, notes=notes))
    found = verify(registry, tmp_path)
    assert (found.code, said in found.err) == (7, True), found.err


@pytest.mark.parametrize("content", ["{}", "[", '{"mediaType": "a"}'])
def test_a_trusted_root_that_is_none(registry: EmbeddedRegistry, app: Repository, tmp_path: Path, content: str) -> None:
    """It is an error of the configuration, whatever is signed."""
    attach(app, APP, SIGSTORE.bundle(APP.digest))
    (tmp_path / "other.json").write_text(content)
    found = verify(registry, tmp_path, trusted_root="other.json")
    assert found.code == 2
    assert "other.json cannot be read" in found.err


def test_the_public_sigstore(registry: EmbeddedRegistry, app: Repository, tmp_path: Path) -> None:
    """Without a trusted_root its keys count, which came with the library: what is signed elsewhere does not."""
    attach(app, APP, SIGSTORE.bundle(APP.digest))
    found = verify(registry, tmp_path, trusted_root=None)
    assert found.code == 7
    assert f"one by {RELEASE} (issuer {ISSUER}): failed to build timestamp certificate chain" in found.err


def test_keys_that_cannot_be_brought_up_to_date(
    registry: EmbeddedRegistry, app: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With refresh they are asked for; where that fails nothing is trusted."""
    from sigstore.errors import TUFError
    from sigstore.models import ClientTrustConfig

    def fails() -> None:
        raise TUFError("no network")

    attach(app, APP, SIGSTORE.bundle(APP.digest))
    monkeypatch.setattr(ClientTrustConfig, "production", fails)
    found = verify(registry, tmp_path, trusted_root=None, refresh=True)
    assert found.code == 5
    assert "could not be brought up to date: no network" in found.err


def test_a_sigstore_for_each_rule(registry: EmbeddedRegistry, app: Repository, tmp_path: Path) -> None:
    """A rule may have one of its own: what is signed in the other one does not count there."""
    other, folder = PrivateSigstore(), tmp_path / "other"
    folder.mkdir()
    APP.seed(registry.repository("theirs"), "1")
    rule = {**RULE, "sources": ["**/theirs"], "trusted_root": other.write_root(folder)}
    rules = write_trust(tmp_path, rule, RULE, trusted_root=SIGSTORE.write_root(tmp_path))
    call = ("verify", "--trust", rules, f"{registry.host}/app:1", f"{registry.host}/theirs:1")
    for repository in (app, registry.repository("theirs")):
        attach(repository, APP, SIGSTORE.bundle(APP.digest))
    found = imagesync(*call)
    assert (found.code, len(found.out.splitlines())) == (7, 1)
    attach(registry.repository("theirs"), APP, other.bundle(APP.digest))
    assert imagesync(*call).code == 0


def test_a_key_or_an_identity(registry: EmbeddedRegistry, app: Repository, tmp_path: Path) -> None:
    """A rule may have signers of both kinds."""
    key = key_pair()
    rule = {**RULE, "signers": [*RULE["signers"], {"key": key.pem}], "all": True}
    rules = write_trust(tmp_path, rule, trusted_root=SIGSTORE.write_root(tmp_path))
    sign(app, APP.digest, key)
    assert "alone" in imagesync("verify", "--trust", rules, f"{registry.host}/app:1").err
    attach(app, APP, SIGSTORE.bundle(APP.digest))
    found = imagesync("verify", "--trust", rules, f"{registry.host}/app:1")
    assert found.code == 0
    assert "key sha256:" in found.out
    assert RELEASE in found.out

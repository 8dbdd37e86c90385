"""The file for --trust: what is wrong with it is said before any registry is asked."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from imagesync_cli.batch.reading.trust_file import read_trust_file
from imagesync_cli.look.trust.reading import read_trust
from imagesync_cli.look.trust.rules import Attested, IdentitySigner, KeySigner
from tests.command import imagesync
from tests.trust.signing import key_pair

KEY = "{key: a.pub}"
RULE = "sources: ['**'], signers: [{key: a.pub}]"


@pytest.fixture(autouse=True)
def key_file(tmp_path: Path) -> None:
    (tmp_path / "a.pub").write_text(key_pair().pem)


def test_a_whole_file(tmp_path: Path) -> None:
    """Everything that may stand in it is read; files are looked for beside it, and numbers stay as they are written."""
    file = tmp_path / "trust.yaml"
    file.write_text(
        """
        default: accept
        trusted_root: root.json
        refresh: true
        verify: always
        rules:
          - sources: [quay.io/**]
            signers: [{key: a.pub}, {identity: a@example.com, issuer: "https://issuer"}]
            all: true
            attestations: [{type: spdx}, {type: "https://example.com/v1", field: a.b, value: 1.10}]
          - sources: [ghcr.io/**]
            signers: [{identity_regexp: "a|b", issuer: "https://issuer", key: null}]
            trusted_root: other.json
        """
    )
    trust = read_trust_file(file)
    assert (trust.accepts, trust.refreshed, trust.always) == (True, True, True)
    first, second = trust.rules
    assert (first.trusted_root, second.trusted_root) == (str(tmp_path / "root.json"), str(tmp_path / "other.json"))
    assert first.signers == (KeySigner(key_pair().pem, "a.pub"), IdentitySigner("a@example.com", "https://issuer"))
    assert first.all
    assert first.attested == (Attested("https://spdx.dev/Document"), Attested("https://example.com/v1", "a.b", "1.10"))
    assert str(first).startswith("an attestation https://spdx.dev/Document and an attestation")
    (signer,) = second.signers
    assert isinstance(signer, IdentitySigner)
    assert signer.matches is not None
    assert [signer.matches(each) for each in ("a", "b", "ab", "xa", "bx")] == [True, True, False, False, False]


@pytest.mark.parametrize(("word", "value"), [("true", "true"), ("False", "false"), ("yes", "yes"), ("1.10", "1.10")])
def test_the_value_of_a_field(tmp_path: Path, word: str, value: str) -> None:
    """A truth value is compared as JSON writes it, and everything else as it stands in the file."""
    file = tmp_path / "trust.yaml"
    file.write_text(f"rules: [{{{RULE}, attestations: [{{type: a, field: b, value: {word}}}]}}]")
    assert read_trust_file(file).rules[0].attested == (Attested("a", "b", value),)


def test_an_expression_is_no_identity(tmp_path: Path) -> None:
    """Rules that differ in that alone are different rules: in one file each holds for its own image."""
    told = [{"identity": "a.b", "issuer": "c"}, {"identity_regexp": "a.b", "issuer": "c"}]
    exact, like = (read_trust({"rules": [{"sources": ["**"], "signers": [each]}]}, tmp_path) for each in told)
    assert exact != like
    assert len({exact, like}) == 2


WRONG = {
    "[]": "trust.yaml: trust is an object with",
    "rulez: []": "trust has no 'rulez'",
    "rules: 1": "trust.rules is a list",
    "rules: [1]": "trust.rules[0] is an object",
    "rules: [{sources: ['**']}]": "trust.rules[0] has sources and signers",
    f"rules: [{{sources: ['a b'], signers: [{KEY}]}}]": "trust.rules[0].sources[0] is a pattern without spaces",
    **{
        f"rules: [{{{RULE}, all: {word}}}]": "trust.rules[0].all is true or false"
        for word in ("1", "yes", "on", "No", "OFF", "'true'")
    },
    "refresh: yes": "trust.refresh is true or false",
    f"rules: [{{{RULE}, attestations: [{{field: a}}]}}]": "attestations[0] has a type",
    f"rules: [{{{RULE}, attestations: [{{type: a, field: b}}]}}]": "a field with its value or neither",
    f"default: [1]\nrules: [{{{RULE}}}]": "trust.default is a text",
    f"default: deny\nrules: [{{{RULE}}}]": "trust.default is refuse or accept, not 'deny'",
    "rules: [{sources: ['**'], signers: [{}]}]": "signers[0] is a key, or an identity",
    "rules: [{sources: ['**'], signers: [{identity: a}]}]": "signers[0] is a key, or an identity",
    "rules: [{sources: ['**'], signers: [{key: a.pub, issuer: a}]}]": "signers[0] is a key, or an identity",
    "rules: [{sources: ['**'], signers: [{identity: a, key: a.pub}]}]": "signers[0] is a key, or an identity",
    "rules: [{sources: ['**'], signers: [{key: b.pub}]}]": "names the key b.pub, which cannot be read: No such file",
    "rules: [{sources: ['**'], signers: [{key: trust.yaml}]}]": "the key trust.yaml is not a public key in PEM",
    "rules: [{sources: ['**'], signers: [{identity_regexp: '(', issuer: a}]}]": "an identity_regexp that is none",
    "{}\n---\n{}": "more than one document",
}


@pytest.mark.parametrize(("text", "said"), WRONG.items())
def test_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    """Exit code 2, with the place."""
    file = tmp_path / "trust.yaml"
    file.write_text(text)
    found = imagesync("verify", "--trust", str(file), "127.0.0.1:1/app:1")
    assert found.code == 2
    assert said in found.err


def test_a_key_of_another_kind(tmp_path: Path) -> None:
    """A key that signs nothing, or none at all, is told so."""
    file = tmp_path / "trust.yaml"
    x25519 = "MCowBQYDK2VuAyEA3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="
    pem = f"-----BEGIN PUBLIC KEY-----\n{x25519}\n-----END PUBLIC KEY-----"
    file.write_text(json.dumps({"rules": [{"sources": ["**"], "signers": [{"key": pem}]}]}))
    found = imagesync("verify", "--trust", str(file), "127.0.0.1:1/app:1")
    assert found.code == 2
    assert "the key is not an ECDSA, Ed25519 or RSA key" in found.err


@pytest.mark.parametrize(("signer", "package"), [(KEY, "cryptography"), ("{identity: a, issuer: b}", "sigstore")])
def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signer: str, package: str) -> None:
    """The error says what to install, before any registry is asked."""
    file = tmp_path / "trust.yaml"
    file.write_text(f"rules: [{{sources: ['**'], signers: [{signer}]}}]")
    for name in [
        name for name in sys.modules if f"{name}.".startswith((f"{package}.", "imagesync_cli.look.trust.key"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    found = imagesync("verify", "--trust", str(file), "127.0.0.1:1/app:1")
    assert found.code == 2
    assert f"trust needs the Python package {package}" in found.err
    assert "pip install 'imagesync-cli[sigstore]'" in found.err


def test_another_version_of_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library without what is needed of it is told apart from one that is not there."""
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", ModuleType("cryptography.exceptions"))
    monkeypatch.delitem(sys.modules, "imagesync_cli.look.trust.keys", raising=False)
    file = tmp_path / "trust.yaml"
    file.write_text("rules: [{sources: ['**'], signers: [{key: a.pub}]}]")
    found = imagesync("verify", "--trust", str(file), "127.0.0.1:1/app:1")
    assert found.code == 2
    assert "trust needs the Python package cryptography: cannot import name" in found.err

"""Signed images, and what whoever verifies them must say: a table that imagesync and cosign are held to alike."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.embedded_registry import Repository
from tests.embedded_registry.images import image
from tests.trust.private_sigstore import ISSUER, RELEASE, PrivateSigstore, dsse_entry
from tests.trust.signing import (
    ENVELOPE,
    PROVENANCE,
    KeyPair,
    attach,
    cosign_layer,
    envelope,
    key_bundle,
    key_pair,
    pae,
    payload,
    signed_bundle,
    statement,
    tag,
    text,
)

APP, OTHER = image("app"), image("other")
OURS, OTHERS = key_pair(), key_pair(number=1)
THEIRS = "https://example.com/evil/app/.github/workflows/release.yml@refs/heads/main"


@dataclass(frozen=True)
class Ask:
    """What is asked: a signature by a key, or by an identity; or an attestation of this type."""

    key: KeyPair | None = None
    identity: str = RELEASE
    regexp: str = ""
    type: str = ""

    def rule(self) -> dict[str, Any]:
        """As a rule of trust."""
        who = {"identity_regexp": self.regexp} if self.regexp else {"identity": self.identity}
        signer = {"key": self.key.pem} if self.key else {**who, "issuer": ISSUER}
        more = {"attestations": [{"type": self.type}]} if self.type else {}
        return {"sources": ["**"], "signers": [signer], **more}

    def of_cosign(self, folder: Path, root: str) -> list[str]:
        """As the arguments of cosign."""
        verb = ["verify-attestation", "--type", self.type] if self.type else ["verify"]
        if self.key:
            (folder / "key.pub").write_text(self.key.pem)
            return [*verb, "--key", str(folder / "key.pub"), "--insecure-ignore-tlog"]
        who = ["--certificate-identity-regexp", f"^{self.regexp}$"] if self.regexp else []
        who = who or ["--certificate-identity", self.identity]
        return [*verb, "--trusted-root", root, "--certificate-oidc-issuer", ISSUER, *who]


@dataclass(frozen=True)
class World:
    """Whom the tests trust, and another Sigstore that nobody trusts."""

    ours: PrivateSigstore = field(default_factory=PrivateSigstore)
    others: PrivateSigstore = field(default_factory=PrivateSigstore)


Made = Callable[[World, Repository], object]


@dataclass(frozen=True)
class Case:
    """What is attached to APP, what is asked, and what is said where it does not count; "" where it does.

    ``stricter`` is why cosign takes what imagesync does not.
    """

    made: Made
    ask: Ask
    said: str = ""
    stricter: str = ""


BY_KEY, BY_IDENTITY = Ask(OURS), Ask()
APPS = APP.digest


def _tag(*layers: Callable[[World], tuple[bytes, dict[str, str]]]) -> Made:
    return lambda world, app: tag(app, APPS, *(layer(world) for layer in layers))


def _bundles(*made: Callable[[World], bytes]) -> Made:
    return lambda world, app: attach(app, APP, *(each(world) for each in made))


def _signed(key: KeyPair, content: bytes = payload(APPS), **changed: Any) -> Callable[[World], Any]:
    return lambda _: cosign_layer(changed.get("instead", content), key.sign(content))


def _with_entry(world: World, change: Callable[[dict[str, Any]], object]) -> bytes:
    """A good bundle but for a change of its log entry."""
    document = json.loads(world.ours.bundle(APPS))
    change(document["verificationMaterial"]["tlogEntries"][0])
    return json.dumps(document).encode()


def _entry_of_another(world: World) -> bytes:
    certificate = world.ours.certificate()
    content = statement(OTHER.digest)
    other = envelope(content, certificate.key.sign(pae(content)))
    log = world.ours.logged(dsse_entry(other, certificate), certificate.issued + timedelta(minutes=1))
    return world.ours.bundle(APPS, certificate, log=log)


def _signed_with_another_key(world: World) -> bytes:
    document = json.loads(world.ours.bundle(APPS))
    signature = document["dsseEnvelope"]["signatures"][0]
    signature["sig"] = text(OTHERS.sign(pae(b64decode(document["dsseEnvelope"]["payload"]))))
    return json.dumps(document).encode()


def _mixed(world: World) -> PrivateSigstore:
    """Our CA and CT log, and another transparency log."""
    return PrivateSigstore(world.ours.ca, world.ours.ct, world.others.log)


def _statement_of_another(_: World) -> bytes:
    return key_bundle(dsseEnvelope=envelope(statement(APPS), OURS.sign(pae(statement(OTHER.digest)))))


def _attestation_tag(key: KeyPair, kind: str) -> Made:
    content = statement(APPS, kind)
    made = json.dumps(envelope(content, key.sign(pae(content)))).encode()
    layer = (made, {"dev.cosignproject.cosign/signature": "", "predicateType": kind})
    return lambda _, app: tag(app, APPS, layer, suffix=".att", media_type=ENVELOPE)


_LATE = timedelta(minutes=20)
_WRONG_KEY = "not made with this key"
_FORMS: dict[str, tuple[Callable[[PrivateSigstore, Any], Any], Callable[..., Made]]] = {
    "a bundle": (lambda sigstore, certificate: sigstore.bundle(APPS, certificate), _bundles),
    "a tag": (lambda sigstore, certificate: sigstore.layer(APPS, certificate), _tag),
}

CASES: dict[str, Case] = {
    "nothing": Case(lambda *_: None, BY_KEY, "it has no signature"),
    "key: a tag": Case(_tag(_signed(OURS)), BY_KEY),
    "key: a bundle": Case(_bundles(lambda _: signed_bundle(OURS, APPS)), BY_KEY),
    **{
        f"key: a tag by {kind}": Case(_tag(_signed(key_pair(kind))), Ask(key_pair(kind))) for kind in ("RSA", "Ed25519")
    },
    **{
        f"key: a bundle by {kind}": Case(
            lambda _, app, of=kind: attach(app, APP, signed_bundle(key_pair(of), APPS)),  # type: ignore[misc]
            Ask(key_pair(kind)),
        )
        for kind in ("RSA", "Ed25519")
    },
    "key: a tag by another key": Case(_tag(_signed(OTHERS)), BY_KEY, _WRONG_KEY),
    "key: a bundle by another key": Case(_bundles(lambda _: signed_bundle(OTHERS, APPS)), BY_KEY, _WRONG_KEY),
    "key: a tag for another image": Case(_tag(_signed(OURS, payload(OTHER.digest))), BY_KEY, "about another image"),
    "key: a bundle for another image": Case(
        _bundles(lambda _: signed_bundle(OURS, OTHER.digest)), BY_KEY, "about another image"
    ),
    "key: a changed payload": Case(_tag(_signed(OURS, instead=payload(APPS) + b" ")), BY_KEY, _WRONG_KEY),
    "key: a changed statement": Case(_bundles(_statement_of_another), BY_KEY, _WRONG_KEY),
    "key: a tag with two, one good": Case(_tag(_signed(OTHERS), _signed(OURS)), BY_KEY),
    "key: two bundles, one good": Case(
        _bundles(lambda _: signed_bundle(OTHERS, APPS), lambda _: signed_bundle(OURS, APPS)), BY_KEY
    ),
    "key: copied from another repository": Case(
        _tag(_signed(OURS, payload(APPS).replace(b"registry.example.com", b"elsewhere.example.com"))), BY_KEY
    ),
    "key: a bundle attached to another image": Case(
        lambda _, app: attach(app, OTHER, signed_bundle(OURS, APPS)), BY_KEY, "it has no signature"
    ),
    "key: no signature beside the payload": Case(_tag(lambda _: (payload(APPS), {})), BY_KEY, _WRONG_KEY),
    "key: an attestation and no signature": Case(
        _bundles(lambda _: signed_bundle(OURS, APPS, PROVENANCE)),
        BY_KEY,
        "is an attestation",
        stricter="cosign 3 takes any statement in a bundle for a signature, a list of vulnerabilities as well",
    ),
    "key: an attestation": Case(_bundles(lambda _: signed_bundle(OURS, APPS, PROVENANCE)), Ask(OURS, type=PROVENANCE)),
    "key: an attestation in a tag": Case(_attestation_tag(OURS, PROVENANCE), Ask(OURS, type=PROVENANCE)),
    "key: an attestation of another predicate": Case(
        _bundles(lambda _: signed_bundle(OURS, APPS, "https://example.com/v1")),
        Ask(OURS, type=PROVENANCE),
        "is an attestation https://example.com/v1",
    ),
    "key: an attestation by another key": Case(
        _bundles(lambda _: signed_bundle(OTHERS, APPS, PROVENANCE)), Ask(OURS, type=PROVENANCE), _WRONG_KEY
    ),
    "key: a signature and no attestation": Case(
        _bundles(lambda _: signed_bundle(OURS, APPS)), Ask(OURS, type=PROVENANCE), "is an attestation https://sigstore"
    ),
    "key: a bundle of an identity": Case(_bundles(lambda world: world.ours.bundle(APPS)), BY_KEY, _WRONG_KEY),
    "identity: a bundle by a key": Case(
        _bundles(lambda _: signed_bundle(OURS, APPS)), BY_IDENTITY, "it has no certificate"
    ),
    "identity: a tag by a key": Case(_tag(_signed(OURS)), BY_IDENTITY, "it has no certificate"),
    **{
        f"identity: {form}, {name}": Case(many(lambda world, m=make, h=how: m(world.ours, h(world))), ask, said)
        for form, (make, many) in _FORMS.items()
        for name, how, ask, said in (
            ("right", lambda world: world.ours.certificate(), BY_IDENTITY, ""),
            ("an email", lambda world: world.ours.certificate("a@example.com"), Ask(identity="a@example.com"), ""),
            ("a pattern", lambda world: world.ours.certificate(), Ask(regexp="https://example\\.com/org/.*"), ""),
            (
                "no match",
                lambda world: world.ours.certificate(THEIRS),
                Ask(regexp="https://example\\.com/org/.*"),
                f"one by {THEIRS} (issuer {ISSUER}): the certificate's identity does not match",
            ),
            (
                "another identity",
                lambda world: world.ours.certificate(THEIRS),
                BY_IDENTITY,
                f"one by {THEIRS} (issuer {ISSUER}): Certificate's SANs do not match",
            ),
            (
                "another issuer",
                lambda world: world.ours.certificate(issuer="https://evil.example.com"),
                BY_IDENTITY,
                "Certificate's OIDCIssuer does not match (got 'https://evil.example.com'",
            ),
            (
                "another authority",
                lambda world: world.others.certificate(),
                BY_IDENTITY,
                "failed to build timestamp certificate chain",
            ),
            ("no SCT", lambda world: world.ours.certificate(sct=False), BY_IDENTITY, "certificate timestamp"),
            (
                "the SCT of another log",
                lambda world: PrivateSigstore(world.ours.ca, world.others.ct).certificate(),
                BY_IDENTITY,
                "SCT verify failed",
            ),
        )
    },
    **{
        f"identity: {form}, another transparency log": Case(
            many(lambda world, m=make: m(_mixed(world), world.ours.certificate())), BY_IDENTITY, "invalid log entry"
        )
        for form, (make, many) in _FORMS.items()
    },
    **{
        f"identity: {form}, two of which one is good": Case(
            many(lambda w, m=make: m(w.ours, w.ours.certificate(THEIRS)), lambda w, m=make: m(w.ours, None)),
            BY_IDENTITY,
        )
        for form, (make, many) in _FORMS.items()
    },
    "identity: a bundle, expired when it was logged": Case(
        _bundles(lambda world: world.ours.bundle(APPS, logged=_LATE)), BY_IDENTITY, "not valid at validation time"
    ),
    "identity: a bundle, expired and without a time": Case(
        _bundles(lambda world: _with_entry(world, lambda entry: entry.pop("inclusionPromise"))),
        BY_IDENTITY,
        "inclusion promise or signed timestamp",
    ),
    "identity: a bundle, log entry missing": Case(
        _bundles(lambda world: world.ours.bundle(APPS, tlogEntries=[])), BY_IDENTITY, "expected exactly one log entry"
    ),
    "identity: a tag, log entry missing": Case(
        _tag(lambda world: world.ours.layer(APPS, notes={"bundle": ""})), BY_IDENTITY, "its log entry is missing"
    ),
    "identity: a bundle, logged at another time": Case(
        _bundles(
            lambda world: _with_entry(world, lambda e: e.update(integratedTime=str(int(e["integratedTime"]) + 1)))
        ),
        BY_IDENTITY,
        "invalid inclusion promise",
    ),
    "identity: a bundle, not in the log": Case(
        _bundles(lambda world: _with_entry(world, lambda e: e["inclusionProof"].update(hashes=[text(b"1" * 32)]))),
        BY_IDENTITY,
        "invalid log entry",
    ),
    "identity: a bundle, log entry of another": Case(_bundles(_entry_of_another), BY_IDENTITY, "payload hash does not"),
    "identity: a bundle, signed with another key": Case(
        _bundles(_signed_with_another_key), BY_IDENTITY, "invalid signature"
    ),
    "identity: a bundle for another image": Case(
        _bundles(lambda world: world.ours.bundle(OTHER.digest)), BY_IDENTITY, "about another image"
    ),
    "identity: a tag for another image": Case(
        _tag(lambda world: world.ours.layer(OTHER.digest)), BY_IDENTITY, "about another image"
    ),
    "identity: a tag, changed payload": Case(
        _tag(lambda world: (payload(APPS) + b" ", world.ours.layer(APPS)[1])), BY_IDENTITY, "Signature is invalid"
    ),
    "identity: an attestation": Case(
        _bundles(lambda world: world.ours.attestation(APPS, PROVENANCE)), Ask(type=PROVENANCE)
    ),
    "identity: an attestation of another predicate": Case(
        _bundles(lambda world: world.ours.attestation(APPS, "https://example.com/v1")),
        Ask(type=PROVENANCE),
        "is an attestation https://example.com/v1",
    ),
    "identity: an attestation by another identity": Case(
        _bundles(lambda world: world.ours.attestation(APPS, PROVENANCE, None, world.ours.certificate(THEIRS))),
        Ask(type=PROVENANCE),
        "SANs do not match",
    ),
}

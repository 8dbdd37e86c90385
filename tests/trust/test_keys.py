"""imagesync verify with public keys: what counts as a signature, and what is said of what does not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imagesync_cli.look.trust.rules import KeySigner, Trust, TrustRule
from imagesync_cli.values.reference import parse_reference
from tests.command import Finished, imagesync
from tests.embedded_registry import MANNERS, EmbeddedRegistry, Repository
from tests.embedded_registry.images import Image, image, index, listing, platform_of, referrer, to_json
from tests.embedded_registry.images import about as attests
from tests.embedded_registry.state import Manifest, digest_of
from tests.referrers.artifacts import NOTATION, about, child, list_of
from tests.trust.signing import (
    ENVELOPE,
    PROVENANCE,
    attach,
    cosign_layer,
    cosign_tag,
    envelope,
    key_bundle,
    key_pair,
    pae,
    payload,
    sign,
    signed_bundle,
    statement,
    tag,
    text,
    trusting,
    write_trust,
)

OURS, OTHERS = key_pair(), key_pair(number=1)
APP, OTHER = image("app"), image("other")


@pytest.fixture
def registry() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry() as running:
        APP.seed(running.repository("app"), "1")
        OTHER.seed(running.repository("app"), "2")
        yield running


@pytest.fixture
def app(registry: EmbeddedRegistry) -> Repository:
    return registry.repository("app")


def verify(registry: EmbeddedRegistry, folder: Path, *rules: dict[str, Any], **more: Any) -> Finished:
    """Verify app:1 by these rules."""
    return imagesync("verify", "--trust", write_trust(folder, *rules, **more), f"{registry.host}/app:1")


@pytest.mark.parametrize("kind", ["P-256", "P-384", "Ed25519", "RSA"])
@pytest.mark.parametrize("form", ["tag", "bundle"])
def test_every_kind_of_key(registry: EmbeddedRegistry, app: Repository, tmp_path: Path, kind: str, form: str) -> None:
    """ECDSA, Ed25519 and RSA keys verify, in the form that cosign 2 writes and in that of cosign 3."""
    key = key_pair(kind)
    if form == "tag":
        sign(app, APP.digest, key)
    else:
        attach(app, APP, signed_bundle(key, APP.digest))
    found = verify(registry, tmp_path, trusting(key))
    assert (found.code, found.err) == (0, "")
    assert f"{registry.host}/app:1 is signed by key sha256:" in found.out
    assert APP.digest in found.out
    assert verify(registry, tmp_path, trusting(OTHERS)).code == 7


@pytest.mark.parametrize("kind", ["P-256", "RSA"])
def test_a_signature_of_the_manifest_itself(
    registry: EmbeddedRegistry, app: Repository, tmp_path: Path, kind: str
) -> None:
    """A bundle that signs the manifest, and no statement about it, counts too."""
    key = key_pair(kind)
    attach(app, APP, key_bundle(messageSignature={"signature": text(key.sign_digest(APP.digest))}))
    assert verify(registry, tmp_path, trusting(key)).code == 0
    assert verify(registry, tmp_path, trusting(OTHERS)).code == 7
    assert "an Ed25519 key signs no digest" in verify(registry, tmp_path, trusting(key_pair("Ed25519"))).err


def _envelope_with_two_signatures() -> bytes:
    content = statement(APP.digest)
    made = envelope(content, OURS.sign(pae(content)))
    return key_bundle(dsseEnvelope={**made, "signatures": made["signatures"] * 2})


def _changed(content: bytes) -> bytes:
    return content.replace(b"cosign container", b"another container")


Made = Callable[[Repository], object]
# What is attached to app:1, and what is said of it.
NOT_GOOD: dict[str, tuple[Made, str]] = {
    "nothing": (lambda _: None, "it has no signature"),
    "another key": (lambda app: sign(app, APP.digest, OTHERS), "not made with this key"),
    "a bundle of another key": (lambda app: attach(app, APP, signed_bundle(OTHERS, APP.digest)), "not made with this"),
    "of another image": (
        lambda app: tag(app, APP.digest, cosign_layer(payload(OTHER.digest), OURS.sign(payload(OTHER.digest)))),
        f"it is about another image, {OTHER.digest}",
    ),
    "a bundle for another image": (lambda app: attach(app, APP, signed_bundle(OURS, OTHER.digest)), "another image"),
    "a changed payload": (
        lambda app: tag(app, APP.digest, cosign_layer(_changed(payload(APP.digest)), OURS.sign(payload(APP.digest)))),
        "not made with this key",
    ),
    "a changed statement": (
        lambda app: attach(
            app,
            APP,
            key_bundle(dsseEnvelope=envelope(statement(APP.digest), OURS.sign(pae(statement(OTHER.digest))))),
        ),
        "not made with this key",
    ),
    "another type of payload": (
        lambda app: attach(
            app,
            APP,
            key_bundle(dsseEnvelope=envelope(statement(APP.digest), OURS.sign(pae(statement(APP.digest), "a")), "a")),
        ),
        "not an in-toto statement",
    ),
    "an attestation": (
        lambda app: attach(app, APP, signed_bundle(OURS, APP.digest, PROVENANCE)),
        f"is an attestation {PROVENANCE}",
    ),
    "a signature of the bare digest": (
        lambda app: tag(app, APP.digest, cosign_layer(APP.digest.encode(), OURS.sign(APP.digest.encode()))),
        "not JSON",
    ),
    "a subject elsewhere": (lambda app: attach(app, OTHER, signed_bundle(OURS, APP.digest)), "it has no signature"),
    "another media type": (
        lambda app: attach(app, APP, signed_bundle(OURS, APP.digest), media_type="application/json"),
        "it has no signature",
    ),
    "two signatures in an envelope": (lambda app: attach(app, APP, _envelope_with_two_signatures()), "not in the form"),
    "one by Notation": (
        lambda app: referrer(APP, NOTATION).seed(app),
        "it has no signature; one by Notation is not supported",
    ),
    "no base64": (
        lambda app: tag(app, APP.digest, (payload(APP.digest), {"dev.cosignproject.cosign/signature": "?"})),
        "not base64",
    ),
    "no annotations": (lambda app: tag(app, APP.digest, (payload(APP.digest), {})), "not made with this key"),
    "no bundle": (lambda app: attach(app, APP, b"[1]"), "not in the form"),
    "an empty bundle": (lambda app: attach(app, APP, b"{}"), "not made with this key"),
    "no JSON": (lambda app: attach(app, APP, b"\xff"), "not in the form"),
}


@pytest.mark.parametrize(("made", "said"), NOT_GOOD.values(), ids=NOT_GOOD)
def test_what_does_not_count(
    registry: EmbeddedRegistry, app: Repository, tmp_path: Path, made: Made, said: str
) -> None:
    """Exit code 7, and a reason: no signature is told apart from one that does not verify."""
    made(app)
    found = verify(registry, tmp_path, trusting(OURS))
    assert (found.code, found.out) == (7, "")
    assert said in found.err
    assert f"trust: {registry.host}/app@{APP.digest}: " in found.err
    assert "wanted is a signature by a key" in found.err


@pytest.mark.parametrize(("made", "said"), NOT_GOOD.values(), ids=NOT_GOOD)
def test_a_good_one_among_them(
    registry: EmbeddedRegistry, app: Repository, tmp_path: Path, made: Made, said: str
) -> None:
    """What anybody may attach beside it takes nothing from a good signature."""
    made(app)
    attach(app, APP, signed_bundle(OURS, APP.digest))
    assert verify(registry, tmp_path, trusting(OURS)).code == 0


def test_a_signature_copied_from_another_repository(registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """The digest is what is signed: a mirror's signatures are as good as its source's."""
    mirror = registry.repository("mirror")
    APP.seed(mirror, "1")
    sign(mirror, APP.digest, OURS)
    found = imagesync("verify", "--trust", write_trust(tmp_path, trusting(OURS)), f"{registry.host}/mirror:1")
    assert found.code == 0


def test_without_referrers_api(tmp_path: Path) -> None:
    """Where a registry has no such API, the list under the digest's tag is looked at."""
    with EmbeddedRegistry(manner=MANNERS["distribution-3"]) as registry:
        app = registry.repository("app")
        APP.seed(app, "1")
        list_of(*attach(app, APP, signed_bundle(OURS, APP.digest))).seed(app, about(APP))
        assert verify(registry, tmp_path, trusting(OURS)).code == 0
        image("no list").seed(app, about(APP))
        assert "it has no signature" in verify(registry, tmp_path, trusting(OURS)).err


def test_no_signatures_but_an_index(registry: EmbeddedRegistry, app: Repository, tmp_path: Path) -> None:
    """What stands under cosign's tag and is no signature is none; a blob that is away is none either."""
    index("else").seed(app, about(APP, ".sig"))
    for bundle in attach(app, APP, signed_bundle(OURS, APP.digest)):
        for digest in bundle.blobs:
            app.blobs.pop(digest)
    assert "it has no signature" in verify(registry, tmp_path, trusting(OURS)).err


def test_an_index_with_too_many_images(registry: EmbeddedRegistry, app: Repository, tmp_path: Path) -> None:
    """They are not looked at one by one, and the error says so."""
    many = index("many", platforms=[f"linux/arm/v{number}" for number in range(101)])
    many.seed(app, "1")
    found = verify(registry, tmp_path, trusting(OURS))
    assert "its index has 101 entries, and more than 100 are not looked at one by one" in found.err


def test_any_signer_or_all(registry: EmbeddedRegistry, app: Repository, tmp_path: Path) -> None:
    """One signer is enough, unless all are demanded; then it is told who has signed alone."""
    sign(app, APP.digest, OURS)
    assert verify(registry, tmp_path, trusting(OTHERS, OURS)).code == 0
    (tmp_path / "ours.pub").write_text(OURS.pem)
    rule = {"sources": ["**"], "signers": [{"key": "ours.pub"}, {"key": OTHERS.pem}], "all": True}
    found = verify(registry, tmp_path, rule)
    assert found.code == 7
    assert "it is signed by key ours.pub alone" in found.err
    assert "wanted is a signature by the key ours.pub and a key" in found.err
    attach(app, APP, signed_bundle(OTHERS, APP.digest))
    found = verify(registry, tmp_path, rule)
    assert found.code == 0
    assert "signed by key ours.pub and key sha256:" in found.out


@pytest.mark.parametrize(
    ("pattern", "source"),
    [
        ("quay.io/**", "quay.io:443/org/app:1"),
        ("quay.io/**", "QUAY.IO:00443/org/app:1"),
        ("quay.io:443/**", "quay.io/org/app:1"),
        ("docker.io/library/*", "index.docker.io:443/library/app"),
        ("r.example.com:5000/**", "r.example.com:05000/app:1"),
    ],
)
def test_no_spelling_gets_around_a_rule(pattern: str, source: str) -> None:
    """With default: accept, a source that a rule names is not accepted because its port is written otherwise."""
    rule = TrustRule((pattern,), (KeySigner(OURS.pem, ""),))
    assert Trust((rule,), accepts=True).rule_for(parse_reference(source)) is rule


@pytest.mark.parametrize("place", ["tag", "bundle"])
@pytest.mark.parametrize("size", [1, 10**12])
def test_the_good_one_with_another_size(
    registry: EmbeddedRegistry, app: Repository, tmp_path: Path, place: str, size: int
) -> None:
    """Who lists the good signature again, with a size that it has not, takes nothing from it."""
    if place == "tag":
        content = payload(APP.digest)
        tag(app, APP.digest, *[cosign_layer(content, OURS.sign(content))] * 2)
    else:
        attach(app, APP, *[signed_bundle(OURS, APP.digest)] * 2)
    lists = [each for each in app.manifests.values() if b'"layers"' in each.content and each.digest != APP.digest]
    for each in lists:
        document = json.loads(each.content)
        document["layers"] = document["layers"][:1] + [{**layer, "size": size} for layer in document["layers"][:1]]
        lying = Manifest(each.media_type, to_json(document))
        Image(lying, {lying.digest: lying}, {}).seed(app, *([cosign_tag(APP.digest)] if place == "tag" else []))
    assert lists
    assert verify(registry, tmp_path, trusting(OURS)).code == 0


def test_a_digest_for_which_cosign_has_no_tag(registry: EmbeddedRegistry, app: Repository, tmp_path: Path) -> None:
    """The name would be too long for a tag: then it has no signature there, which is no error of the call."""
    digest = digest_of(APP.root.content, "sha512")
    app.manifests[digest] = Manifest(APP.root.media_type, APP.root.content, digest)
    rules = write_trust(tmp_path, trusting(OURS))
    found = imagesync("verify", "--trust", rules, f"{registry.host}/app@{digest}")
    assert (found.code, "it has no signature" in found.err) == (7, True)
    content = statement(digest)
    (made,) = attach(app, APP, key_bundle(dsseEnvelope=envelope(content, OURS.sign(pae(content)))))
    document = json.loads(made.root.content)
    document["subject"]["digest"] = digest
    about = Manifest(made.root.media_type, to_json(document))
    Image(about, {about.digest: about}, {}).seed(app)
    assert imagesync("verify", "--trust", rules, f"{registry.host}/app@{digest}").code == 0


def test_the_first_rule_that_names_the_source(registry: EmbeddedRegistry, app: Repository, tmp_path: Path) -> None:
    """Later rules do not count, and what none names is refused unless it is accepted."""
    sign(app, APP.digest, OURS)
    mine = {**trusting(OURS), "sources": [f"{registry.host}/app"]}
    assert verify(registry, tmp_path, mine, trusting(OTHERS)).code == 0
    assert verify(registry, tmp_path, trusting(OTHERS), mine).code == 7
    elsewhere = {**trusting(OURS), "sources": ["quay.io/**"]}
    found = verify(registry, tmp_path, elsewhere)
    assert found.code == 7
    assert "trust: no rule names" in found.err
    found = verify(registry, tmp_path, elsewhere, default="accept")
    assert found.code == 0
    assert "accepted, as no rule names it" in found.out


class Platforms:
    """An index of two platforms in the registry."""

    def __init__(self, app: Repository) -> None:
        self.app = app
        self.index = index("platforms", platforms=("linux/amd64", "linux/arm64"), attested=True)
        self.index.seed(app, "1")

    def sign(self, signed: Image) -> None:
        sign(self.app, signed.digest, OURS)


@pytest.mark.parametrize(
    "options", [(), ("--platform", "linux/arm64"), ("--platform", "linux/amd64", "--platform", "linux/arm64")]
)
def test_what_counts_as_signed(
    registry: EmbeddedRegistry, app: Repository, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """The root, also for platforms that were chosen from it; or each entry by itself."""
    image_of = Platforms(app)
    call = ("verify", "--trust", write_trust(tmp_path, trusting(OURS)), *options, f"{registry.host}/app:1")
    assert imagesync(*call).code == 7
    image_of.sign(child(image_of.index, 0 if len(options) != 2 else 1))
    found = imagesync(*call)
    assert found.code == (0 if options == ("--platform", "linux/arm64") else 7)
    assert found.code == 0 or "it has no signature; 1 of the 4 entries of its index are signed" in found.err
    for number in range(4):  # the two images, and what BuildKit attests of each
        image_of.sign(child(image_of.index, number))
    assert imagesync(*call).code == 0
    app.tags = {name: digest for name, digest in app.tags.items() if not name.endswith(".sig")}
    assert imagesync(*call).code == 7
    image_of.sign(image_of.index)
    assert imagesync(*call).code == 0


@pytest.mark.parametrize("members", [attests(APP), {"mediaType": "application/x.thing"}], ids=["attestation", "other"])
def test_an_image_that_is_listed_as_something_else(
    registry: EmbeddedRegistry, tmp_path: Path, members: dict[str, Any]
) -> None:
    """A stranger's index of a signed image and of another one, which it calls no image, brings neither."""
    made = listing([(APP, {"platform": platform_of("linux/amd64")}), (OTHER, members)])
    made.seed(registry.repository("mixed"), "1")
    sign(registry.repository("mixed"), APP.digest, OURS)
    rules = write_trust(tmp_path, trusting(OURS))
    done = imagesync("sync", "--trust", rules, f"{registry.host}/mixed:1", f"{registry.host}/down:1")
    assert (done.code, "1 of the 2 entries of its index are signed" in done.err) == (7, True)
    assert not registry.repository("down").manifests


def _attested(**demand: str) -> dict[str, Any]:
    return trusting(OURS, attestations=[{"type": "slsaprovenance1", **demand}])


def test_attestations(registry: EmbeddedRegistry, app: Repository, tmp_path: Path) -> None:
    """Of the type that is demanded, signed by the rule's signer, with the value in the field."""
    demand = _attested(field="runDetails.builder.id", value="https://github.com/org/builder")
    attach(app, APP, signed_bundle(OURS, APP.digest))
    attach(app, APP, signed_bundle(OTHERS, APP.digest, PROVENANCE))
    found = verify(registry, tmp_path, demand)
    assert found.code == 7
    assert "wanted is an attestation https://slsa.dev/provenance/v1 with runDetails.builder.id = https://" in found.err
    attach(app, APP, signed_bundle(OURS, APP.digest, PROVENANCE, {"runDetails": {"builder": "https://github.com/org"}}))
    assert verify(registry, tmp_path, demand).code == 7
    assert verify(registry, tmp_path, _attested()).code == 0
    right = {"runDetails": {"builder": {"id": "https://github.com/org/builder"}, "isFine": True}}
    attach(app, APP, signed_bundle(OURS, APP.digest, PROVENANCE, right))
    assert verify(registry, tmp_path, demand).code == 0
    assert verify(registry, tmp_path, _attested(field="runDetails.isFine", value="true")).code == 0


def test_attestations_of_cosign_2(registry: EmbeddedRegistry, app: Repository, tmp_path: Path) -> None:
    """Those under its tag ``.att`` count as well."""
    content = statement(APP.digest, PROVENANCE)
    made = json.dumps(envelope(content, OURS.sign(pae(content)))).encode()
    tag(app, APP.digest, (made, {}), suffix=".att", media_type=ENVELOPE)
    assert verify(registry, tmp_path, _attested()).code == 0
    assert verify(registry, tmp_path, trusting(OURS)).code == 7


def test_several_references(registry: EmbeddedRegistry, app: Repository, tmp_path: Path) -> None:
    """Each has an answer, in JSON too, and the exit code is that of what is worst."""
    sign(app, APP.digest, OURS)
    rules = write_trust(tmp_path, trusting(OURS))
    found = imagesync("verify", "--trust", rules, "--json", *(f"{registry.host}/app:{tag}" for tag in ("1", "2", "3")))
    assert found.code == 7
    signed, unsigned, absent = json.loads(found.out)
    assert signed["verified"]
    assert signed["signed_by"][0]["time"] == ""
    assert (unsigned["verified"], unsigned["digest"]) == (False, OTHER.digest)
    assert (absent["verified"], absent["digest"], absent["kind"]) == (False, "", "missing")

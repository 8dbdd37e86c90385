"""A hostile registry: no unsigned image passes, and time and memory stay bounded whatever is attached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry, Fault, Repository, Request, Response
from tests.embedded_registry.images import OCI_INDEX, OCI_MANIFEST, Image, describe, index, to_json
from tests.embedded_registry.state import Manifest, digest_of
from tests.hostile.test_memory import run
from tests.trust.cases import APP, OTHER
from tests.trust.private_sigstore import ISSUER, RELEASE, PrivateSigstore
from tests.trust.signing import (
    attach,
    cosign_layer,
    cosign_tag,
    key_bundle,
    key_pair,
    payload,
    sign,
    signed_bundle,
    tag,
    trusting,
    write_trust,
)

MIB = 1024 * 1024
MOST_MIB = 80
OURS, OTHERS, SIGSTORE = key_pair(), key_pair(number=1), PrivateSigstore()


@pytest.fixture
def registry() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry() as running:
        APP.seed(running.repository("app"), "1")
        yield running


@pytest.fixture
def app(registry: EmbeddedRegistry) -> Repository:
    return registry.repository("app")


def _many_layers(app: Repository) -> None:
    """One ``.sig`` with as many signatures as a manifest may have."""
    content = payload(APP.digest)
    layers = [
        cosign_layer(content + b" " * (number % 100), OTHERS.sign(content)[:60] + number.to_bytes(8, "big"))
        for number in range(9_000)
    ]
    tag(app, APP.digest, *layers)


def _large_layers(app: Repository) -> None:
    """Signatures of 4 MiB each."""
    tag(app, APP.digest, *(cosign_layer(bytes([65 + n]) * (4 * MIB - n), b"no") for n in range(8)))


def _lying_layers(app: Repository) -> None:
    """Signatures that are said to be short, and are not what their digest says."""
    made = tag(app, APP.digest, *(cosign_layer(payload(APP.digest) + b" " * n, b"no") for n in range(100)))
    for digest in made.blobs:
        app.blobs[digest] = b"x" * (4 * MIB)


def _many_referrers(app: Repository) -> None:
    """400 bundles, each a referrer of its own, of which the good one is the largest."""
    attach(app, APP, *(signed_bundle(OTHERS, APP.digest, predicate={"n": n}) for n in range(400)))


def _too_many_referrers(app: Repository) -> None:
    """More than are looked at."""
    for number in range(600):
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": describe("a/b", b"{}"), "layers": []}
        document |= {"subject": describe(APP.root.media_type, APP.root.content), "annotations": {"n": str(number)}}
        manifest = Manifest(OCI_MANIFEST, to_json(document))
        app.manifests[manifest.digest] = manifest


def _dense_referrers(app: Repository) -> None:
    """As many signatures in each of 200 referrers as its manifest may name."""
    subject = describe(APP.root.media_type, APP.root.content)
    for number in range(200):
        digests = (f"sha256:{number * 1000 + each:064x}" for each in range(350))
        layers = [{"mediaType": "application/vnd.dev.sigstore.bundle", "digest": each, "size": 1} for each in digests]
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": describe("a/b", b"{}"), "layers": layers}
        manifest = Manifest(OCI_MANIFEST, to_json(document | {"subject": subject}))
        app.manifests[manifest.digest] = manifest


def _large_referrers(app: Repository) -> None:
    """Bundles of nearly 4 MiB each, one of them dense."""
    filled = "[" + "0," * (MIB // 2) + "0]"
    attach(
        app,
        APP,
        *(key_bundle(dsseEnvelope={"payload": "A" * (4 * MIB - 1000), "n": n}) for n in range(6)),
        f'{{"a": {filled}}}'.encode(),
    )


ATTACKS: dict[str, Callable[[Repository], None]] = {
    "9,000 signatures in a tag": _many_layers,
    "signatures of 4 MiB": _large_layers,
    "signatures that lie about their length": _lying_layers,
    "400 bundles": _many_referrers,
    "600 referrers": _too_many_referrers,
    "70,000 signatures in 200 referrers": _dense_referrers,
    "bundles of 4 MiB": _large_referrers,
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_bounds(
    registry: EmbeddedRegistry, app: Repository, tmp_path: Path, attack: Callable[[Repository], None]
) -> None:
    """The image is refused with a reason, within 80 MiB and 10 s."""
    attack(app)
    rules = write_trust(tmp_path, trusting(OURS))
    code, size_mib, said = run("verify", "--trust", rules, f"{registry.host}/app:1", cpu_s=10)
    assert code == 7, said
    assert "trust: " in said or "referrers" in said
    assert size_mib < MOST_MIB


def test_a_small_good_one_among_large_ones(registry: EmbeddedRegistry, app: Repository, tmp_path: Path) -> None:
    """What is attached to be in the way is larger than a signature needs to be, and looked at later."""
    _large_referrers(app)
    sign(app, APP.digest, OURS)
    found = imagesync("verify", "--trust", write_trust(tmp_path, trusting(OURS)), f"{registry.host}/app:1")
    assert found.code == 0


def test_what_was_not_looked_at_is_told(registry: EmbeddedRegistry, app: Repository, tmp_path: Path) -> None:
    """An image that is refused because others have attached too much says so."""
    rules = write_trust(tmp_path, trusting(OURS))
    attach(app, APP, *(signed_bundle(OTHERS, APP.digest, predicate={"n": n}) for n in range(201)))
    found = imagesync("verify", "--trust", rules, f"{registry.host}/app:1")
    assert "only the smallest 200 of 201 signatures were looked at" in found.err
    app.manifests = {APP.root.digest: APP.root}
    _large_layers(app)
    found = imagesync("verify", "--trust", rules, f"{registry.host}/app:1")
    assert "signatures are too long to be looked at" in found.err


def test_the_same_one_many_times(registry: EmbeddedRegistry, app: Repository, tmp_path: Path) -> None:
    """A signature that is repeated is read once."""
    layer = cosign_layer(payload(APP.digest), OTHERS.sign(payload(APP.digest)))
    tag(app, APP.digest, *[layer] * 500)
    before = len(registry.requests)
    found = imagesync("verify", "--trust", write_trust(tmp_path, trusting(OURS)), f"{registry.host}/app:1")
    assert found.code == 7
    assert sum("/blobs/" in request.path for request in registry.requests[before:]) == 1


def test_a_swapped_signature(registry: EmbeddedRegistry, app: Repository, tmp_path: Path) -> None:
    """A registry that answers with another image's signatures, whatever it is asked for, makes nothing signed."""
    OTHER.seed(app, "2")
    sign(app, OTHER.digest, OURS)
    attach(app, OTHER, signed_bundle(OURS, OTHER.digest))
    entries = [each.descriptor() for each in app.manifests.values() if b'"subject"' in each.content]

    def answer(request: Request) -> Fault | None:
        if "/referrers/" in request.path:
            listed = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
            return Fault(answer=Response(200, {"Content-Type": OCI_INDEX}, to_json(listed)))
        if request.path.endswith(".sig"):
            other = app.manifests[app.tags[cosign_tag(OTHER.digest)]]
            return Fault(answer=Response(200, {"Content-Type": OCI_MANIFEST}, other.content))
        return None

    registry.fault = answer
    found = imagesync("verify", "--trust", write_trust(tmp_path, trusting(OURS)), f"{registry.host}/app:1")
    assert found.code == 7
    assert f"it is about another image, {OTHER.digest}" in found.err


def test_a_tag_that_is_a_huge_manifest(registry: EmbeddedRegistry, app: Repository, tmp_path: Path) -> None:
    """What no signature needs to be is none."""
    content = to_json({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": [], "x": "y" * (5 * MIB)})
    app.manifests[digest_of(content)] = Manifest(OCI_MANIFEST, content)
    app.tags[cosign_tag(APP.digest)] = digest_of(content)
    code, size_mib, said = run("verify", "--trust", write_trust(tmp_path, trusting(OURS)), f"{registry.host}/app:1")
    assert (code, size_mib < MOST_MIB) == (7, True), said
    assert "it has no signature" in said


def _others_identities(app: Repository) -> None:
    """200 signatures that verify, and are somebody else's."""
    certificate = SIGSTORE.certificate("https://example.com/else")
    attach(app, APP, *(SIGSTORE.attestation(APP.digest, "a", {"n": n}, certificate) for n in range(200)))


def _large_identities(app: Repository) -> None:
    """Bundles of nearly 4 MiB whose parts are all in order."""
    certificate = SIGSTORE.certificate("https://example.com/else")
    attach(app, APP, *(SIGSTORE.attestation(APP.digest, "a", "x" * (2 * MIB + n), certificate) for n in range(3)))


def test_a_root_without_end(registry: EmbeddedRegistry, app: Repository, tmp_path: Path) -> None:
    """A file that never ends is refused by name."""
    _others_identities(app)
    rule = {"sources": ["**"], "signers": [{"identity": RELEASE, "issuer": ISSUER}]}
    rules = write_trust(tmp_path, rule, trusted_root="/dev/zero")
    code, _, said = run("verify", "--trust", rules, f"{registry.host}/app:1")
    assert code == 2
    assert "the trusted_root /dev/zero cannot be read" in said


def _below(app: Repository, made: Image, number: int) -> None:
    """As many signatures of somebody else's at each image of an index, beside a good one that is read after them."""
    for digest in made.children:
        child = Image(made.manifests[digest], {}, {})
        attach(app, child, *(signed_bundle(OTHERS, digest, predicate={"n": n}) for n in range(number)))
        attach(app, child, signed_bundle(OURS, digest, predicate={"n": "x" * 1000}))


@pytest.mark.parametrize(("number", "code"), [(50, 0), (100, 7)])
def test_many_at_each_image_of_an_index(
    registry: EmbeddedRegistry, app: Repository, tmp_path: Path, number: int, code: int
) -> None:
    """However many images an index has, no more is looked at for it than twice what one image may have."""
    made = index("many")
    made.seed(app, "index")
    _below(app, made, number)
    registry.clear_requests()
    found = imagesync("verify", "--trust", write_trust(tmp_path, trusting(OURS)), f"{registry.host}/app:index")
    assert (found.code, "signatures were looked at" in found.err) == (code, code == 7), found.err
    read = [request for request in registry.requests if "/blobs/" in request.path]
    assert len(read) <= 400


@pytest.mark.parametrize("attack", [_others_identities, _large_identities, _large_referrers])
def test_identities(
    registry: EmbeddedRegistry, app: Repository, tmp_path: Path, attack: Callable[[Repository], None]
) -> None:
    """For identities as well; the library sigstore takes more than 40 MiB before it is asked anything."""
    attack(app)
    rule = {"sources": ["**"], "signers": [{"identity": RELEASE, "issuer": ISSUER}]}
    rules = write_trust(tmp_path, rule, trusted_root=SIGSTORE.write_root(tmp_path))
    code, size_mib, said = run("verify", "--trust", rules, f"{registry.host}/app:1", cpu_s=10)
    assert code == 7, said
    assert size_mib < MOST_MIB + 25

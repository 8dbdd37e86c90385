"""check: in sync or not, whole or not, and by how many requests; nothing is ever written."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagesync_cli.look import walk
from tests.command import imagesync
from tests.copy.artifacts import artifact
from tests.copy.test_requests import SIX, layer, near
from tests.copy.test_sync import ARTIFACT, FOREIGN, composed, nested
from tests.embedded_registry import MANNERS, EmbeddedRegistry, Request
from tests.embedded_registry.faults import Fault, flip_bit, refusal, reset_before_handling
from tests.embedded_registry.images import OCI_EMPTY, SIX_PLATFORMS, Image, compose, describe, index_of, listing
from tests.embedded_registry.state import Repository


def attested() -> Image:
    """Six platforms of three layers, one of which is the same for all, each with an attestation: 13 manifests."""
    layers = {each: [layer("all"), layer(each, 1), layer(each, 2)] for each in SIX_PLATFORMS}
    return index_of({each: compose(each, layers[each]) for each in SIX_PLATFORMS}, attested=True)


ATTESTED = attested()
SHARED = ATTESTED.manifests[ATTESTED.children[0]].blobs[1]


def check(source: EmbeddedRegistry, registry: EmbeddedRegistry, *options: str) -> tuple[int, dict[str, Any]]:
    done = imagesync("check", f"{source.host}/up/app:1", f"{registry.host}/team/app:1", "--json", *options)
    return done.code, json.loads(done.out) if done.out else {"error": done.err}


def both(source: EmbeddedRegistry, registry: EmbeddedRegistry, made: Image) -> None:
    made.seed(source.repository("up/app"), "1")
    made.seed(registry.repository("team/app"), "1")


def counted(registry: EmbeddedRegistry) -> Counter[str]:
    return Counter(request.method for request in registry.requests)


def test_in_sync(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """Two equal digests are exit code 0, by one HEAD request on either side."""
    both(source, registry, ATTESTED)
    code, report = check(source, registry)
    assert (code, report) == (0, {
        "source": f"{source.host}/up/app:1",
        "destination": f"{registry.host}/team/app:1",
        "digest": ATTESTED.digest,
        "destination_digest": ATTESTED.digest,
        "in_sync": True,
        "manifests": 0,
        "blobs": 0,
        "missing_referrers": [],
        "problems": [],
    })  # fmt: skip
    assert [str(request) for request in source.requests] == ["HEAD /v2/up/app/manifests/1"]
    assert [str(request) for request in registry.requests] == ["HEAD /v2/team/app/manifests/1"]


@pytest.mark.parametrize("there", [True, False])
def test_out_of_sync(source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository, there: bool) -> None:
    """Another image at the destination, or none, is exit code 8 and both digests; nothing is written."""
    ATTESTED.seed(source.repository("up/app"), "1")
    if there:
        SIX.seed(down, "1")
    before = registry.dump()
    code, report = check(source, registry)
    assert (code, report["in_sync"]) == (8, False)
    assert (report["digest"], report["destination_digest"]) == (ATTESTED.digest, SIX.digest if there else "")
    assert (len(source.requests), len(registry.requests)) == (1, 1)
    assert registry.dump() == before


def test_text(source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository) -> None:
    """The lines on stdout name what is wrong and where; stderr says what to do about it."""
    both(source, registry, ATTESTED)
    images = [f"{source.host}/up/app:1", f"{registry.host}/team/app:1"]
    good = imagesync("check", *images, "--deep")
    assert (
        good.out == f"{images[1]} is in sync with {images[0]}, and whole: 13 manifests, 26 blobs ({ATTESTED.digest})\n"
    )
    child = ATTESTED.children[1]
    layer = ATTESTED.manifests[child].blobs[-1]
    del down.blobs[layer]
    bad = imagesync("check", *images, "--deep")
    assert (bad.code, bad.out) == (
        8,
        f"{images[1]}: missing: blob {layer} of linux/arm64, named by {child}: not found (404)\n",
    )
    assert f"imagesync sync --verify {images[0]} {images[1]}" in bad.err


def test_a_digest_that_is_a_manifest_and_a_blob(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository
) -> None:
    """Where only the blob is missing, that is all that is said: the manifest of the same digest is there."""
    image = near(1)
    copy = artifact((OCI_EMPTY, b"{}"), (image.root.media_type, image.root.content))
    made = listing([(image, {}), (copy, {})])
    both(source, registry, made)
    del down.blobs[image.digest]
    _, report = check(source, registry, "--deep")
    assert [(problem["what"], problem["digest"]) for problem in report["problems"]] == [("blob", image.digest)]
    done = imagesync("sync", "--verify", f"{source.host}/up/app:1", f"{registry.host}/team/app:1", "--json")
    assert (done.code, len(json.loads(done.out)["damage"])) == (0, 1)


@pytest.mark.parametrize(
    ("fault", "code"),
    [(refusal(404, "MANIFEST_UNKNOWN"), 3), (refusal(403), 4), (refusal(503), 5), (reset_before_handling(), 5)],
)
def test_source_that_cannot_be_asked(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, pauses: list[float], fault: Fault, code: int
) -> None:
    """A source that is not there, refuses or does not answer is that error, and no verdict on the destination."""
    both(source, registry, ATTESTED)
    source.fault = lambda _: fault
    assert check(source, registry)[0] == code


@pytest.mark.parametrize(("fault", "code"), [(refusal(403), 4), (refusal(503), 5), (reset_before_handling(), 5)])
def test_destination_that_cannot_be_asked(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, pauses: list[float], fault: Fault, code: int
) -> None:
    """A destination that refuses or does not answer is that error, also in the middle of a look at all of it."""
    both(source, registry, ATTESTED)
    registry.fault = lambda _: fault
    assert check(source, registry, "--deep")[0] == code
    if code == 5:
        registry.fault = lambda request: fault if "/blobs/" in request.path else None
        assert check(source, registry, "--deep")[0] == code


@pytest.mark.parametrize("options", [("--deep",), ("--read",)])
def test_requests(source: EmbeddedRegistry, registry: EmbeddedRegistry, options: tuple[str]) -> None:
    """--deep adds a GET for each manifest and a HEAD for each blob, --read a GET for each; the source gets its HEAD."""
    both(source, registry, SIX)
    code, report = check(source, registry, *options)
    assert (code, report["manifests"], report["blobs"]) == (0, 7, 25)
    assert len(source.requests) == 1
    assert counted(registry) == ({"HEAD": 1 + 25, "GET": 7} if options == ("--deep",) else {"HEAD": 1, "GET": 7 + 25})


def test_round_trips(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """What does not depend on each other is asked at once: no manifest waits for another one's blobs."""
    both(source, registry, SIX)
    asked: set[str] = set()
    all_asked = threading.Event()
    waited: list[bool] = []

    def hold(request: Request) -> None:
        # A blob is answered when every manifest has been asked for.
        asked.add(request.path.rpartition("/")[2])
        if asked >= SIX.manifests.keys():
            all_asked.set()
        if "/blobs/" in request.path:
            waited.append(all_asked.wait(timeout=20))

    registry.fault = hold
    assert check(source, registry, "--deep")[0] == 0
    assert waited == [True] * 25


def damaged(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each["kind"], each["what"], each["digest"]) for each in report["problems"]]


@pytest.mark.parametrize("manner", ["oci-1.1", "distribution-2.8", "distribution-3", "artifactory", "ggcr"])
def test_missing(source: EmbeddedRegistry, manner: str) -> None:
    """A missing child or blob is named with the manifest that names it and its platform, whatever the registry."""
    child = ATTESTED.children[1]
    layer = ATTESTED.manifests[child].blobs[-1]
    with EmbeddedRegistry(MANNERS[manner]) as registry:
        both(source, registry, ATTESTED)
        del registry.repository("team/app").blobs[layer]
        code, report = check(source, registry, "--deep")
        assert (code, damaged(report)) == (8, [("missing", "blob", layer)])
        assert [(each["parent"], each["platform"]) for each in report["problems"]] == [(child, "linux/arm64")]
        del registry.repository("team/app").manifests[child]
        code, report = check(source, registry, "--deep")
        assert (code, damaged(report)) == (8, [("missing", "manifest", child)])
        parent = report["problems"][0]
        assert (parent["parent"], parent["platform"]) == (ATTESTED.digest, "linux/arm64")


def test_shared_layer(source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository) -> None:
    """A layer that several platforms share is one problem, told at the first that names it, on every run."""
    both(source, registry, ATTESTED)
    del down.blobs[SHARED]
    for _ in range(5):
        _, report = check(source, registry, "--deep")
        assert damaged(report) == [("missing", "blob", SHARED)]
        (problem,) = report["problems"]
        assert (problem["parent"], problem["platform"]) == (ATTESTED.children[0], "linux/amd64")


def test_wrong(source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository) -> None:
    """A blob of another size is found by --deep, one with a flipped byte by --read alone; a manifest by either."""
    both(source, registry, ATTESTED)
    short, flipped = list(ATTESTED.blobs)[:2]
    down.blobs[short] = down.blobs[short][:-1]
    down.blobs[flipped] = bytes([down.blobs[flipped][0] ^ 1]) + down.blobs[flipped][1:]
    code, report = check(source, registry, "--deep")
    assert (code, damaged(report)) == (8, [("wrong", "blob", short)])
    assert "its descriptor says" in report["problems"][0]["why"]
    code, report = check(source, registry, "--read")
    assert (code, sorted(damaged(report))) == (8, sorted([("wrong", "blob", short), ("wrong", "blob", flipped)]))
    ATTESTED.seed(down)
    registry.fault = lambda request: flip_bit(30) if request.path.endswith(ATTESTED.children[0]) else None
    code, report = check(source, registry, "--deep")
    assert (code, damaged(report)) == (8, [("wrong", "manifest", ATTESTED.children[0])])


def test_damage_on_the_way(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """Bytes that arrive wrong once are read once more, and are no problem of the image."""
    both(source, registry, ATTESTED)
    faults = [flip_bit(30)]
    registry.fault = lambda request: faults.pop() if faults and "/blobs/" in request.path else None
    assert check(source, registry, "--read")[0] == 0
    assert not faults


@pytest.mark.parametrize(("most", "code"), [(39, 0), (38, 6)])
def test_too_many(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, monkeypatch: pytest.MonkeyPatch, most: int, code: int
) -> None:
    """An image that names more manifests and blobs than any real one is not followed to its end."""
    both(source, registry, ATTESTED)  # 13 manifests, 26 blobs
    monkeypatch.setattr(walk, "MAX_DESCRIPTORS", most)
    assert check(source, registry, "--deep")[0] == code


def test_unreadable(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository, pauses: list[float]
) -> None:
    """A part that the registry refuses, or fails at for ever, is a problem of its own kind."""
    both(source, registry, ATTESTED)
    child, layer = ATTESTED.children[0], ATTESTED.manifests[ATTESTED.children[1]].blobs[-1]
    faults = {child: refusal(500), layer: refusal(403, "DENIED")}
    registry.fault = lambda request: faults.get(request.path.rpartition("/")[2])
    code, report = check(source, registry, "--deep")
    assert (code, damaged(report)) == (8, [("unreadable", "blob", layer), ("unreadable", "manifest", child)])


def test_a_registry_that_tells_no_length(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """A blob whose length the registry does not tell is there; where HEAD is refused, GET is asked."""
    both(source, registry, ATTESTED)

    def silent(request: Request) -> Fault | None:
        if "/blobs/" not in request.path:
            return None
        return refusal(405) if request.method == "HEAD" else Fault(change=lambda answer: replace(answer, length=""))

    registry.fault = silent
    assert check(source, registry, "--deep")[0] == 0


def test_alone(registry: EmbeddedRegistry, down: Repository) -> None:
    """An image alone is looked at without a source; two references or --deep are asked for otherwise."""
    ATTESTED.seed(down, "1")
    assert imagesync("check", "--deep", f"{registry.host}/team/app:1").code == 0
    del down.blobs[next(iter(ATTESTED.blobs))]
    bad = imagesync("check", "--deep", f"{registry.host}/team/app:1")
    assert (bad.code, "missing: blob" in bad.out) == (8, True)
    assert imagesync("check", "--deep", f"{registry.host}/team/app:2").code == 3
    usage = imagesync("check", f"{registry.host}/team/app:1")
    assert (usage.code, "imagesync check SRC DST" in usage.err) == (2, True)


def test_layout(source: EmbeddedRegistry, tmp_path: Path) -> None:
    """A layout folder is looked at like a registry."""
    ATTESTED.seed(source.repository("up/app"), "1")
    folder = ATTESTED.write_layout(tmp_path / "layout", "1")
    calls = ("check", f"{source.host}/up/app:1", f"oci:{folder}:1", "--json")
    assert imagesync(*calls, "--read").code == 0
    gone, short, flipped = list(ATTESTED.blobs)[:3]
    files = {digest: folder / "blobs" / "sha256" / digest.removeprefix("sha256:") for digest in ATTESTED.blobs}
    files[gone].unlink()
    files[short].write_bytes(ATTESTED.blobs[short][1:])
    files[flipped].write_bytes(bytes(reversed(ATTESTED.blobs[flipped])))
    deep = imagesync(*calls, "--deep")
    assert (deep.code, sorted(damaged(json.loads(deep.out)))) == (
        8,
        [("missing", "blob", gone), ("wrong", "blob", short)],
    )
    read = imagesync(*calls, "--read")
    assert ("wrong", "blob", flipped) in damaged(json.loads(read.out))
    assert not (folder / ".lock").exists()


def test_foreign_layers(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """Layers that registries must not hold are not missed."""
    foreign = {**describe(FOREIGN, b"windows"), "urls": ["https://example.com/layer"]}
    both(source, registry, composed({**ARTIFACT, "layers": [foreign]}, b"{}"))
    assert check(source, registry, "--read")[0] == 0


@pytest.mark.parametrize(("depth", "code"), [(16, 0), (17, 6)])
def test_depth(source: EmbeddedRegistry, registry: EmbeddedRegistry, depth: int, code: int) -> None:
    """Indexes in indexes are followed as far as sync follows them, and not without end."""
    both(source, registry, nested(depth))
    assert check(source, registry, "--deep")[0] == code


def test_another_image(source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository) -> None:
    """What is looked at is the destination's own image, also where the source has moved on."""
    ATTESTED.seed(source.repository("up/app"), "1")
    near(1).seed(down, "1")
    code, report = check(source, registry, "--deep")
    assert (code, report["problems"], report["destination_digest"]) == (8, [], near(1).digest)
    assert (report["manifests"], report["blobs"]) == (1, 11)

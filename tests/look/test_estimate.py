"""What Terraform is told before a copy: it is what the copy then does, and costs as little as it can."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from typing import Any

import pytest

from imagesync_cli.terraform import copies
from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry, Fault
from tests.embedded_registry.images import (
    OCI_EMPTY,
    OCI_MANIFEST,
    Image,
    compose,
    describe,
    image,
    index,
    index_of,
    random_bytes,
    tar,
    to_json,
)
from tests.embedded_registry.state import Manifest, digest_of
from tests.referrers.artifacts import about, cosign

AMD, ARM = "linux/amd64", "linux/arm64"


def of_layers(*seeds: object, platform: str = AMD) -> Image:
    return compose(platform, [tar({"f": (0o644, random_bytes(seed, 1000))}) for seed in seeds])


def artifact() -> Image:
    """Something with an empty config and no layer."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "x/y",
        "config": describe(OCI_EMPTY, b"{}"),
    }
    root = Manifest(OCI_MANIFEST, to_json({**document, "layers": []}))
    return Image(root, {root.digest: root}, {digest_of(b"{}"): b"{}"})


def ask(source: str, destination: str, made: Image, *, referrers: bool = False, **asked: Any) -> dict[str, Any]:
    """The answer's `copy`; empty where there is none."""
    found = answer(destination, {"source": source, "digest": made.digest, **asked}, referrers=referrers)
    copy: dict[str, Any] = found.get("copy", {})
    return copy


def answer(destination: str, copy: Any, *, referrers: bool = False, **environ: str) -> dict[str, Any]:
    images = {"a": {"reference": destination, "referrers": referrers, "copy": copy}}
    finished = imagesync("external", stdin=json.dumps({"images": json.dumps(images)}), environ=environ)
    assert (finished.code, finished.err) == (0, "")
    found: dict[str, Any] = json.loads(json.loads(finished.out)["a"])
    return found


NINE, MOVED = of_layers(*range(9)), of_layers(*range(7), "a", "b")
TWO = index_of({AMD: of_layers(1, 2), ARM: of_layers(1, 3, platform=ARM)})
ONE_MOVED = index_of({AMD: of_layers(1, 2), ARM: of_layers(1, 4, platform=ARM)})


@pytest.mark.parametrize(
    ("there", "made", "summary"),
    [
        ([], NINE, "9 layers, "),
        ([NINE], MOVED, "2 of 9 layers, "),
        ([of_layers(0)], of_layers(0, 1), "1 of 2 layers, "),
        ([], of_layers(1), "1 layer, "),
        ([], of_layers(1, 1, 2), "2 layers, "),
        ([], TWO, "3 layers, "),
        ([TWO], ONE_MOVED, "1 of 3 layers, "),
        ([of_layers(1, 2)], TWO, "1 of 3 layers, "),
        ([], index(attested=True), "7 layers, "),
        ([], artifact(), "no layer, 2 B to copy"),
        ([], image(docker=True), "1 layer, "),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_told_is_what_is_copied(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, there: Iterable[Image], made: Image, summary: str
) -> None:
    """Layers and bytes that are told beforehand are those that the copy then sends; then nothing is left."""
    made.seed(source.repository("app"), "1")
    for before in there:
        before.seed(registry.repository("app"), "1")
    names = (f"{source.host}/app:1", f"{registry.host}/app:1")
    told = ask(*names, made, estimated=True)
    assert {request.method for request in registry.requests} <= {"HEAD", "GET"}
    assert told["summary"].startswith(summary)
    sent = json.loads(imagesync("sync", "--json", *names).out)
    assert told["bytes_to_copy"] == sent["sent_bytes"]
    assert told["bytes"] == sum(map(len, made.blobs.values()))
    assert (told["error"], told["kind"], told["unsuitable"], told["unsigned"]) == ("", "", "", "")

    del registry.repository("app").tags["1"]
    nothing = ask(*names, made, estimated=True)
    assert (nothing["layers_to_copy"], nothing["bytes_to_copy"]) == (0, 0)
    assert nothing["summary"].startswith("nothing to copy; ")


def test_chosen_platforms(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """Where platforms are chosen only what arrives counts."""
    TWO.seed(source.repository("app"), "1")
    arriving = of_layers(1, 3, platform=ARM)
    names = (f"{source.host}/app:1", f"{registry.host}/app:1")
    told = ask(*names, arriving, source_digest=TWO.digest, platforms=[ARM], estimated=True)
    assert (told["layers"], told["bytes"]) == (2, sum(map(len, arriving.blobs.values())))


def test_nothing_is_asked_of_what_is_there(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """An image that the destination has costs one HEAD request, and there is nothing to tell."""
    TWO.seed(registry.repository("app"), "1")
    assert ask(f"{source.host}/app:1", f"{registry.host}/app:1", TWO, estimated=True) == {}
    assert [request.method for request in registry.requests] == ["HEAD"]
    assert source.requests == []


def test_sizes_of_what_is_there_are_asked_there(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """What is asked about an image in any case is read at the destination that has it, never at the source."""
    TWO.seed(registry.repository("app"), "1")
    names = (f"{source.host}/app:1", f"{registry.host}/app:1")
    told = ask(*names, TWO, sized=True, required_platforms=["windows/amd64"])
    assert told["bytes"] == sum(map(len, TWO.blobs.values()))
    assert (told["bytes_to_copy"], told["summary"]) == (None, "")  # it may be damaged, or lack a referrer
    assert told["unsuitable"] == f"{source.host}/app:1 is not there for windows/amd64 (it has linux/amd64, linux/arm64)"
    assert source.requests == []
    assert not any("/blobs/" in request.path for request in registry.requests)


def test_children_that_are_there_are_read_there(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """Of a moved image the source is asked for nothing that the destination has: each read may count as a pull."""
    TWO.seed(registry.repository("app"), "1")
    ONE_MOVED.seed(source.repository("app"), "1")
    ask(f"{source.host}/app:1", f"{registry.host}/app:1", ONE_MOVED, estimated=True)
    read = [request.path.rpartition("/")[2] for request in source.requests]
    assert sorted(read) == sorted([ONE_MOVED.digest, ONE_MOVED.children[1]])


@pytest.mark.parametrize(("there", "configs_asked"), [([], 0), ([of_layers(1, 2)], 1), ([of_layers(1, 2, 3)], 2)])
def test_a_config_is_asked_for_only_if_its_layers_are_there(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, there: list[Image], configs_asked: int
) -> None:
    """A plan of many new images asks their registry for each layer, and not for configs, which come with them."""
    TWO.seed(source.repository("app"), "1")
    for before in there:
        before.seed(registry.repository("app"), "before")
    ask(f"{source.host}/app:1", f"{registry.host}/app:1", TWO, estimated=True)
    asked = [request.path.rpartition("/")[2] for request in registry.requests if "/blobs/" in request.path]
    assert len(asked) == len(set(asked)) == 3 + configs_asked


@pytest.mark.parametrize("referrers", [False, True])
def test_signatures(source: EmbeddedRegistry, registry: EmbeddedRegistry, referrers: bool) -> None:
    """A signature is looked for at the source, or at the destination where it was copied along."""
    for where in (source, registry):
        TWO.seed(where.repository("app"), "1")
    names = (f"{source.host}/app:1", f"{registry.host}/app:1")
    assert ask(*names, TWO, signed=True, referrers=referrers)["unsigned"].endswith(
        "has no signature: 0 of the 2 images in its index have one"
    )
    has_it = registry if referrers else source
    cosign(TWO).seed(has_it.repository("app"), about(TWO, ".sig"))
    assert ask(*names, TWO, signed=True, referrers=referrers)["unsigned"] == ""


def test_what_cannot_be_read(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """A source that does not give its manifest is an error of the copy, and the destination is told all the same."""
    told = ask(f"{source.host}/app:1", f"{registry.host}/app:1", TWO, estimated=True)
    assert told["kind"] == "missing"
    assert f"{source.host}/app" in told["error"]
    assert told["summary"] == ""


def test_an_image_without_end(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """An image that names more than any real one is an error before it fills the memory."""
    layers = [describe("x/y", str(number).encode()) for number in range(10_000)]
    root = Manifest(
        OCI_MANIFEST,
        to_json(
            {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": describe(OCI_EMPTY, b"{}"), "layers": layers}
        ),
    )
    made = Image(root, {root.digest: root}, {})
    made.seed(source.repository("app"), "1")
    told = ask(f"{source.host}/app:1", f"{registry.host}/app:1", made, estimated=True)
    assert "more than 10000 manifests and blobs" in told["error"]


def test_too_late(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """What takes longer than the whole call may is an error of the copy; the digest is told in time."""
    TWO.seed(source.repository("app"), "1")
    image().seed(registry.repository("app"), "1")

    never = threading.Event()
    source.fault = lambda request: Fault(stall=never) if request.method == "GET" else None
    copy = {"source": f"{source.host}/app:1", "digest": TWO.digest, "sized": True}
    found = answer(f"{registry.host}/app:1", copy, IMAGESYNC_TIMEOUT="2")
    never.set()
    assert found["digest"] == image().digest
    assert (found["copy"]["kind"], "IMAGESYNC_TIMEOUT" in found["copy"]["error"]) == ("unreachable", True)


def test_numbers_alone_are_not_waited_for(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers that decide nothing are given up long before the whole call has to end."""
    monkeypatch.setattr(copies, "_NUMBERS_WITHIN_S", 0.3)
    TWO.seed(source.repository("app"), "1")
    never = threading.Event()
    source.fault = lambda request: Fault(stall=never) if request.method == "GET" else None
    told = ask(f"{source.host}/app:1", f"{registry.host}/app:1", TWO, estimated=True)
    never.set()
    assert told["kind"] == "unreachable"


@pytest.mark.parametrize(
    ("copy", "why"),
    [
        ("a", "the 'copy' of an image is an object"),
        ({}, "a copy names its 'source'"),
        ({"source": "a", "digest": "sha256:1"}, "a copy names its 'source'"),
        ({"source": "A", "digest": TWO.digest}, "reference 'A'"),
        ({"source": "a", "digest": TWO.digest, "size": 1}, "a copy has no 'size'"),
        ({"source": "a", "digest": TWO.digest, "sized": 1}, "the 'sized' of an image is true or false"),
        ({"source": "a", "digest": TWO.digest, "platforms": "x"}, "the 'platforms' of an image are a list"),
    ],
)
def test_a_copy_that_makes_no_sense(copy: Any, why: str) -> None:
    """What is wrong with a copy is that image's error."""
    found = answer("localhost:1/a:1", copy)
    assert (found["kind"], found["error"].startswith(why)) == ("invalid", True)

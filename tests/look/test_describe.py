"""`imagesync inspect`: what it tells of an image, and what a hostile one can make of that."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.command import imagesync, imagesync_process
from tests.commands.test_json import matches
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import (
    OCI_CONFIG,
    OCI_MANIFEST,
    Image,
    describe,
    image,
    index,
    listing,
    platform_of,
    referrer,
    to_json,
)
from tests.embedded_registry.state import Manifest, digest_of
from tests.repo.checkout import ROOT

HELLO = f"oci:{ROOT}/examples/hello-image:1.0"
HELLO_DIGEST = "sha256:8ec9215ad3821768e5d9011150a7d083806c42cf84ce73b9bf9d7e66c8b642e2"


def made_of(config: bytes, **annotations: str) -> Image:
    """An image with this config and no layers."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": describe(OCI_CONFIG, config),
        "layers": [],
        "annotations": annotations,
    }
    root = Manifest(OCI_MANIFEST, to_json(document))
    return Image(root, {root.digest: root}, {digest_of(config): config})


def configured(**config: object) -> bytes:
    return to_json({**platform_of("linux/amd64"), "config": config})


def test_lines() -> None:
    """A person sees the platforms, what each is made of, and how it starts."""
    done = imagesync("inspect", HELLO)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].endswith(f"@{HELLO_DIGEST}")
    assert lines[2].split() == ["platforms", "linux/amd64,", "linux/arm64,", "linux/arm/v7,", "linux/riscv64"]
    assert lines[3].split() == ["size", "51.2", "kB", "in", "5", "layers"]  # one is shared by all four
    assert '  entrypoint  ["/hello"]' in lines


def test_raw() -> None:
    """The bytes are those that the digest is of."""
    done = imagesync_process("inspect", "--raw", HELLO)
    assert f"sha256:{hashlib.sha256(done.out.encode()).hexdigest()}" == HELLO_DIGEST


def test_json(registry: EmbeddedRegistry) -> None:
    """A program is told the same: of an index each platform, its layers in order, and what is attached."""
    app = index("app")
    app.seed(registry.repository("app"), "1")
    referrer(app).seed(registry.repository("app"))
    told = matches(imagesync("inspect", "--json", f"{registry.host}/app:1").out, "inspect")
    assert told["digest"] == app.digest
    assert [each["digest"] for each in told["images"]] == list(app.children)
    assert [layer["digest"] for layer in told["images"][0]["layers"]] == list(app.manifests[app.children[0]].blobs[1:])
    assert [(each["kind"], each["subject"]) for each in told["referrers"]] == [("signature", app.digest)]
    assert told["left_out"] is False
    assert not [request for request in registry.requests if request.method not in ("GET", "HEAD")]


def test_one_platform(registry: EmbeddedRegistry) -> None:
    """An image without an index has one entry, and its config tells the platform."""
    image().seed(registry.repository("app"), "1")
    told = json.loads(imagesync("inspect", "--json", f"{registry.host}/app:1").out)
    assert len(told["images"]) == 1
    assert told["platforms"] == [told["images"][0]["platform"]]
    assert told["images"][0]["config"]["architecture"] == told["platforms"][0].split("/")[1]


def test_what_is_not_there(registry: EmbeddedRegistry) -> None:
    """An image that is not there is exit code 3."""
    done = imagesync("inspect", f"{registry.host}/app:1")
    assert (done.code, done.out) == (3, "")


@pytest.mark.parametrize("options", [(), ("--raw",)])
def test_foreign_text(registry: EmbeddedRegistry, options: tuple[str, ...]) -> None:
    """Annotations and configs come from anywhere: no terminal obeys them."""
    text = "\x1b]0;owned\x07\n::set-output name=a::b"
    strange = made_of(configured(Cmd=[text], User=text), title=text)
    strange.seed(registry.repository("app"), "1")
    out = imagesync("inspect", *options, f"{registry.host}/app:1").out
    assert "title" in out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "\n::set-output" not in out


def test_a_config_that_is_too_long(registry: EmbeddedRegistry) -> None:
    """What is too long to be told is left out, and that is said."""
    long = made_of(configured(Env=["x" * 1024] * 300))
    long.seed(registry.repository("app"), "1")
    done = imagesync("inspect", f"{registry.host}/app:1")
    assert done.code == 0
    assert "were left out" in done.err
    assert len(done.out) < 2000


@pytest.mark.parametrize(("config", "said"), [(b"[1]", "is not a JSON object"), (b"{", "is not JSON")])
def test_a_config_that_no_parser_reads(registry: EmbeddedRegistry, config: bytes, said: str) -> None:
    """A config with its digest that is no object of JSON is content that is wrong."""
    made_of(config).seed(registry.repository("app"), "1")
    done = imagesync("inspect", f"{registry.host}/app:1")
    assert done.code == 6
    assert said in done.err


def test_an_archive(tmp_path: Path) -> None:
    """What is in a file is told as what is in a registry."""
    archive = f"oci-archive:{tmp_path}/hello.tar:1.0"
    assert imagesync("sync", HELLO, archive).code == 0
    assert imagesync("inspect", archive).out.splitlines()[1:] == imagesync("inspect", HELLO).out.splitlines()[1:]


def test_an_index_within_an_index(registry: EmbeddedRegistry) -> None:
    """What an index lists by another index is told as well, each image with its platform."""
    inner = index("inner", platforms=("linux/amd64", "linux/arm64"))
    outer = listing([(inner, {}), (image("other", platform="linux/s390x"), {"platform": platform_of("linux/s390x")})])
    outer.seed(registry.repository("app"), "1")
    told = matches(imagesync("inspect", "--json", f"{registry.host}/app:1").out, "inspect")
    assert told["platforms"] == ["linux/amd64", "linux/arm64", "linux/s390x"]


def test_what_is_no_image(registry: EmbeddedRegistry) -> None:
    """An artifact has no platform and no config of an image; annotations that are no texts are not told."""
    signature = referrer(image("signed"))
    document = json.loads(signature.root.content) | {"annotations": {"a": 1, "b": "text"}}
    document["config"]["mediaType"] = "application/vnd.example.config"
    root = Manifest(OCI_MANIFEST, to_json(document))
    Image(root, {root.digest: root}, signature.blobs).seed(registry.repository("app"), "1")
    told = json.loads(imagesync("inspect", "--json", f"{registry.host}/app:1").out)
    assert (told["platforms"], told["images"][0]["config"], told["annotations"]) == ([], {}, {"b": "text"})
    assert imagesync("inspect", f"{registry.host}/app:1").out.splitlines()[2].split() == ["platforms", "none"]


def test_annotations_that_are_too_long(registry: EmbeddedRegistry) -> None:
    """Annotations beyond what is kept of an image are left out, and that is told."""
    made_of(configured(), **{f"key{number}": "x" * 1000 for number in range(2500)}).seed(
        registry.repository("app"), "1"
    )
    told = json.loads(imagesync("inspect", "--json", f"{registry.host}/app:1").out)
    assert (told["left_out"], told["annotations"]) == (True, {})


def test_layers_without_end(registry: EmbeddedRegistry) -> None:
    """An index of images with thousands of layers costs no more memory than is kept of any."""
    layer = describe("application/vnd.oci.image.layer.v1.tar", b"layer")
    config = configured()
    parts: list[tuple[Image, dict[str, object]]] = []
    for number in range(6):
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": describe(OCI_CONFIG, config),
            "layers": [{**layer, "digest": digest_of(f"{number} {at}".encode())} for at in range(4000)],
        }
        root = Manifest(OCI_MANIFEST, to_json(document))
        parts.append((Image(root, {root.digest: root}, {digest_of(config): config}), {}))
    listing(parts).seed(registry.repository("app"), "1")
    told = json.loads(imagesync("inspect", "--json", f"{registry.host}/app:1").out)
    assert told["left_out"] is True
    assert sum(len(each["layers"]) for each in told["images"]) <= 8192
    assert len(told["images"]) == 6

"""What `imagesync external` tells of an image that somebody only wants to know: its platforms and its size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import Image, image, index
from tests.terraform.test_picked_answers import ask

MANY = index("many", platforms=("linux/s390x", "linux/amd64"), attested=True)
ONE = image("one")


@pytest.fixture
def registry() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry() as running:
        for made, name in ((MANY, "many"), (ONE, "one")):
            made.seed(running.repository(name), "1")
        yield running


def layer_bytes(made: Image) -> int:
    manifests = [manifest.document for manifest in made.manifests.values()]
    layers = {layer["digest"]: layer["size"] for document in manifests for layer in document.get("layers", ())}
    return sum(layers.values())


def test_platforms_and_size(registry: EmbeddedRegistry) -> None:
    """Each platform has its image's digest; attestations have none. A single image's config tells its platform."""
    told = ask({name: {"reference": f"{registry.host}/{name}:1", "describe": True} for name in ("many", "one")})
    assert told["many"]["platforms"] == {"linux/amd64": MANY.children[1], "linux/s390x": MANY.children[0]}
    assert told["one"]["platforms"] == {"linux/amd64": ONE.digest}
    assert [told[name]["bytes"] for name in ("many", "one")] == [layer_bytes(MANY), layer_bytes(ONE)]
    blobs = [request for request in registry.requests if "/blobs/" in request.path]
    assert len(blobs) == 1  # the one config, and no referrers are asked for
    assert not [request for request in registry.requests if "/referrers/" in request.path]


def test_what_is_required_does_not_change_what_is_told(registry: EmbeddedRegistry) -> None:
    """Platforms choose what would arrive; the whole image is described, and its digest is the source's."""
    asked = {"reference": f"{registry.host}/many:1", "describe": True, "platforms": ["linux/amd64"]}
    told = ask({"many": asked})["many"]
    assert (told["digest"], told["source_digest"]) == (MANY.children[1], MANY.digest)
    assert len(told["platforms"]) == 2


def test_what_is_not_there_or_cannot_be_read(registry: EmbeddedRegistry) -> None:
    """It has no platforms and says why; one part that cannot be read is the image's error."""
    registry.fault = lambda request: (
        refusal(403, "DENIED") if request.method == "GET" and MANY.children[0] in request.path else None
    )
    asked = {name: {"reference": f"{registry.host}/{name}", "describe": True} for name in ("many:1", "one:2")}
    told = ask(asked)
    assert [(told[name]["kind"], told[name]["platforms"], told[name]["bytes"]) for name in asked] == [
        ("denied", {}, 0),
        ("missing", {}, 0),
    ]


def test_no_time_is_left(registry: EmbeddedRegistry) -> None:
    """What is still being read when there must be an answer is unreachable, and holds up no other."""
    registry.fault = lambda request: refusal(503, "BUSY", {"Retry-After": "9"}) if "/blobs/" in request.path else None
    asked = {name: {"reference": f"{registry.host}/{name}:1", "describe": True} for name in ("many", "one")}
    told = ask(asked, deadline_s=0.5)
    assert (told["one"]["kind"], told["many"]["kind"]) == ("unreachable", "")


def test_folders_are_described_too(tmp_path: Path) -> None:
    """A layout on the disk is an image like any other."""
    layout = MANY.write_layout(tmp_path / "layout", "1")
    told = ask({"many": {"reference": f"oci:{layout}:1", "describe": True}})
    assert sorted(told["many"]["platforms"]) == ["linux/amd64", "linux/s390x"]


def test_numbers_that_nobody_has_asked_for(registry: EmbeddedRegistry) -> None:
    """Rules about an image do not count its bytes: no numbers, and not that nothing is to be copied."""
    age = {"least": "1d", "new": "wait", "by_created": False, "ignored": [ONE.digest]}
    copy: dict[str, Any] = {"source": f"{registry.host}/one:1", "digest": ONE.digest}
    rules: tuple[dict[str, Any], ...] = (
        {"minimum_age": age},
        {"required_platforms": ["linux/amd64"]},
        {"estimated": True},
    )
    asked = {
        str(number): {"reference": f"{registry.host}/two:1", "copy": copy | more} for number, more in enumerate(rules)
    }
    told = [answer["copy"] for answer in ask(asked).values()]
    assert [(each["bytes_to_copy"], bool(each["summary"])) for each in told[:2]] == [(None, False)] * 2
    assert told[2]["bytes"] > 0
    registry.clear_requests()
    ask({"0": asked["0"]})
    assert {request.method for request in registry.requests} == {"HEAD"}  # no pull

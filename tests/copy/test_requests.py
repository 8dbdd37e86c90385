"""A copy makes no request more than it needs, whichever registry it talks to.

The least there can be: one GET a manifest and a blob at the source; at the destination one HEAD, two requests for a
new blob, one for a blob that is there, one PUT a manifest.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.command import imagesync
from tests.copy.relay import CountingRelay
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import SIX_PLATFORMS, Image, compose, image, index_of, random_bytes, tar

FIXTURES = {"embedded": "registry", "distribution-2.8": "docker_registry", "distribution-3": "distribution_v3"}


def layer(*seed: object) -> bytes:
    return tar({"file": (0o644, random_bytes(seed, 1024))})


def six_platforms() -> Image:
    """Six platforms of four layers, one of which is the same for all: 7 manifests, 25 blobs."""
    layers = {platform: [layer("all"), *(layer(platform, number) for number in range(3))] for platform in SIX_PLATFORMS}
    return index_of({platform: compose(platform, layers[platform]) for platform in SIX_PLATFORMS})


def near(number: int) -> Image:
    """Ten layers, of which the first nine are always the same."""
    return compose("linux/amd64", [layer("same", same) for same in range(9)] + [layer("own", number)])


SMALL, MEDIUM, SIX = image("small"), image("medium", layers=10), six_platforms()


@pytest.fixture(params=FIXTURES)
def destination(request: pytest.FixtureRequest) -> Iterator[CountingRelay]:
    """A registry of each kind, with its requests counted on the way."""
    found = request.getfixturevalue(FIXTURES[request.param])
    with CountingRelay(found.host if isinstance(found, EmbeddedRegistry) else found) as relay:
        yield relay


def copy(source: str, destination: str) -> None:
    finished = imagesync("sync", source, destination)
    assert finished.code == 0, finished.err


@pytest.mark.parametrize(("made", "cost"), [(SMALL, (3, 6)), (MEDIUM, (12, 24)), (SIX, (32, 58))])
def test_cold(
    source: EmbeddedRegistry, destination: CountingRelay, repository_name: str, made: Image, cost: tuple[int, int]
) -> None:
    """A copy into an empty repository: each manifest and blob is read once, and a blob costs two requests to write."""
    made.seed(source.repository("up/app"), "1")
    copy(f"{source.host}/up/app:1", f"{destination.host}/{repository_name}:1")
    methods = Counter(line.partition(" ")[0] for line in destination.lines)
    assert (len(source.requests), len(destination.lines)) == cost, methods


def test_near(source: EmbeddedRegistry, destination: CountingRelay, repository_name: str) -> None:
    """Where nine of ten layers are there already, each of them costs one request, and none is read."""
    for number in range(2):
        near(number).seed(source.repository("up/app"), f"{number}")
    copy(f"{source.host}/up/app:0", f"{destination.host}/{repository_name}:0")
    source.clear_requests()
    destination.lines.clear()
    copy(f"{source.host}/up/app:1", f"{destination.host}/{repository_name}:1")
    assert (len(source.requests), len(destination.lines)) == (3, 15), destination.lines


@pytest.mark.parametrize(("made", "requests"), [(SMALL, 5), (MEDIUM, 14), (SIX, 40)])
def test_second_repository(
    source: EmbeddedRegistry, destination: CountingRelay, repository_name: str, made: Image, requests: int
) -> None:
    """Into another repository of the same registry blobs are mounted, one request each, and none is sent."""
    made.seed(source.repository("up/app"), "1")
    copy(f"{source.host}/up/app:1", f"{destination.host}/{repository_name}/a:1")
    destination.lines.clear()
    copy(f"{destination.host}/{repository_name}/a:1", f"{destination.host}/{repository_name}/b:1")
    assert len(destination.lines) == requests, destination.lines


def test_nothing_to_do(source: EmbeddedRegistry, destination: CountingRelay, repository_name: str) -> None:
    """A copy that is there already costs one HEAD on either side, and nothing else."""
    SIX.seed(source.repository("up/app"), "1")
    copy(f"{source.host}/up/app:1", f"{destination.host}/{repository_name}:1")
    source.clear_requests()
    destination.lines.clear()
    finished = imagesync("sync", f"{source.host}/up/app:1", f"{destination.host}/{repository_name}:1")
    assert "is in sync with" in finished.err
    assert [str(request) for request in source.requests] == ["HEAD /v2/up/app/manifests/1"]
    assert destination.lines == [f"HEAD /v2/{repository_name}/manifests/1"]


def test_another_tag(source: EmbeddedRegistry, destination: CountingRelay, repository_name: str) -> None:
    """A new tag on an image of the same repository is one HEAD, one GET and one PUT, whatever the image."""
    SIX.seed(source.repository("up/app"), "1")
    copy(f"{source.host}/up/app:1", f"{destination.host}/{repository_name}:1")
    destination.lines.clear()
    copy(f"{destination.host}/{repository_name}:1", f"{destination.host}/{repository_name}:2")
    assert [line.partition(" ")[0] for line in destination.lines] == ["HEAD", "GET", "PUT"]


def test_by_digest(source: EmbeddedRegistry, destination: CountingRelay, repository_name: str) -> None:
    """What is named by digest and is there already needs no question to the source at all."""
    SIX.seed(source.repository("up/app"), "1")
    for _ in range(2):
        source.clear_requests()
        copy(f"{source.host}/up/app@{SIX.digest}", f"{destination.host}/{repository_name}:1")
    assert source.requests == []


def test_one_platform(source: EmbeddedRegistry, destination: CountingRelay, repository_name: str) -> None:
    """One platform of six costs its own manifest and blobs, and one GET more, of the index that tells it."""
    SIX.seed(source.repository("up/app"), "1")
    arguments = (f"{source.host}/up/app:1", f"{destination.host}/{repository_name}:1", "--platform", "linux/arm64")
    for cost in ((7, 12), (1, 1)):
        source.clear_requests()
        destination.lines.clear()
        assert imagesync("sync", *arguments).code == 0
        assert (len(source.requests), len(destination.lines)) == cost, destination.lines
    assert [f"{request}" for request in source.requests] == ["GET /v2/up/app/manifests/1"]


def test_several_platforms(source: EmbeddedRegistry, destination: CountingRelay, repository_name: str) -> None:
    """A new index costs no request at the source, and is written by one PUT."""
    SIX.seed(source.repository("up/app"), "1")
    arguments = (f"{source.host}/up/app:1", f"{destination.host}/{repository_name}:1")
    platforms = ("--platform", "linux/arm64", "--platform", "linux/amd64")
    for cost in ((12, 22), (1, 1)):
        source.clear_requests()
        destination.lines.clear()
        assert imagesync("sync", *arguments, *platforms).code == 0
        assert (len(source.requests), len(destination.lines)) == cost, destination.lines


def test_resolved_platforms(source: EmbeddedRegistry) -> None:
    """What several choices of one image come to costs one GET; only a single image has its config read as well."""
    SIX.seed(source.repository("up/app"), "1")
    SMALL.seed(source.repository("up/small"), "1")
    wanted = {"a": ["linux/amd64"], "b": ["linux/arm64", "linux/amd64"], "c": ["linux/arm64"]}
    images = {key: {"reference": f"{source.host}/up/app:1", "platforms": names} for key, names in wanted.items()}
    finished = imagesync("external", stdin=json.dumps({"images": json.dumps(images)}))
    assert (finished.code, len(json.loads(finished.out))) == (0, 3)
    assert [f"{request}" for request in source.requests] == ["GET /v2/up/app/manifests/1"]
    source.clear_requests()
    assert imagesync("resolve", f"{source.host}/up/small:1", "--platform", "linux/amd64").code == 0
    assert [request.method for request in source.requests] == ["GET", "GET"]

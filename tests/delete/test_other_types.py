"""What an index lists under a media type that we do not know is in use all the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.command import imagesync
from tests.embedded_registry import MANNERS, EmbeddedRegistry
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import OCI_INDEX, OCI_LAYER, describe, image, index_of, to_json
from tests.embedded_registry.state import Repository

NAME = "team/app"
X, Y = image("x"), image("y")
XY = index_of({"linux/amd64": X, "linux/arm64": Y})


@pytest.fixture(params=["oci-1.1", "distribution-2.8", "distribution-3", "ggcr"])
def registry(request: pytest.FixtureRequest) -> Iterator[EmbeddedRegistry]:
    """No guard of the registry's own: what is deleted is gone."""
    with EmbeddedRegistry(MANNERS[request.param]) as embedded:
        yield embedded


def theirs(repository: Repository, media_type: str, *, nested: bool = False) -> None:
    """Somebody's index that lists X in a way of its own."""
    listed = describe(media_type, X.root.content)
    for depth in range(1 + nested):
        index = to_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [listed], "depth": depth})
        repository.add_manifest(OCI_INDEX, index, "theirs")
        listed = describe(OCI_INDEX, index)


def an_index(*listed: object, **more: object) -> bytes:
    return to_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed, **more})


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("media_type", ["application/vnd.example.bundle.v1+json", "application/json", OCI_LAYER])
def test_an_image_that_an_index_lists_as_something_else(
    registry: EmbeddedRegistry, media_type: str, nested: bool
) -> None:
    """The tag goes, what somebody's index lists stays: for distribution, all that an index lists is a manifest."""
    repository = registry.repository(NAME)
    X.seed(repository, "ours")
    theirs(repository, media_type, nested=nested)
    done = imagesync("delete", f"{registry.host}/{NAME}:ours")
    assert done.code == 0, done.err
    assert set(repository.tags) == {"theirs"}
    assert X.digest in repository.manifests
    assert "used by index" in done.out or registry.manner.name == "distribution-2.8"


def test_an_image_that_names_a_part_with_two_sizes(registry: EmbeddedRegistry) -> None:
    """Such an image is not copied; one that is there all the same goes whole."""
    repository = registry.repository(NAME)
    X.seed(repository)
    listed = describe(X.root.media_type, X.root.content)
    index = to_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [listed, {**listed, "size": 5}]})
    repository.add_manifest(OCI_INDEX, index, "ours")
    assert imagesync("sync", f"{registry.host}/{NAME}:ours", f"{registry.host}/other:1").code == 6
    assert imagesync("delete", f"{registry.host}/{NAME}:ours").code == 0
    assert not repository.manifests


@pytest.mark.parametrize("referrers", [False, True])
@pytest.mark.parametrize("depth", [1, 3])
def test_an_index_that_is_listed_as_something_else(registry: EmbeddedRegistry, depth: int, *, referrers: bool) -> None:
    """What it lists stays, however deep it is: an index by any other type is an index."""
    repository = registry.repository(NAME)
    X.seed(repository, "ours")
    bundle = an_index(describe(X.root.media_type, X.root.content))
    for number in range(depth):
        repository.add_manifest(OCI_INDEX, bundle)
        bundle = an_index(describe("application/vnd.example.bundle.v1+json", bundle), depth=number)
    repository.add_manifest(OCI_INDEX, bundle, "theirs")
    done = imagesync("delete", *["--referrers"] * referrers, f"{registry.host}/{NAME}:ours")
    assert done.code == 0, done.err
    assert set(repository.tags) == {"theirs"}
    assert X.digest in repository.manifests


def test_the_layers_of_a_build_cache_are_not_asked_for(registry: EmbeddedRegistry) -> None:
    """An index may list blobs as well: those of known types cost no request."""
    repository = registry.repository(NAME)
    X.seed(repository, "ours")
    layers = [describe(OCI_LAYER, b"a"), describe("application/vnd.buildkit.cacheconfig.v0", b"b")]
    repository.add_manifest(OCI_INDEX, an_index(*layers), "cache")
    done = imagesync("delete", f"{registry.host}/{NAME}:ours")
    assert done.code == 0, done.err
    assert X.digest not in repository.manifests
    assert not any(layer["digest"] in request.path for layer in layers for request in registry.requests)


def test_an_attached_image_that_a_kept_index_lists_as_something_else(registry: EmbeddedRegistry) -> None:
    """With --referrers as well: an index that stays keeps all that it lists."""
    repository = registry.repository(NAME)
    X.seed(repository)
    inner = an_index(describe("application/vnd.example.bundle.v1+json", X.root.content))
    repository.add_manifest(OCI_INDEX, inner)
    ours = an_index(describe(OCI_INDEX, inner), describe(X.root.media_type, X.root.content))
    repository.add_manifest(OCI_INDEX, ours, "ours")
    repository.add_manifest(OCI_INDEX, an_index(describe(OCI_INDEX, inner), other=1), "theirs")
    done = imagesync("delete", "--referrers", f"{registry.host}/{NAME}:ours")
    assert done.code == 0, done.err
    assert set(repository.tags) == {"theirs"}
    assert X.digest in repository.manifests


def test_a_part_of_an_image_that_an_index_lists_as_something_else(registry: EmbeddedRegistry) -> None:
    """Of an image's parts the one that somebody lists stays, and the rest goes."""
    repository = registry.repository(NAME)
    XY.seed(repository, "ours")
    theirs(repository, "application/vnd.example.bundle.v1+json")
    assert imagesync("delete", f"{registry.host}/{NAME}:ours").code == 0
    assert {X.digest, Y.digest, XY.digest} & set(repository.manifests) == {X.digest}


def test_an_index_that_another_one_lists_as_something_else_first(registry: EmbeddedRegistry) -> None:
    """What a kept index leads to stays, whatever else it calls the index on the way there."""
    repository = registry.repository(NAME)
    XY.seed(repository)
    ways = [an_index(describe(kind, XY.root.content)) for kind in ("application/vnd.example.bundle.v1+json", OCI_INDEX)]
    outer = an_index(*(describe(OCI_INDEX, way) for way in ways))
    for content in (*ways, outer):
        repository.add_manifest(OCI_INDEX, content)
    repository.add_manifest(OCI_INDEX, outer, "outer")
    repository.add_manifest(OCI_INDEX, an_index(subject=describe(OCI_INDEX, outer)), "referrer")
    index_of({"linux/amd64": X}).seed(repository, "beside")
    done = imagesync("delete", *(f"{registry.host}/{NAME}:{tag}" for tag in ("outer", "beside")))
    assert done.code == 0, done.err
    assert {X.digest, Y.digest, XY.digest} <= set(repository.manifests), done.out


@pytest.mark.parametrize("is_lost", [False, True], ids=["once", "always"])
def test_an_index_in_an_index_that_cannot_be_read(registry: EmbeddedRegistry, *, is_lost: bool) -> None:
    """What it lists is not known, so all that there is stays, as where a tag's own index cannot be read."""
    repository = registry.repository(NAME)
    X.seed(repository, "ours")
    inner = an_index(describe(X.root.media_type, X.root.content))
    digest = repository.add_manifest(OCI_INDEX, inner)
    repository.add_manifest(OCI_INDEX, an_index(describe(OCI_INDEX, inner)), "theirs")
    left = [refusal(404, "MANIFEST_UNKNOWN")] * (100 if is_lost else 1)
    registry.fault = lambda request: (
        left.pop() if left and request.method == "GET" and request.path.endswith(digest) else None
    )
    done = imagesync("delete", f"{registry.host}/{NAME}:ours")
    assert done.code == 0, done.err
    assert set(repository.tags) == {"theirs"}
    assert X.digest in repository.manifests
    assert f"lists {digest}, which is not there" in done.out or registry.manner.name == "distribution-2.8"


@pytest.mark.parametrize("is_blob", [True, False])
def test_what_an_index_lists_and_the_registry_fails_to_give(registry: EmbeddedRegistry, *, is_blob: bool) -> None:
    """distribution 2.8 answers 500 for a blob, which by its own bytes uses nothing; an index that fails may use all."""
    repository = registry.repository(NAME)
    X.seed(repository, "ours")
    inner = b'{"not": "a manifest"}' if is_blob else an_index(describe(X.root.media_type, X.root.content))
    digest = repository.add_blob(inner)
    repository.add_manifest(OCI_INDEX, an_index(describe("application/vnd.example.bundle.v1+json", inner)), "theirs")
    registry.fault = lambda request: refusal(500, "UNKNOWN") if request.path.endswith(f"manifests/{digest}") else None
    done = imagesync("delete", f"{registry.host}/{NAME}:ours")
    assert done.code == 0, done.err
    assert (X.digest in repository.manifests) is not is_blob, done.out


@pytest.mark.parametrize("form", ["prettyjws", "json"])
def test_docker_schema_1(registry: EmbeddedRegistry, form: str) -> None:
    """A tag on such an image keeps nothing of others, and is not removed: its error says where that can be done."""
    if registry.manner.needs_accept:
        registry.manner = replace(registry.manner, needs_accept=False)  # it gives these to everybody
    repository = registry.repository(NAME)
    XY.seed(repository, "1")
    old = repository.add_manifest(f"application/vnd.docker.distribution.manifest.v1+{form}", b"{}", "old")
    assert imagesync("delete", f"{registry.host}/{NAME}:1").code == 0
    assert repository.manifests.keys() == {old}
    done = imagesync("delete", f"{registry.host}/{NAME}:old")
    assert (done.code, repository.tags) == (7, {"old": old}), done
    assert "the registry's own interface removes it" in done.err

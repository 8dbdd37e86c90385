"""An index may list a manifest under a type of its own; only who has it can tell it from a blob."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry, Manner
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import OCI_INDEX, Image, describe, image, index_of, to_json
from tests.embedded_registry.state import Manifest
from tests.remote_repository import RemoteRepository
from tests.stores.copying import NAME, Copying

STRANGE = "application/vnd.example.bundle.v1+json"
X, Y = image("x"), image("y")
XY = index_of({"linux/amd64": X, "linux/arm64": Y})


@pytest.fixture
def copying(source: EmbeddedRegistry, pauses: list[float]) -> Iterator[Copying]:
    """To a registry that takes blobs in an index as well."""
    with EmbeddedRegistry(Manner(missing_child=None)) as destination:
        yield Copying(source, destination, pauses)


@pytest.fixture
def strange(copying: Copying) -> dict[str, bytes]:
    """An index that lists an index, and a blob, under the same type; all that it names, by digest."""
    repository = copying.source.repository(NAME)
    XY.seed(repository)
    blob = repository.add_blob(b'{"not": "a manifest"}')
    entries = [describe(STRANGE, XY.root.content), describe(STRANGE, repository.blobs[blob])]
    root = to_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
    digest = repository.add_manifest(OCI_INDEX, root, "1")
    manifests = {at: each.content for at, each in XY.manifests.items()}
    return {digest: root, **manifests, **XY.blobs, blob: repository.blobs[blob]}


def test_a_manifest_of_a_type_of_its_own(copying: Copying, strange: dict[str, bytes]) -> None:
    """It arrives as a manifest, with all that it lists; a blob of the same type arrives as a blob."""
    finished = copying.run()
    assert finished.code == 0, finished.err
    there = copying.destination.repository(NAME)
    manifests = {digest: each.content for digest, each in there.manifests.items()}
    assert manifests | there.blobs == strange
    assert set(manifests) == {there.tags["1"], *XY.manifests}


def test_a_source_that_fails_to_give_a_blob_as_a_manifest(copying: Copying, strange: dict[str, bytes]) -> None:
    """distribution 2.8 answers 500. What is a blob by its own bytes arrives as one, and nothing is waited for."""
    blob = next(digest for digest, content in strange.items() if content == b'{"not": "a manifest"}')
    failing = f"/manifests/{blob}"
    copying.source.fault = lambda request: refusal(500, "UNKNOWN") if request.path.endswith(failing) else None
    finished = copying.run()
    assert finished.code == 0, finished.err
    there = copying.destination.repository(NAME)
    assert there.manifests.keys() | there.blobs.keys() == strange.keys()
    assert blob in there.blobs
    assert len([request for request in copying.source.requests if request.path.endswith(failing)]) == 1
    assert not copying.pauses


def test_a_destination_that_takes_manifests_alone(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """As distribution does: what an index lists has to be there as a manifest, whatever its type is said to be."""
    XY.seed(source.repository(NAME))
    root = to_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [describe(STRANGE, XY.root.content)]})
    digest = source.repository(NAME).add_manifest(OCI_INDEX, root, "1")
    finished = imagesync("sync", f"{source.host}/{NAME}:1", f"{registry.host}/{NAME}:1")
    assert finished.code == 0, finished.err
    assert registry.repository(NAME).manifests.keys() == {digest, *XY.manifests}


def test_it_is_looked_at_as_one(copying: Copying, strange: dict[str, bytes]) -> None:
    """A check knows it as a manifest too, finds what it lacks, and a sync brings that."""
    assert copying.run().code == 0
    there = copying.destination.repository(NAME)
    name = f"{copying.destination.host}/{NAME}:1"
    assert imagesync("check", "--deep", f"{copying.source.host}/{NAME}:1", name).code == 0
    del there.manifests[X.digest]
    found = imagesync("check", "--deep", f"{copying.source.host}/{NAME}:1", name)
    assert found.code == 8, found
    assert X.digest in found.out + found.err
    assert copying.run("--verify").code == 0
    assert there.manifests.keys() | there.blobs.keys() == strange.keys()


def test_through_a_folder(copying: Copying, strange: dict[str, bytes], tmp_path: Path) -> None:
    """A folder tells them apart by what they are, so all arrives from there as well."""
    source, destination = f"{copying.source.host}/{NAME}:1", f"{copying.destination.host}/{NAME}:1"
    assert imagesync("sync", source, f"oci:{tmp_path}/mirror:1").code == 0
    finished = imagesync("sync", f"oci:{tmp_path}/mirror:1", destination)
    assert finished.code == 0, finished.err
    there = copying.destination.repository(NAME)
    assert there.manifests.keys() | there.blobs.keys() == strange.keys()
    assert set(XY.manifests) <= there.manifests.keys()


@pytest.mark.parametrize("real", ["docker_registry", "distribution_v3", "crane_registry"])
def test_real_registries(request: pytest.FixtureRequest, repository_name: str, real: str) -> None:
    """Real registries keep such an index: it arrives there, and what another one lists so is not deleted."""
    remote = RemoteRepository(request.getfixturevalue(real), repository_name)
    entries = [describe(STRANGE, XY.root.content)]
    root = Manifest(OCI_INDEX, to_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}))
    strange = Image(root, {**XY.manifests, root.digest: root}, XY.blobs)
    remote.push(strange, "1")
    remote.push(X, "x")
    copied = RemoteRepository(remote.host, f"{repository_name}/copied")
    finished = imagesync("sync", remote.tagged("1"), copied.tagged("1"))
    assert finished.code == 0, finished.err
    assert copied.holds(strange)
    assert imagesync("delete", remote.tagged("x")).code == 0
    assert remote.digest("x") is None
    assert remote.holds(strange)
    assert imagesync("delete", copied.tagged("1")).code == 0
    assert copied.digest(root.digest) is None

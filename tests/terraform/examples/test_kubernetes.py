"""examples/kubernetes-consumer: a real kubectl and a double of a cluster that follow an image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests import peers
from tests.embedded_registry.images import index
from tests.remote_repository import RemoteRepository
from tests.repo.test_examples import NEWEST, OLDEST
from tests.terraform.examples.cluster import Cluster, images_of
from tests.terraform.examples.internet import DOCKER_HUB, Internet
from tests.terraform.workspace import Workspace

PLATFORMS = ("linux/amd64", "linux/arm64")
OLD, NEW = index("1.27.0", platforms=PLATFORMS), index("1.27.1", platforms=PLATFORMS)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    peers.program("kubectl")
    peers.program("skopeo")
    with Cluster(tmp_path) as running:
        yield running


@pytest.fixture
def hub(internet: Internet) -> RemoteRepository:
    return internet.repository(DOCKER_HUB, "library/nginx")


@pytest.fixture
def example(online: Workspace, cluster: Cluster, own: str) -> Workspace:
    made = online.inside("examples", "kubernetes-consumer").with_environment(cluster.environment)
    made.set(mirror=f"{own}/mirror")
    return made


def test_from_first_rollout_to_last_pod(example: Workspace, cluster: Cluster, hub: RemoteRepository, own: str) -> None:
    """The Deployment names the image by a digest that can be pulled; it moves to a new one before the old one goes."""
    mirror = RemoteRepository(own, "mirror/nginx")
    before, after = f"{mirror}@{OLD.digest}", f"{mirror}@{NEW.digest}"
    hub.push(OLD, "1.27")
    example.apply()
    assert [images_of(manifest) for manifest in cluster.applied] == [[before]]
    assert cluster.looks == [("apply", {before: True}), ("rollout", {before: True})]
    manifest = yaml.safe_load(example.outputs()["manifest"])
    assert manifest["spec"] == cluster.applied[0]["spec"]
    for version in (OLDEST, NEWEST):
        kubernetes_validate.validate(manifest, version, strict=True)
    assert example.plan().code == 0

    hub.push(NEW, "1.27")
    example.plan()
    assert after in example.planned()["planned_values"]["outputs"]["manifest"]["value"]
    cluster.looks.clear()
    example.succeeding("apply", "plan.bin")
    assert [images_of(manifest) for manifest in cluster.applied] == [[before], [after]]
    both = {before: True, after: True}
    assert cluster.looks == [("apply", both), ("rollout", both)]
    assert (mirror.holds(NEW), mirror.digest(OLD.digest)) == (True, None)
    assert example.plan().code == 0

    example.destroy()
    assert cluster.running is None
    assert cluster.looks[2] == ("delete", {before: False, after: True})  # the pods go first, then their image
    assert mirror.digest(NEW.digest) is None


def test_a_rollout_that_fails(example: Workspace, cluster: Cluster, hub: RemoteRepository, own: str) -> None:
    """While the new pods do not come up, the image of the old ones stays; the apply that succeeds removes it."""
    mirror = RemoteRepository(own, "mirror/nginx")
    hub.push(OLD, "1.27")
    example.apply()
    hub.push(NEW, "1.27")
    cluster.broken = True
    failed = example.run("apply", "-auto-approve")
    assert failed.code == 1
    assert "exceeded its progress deadline" in failed.text
    assert (mirror.holds(OLD), mirror.holds(NEW)) == (True, True)

    cluster.broken = False
    example.apply()
    assert cluster.running is not None
    assert images_of(cluster.running) == [f"{mirror}@{NEW.digest}"]
    assert {why for why, _ in cluster.looks} == {"apply", "rollout"}  # nothing was deleted on the way
    assert mirror.digest(OLD.digest) is None
    assert example.plan().code == 0

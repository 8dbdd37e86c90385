"""What the tests of the examples may ask for: the examples as they are shipped, the internet, and an own registry."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import peers
from tests.security.authority import Authority
from tests.terraform.examples.internet import DOCKER_HUB, Internet
from tests.terraform.workspace import CHECKOUT, IMAGESYNC, Workspace


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority that nobody trusts by itself."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def internet(authority: Authority, tmp_path: Path) -> Iterator[Internet]:
    """Docker Hub, Kubernetes' registry and Quay: one docker-registry under three names, empty."""
    folder = tmp_path / "internet"
    folder.mkdir()
    names = (DOCKER_HUB, "registry.k8s.io", "quay.io")
    with peers.docker_registry(folder) as host, Internet(authority, dict.fromkeys(names, host)) as running:
        yield running


@pytest.fixture(params=[peers.docker_registry, peers.distribution_v3], ids=["docker-registry", "distribution-3"])
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """HOST:PORT of the reader's own registry, empty."""
    folder = tmp_path / "own"
    folder.mkdir()
    with request.param(folder) as host:
        yield host


@pytest.fixture
def checkout(workspace: Workspace) -> Workspace:
    """The modules and the examples, copied as they are, where there is a command `imagesync`; no registry is known."""
    for name in ("modules", "examples"):
        left_out = shutil.ignore_patterns(".terraform*", "*.tfstate*")
        shutil.copytree(CHECKOUT / name, workspace.folder / name, ignore=left_out)
    return workspace.with_program("imagesync", IMAGESYNC)


@pytest.fixture
def online(checkout: Workspace, internet: Internet) -> Workspace:
    """The same, where the internet can be reached."""
    return checkout.with_environment(internet.environment)

"""What the Terraform tests may ask for: a workspace, an upstream and a mirror."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import peers
from tests.embedded_registry.images import Image, index
from tests.remote_repository import RemoteRepository
from tests.terraform import forks, provider_mirror
from tests.terraform.workspace import CHECKOUT, Workspace

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def tool_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which both tools find the stand-in provider, and nothing else, in a filesystem mirror.

    What calls imagesync there has a fork of a process that has loaded it (forks.py).
    """
    mirror = tmp_path_factory.mktemp("providers")
    provider_mirror.install(mirror, "external", provider_mirror.PROVIDER_VERSION)
    config = mirror / "cli.tfrc"
    config.write_text(provider_mirror.CLI_CONFIG % mirror)
    # Nothing measures coverage in there, which would double the time of each call; what is called has tests of its own.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "COVERAGE_"))}
    kept |= {"TF_CLI_CONFIG_FILE": str(config), "TF_IN_AUTOMATION": "1", "PYTHONPATH": str(CHECKOUT)}
    # Collecting garbage is a sixth of what Terraform's short runs cost, and keys for talking to a provider are another.
    kept |= {"GOGC": "400", "TF_DISABLE_PLUGIN_TLS": "1"}
    with forks.running(mirror / "forks", kept) as environment:
        yield environment


@pytest.fixture
def tool(request: pytest.FixtureRequest) -> str:
    """Terraform; for tests that are marked BOTH_TOOLS OpenTofu too."""
    return peers.program(getattr(request, "param", "terraform"))


@pytest.fixture
def workspace(tmp_path: Path, tool: str, tool_environment: dict[str, str]) -> Workspace:
    """An empty folder to run the tool in."""
    return Workspace(tmp_path, tool, tool_environment)


@pytest.fixture(scope="session")
def mirror_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a second docker-registry: sources and destinations never share a process."""
    with peers.docker_registry(tmp_path_factory.mktemp("mirror-registry")) as host:
        yield host


@pytest.fixture
def upstream(docker_registry: str) -> RemoteRepository:
    """A repository to mirror from, empty."""
    return RemoteRepository(docker_registry, f"upstream/app-{next(_numbers)}")


@pytest.fixture
def mirror(mirror_registry: str) -> RemoteRepository:
    """A repository to mirror to, empty."""
    return RemoteRepository(mirror_registry, f"mirror/app-{next(_numbers)}")


@pytest.fixture(scope="session")
def old() -> Image:
    return index("old", platforms=("linux/amd64", "linux/arm64"))


@pytest.fixture(scope="session")
def new() -> Image:
    return index("new", platforms=("linux/amd64", "linux/arm64"))


@pytest.fixture(scope="session")
def foreign() -> Image:
    """What somebody else pushes over our tag."""
    return index("foreign", platforms=("linux/amd64",))

"""What every test may ask for: registries, repository names, a real image."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from imagesync_cli.stores.transport import retry
from imagesync_cli.values import secret
from tests import peers
from tests.embedded_registry import EmbeddedRegistry, Repository
from tests.embedded_registry.images import Image
from tests.real_image import TAG, busybox_image
from tests.served import Served

_numbers = itertools.count(1)

if "CI" not in os.environ:  # where Hypothesis leaves its bounds on time out by itself
    settings.register_profile("no bounds on time", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("no bounds on time")


def pytest_configure() -> None:
    """Name every program that is missing where all are required, before the first test begins."""
    if peers.required() and (missing := peers.missing()):
        raise pytest.UsageError(f"required by IMAGESYNC_REQUIRE_PEERS=1 and not on the PATH: {', '.join(missing)}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what may take longest: begun last, one of them would keep one processor busy and all others idle."""
    items.sort(key=lambda item: max((mark.args[0] for mark in item.iter_markers("timeout")), default=0), reverse=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end which programs were not here, so that their tests were skipped, and what installs them."""
    if names := peers.missing():
        terminalreporter.section("skipped, because these programs are not here")
        terminalreporter.line(", ".join(names))
        for line in peers.how_to_install(names):
            terminalreporter.line(f"  {line}")
        terminalreporter.line("On Debian 12, .ci/run as root installs all of them, and runs every check.")


@pytest.fixture(autouse=True)
def _new_secrets() -> None:
    """A process is one run and knows its own secrets; these tests are many runs in one process."""
    secret._known.clear()


@pytest.fixture
def registry() -> Iterator[EmbeddedRegistry]:
    """A good embedded registry, empty."""
    with EmbeddedRegistry() as embedded:
        yield embedded


@pytest.fixture
def source() -> Iterator[EmbeddedRegistry]:
    """A registry to copy from, empty; ``registry`` is another one."""
    with EmbeddedRegistry() as embedded:
        yield embedded


@pytest.fixture
def destination() -> Iterator[EmbeddedRegistry]:
    """A registry to copy to, empty."""
    with EmbeddedRegistry() as embedded:
        yield embedded


@pytest.fixture
def up(source: EmbeddedRegistry) -> Repository:
    """The repository that is copied from."""
    return source.repository("up/app")


@pytest.fixture
def down(registry: EmbeddedRegistry) -> Repository:
    """The repository that is copied to."""
    return registry.repository("team/app")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between attempts, in seconds, noted and not waited for (stores/transport/retry.py)."""
    noted: list[float] = []

    async def note(seconds: float) -> None:
        noted.append(seconds)

    monkeypatch.setattr(retry, "pause", note)
    return noted


@pytest.fixture
def repository_name() -> str:
    """A repository that no other test of this run uses, in whatever process: they share some registries."""
    return f"tests/{os.environ.get('PYTEST_XDIST_WORKER', 'only')}-{next(_numbers)}"


@pytest.fixture(scope="session")
def docker_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a running Debian docker-registry (distribution 2.8), deletes enabled."""
    with peers.docker_registry(tmp_path_factory.mktemp("docker-registry")) as host:
        yield host


@pytest.fixture(scope="session")
def distribution_v3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a running distribution v3, deletes enabled."""
    with peers.distribution_v3(tmp_path_factory.mktemp("distribution-v3")) as host:
        yield host


@pytest.fixture(scope="session")
def crane_registry() -> Iterator[str]:
    """HOST:PORT of a running `crane registry serve`."""
    with peers.crane_registry() as host:
        yield host


@pytest.fixture(scope="session")
def nginx_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A running distribution v3 behind nginx with TLS and htpasswd."""
    from tests import guarded  # which takes more than some of the tests have

    with guarded.behind_nginx(tmp_path_factory.mktemp("nginx")) as served:
        yield served


@pytest.fixture(scope="session")
def token_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A running distribution v3 with tokens that live twelve seconds."""
    from tests import guarded

    with guarded.with_tokens(tmp_path_factory.mktemp("tokens")) as served:
        yield served


@pytest.fixture(scope="session")
def pull_through(docker_registry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A running distribution v3 that is a cache of the docker-registry."""
    from tests import guarded

    with guarded.pull_through(tmp_path_factory.mktemp("pull-through"), docker_registry) as served:
        yield served


@pytest.fixture(scope="session")
def pulp_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The one running Pulp of all processes of this test run."""
    from tests import pulp

    own = tmp_path_factory.getbasetemp()
    with pulp.running((own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "pulp") as host:
        yield Served(host, pulp.ADMIN, by_tokens=True)


@pytest.fixture(scope="session")
def busybox() -> Image:
    """busybox-static of three Debian architectures under one OCI index."""
    return busybox_image()


@pytest.fixture(scope="session")
def busybox_layout(busybox: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as an OCI image layout folder; real_image.TAG names its tag."""
    return busybox.write_layout(tmp_path_factory.mktemp("busybox") / "layout", TAG)

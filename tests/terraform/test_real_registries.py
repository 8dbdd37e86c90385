"""An image's life under Terraform on registries as they are run: behind logins, with deletes that take their time."""

from __future__ import annotations

import pytest

from tests.embedded_registry.images import index
from tests.remote_repository import MANIFESTS, RemoteRepository
from tests.served import Served
from tests.terraform.workspace import Workspace


class Destination:
    """A repository of the registry under test, by requests of the tests' own."""

    def __init__(self, served: Served, name: str) -> None:
        self.served, self._name = served, name
        self.repository = f"{served.host}/{name}"

    def digest(self, reference: str) -> str | None:
        with self.served.client() as client:
            answer = client.head(f"/v2/{self._name}/manifests/{reference}", headers={"Accept": MANIFESTS})
        if answer.status_code == 404:
            return None
        return str(answer.raise_for_status().headers["Docker-Content-Digest"])


@pytest.fixture(params=["crane_registry", "nginx_registry", "pulp_registry", "token_registry"])
def destination(request: pytest.FixtureRequest, repository_name: str) -> Destination:
    """An empty repository of each."""
    running = request.getfixturevalue(request.param)
    return Destination(running if isinstance(running, Served) else Served(running), repository_name)


@pytest.fixture
def cached(pull_through: Served, upstream: RemoteRepository) -> str:
    """HOST/REPOSITORY where a pull-through cache has what is pushed upstream."""
    return f"{pull_through.host}/{upstream.name}"


def test_life(workspace: Workspace, upstream: RemoteRepository, cached: str, destination: Destination) -> None:
    """An image comes, out of a pull-through cache, moves and goes; the plan in between is empty, nothing is left."""
    image = f"{destination.repository}:1"
    workspace = workspace.with_environment(destination.served.environ)
    workspace.write({image: f"{cached}:1"}, 'output "ids" { value = module.mirror.ids }')
    old, new = (index(name, platforms=("linux/amd64", "linux/arm64")) for name in ("old", "new"))
    for pushed in (old, new):
        upstream.push(pushed, "1")
        workspace.apply()
        assert workspace.outputs()["ids"] == {image: f"{destination.repository}@{pushed.digest}"}
        assert destination.digest("1") == pushed.digest
    assert not any(map(destination.digest, old.manifests))
    assert workspace.plan().code == 0
    workspace.destroy()
    assert not any(map(destination.digest, ("1", *new.manifests)))

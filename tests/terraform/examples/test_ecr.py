"""examples/ecr, applied as it is shipped to doubles of Amazon, by a stand-in for the provider hashicorp/aws."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedded_registry.images import Image, image
from tests.remote_repository import RemoteRepository
from tests.security.authority import Authority
from tests.terraform import provider_mirror
from tests.terraform.examples.amazon import HOST, Amazon
from tests.terraform.examples.internet import Internet
from tests.terraform.workspace import Workspace

PROVIDER_VERSION = "6.0.99"  # no version of the real one
THEIRS = image("theirs")
SOURCE = "docker/library/busybox"


@pytest.fixture(scope="session")
def aws_provider(tool_environment: dict[str, str]) -> None:
    """The stand-in, where Terraform finds it."""
    provider_mirror.install(Path(tool_environment["TF_CLI_CONFIG_FILE"]).parent, "aws", PROVIDER_VERSION)


@pytest.fixture
def amazon() -> Iterator[Amazon]:
    with Amazon() as running:
        yield running


@pytest.fixture
def public(docker_registry: str, old: Image, new: Image) -> RemoteRepository:
    """The repository of ECR Public that is mirrored, on a real registry."""
    repository = RemoteRepository(docker_registry, SOURCE)
    repository.push(old, "1.36")
    repository.push(new, "1.37")
    return repository


@pytest.fixture
def example(
    checkout: Workspace, authority: Authority, amazon: Amazon, public: RemoteRepository, aws_provider: None
) -> Iterator[Workspace]:
    """The example, where ECR's names lead to the doubles and a role of the account is signed in."""
    backends = {HOST: amazon.registry.host, "public.ecr.aws": public.host}
    with Internet(authority, backends) as internet:
        yield checkout.inside("examples", "ecr").with_environment(internet.environment | amazon.environment)


def test_from_nothing_to_nothing(
    example: Workspace, amazon: Amazon, public: RemoteRepository, old: Image, new: Image
) -> None:
    """One apply creates the repository and fills it with the role's own login; a destroy empties and removes it."""
    assert amazon.repositories == {}
    example.apply()
    repository = amazon.repositories["mirror/busybox"]
    assert repository.tags == {"1.36": old.digest, "1.37": new.digest}
    assert set(repository.manifests) == {*old.manifests, *new.manifests}
    assert example.outputs()["ids"] == {
        ":1.36": f"{HOST}/mirror/busybox@{old.digest}",
        ":1.37": f"{HOST}/mirror/busybox@{new.digest}",
    }
    assert amazon.actions.index("CreateRepository") < amazon.actions.index("GetAuthorizationToken")
    assert example.plan().code == 0

    public.push(THEIRS, "1.37")
    example.apply()
    assert repository.tags == {"1.36": old.digest, "1.37": THEIRS.digest}
    assert set(repository.manifests) == {*old.manifests, *THEIRS.manifests}

    example.destroy()
    assert amazon.repositories == {}
    assert public.holds(THEIRS)


def test_a_repository_that_is_in_use_stays(example: Workspace, amazon: Amazon, old: Image) -> None:
    """An image that somebody else has pushed is not removed with ours, and ECR keeps the repository for it."""
    example.apply()
    repository = amazon.repositories["mirror/busybox"]
    THEIRS.seed(repository, "theirs")
    kept = example.run("destroy", "-auto-approve")
    assert kept.code == 1
    assert "RepositoryNotEmptyException" in kept.text
    assert repository.tags == {"theirs": THEIRS.digest}
    assert set(repository.manifests) == set(THEIRS.manifests)

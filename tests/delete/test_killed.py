"""A delete that is killed (SIGKILL) at a request: no tag is broken, and running it again finishes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagesync_cli.values.digest import digest_tag, subject_of_tag
from tests.delete.doubles import logins
from tests.delete.killable import Killable
from tests.embedded_registry import MANNERS, EmbeddedRegistry, Fault, Request, Response
from tests.embedded_registry.images import image, index_of
from tests.embedded_registry.state import Repository
from tests.referrers.artifacts import graph, signed

REPOSITORY = "team/app"
X, Y, Z = image("x"), image("y"), image("z")
XY = index_of({"linux/amd64": X, "linux/arm64": Y})
XZ = index_of({"linux/amd64": X, "linux/s390x": Z})
# An index that shares a child with another tag's; an image that two tags share; one that is alone.
# One with signatures and an SBOM, deleted with them.
CASES = {"overlapping": "1", "shared": "3", "alone": "5", "attached": "6"}
_OPTIONS = {"attached": ("--referrers",)}
_WITHOUT_TAG_DELETION = ("distribution-2.8", "ghcr", "nexus", "ecr")
# They delete no tag that shares its digest: exit 7 and nothing done, killed or not.
_NOT_OFFERED = {("ghcr", "shared"), ("nexus", "shared")}


class Target:
    """A registry kind with a repository to delete from, and a process to kill."""

    def __init__(self, manner: str, registry: EmbeddedRegistry, killable: Killable) -> None:
        self.manner, self.registry, self._killable = manner, registry, killable
        self._process = 0
        self._options: tuple[str, ...] = ()
        self._started = threading.Event()

    def fill(self, case: str) -> Repository:
        """The repository as it is before each run."""
        self.registry.state.repositories.clear()
        repository = self.registry.repository(REPOSITORY)
        XY.seed(repository, "1")
        XZ.seed(repository, "2")
        Y.seed(repository, "3", "4")
        image("alone").seed(repository, "5")
        if case == "attached":
            for upstream in (graph(), signed()):
                upstream.seed(repository, "6", listed=not self.registry.manner.referrers)
        self._options = _OPTIONS.get(case, ())
        return repository

    def delete(self, tag: str, digest: str, *, killed_at: int = -1, handled: bool = False) -> int:
        """Run it, killed at this request before or after that is handled; gives the exit code."""
        requests: list[Request] = []

        def kill(response: Response) -> Response:
            assert self._started.wait(timeout=10)
            os.kill(self._process, signal.SIGKILL)
            return response

        def hook(request: Request) -> Fault | None:
            requests.append(request)
            if len(requests) != killed_at + 1:
                return None
            if handled:
                return Fault(change=kill)
            kill(Response())
            return Fault(drop_request_after=0)

        self.registry.fault = hook
        self._started.clear()
        self._process = self._killable.start(
            self.manner,
            self.registry.host,
            *("delete", "--quiet", "--digest", digest, *self._options, f"{self.registry.host}/{REPOSITORY}:{tag}"),
        )
        self._started.set()
        code = self._killable.end()
        self.registry.fault = None
        return code


@pytest.fixture
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    """The kind of registry that the test names."""
    with EmbeddedRegistry(MANNERS[request.param]) as registry:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "REGISTRY_AUTH_FILE": str(logins(tmp_path, registry.host)),
            "AWS_ACCESS_KEY_ID": "a-double-takes-any",
            "AWS_SECRET_ACCESS_KEY": "a-double-takes-any",
            "AWS_DEFAULT_REGION": "eu-central-1",
        }
        killable = Killable(environment, *(["boto3"] if request.param == "ecr" else []))
        yield Target(request.param, registry, killable)
        killable.close()


def broken(repository: Repository, untagged: str) -> list[str]:
    """Tags that miss something, but for the one that is being deleted and leads nowhere."""
    found = {tag: repository.find(tag) for tag in repository.tags}
    lost = [tag for tag, manifest in found.items() if manifest is None and tag != untagged]
    return lost + [
        tag
        for tag, manifest in found.items()
        if manifest and not {*manifest.children, manifest.digest} <= repository.manifests.keys()
    ]


def _runs() -> Iterator[tuple[str, str]]:
    """Every kind with every case that takes another way there."""
    for manner in MANNERS:
        yield manner, "overlapping"
        if manner in ("oci-1.1", *_WITHOUT_TAG_DELETION):
            yield manner, "shared"
            yield manner, "alone"
        if manner in ("oci-1.1", "distribution-2.8", "distribution-3"):
            yield manner, "attached"


@pytest.mark.parametrize(("target", "case"), list(_runs()), indirect=["target"])
def test_killed_at_every_request(target: Target, case: str) -> None:
    """Before and after each request: every other tag is whole, and a second run ends with 0 and the tag gone."""
    tag = CASES[case]
    repository = target.fill(case)
    others = {name: repository.tags[name] for name in repository.tags if name != tag and not subject_of_tag(name)}
    digest = repository.tags[tag]
    # Of an index that went, what was attached to its children cannot be found any more: garbage, like the children.
    attached_to_others = {name for name in repository.tags if subject_of_tag(name) not in ("", digest_tag(digest))}
    target.registry.clear_requests()
    ends_with = 7 if (target.manner, case) in _NOT_OFFERED else 0
    assert target.delete(tag, digest) == ends_with
    requests = [request.method for request in target.registry.requests]
    assert len(requests) > 3
    for killed_at, method in enumerate(requests):
        # Killed after a question was answered is killed before the next one is asked.
        for handled in (False,) if method in ("GET", "HEAD") else (False, True):
            repository = target.fill(case)
            assert target.delete(tag, digest, killed_at=killed_at, handled=handled) == -signal.SIGKILL
            assert broken(repository, tag) == []
            assert target.delete(tag, digest) == ends_with
            assert broken(repository, tag) == []
            assert (repository.find(tag) is None) == (ends_with == 0)
            assert {name: repository.tags.get(name) for name in others} == others
            assert {name for name in repository.tags if subject_of_tag(name)} <= attached_to_others

"""Every kind of registry: one tag goes, whatever that takes there, and its siblings stay. The hosts are doubles."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from imagesync_cli.values.hosts import known_host
from tests.command import Finished, imagesync
from tests.delete.doubles import logins, pretending
from tests.embedded_registry import MANNERS, EmbeddedRegistry, Fault, Response
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import image, index_of
from tests.embedded_registry.state import Repository

REPOSITORY = "team/sub/app"
X, Y, Z = image("x"), image("y"), image("z")
XY = index_of({"linux/amd64": X, "linux/arm64": Y})
XZ = index_of({"linux/amd64": X, "linux/s390x": Z})
# They delete manifests with all their tags, or nothing.
_NO_TAG_DELETION = {"ghcr", "nexus"}


class Host:
    """A double of a kind of host, with a login for it."""

    def __init__(self, registry: EmbeddedRegistry, folder: Path) -> None:
        self.registry = registry
        self.repository: Repository = registry.repository(REPOSITORY)
        XY.seed(self.repository, "1")
        XZ.seed(self.repository, "2", "latest")
        self.environ = {
            "REGISTRY_AUTH_FILE": str(logins(folder, registry.host)),
            "AWS_ACCESS_KEY_ID": "a-double-takes-any",
            "AWS_SECRET_ACCESS_KEY": "a-double-takes-any",
            "AWS_DEFAULT_REGION": "eu-central-1",
        }

    def delete(self, tag: str, *options: str) -> Finished:
        return imagesync("delete", *options, f"{self.registry.host}/{REPOSITORY}:{tag}", environ=self.environ)

    @property
    def live(self) -> set[str]:
        return {tag for tag in self.repository.tags if self.repository.find(tag)}

    def asked(self, method: str, *without: str) -> list[str]:
        """The paths of the requests of a method, but for those in the distribution API that are named."""
        paths = [request.path for request in self.registry.requests if request.method == method]
        return [path for path in paths if not any(part in path for part in without)]


def said(manner: str, double: Host) -> str:
    """What there is to be told of a kind of registry: one that deletes later is waited for."""
    host = double.registry.host
    return f"imagesync: waiting for {host}, which deletes after it says so\n" if manner == "pulp" else ""


@pytest.fixture
def host(tmp_path: Path, pauses: list[float]) -> Iterator[Callable[[str], Host]]:
    """Start the double of a kind by the name of its manner."""
    with ExitStack() as running:

        def start(manner: str) -> Host:
            registry = running.enter_context(EmbeddedRegistry(MANNERS[manner]))
            running.enter_context(pretending(manner, registry.host))
            return Host(registry, tmp_path)

        yield start


@pytest.mark.parametrize("manner", MANNERS)
def test_a_tag_of_its_own(host: Callable[[str], Host], manner: str) -> None:
    """A tag goes with its index and the child that was its own; the shared child and the other tags stay."""
    double = host(manner)
    done = double.delete("1", "--digest", XY.digest)
    assert (done.code, done.err) == (0, said(manner, double))
    assert double.live == {"2", "latest"}
    assert set(XZ.manifests) <= double.repository.manifests.keys()
    assert XY.digest not in double.repository.manifests or manner == "quay"  # which collects what has no tag itself
    assert double.delete("1", "--digest", XY.digest).code == 0


@pytest.mark.parametrize("manner", MANNERS)
def test_a_tag_on_a_shared_digest(host: Callable[[str], Host], manner: str) -> None:
    """A tag that shares its digest goes alone, or where that cannot be, nothing goes and the other tag is named."""
    double = host(manner)
    done = double.delete("2")
    if manner in _NO_TAG_DELETION:
        assert done.code == 7
        assert "latest would go too" in done.err
        assert double.live == {"1", "2", "latest"}
    else:
        assert (done.code, done.err) == (0, said(manner, double))
        assert double.live == {"1", "latest"}
    assert {*XY.manifests, *XZ.manifests} <= double.repository.manifests.keys()


@pytest.mark.parametrize("manner", sorted(MANNERS.keys() - {"distribution-2.8"}))
def test_tombstones_are_for_distribution_2(host: Callable[[str], Host], manner: str) -> None:
    """Nothing is ever put over a tag of another kind of registry."""
    double = host(manner)
    double.delete("2")
    assert double.asked("PUT") == []


@pytest.mark.parametrize(
    ("manner", "requests"),
    [
        ("harbor", [f"/api/v2.0/projects/team/repositories/sub%2Fapp/artifacts/{XZ.digest}/tags/2"]),
        ("acr", [f"/acr/v1/{REPOSITORY}/_tags/2"]),
        ("docker-hub", [f"/v2/repositories/{REPOSITORY}/tags/2/"]),
    ],
)
def test_the_hosts_own_api(host: Callable[[str], Host], manner: str, requests: list[str]) -> None:
    """The tag alone goes by the API that the host documents, after the distribution API was asked."""
    double = host(manner)
    assert double.delete("2").code == 0
    assert double.asked("DELETE") == [f"/v2/{REPOSITORY}/manifests/2", *requests]


def test_ghcr_deletes_by_version(host: Callable[[str], Host]) -> None:
    """A package version goes only where it has no tag but the one to be removed, and the next one after it."""
    double = host("ghcr")
    assert double.delete("1").code == 0
    assert len(double.asked("DELETE", "/v2/")) == 2
    done = imagesync(
        "delete", *(f"{double.registry.host}/{REPOSITORY}:{tag}" for tag in ("2", "latest")), environ=double.environ
    )
    assert (done.code, done.err) == (0, "")
    assert double.repository.manifests == {}


def test_google_tells_everything_at_once(host: Callable[[str], Host]) -> None:
    """Google's list of tags names the manifests: no tag is asked for."""
    double = host("google")
    assert double.delete("1").code == 0
    assert double.asked("HEAD", "/manifests/sha256:") == []


def test_quay_gives_no_token_for_delete(tmp_path: Path) -> None:
    """Quay refuses a scope that contains delete; its own challenge is good enough."""
    from dataclasses import replace

    from tests.embedded_registry import Authentication

    signed_in = Authentication(scheme="bearer", accounts={"user": "password"}, refuses_delete_scope=True)
    with EmbeddedRegistry(replace(MANNERS["quay"], authentication=signed_in)) as registry:
        double = Host(registry, tmp_path)
        done = double.delete("1")
        assert (done.code, done.err) == (0, "")
        assert double.live == {"2", "latest"}


def test_without_boto3(host: Callable[[str], Host], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ECR wants boto3 and it is not installed, the message says how to get it, and nothing was changed."""
    double = host("ecr")
    before = double.registry.dump()
    monkeypatch.setitem(sys.modules, "boto3", None)
    done = double.delete("1")
    assert done.code == 2
    assert "pip install 'imagesync-cli[aws]'" in done.err
    assert double.registry.dump() == before


@pytest.mark.parametrize("manner", ["harbor", "docker-hub", "ghcr"])
def test_without_a_login(host: Callable[[str], Host], manner: str, tmp_path: Path) -> None:
    """The hosts' own APIs want a login: without one nothing is asked of them, and nothing was changed."""
    double = host(manner)
    before = double.registry.dump()
    double.environ["REGISTRY_AUTH_FILE"] = str(logins(tmp_path, "another.example.com"))
    done = double.delete("1")
    assert done.code == 4
    assert "imagesync login" in done.err
    assert double.registry.dump() == before


def test_a_guarded_manifest_is_kept(host: Callable[[str], Host]) -> None:
    """What the registry itself will not delete is kept with its reason, and that is success."""
    double = host("oci-1.1")
    double.registry.fault = lambda request: (
        refusal(405, "DENIED") if request.method == "DELETE" and request.path.endswith(XY.digest) else None
    )
    done = double.delete("1")
    assert done.code == 0
    assert f"kept: manifest {XY.digest} (DENIED: a fault on purpose)" in done.out
    assert set(XY.manifests) <= double.repository.manifests.keys()


@pytest.mark.parametrize(
    ("host_name", "kind"),
    [
        ("docker.io", "Docker Hub"),
        ("ghcr.io", "GitHub"),
        ("company.azurecr.io", "Azure"),
        ("123456789012.dkr.ecr.eu-central-1.amazonaws.com", "Amazon ECR"),
        ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com", "Amazon ECR"),
        ("registry.example.com", None),
        ("ghcr.io.example.com", None),
        ("evil-ghcr.io", None),
        ("company.azurecr.io.example.com", None),
        ("127.0.0.1:5000", None),
    ],
)
def test_hosts_are_known_by_their_whole_name(host_name: str, kind: str | None) -> None:
    """A login goes to a host's own API only where the name is exactly that host's."""
    found = known_host(host_name)
    assert (found and found.name) == kind


@pytest.mark.parametrize("manner", ["distribution-2.8", "distribution-3"])
@pytest.mark.parametrize("shared", [False, True])
def test_requests_for_many_tags(manner: str, shared: bool) -> None:
    """One HEAD a tag, each distinct index once, and a handful more, however many tags share an index."""
    with EmbeddedRegistry(MANNERS[manner]) as registry:
        repository = registry.repository(REPOSITORY)
        XZ.seed(repository, *(f"version-{number}" for number in range(300)))
        (XZ if shared else XY).seed(repository, "1")
        assert imagesync("delete", f"{registry.host}/{REPOSITORY}:1").code == 0
        assert "1" not in repository.tags
        assert len(registry.requests) <= 301 + 2 + 20
        assert sum(request.method == "GET" and request.path.endswith(XZ.digest) for request in registry.requests) <= 1


@pytest.mark.parametrize("says", ["Method not allowed", ""])
def test_a_registry_that_is_read_only(registry: EmbeddedRegistry, says: str) -> None:
    """Where nothing may be changed, a sync and a delete say what the registry said, and what may be the reason."""
    image("there").seed(registry.repository("app"), "1")
    before = registry.dump()
    answer = Response(405, {"Content-Type": "text/plain"}, says.encode())
    registry.fault = lambda request: None if request.method in ("GET", "HEAD") else Fault(answer=answer)
    written = imagesync("sync", f"{registry.host}/app:1", f"{registry.host}/new:1")
    removed = imagesync("delete", f"{registry.host}/app:1")
    assert (written.code, removed.code, registry.dump()) == (7, 7, before)
    assert "name a registry that takes uploads" in written.err
    assert f": {says or 'it answers 405'}\n" in removed.err
    assert "maintenance.readonly" in removed.err

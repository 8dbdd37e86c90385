"""What is reported as removed was seen to be gone, whatever the registry, or a proxy before it, answers to a DELETE."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.command import imagesync
from tests.embedded_registry import MANNERS, EmbeddedRegistry, Fault, Request, Response
from tests.embedded_registry.faults import drop_answer, refusal, reset_before_handling
from tests.embedded_registry.images import image, index_of
from tests.embedded_registry.state import Repository
from tests.referrers.artifacts import about, cosign

NAME = "team/app"
X, Y, Z = image("x"), image("y"), image("z")
XY = index_of({"linux/amd64": X, "linux/arm64": Y})
XZ = index_of({"linux/amd64": X, "linux/s390x": Z})
DROPPED = Fault(answer=Response(202))
NOT_THERE = refusal(404, "MANIFEST_UNKNOWN")

pytestmark = pytest.mark.usefixtures("pauses")


@pytest.fixture
def repository(registry: EmbeddedRegistry) -> Repository:
    """An image with one tag."""
    XY.seed(registry.repository(NAME), "1")
    return registry.repository(NAME)


@pytest.fixture(params=["oci-1.1", "distribution-2.8", "distribution-3"])
def registry(request: pytest.FixtureRequest) -> Iterator[EmbeddedRegistry]:
    """A registry that removes tags, manifests with all their tags, or both."""
    with EmbeddedRegistry(MANNERS[request.param]) as embedded:
        yield embedded


def to_delete(of: str, fault: Fault) -> Callable[[Request], Fault | None]:
    """The answer to a DELETE of this tag or digest, or what begins like it."""
    return lambda request: fault if request.method == "DELETE" and f"/manifests/{of}" in request.path else None


def test_a_manifest_that_stays(registry: EmbeddedRegistry, repository: Repository) -> None:
    """A DELETE that is answered 202 and never done is an error: nothing that stays is called removed."""
    registry.fault = to_delete("sha256:", DROPPED)
    done = imagesync("delete", f"{registry.host}/{NAME}:1")
    assert done.code == 5, done
    assert f"{NAME} still has {XY.digest}, which it said it had deleted" in done.err
    assert "removed: manifest" not in done.out
    assert set(repository.manifests) == set(XY.manifests)


@pytest.mark.parametrize("code", ["MANIFEST_UNKNOWN", "BLOB_UNKNOWN", "NAME_UNKNOWN"])
def test_a_tag_that_is_said_to_be_gone(registry: EmbeddedRegistry, repository: Repository, code: str) -> None:
    """A tag that is listed, and that a HEAD finds, is not "already gone" because a GET says so."""
    gone = refusal(404, code)
    registry.fault = lambda request: gone if request.method == "GET" and request.path.endswith("/1") else None
    done = imagesync("delete", f"{registry.host}/{NAME}:1")
    assert (done.code, repository.tags) == (5, {"1": XY.digest}), done
    assert f"{NAME}:1 is there for a HEAD, and a GET is answered as if it were not" in done.err
    assert "run it again" in done.err
    assert "already gone" not in done.out


def test_a_tag_that_is_said_to_be_gone_when_it_is_removed() -> None:
    """A DELETE that is answered 404 for a tag that is there says so, and not that somebody moved it."""
    with EmbeddedRegistry() as registry:
        XY.seed(registry.repository(NAME), "1")
        registry.fault = to_delete("1", NOT_THERE)
        done = imagesync("delete", f"{registry.host}/{NAME}:1")
        assert (done.code, registry.repository(NAME).tags) == (5, {"1": XY.digest}), done
        assert f"{NAME}:1 is there for a HEAD, and its DELETE is answered as if it were not" in done.err


@pytest.mark.usefixtures("repository")
def test_a_registry_that_never_answers(registry: EmbeddedRegistry, pauses: list[float]) -> None:
    """It is waited for once: who has not given the list of tags gives nothing else either."""
    registry.fault = lambda _: reset_before_handling()
    done = imagesync("delete", f"{registry.host}/{NAME}:1")
    assert (done.code, len(pauses)) == (5, 4), done
    assert all(request.path.endswith("/tags/list") for request in registry.requests)


def test_a_child_that_stays(registry: EmbeddedRegistry, repository: Repository) -> None:
    """The rest goes, and the one that stays is named."""
    registry.fault = to_delete(X.digest, DROPPED)
    done = imagesync("delete", f"{registry.host}/{NAME}:1")
    assert done.code == 5, done
    assert f"still has {X.digest}" in done.err
    assert f"removed: manifest {Y.digest}" in done.out
    assert set(repository.manifests) == {X.digest}


@pytest.mark.parametrize("manner", ["oci-1.1", "distribution-3", "quay"])
def test_a_manifest_that_is_said_to_be_gone(manner: str) -> None:
    """A 404 for what is there is no removal: it is kept, and the reason says so. Quay collects it by itself."""
    with EmbeddedRegistry(MANNERS[manner]) as registry:
        XY.seed(registry.repository(NAME), "1")
        registry.fault = to_delete("sha256:", NOT_THERE)
        done = imagesync("delete", f"{registry.host}/{NAME}:1")
        assert (done.code, done.err) == (0, "")
        why = "the registry says that it is not there, and still gives it"
        for digest in XY.manifests:
            assert f"kept: manifest {digest} ({why})" in done.out


@pytest.mark.parametrize("option", ["--keep-manifests", "--dry-run", ""])
@pytest.mark.parametrize("unlisted", [False, True])
def test_a_tag_that_stays(option: str, *, unlisted: bool) -> None:
    """The same for a tag, though nobody lists the tags afterwards."""
    with EmbeddedRegistry() as registry:
        XY.seed(registry.repository(NAME), "1")

        def fault(request: Request) -> Fault | None:
            if unlisted and request.path.endswith("/tags/list"):
                return refusal(403, "DENIED")
            return to_delete("1", DROPPED)(request)

        registry.fault = fault
        done = imagesync("delete", *filter(None, [option]), f"{registry.host}/{NAME}:1")
        if option == "--dry-run":
            assert done.code == 0, done
            return
        assert done.code == 5, done
        assert f"{NAME}:1 still points at {XY.digest}" in done.err
        assert "removed: tag" not in done.out


@pytest.mark.parametrize("passed", [0, 1])
def test_a_tombstone_that_stays(passed: int) -> None:
    """Where deleting does nothing, no tag is moved to a tombstone; where it stops in between, no tag is called gone."""
    with EmbeddedRegistry(MANNERS["distribution-2.8"]) as registry:
        repository = registry.repository(NAME)
        XY.seed(repository, "1", "2")
        asked: list[str] = []

        def fault(request: Request) -> Fault | None:
            if request.method != "DELETE" or "sha256:" not in request.path:
                return None
            asked.append(request.path)
            return DROPPED if len(asked) > passed else None

        registry.fault = fault
        done = imagesync("delete", f"{registry.host}/{NAME}:1")
        assert done.code == 5, done
        assert "removed: tag" not in done.out
        assert repository.tags["2"] == XY.digest
        assert set(XY.manifests) <= repository.manifests.keys()
        assert passed or repository.tags["1"] == XY.digest
        registry.fault = None
        assert imagesync("delete", f"{registry.host}/{NAME}:1").code == 0
        assert repository.tags == {"2": XY.digest}


def test_a_signature_that_stays() -> None:
    """A cosign tag that is there after it was removed is an error as well."""
    with EmbeddedRegistry(MANNERS["ggcr"]) as registry:
        repository = registry.repository(NAME)
        X.seed(repository, "1")
        cosign(X).seed(repository, about(X, ".sig"))
        registry.fault = to_delete("sha256-", DROPPED)
        done = imagesync("delete", "--referrers", f"{registry.host}/{NAME}:1")
        assert done.code == 5, done
        assert f"{about(X, '.sig')} still points at {cosign(X).digest}" in done.err
        assert "removed: tag sha256-" not in done.out


@pytest.mark.parametrize("fault", [refusal(401, "UNAUTHORIZED"), DROPPED, refusal(503)], ids=["401", "202", "503"])
def test_an_error_in_the_middle(fault: Fault) -> None:
    """What fails in the middle does not keep a tag that came meanwhile from getting back what went before."""
    with EmbeddedRegistry() as registry:
        repository = registry.repository(NAME)
        XY.seed(repository, "1")
        XZ.seed(repository)
        del repository.manifests[XZ.digest]

        def come(request: Request) -> Fault | None:
            if to_delete(Y.digest, fault)(request):
                repository.manifests[XZ.digest] = XZ.root
                repository.tags["new"] = XZ.digest
                return fault
            return None

        registry.fault = come
        done = imagesync("delete", f"{registry.host}/{NAME}:1")
        assert done.code == (4 if fault.answer and fault.answer.status == 401 else 5), done
        assert repository.tags == {"new": XZ.digest}
        assert set(XZ.manifests) <= repository.manifests.keys()
        assert f"put back: manifest {X.digest} (tag new uses it since)" in done.out


def test_a_lost_answer(registry: EmbeddedRegistry, repository: Repository) -> None:
    """A DELETE that was done and lost its answer is asked again, and the 404 then is the truth."""
    lost: set[str] = set()

    def lose(request: Request) -> Fault | None:
        if request.method != "DELETE" or request.path in lost:
            return None
        lost.add(request.path)
        return drop_answer()

    registry.fault = lose
    done = imagesync("delete", f"{registry.host}/{NAME}:1")
    assert done.code == 0, done
    assert (repository.tags, repository.manifests) == ({}, {})
    assert done.out.count("removed: manifest") == 3

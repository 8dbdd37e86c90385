"""What a user is told: what went, what stays and who uses it, and what is refused before anything is changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.command import imagesync
from tests.embedded_registry import MANNERS, EmbeddedRegistry
from tests.embedded_registry.images import image, index_of, referrer
from tests.embedded_registry.state import Repository

REPOSITORY = "team/app"
X, Y, Z = image("x"), image("y"), image("z")
XY = index_of({"linux/amd64": X, "linux/arm64": Y})
XZ = index_of({"linux/amd64": X, "linux/s390x": Z})


@pytest.fixture
def repository(registry: EmbeddedRegistry) -> Repository:
    """Two images that share a child."""
    found = registry.repository(REPOSITORY)
    XY.seed(found, "1")
    XZ.seed(found, "2")
    return found


def items(text: str) -> dict[str, tuple[str, str]]:
    """Outcome and reason of each thing in a JSON report."""
    documents: list[dict[str, Any]] = json.loads(text)
    return {item["name"]: (item["outcome"], item["why"]) for document in documents for item in document["items"]}


def test_one_line_an_item(registry: EmbeddedRegistry, repository: Repository) -> None:
    """Each tag and manifest has its line, with who uses what stays, and what comes free."""
    name = f"{registry.host}/{REPOSITORY}:1"
    done = imagesync("delete", name)
    freed = sum(len(XY.blobs[blob]) for blob in Y.blobs) + len(XY.root.content) + len(Y.root.content)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        f"{name}: removed: tag 1 (it pointed at {XY.digest})",
        f"{name}: removed: manifest {XY.digest}",
        f"{name}: kept: manifest {X.digest} (used by index {XZ.digest} of tag 2)",
        f"{name}: removed: manifest {Y.digest}",
        f"{name}: up to {freed / 1000:.1f} kB come free when the registry collects its garbage",
    ]
    assert set(repository.manifests) == {*XZ.manifests}


@pytest.mark.parametrize("manner", ["oci-1.1", "distribution-2.8", "harbor", "google"])
def test_dry_run_says_the_same(manner: str) -> None:
    """A dry run names the same items as the run after it, and changes nothing."""
    with EmbeddedRegistry(MANNERS[manner]) as registry:
        XY.seed(registry.repository(REPOSITORY), "1")
        image("alone").seed(registry.repository(REPOSITORY), "2")
        names = [f"{registry.host}/{REPOSITORY}:{tag}" for tag in ("1", "2", "missing")]
        before = registry.dump()
        dry = items(imagesync("delete", "--json", "--dry-run", *names).out)
        assert registry.dump() == before
        wet = items(imagesync("delete", "--json", *names, environ=_login(registry)).out)
    # Harbor removes the children itself.
    gone = {"removed", "absent"}
    assert {name: what in gone for name, (what, _) in dry.items()} == {
        name: what in gone for name, (what, _) in wet.items()
    }
    assert dry.keys() == wet.keys()


def _login(registry: EmbeddedRegistry) -> dict[str, str]:
    host = registry.host.replace(".", "_").replace(":", "_")
    return {f"IMAGESYNC_USERNAME_{host}": "user", f"IMAGESYNC_PASSWORD_{host}": "password"}


def test_all_tags_on_it_are_named(registry: EmbeddedRegistry, repository: Repository) -> None:
    """What many tags use says which, the first few by name."""
    for tag in ("a", "b", "c", "d", "e"):
        repository.tags[tag] = XY.digest
    done = items(imagesync("delete", "--json", f"{registry.host}/{REPOSITORY}:1").out)
    assert done[XY.digest] == ("kept", "used by tag a, b, c and 2 more")


def test_a_referrer_keeps_its_subject(registry: EmbeddedRegistry) -> None:
    """A signed image loses its tag, not its manifest, and the signature is named."""
    found = registry.repository(REPOSITORY)
    X.seed(found, "1")
    signature = referrer(X)
    signature.seed(found)
    done = items(imagesync("delete", "--json", f"{registry.host}/{REPOSITORY}:1").out)
    assert done[X.digest] == ("kept", f"used by referrer {signature.digest}")
    assert {X.digest, signature.digest} <= found.manifests.keys()


def test_a_referrers_tag_keeps_its_subject(registry: EmbeddedRegistry) -> None:
    """Where referrers are listed under a tag of their own, as cosign does, that is a use as well."""
    found = registry.repository(REPOSITORY)
    X.seed(found, "1")
    tag = X.digest.replace(":", "-") + ".sig"
    Y.seed(found, tag)
    done = items(imagesync("delete", "--json", f"{registry.host}/{REPOSITORY}:1").out)
    assert done[X.digest] == ("kept", f"used by its referrers' tag {tag}")


def test_several_references(registry: EmbeddedRegistry, repository: Repository) -> None:
    """Two tags of one repository in one call: what only they shared goes too, and the tags are listed thrice."""
    names = [f"{registry.host}/{REPOSITORY}:{tag}" for tag in ("1", "2")]
    registry.clear_requests()
    assert imagesync("delete", *names).code == 0
    assert repository.manifests == {}
    assert sum(request.path.endswith("/tags/list") for request in registry.requests) == 3


def test_one_failure_does_not_stop_the_others(registry: EmbeddedRegistry, repository: Repository) -> None:
    """A reference that cannot be deleted says why, with its exit code; the others are."""
    unknown = "127.0.0.1:1/team/app:1"
    done = imagesync("delete", unknown, f"{registry.host}/{REPOSITORY}:1")
    assert done.code == 5
    assert "127.0.0.1:1" in done.err
    assert set(repository.tags) == {"2"}


def test_a_digest_with_tags_is_refused(registry: EmbeddedRegistry, repository: Repository) -> None:
    """A manifest that still has tags is not deleted by digest; the tags are named and --all-tags is offered."""
    repository.tags["latest"] = XY.digest
    before = registry.dump()
    done = imagesync("delete", f"{registry.host}/{REPOSITORY}@{XY.digest}")
    assert done.code == 7
    assert "still has tags: 1, latest" in done.err
    assert "--all-tags" in done.err
    assert registry.dump() == before


@pytest.mark.parametrize("manner", ["oci-1.1", "distribution-2.8", "nexus"])
def test_all_tags(manner: str) -> None:
    """With --all-tags they go, and what others use stays."""
    with EmbeddedRegistry(MANNERS[manner]) as registry:
        found = registry.repository(REPOSITORY)
        XY.seed(found, "1", "latest")
        XZ.seed(found, "2")
        done = imagesync("delete", "--all-tags", f"{registry.host}/{REPOSITORY}@{XY.digest}")
        assert (done.code, done.err) == (0, "")
        assert [tag for tag in found.tags if found.find(tag)] == ["2"]
        assert set(found.manifests) == {*XZ.manifests}


def test_a_digest_without_tags(registry: EmbeddedRegistry, repository: Repository) -> None:
    """An untagged manifest goes by digest, unless an index lists it."""
    del repository.tags["1"]
    assert imagesync("delete", f"{registry.host}/{REPOSITORY}@{XY.digest}").code == 0
    assert set(repository.manifests) == {*XZ.manifests}
    done = items(imagesync("delete", "--json", f"{registry.host}/{REPOSITORY}@{X.digest}").out)
    assert done[X.digest] == ("kept", f"used by index {XZ.digest} of tag 2")


def test_max_tags(registry: EmbeddedRegistry, repository: Repository) -> None:
    """A repository with more tags than the user wants read is left alone, before anything is changed."""
    before = registry.dump()
    done = imagesync("delete", "--max-tags", "1", f"{registry.host}/{REPOSITORY}:1")
    assert done.code == 7
    assert "2 tags, more than --max-tags 1" in done.err
    assert registry.dump() == before
    assert imagesync("delete", "--max-tags", "2", f"{registry.host}/{REPOSITORY}:1").code == 0
    assert set(repository.tags) == {"2"}


def test_keep_manifests(registry: EmbeddedRegistry, repository: Repository) -> None:
    """With --keep-manifests the tag goes and every manifest stays; nobody else is asked for."""
    registry.clear_requests()
    assert imagesync("delete", "--keep-manifests", f"{registry.host}/{REPOSITORY}:1").code == 0
    assert set(repository.tags) == {"2"}
    assert set(repository.manifests) == {*XY.manifests, *XZ.manifests}
    assert [request.method for request in registry.requests] == ["GET", "DELETE", "HEAD"]


def test_moved_on(registry: EmbeddedRegistry, repository: Repository) -> None:
    """With --digest, a tag that has moved on stays, and what that digest alone used goes."""
    repository.tags["1"] = XZ.digest
    done = imagesync("delete", "--digest", XY.digest, f"{registry.host}/{REPOSITORY}:1")
    assert f"kept: tag 1 (it points at {XZ.digest} now, not at {XY.digest})" in done.out
    assert set(repository.tags) == {"1", "2"}
    assert set(repository.manifests) == {*XZ.manifests}


def test_two_digests_are_a_wrong_call(registry: EmbeddedRegistry) -> None:
    """A reference by one digest and --digest with another is refused before any request."""
    done = imagesync("delete", "--digest", XY.digest, f"{registry.host}/{REPOSITORY}:1@{XZ.digest}")
    assert done.code == 2
    assert registry.requests == []


def test_second_delete_is_success(registry: EmbeddedRegistry, repository: Repository) -> None:
    """What is gone already is success, and says so; so is a repository that nobody ever pushed to."""
    for name in (f"{registry.host}/{REPOSITORY}:1", f"{registry.host}/team/never:1"):
        imagesync("delete", name)
        done = imagesync("delete", name)
        assert (done.code, done.err) == (0, "")
        assert "absent: tag 1 (already gone)" in done.out
    assert set(repository.tags) == {"2"}

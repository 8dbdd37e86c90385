"""What is attached to an image goes with it, and only what nobody else uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import imagesync
from tests.delete.doubles import logins, pretending
from tests.embedded_registry import MANNERS, EmbeddedRegistry, Fault, Request
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import image, index_of, referrer
from tests.embedded_registry.state import Repository
from tests.referrers.artifacts import UPSTREAMS, Upstream, about, child, cosign, list_of
from tests.referrers.test_peers import Place

REPOSITORY = "team/app"
X, Y, Z = image("x"), image("y"), image("z")
XY = index_of({"linux/amd64": X, "linux/arm64": Y})
XZ = index_of({"linux/amd64": X, "linux/s390x": Z})
# It collects what has no tag itself, some day.
_COLLECTS = ("quay",)


@pytest.fixture(params=["oci-1.1", "distribution-2.8", "distribution-3"])
def registry(request: pytest.FixtureRequest) -> Iterator[EmbeddedRegistry]:
    """With the Referrers API, and without it, where a tag can be deleted and where it cannot."""
    with EmbeddedRegistry(MANNERS[request.param]) as embedded:
        yield embedded


def attach(repository: Repository, upstream: Upstream, registry: EmbeddedRegistry) -> None:
    upstream.seed(repository, listed=not registry.manner.referrers)


def delete(registry: EmbeddedRegistry, tag: str, *options: str) -> str:
    done = imagesync("delete", "--referrers", *options, f"{registry.host}/{REPOSITORY}:{tag}")
    assert done.code == 0, done.err
    return done.out


@pytest.mark.parametrize("made", UPSTREAMS)
@pytest.mark.parametrize("manner", MANNERS)
def test_nothing_is_left(manner: str, made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On every kind of registry the repository is empty after the image with all that was attached to it is deleted."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "a-double-takes-any")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with EmbeddedRegistry(MANNERS[manner]) as registry, pretending(manner, registry.host):
        repository = registry.repository(REPOSITORY)
        upstream = UPSTREAMS[made]()
        attach(repository, upstream, registry)
        done = imagesync(
            *("delete", "--referrers", "--digest", upstream.image.digest, f"{registry.host}/{REPOSITORY}:1"),
            environ={
                "REGISTRY_AUTH_FILE": str(logins(tmp_path, registry.host)),
                "AWS_ACCESS_KEY_ID": "a-double-takes-any",
                "AWS_SECRET_ACCESS_KEY": "a-double-takes-any",
                "AWS_DEFAULT_REGION": "eu-central-1",
            },
        )
        assert done.code == 0, done.err
        assert [tag for tag in repository.tags if repository.find(tag)] == [], done.out
        assert not repository.manifests or manner in _COLLECTS, done.out


@pytest.mark.parametrize("made", UPSTREAMS)
@pytest.mark.parametrize("place", ["docker_registry", "distribution_v3", "crane_registry"])
def test_nothing_is_left_on_real_registries(
    request: pytest.FixtureRequest, repository_name: str, place: str, made: str
) -> None:
    """After a copy and a delete with --referrers nothing of either can be read any more, and no tag is listed."""
    upstream = UPSTREAMS[made]()
    with EmbeddedRegistry() as source:
        upstream.seed(source.repository("up/app"))
        there = Place(request.getfixturevalue(place), repository_name)
        assert imagesync("sync", "--referrers", f"{source.host}/up/app:1", f"{there}:1").code == 0
        assert there.held(upstream)[0] == set(source.repository("up/app").manifests)
        done = imagesync("delete", "--referrers", "--digest", upstream.image.digest, f"{there}:1")
        assert (done.code, done.err) == (0, "")
        assert (there.held(upstream)[0], there.tags()) == (set(), [])


@pytest.mark.parametrize("made", UPSTREAMS)
def test_layouts(tmp_path: Path, made: str) -> None:
    """A layout folder has no file left of the image and of what was attached to it, the other image all of its own."""
    upstream = UPSTREAMS[made]()
    with EmbeddedRegistry() as source:
        upstream.seed(source.repository("up/app"))
        Z.seed(source.repository("up/other"), "1")
        folder = tmp_path / "layout"
        for name in ("app", "other"):
            assert imagesync("sync", "--referrers", f"{source.host}/up/{name}:1", f"oci:{folder}:{name}").code == 0
    assert imagesync("delete", "--referrers", f"oci:{folder}:app").code == 0
    left = {f"sha256:{file.name}" for file in (folder / "blobs" / "sha256").iterdir()}
    assert left == {*Z.manifests, *Z.blobs}


def test_without_the_option(registry: EmbeddedRegistry) -> None:
    """Without --referrers an image that something is attached to stays, and so does that."""
    repository = registry.repository(REPOSITORY)
    upstream = UPSTREAMS["graph"]()
    attach(repository, upstream, registry)
    before = set(repository.manifests)
    done = imagesync("delete", f"{registry.host}/{REPOSITORY}:1")
    assert done.code == 0
    assert set(repository.manifests) == before
    assert "1" not in repository.tags


def test_a_shared_child_keeps_its_own(registry: EmbeddedRegistry) -> None:
    """What is attached to an image that another tag's index lists too stays with it; what only the first had, goes."""
    repository = registry.repository(REPOSITORY)
    on_x, on_y, on_index = referrer(X), referrer(Y), referrer(XY)
    XZ.seed(repository, "2")
    tagged = {about(X, ".sig"): cosign(X), about(Y, ".sig"): cosign(Y)}
    attach(repository, Upstream(XY, [(X, on_x), (Y, on_y), (XY, on_index)], tagged), registry)
    report = delete(registry, "1")
    stays = {*XZ.manifests, on_x.digest, cosign(X).digest}
    lists = {list_of(on_x).digest} if not registry.manner.referrers else set()
    assert set(repository.manifests) == stays | lists
    assert set(repository.tags) == {"2", about(X, ".sig"), *([about(X)] if lists else [])}
    assert f"kept: manifest {X.digest}" in report


def test_a_tagged_referrer_keeps_its_subject(registry: EmbeddedRegistry) -> None:
    """A signature that has a tag of its own stays, with all that it is about."""
    repository = registry.repository(REPOSITORY)
    signature, other = referrer(X, seed="tagged"), referrer(X, seed="not tagged")
    attach(repository, Upstream(X, [(X, signature), (X, other)], {}), registry)
    repository.tags["signature"] = signature.digest
    before = set(repository.manifests)
    report = delete(registry, "1")
    assert set(repository.manifests) == before
    assert f"used by referrer {signature.digest}" in report


def test_another_tag_on_the_image(registry: EmbeddedRegistry) -> None:
    """While the image has another tag, nothing that is attached to it goes; with the last tag, all of it."""
    repository = registry.repository(REPOSITORY)
    attach(repository, UPSTREAMS["signed"](), registry)
    repository.tags["2"] = repository.tags["1"]
    before = set(repository.manifests)
    delete(registry, "1")
    assert set(repository.manifests) == before
    delete(registry, "2")
    assert (repository.manifests, repository.tags) == ({}, {})


def test_who_only_claims_to_be_a_referrer(registry: EmbeddedRegistry) -> None:
    """What a list names and what is not about the image, such as somebody's image without a tag, stays."""
    repository = registry.repository(REPOSITORY)
    signature = referrer(X)
    Upstream(X, [(X, signature)], {}).seed(repository)
    Y.seed(repository)
    list_of(signature, Y).seed(repository, about(X))
    delete(registry, "1")
    assert set(repository.manifests) == {Y.digest}
    assert repository.tags == {}


def test_a_list_that_stays_keeps_all_that_it_names(registry: EmbeddedRegistry) -> None:
    """The list of an image that stays loses nothing, be it about something else: here a part of the image that goes."""
    repository = registry.repository(REPOSITORY)
    signature = referrer(X)
    for tag, pushed in (("1", XY), ("2", XZ)):
        pushed.seed(repository, tag)
    signature.seed(repository)
    list_of(signature, Y).seed(repository, about(X))
    assert "put back" not in delete(registry, "1")
    assert set(repository.manifests) == {*XZ.manifests, signature.digest, Y.digest, list_of(signature, Y).digest}
    assert set(repository.tags) == {"2", about(X)}


def test_an_unreadable_list_keeps_everything(registry: EmbeddedRegistry) -> None:
    """If what is attached cannot be read, the tag goes and every manifest stays."""
    repository = registry.repository(REPOSITORY)
    attach(repository, UPSTREAMS["graph"](), registry)
    broken = next(one for _, one in UPSTREAMS["graph"]().attached).digest
    before = set(repository.manifests)
    registry.fault = lambda request: (
        refusal(403, "DENIED") if request.path.endswith(broken) and request.method == "GET" else None
    )
    report = delete(registry, "1")
    assert set(repository.manifests) == before
    assert "1" not in repository.tags
    assert "is unknown" in report


def test_finishes_what_was_interrupted(registry: EmbeddedRegistry) -> None:
    """Where the image is gone already, what was attached to it goes all the same."""
    repository = registry.repository(REPOSITORY)
    upstream = UPSTREAMS["graph"]()
    attach(repository, upstream, registry)
    del repository.tags["1"], repository.manifests[upstream.image.digest]
    delete(registry, "1", "--digest", upstream.image.digest)
    assert (repository.manifests, repository.tags) == ({}, {})


def test_dry_run(registry: EmbeddedRegistry) -> None:
    """--dry-run names the same things that go without it, and removes nothing."""
    repository = registry.repository(REPOSITORY)
    attach(repository, UPSTREAMS["signed"](), registry)
    before = registry.dump()
    planned = delete(registry, "1", "--dry-run").replace("would be removed", "removed").replace("would come", "come")
    assert registry.dump() == before
    assert sorted(delete(registry, "1").splitlines()) == sorted(planned.splitlines())


def test_a_tag_that_comes_meanwhile_gets_all_back(registry: EmbeddedRegistry) -> None:
    """An image that is tagged again while it is being deleted has everything that was attached to it."""
    repository = registry.repository(REPOSITORY)
    upstream = UPSTREAMS["signed"]()
    sbom = referrer(child(upstream.image))
    upstream.attached.append((child(upstream.image), sbom))
    attach(repository, upstream, registry)
    before = set(repository.manifests)
    tags = {tag: digest for tag, digest in repository.tags.items() if tag != "1"}
    deletes: list[str] = []

    def tag_again(request: Request) -> Fault | None:
        if request.method == "DELETE":
            deletes.append(request.path)
            if request.path.endswith(sbom.digest):
                with registry.state.lock:
                    repository.manifests.update(upstream.image.manifests)
                    repository.tags["new"] = upstream.image.digest
        return None

    registry.fault = tag_again
    delete(registry, "1")
    assert any(path.endswith(sbom.digest) for path in deletes)
    assert repository.tags == {"new": upstream.image.digest, **tags}
    assert set(repository.manifests) == before

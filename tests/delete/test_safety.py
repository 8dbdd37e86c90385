"""What must never happen to anybody else's image, whatever the registry answers and wherever a delete ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from imagesync_cli.delete.tombstone import original_of, tombstone_of
from imagesync_cli.values.manifest import parse_manifest
from tests import peers
from tests.command import imagesync
from tests.embedded_registry import MANNERS, EmbeddedRegistry, Fault, Request, Response
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import Image, image, index_of
from tests.embedded_registry.state import Repository
from tests.remote_repository import RemoteRepository

REPOSITORY = "team/app"
X, Y, Z = image("x"), image("y"), image("z")
XY = index_of({"linux/amd64": X, "linux/arm64": Y})
XZ = index_of({"linux/amd64": X, "linux/s390x": Z})


class Client(RemoteRepository):
    """A registry as any other client sees it."""

    def has(self, target: str) -> bool:
        return self.digest(target) is not None

    def is_whole(self, tag: str, pushed: Image) -> bool:
        return self.has(tag) and self.holds(pushed)


@pytest.fixture(params=["docker_registry", "distribution_v3", "registry"])
def client(request: pytest.FixtureRequest, repository_name: str) -> Client:
    """An empty repository of a real registry, or of the embedded one."""
    running = request.getfixturevalue(request.param)
    host = running.host if isinstance(running, EmbeddedRegistry) else running
    return Client(host, repository_name)


def test_a_child_of_another_tag(client: Client) -> None:
    """Two tags whose indexes share a child: deleting one by its digest and children loses it, imagesync keeps it."""
    client.push(XY, "1")
    client.push(XZ, "2")
    # The way of those who delete what an index lists because they put it there.
    for digest in (XY.digest, *XY.children):
        client.delete(digest)
    assert not client.is_whole("2", XZ)

    client.push(XY, "1")
    assert client.is_whole("2", XZ)
    assert imagesync("delete", "--digest", XY.digest, f"{client}:1").code == 0
    assert client.is_whole("2", XZ)
    assert not client.has("1")
    assert not client.has(XY.digest)
    assert not client.has(Y.digest)


def test_a_tag_on_the_same_digest(client: Client) -> None:
    """Tags on one digest go one by one, and the image with the last of them."""
    client.push(XY, "1", "2", "3")
    for tag, others in (("1", ("2", "3")), ("2", ("3",))):
        assert imagesync("delete", "--digest", XY.digest, f"{client}:{tag}").code == 0
        assert not client.has(tag)
        assert all(client.is_whole(other, XY) for other in others)
    assert imagesync("delete", "--digest", XY.digest, f"{client}:3").code == 0
    assert not any(client.has(digest) for digest in XY.manifests)


def test_a_kept_manifest_is_there(client: Client) -> None:
    """With --keep-manifests the last tag of an image goes, and the image stays whole, whatever that takes."""
    for pushed in (X, XY):
        client.push(pushed, "1")
        assert imagesync("delete", "--keep-manifests", f"{client}:1").code == 0
        assert not client.has("1")
        assert all(client.has(digest) for digest in pushed.manifests)


def test_skopeo_takes_the_others(docker_registry: str, repository_name: str) -> None:
    """What skopeo does to the other tags on a digest is what imagesync is for."""
    skopeo = peers.program("skopeo")
    client = Client(docker_registry, repository_name)
    client.push(XY, "1", "2")
    asyncio.run(_run(skopeo, "delete", "--tls-verify=false", f"docker://{client}:1"))
    assert not client.has("2")


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command)
    assert await process.wait() == 0


@pytest.mark.parametrize("status", [401, 403, 409, 412])
@pytest.mark.parametrize("manner", ["oci-1.1", "distribution-2.8"])
def test_a_refused_untag_is_not_forced(manner: str, status: int) -> None:
    """A registry that will not remove the tag is not asked to delete the manifest instead."""
    with EmbeddedRegistry(MANNERS[manner]) as registry:
        XY.seed(registry.repository(REPOSITORY), "1")
        before = registry.dump()
        registry.fault = _on(lambda request: request.method == "DELETE", refusal(status, "DENIED"))
        done = imagesync("delete", f"{registry.host}/{REPOSITORY}:1")
        assert done.code == (4 if status in (401, 403) else 7)
        assert sum(request.method in ("DELETE", "PUT") for request in registry.requests) == 1
        assert registry.dump() == before


@pytest.mark.parametrize("fault", ["list", "list-404", "manifest", "index"])
@pytest.mark.parametrize("manner", ["oci-1.1", "distribution-2.8"])
def test_unknown_usage_keeps_everything(manner: str, fault: str) -> None:
    """If one answer about the other tags is missing, the tag goes, every manifest stays, and it is said why."""
    faults = {
        "list": _on(lambda request: request.path.endswith("/tags/list"), refusal(403, "DENIED")),
        "list-404": _on(lambda request: request.path.endswith("/tags/list"), refusal(404, "PAGE_NOT_FOUND")),
        "manifest": _on(lambda request: request.path.endswith("/manifests/2"), refusal(403, "DENIED")),
        "index": _on(lambda request: request.path.endswith(XZ.digest), refusal(403, "DENIED")),
    }
    with EmbeddedRegistry(MANNERS[manner]) as registry:
        repository = registry.repository(REPOSITORY)
        XY.seed(repository, "1")
        XZ.seed(repository, "2")
        registry.fault = faults[fault]
        done = imagesync("delete", f"{registry.host}/{REPOSITORY}:1")
        assert (done.code, done.err) == (0, "")
        assert f"kept: manifest {XY.digest} (who else uses it is unknown: " in done.out
        assert set(repository.tags) == {"2"}
        assert {*XY.manifests, *XZ.manifests} <= repository.manifests.keys()


@pytest.mark.parametrize("status", [404, 403, 401])
def test_an_answer_that_is_not_the_registrys(registry: EmbeddedRegistry, status: int) -> None:
    """A 404 that does not say that the image is unknown, a 401 or a 403 never mean "already gone"."""
    XY.seed(registry.repository(REPOSITORY), "1")
    registry.fault = _on(lambda _: True, refusal(status, "PAGE_NOT_FOUND"))
    done = imagesync("delete", f"{registry.host}/{REPOSITORY}:1")
    assert done.code == (3 if status == 404 else 4)
    assert "1" in registry.repository(REPOSITORY).tags


@pytest.mark.parametrize("shared", [False, True])
def test_deletes_are_off(shared: bool) -> None:
    """A registry that deletes nothing says how to change that, and nothing was changed."""
    with EmbeddedRegistry(MANNERS["distribution-2.8"]) as registry:
        repository = registry.repository(REPOSITORY)
        XY.seed(repository, "1", *(["2"] if shared else []))
        registry.fault = _on(
            lambda request: request.method == "DELETE" and "sha256" in request.path, refusal(405, "UNSUPPORTED")
        )
        done = imagesync("delete", f"{registry.host}/{REPOSITORY}:1")
        assert done.code == 7
        assert "storage.delete.enabled" in done.err
        assert repository.tags["1"] == XY.digest


@pytest.mark.usefixtures("pauses")
def test_a_tag_that_stays_is_not_success(registry: EmbeddedRegistry) -> None:
    """A registry that accepts the deletion and does nothing is found out: exit 5, and the image is whole."""
    repository = registry.repository(REPOSITORY)
    XY.seed(repository, "1")
    registry.fault = _on(lambda request: request.method == "DELETE", Fault(answer=Response(202)))
    done = imagesync("delete", f"{registry.host}/{REPOSITORY}:1")
    assert done.code == 5
    assert "still points at" in done.err
    assert "removed: tag 1" not in done.out


def test_a_tombstone_left_behind(registry: EmbeddedRegistry) -> None:
    """A delete that died with the tag on a tombstone is finished by the next one, with or without --digest."""
    for digest in ("", XY.digest):
        with EmbeddedRegistry(MANNERS["distribution-2.8"]) as old:
            repository = old.repository(REPOSITORY)
            XY.seed(repository, "1", "2")
            _bury(repository, "1")
            expected = ["--digest", digest] if digest else []
            assert imagesync("delete", *expected, f"{old.host}/{REPOSITORY}:1").code == 0
            assert repository.tags == {"2": XY.digest}
            assert set(repository.manifests) == set(XY.manifests)
            assert imagesync("delete", *expected, f"{old.host}/{REPOSITORY}:2").code == 0
            assert repository.manifests == {}


def test_sync_mends_a_tombstone(registry: EmbeddedRegistry) -> None:
    """A tag on a tombstone is not in sync: the image itself comes back under it."""
    XY.seed(registry.repository("upstream"), "1")
    repository = registry.repository(REPOSITORY)
    XY.seed(repository, "1")
    _bury(repository, "1")
    assert imagesync("sync", f"{registry.host}/upstream:1", f"{registry.host}/{REPOSITORY}:1").code == 0
    assert repository.tags["1"] == XY.digest


def test_a_tombstone_is_the_same_image() -> None:
    """A tombstone names the same layers and children, and what it stands for, through another tombstone too."""
    original = parse_manifest(XY.root.content)
    grave = tombstone_of(tombstone_of(original))
    assert [child.digest for child in grave.manifests] == XY.children
    assert original_of(grave) == original.digest
    assert original_of(original) == ""


@pytest.mark.parametrize("manner", ["oci-1.1", "distribution-2.8", "ggcr"])
def test_a_tag_that_came_meanwhile(manner: str) -> None:
    """A tag that somebody pushes after the tags were read keeps its children: they are put back."""
    with EmbeddedRegistry(MANNERS[manner]) as registry:
        repository = registry.repository(REPOSITORY)
        XY.seed(repository, "1")
        for number in range(40):
            image("many").seed(repository, f"version-{number}")
        going = {f"/v2/{REPOSITORY}/manifests/{digest}" for digest in (X.digest, Y.digest)}

        def is_last_child(request: Request) -> bool:
            if request.method == "DELETE":
                going.discard(request.path)  # both go at once, in either order
            return not going

        registry.fault = _on_once(is_last_child, lambda: _push(repository, XZ, "new"))
        XZ.seed(repository)
        del repository.manifests[XZ.digest]
        done = imagesync("delete", f"{registry.host}/{REPOSITORY}:1")
        assert done.code == 0
        assert f"put back: manifest {X.digest} (tag new uses it since)" in done.out
        assert set(XZ.manifests) <= repository.manifests.keys()


def _push(repository: Repository, pushed: Image, tag: str) -> None:
    repository.manifests[pushed.digest] = pushed.root
    repository.tags[tag] = pushed.digest
    # The other client saw the child there, and does not look again; the delete takes it all the same.
    repository.manifests.pop(X.digest, None)


def _bury(repository: Repository, tag: str) -> None:
    grave = tombstone_of(parse_manifest(XY.root.content))
    repository.add_manifest(grave.media_type, grave.content, tag)


def _on(applies: Callable[[Request], bool], fault: Fault) -> Callable[[Request], Fault | None]:
    return lambda request: fault if applies(request) else None


def _on_once(applies: Callable[[Request], bool], act: Callable[[], None]) -> Callable[[Request], Fault | None]:
    acts = [act]

    def hook(request: Request) -> Fault | None:
        if acts and applies(request):
            acts.pop()()
        return None

    return hook

"""A list that is not known whole tells nothing: whatever a registry does with its pages, nothing of others goes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Sequence

import pytest

from imagesync_cli.delete.delete import Policy, delete
from imagesync_cli.delete.delete_report import DeleteReport
from imagesync_cli.delete.references import tags_apart_from
from imagesync_cli.settings import Settings
from imagesync_cli.stores import Stores
from imagesync_cli.values.reference import parse_reference
from tests.command import imagesync
from tests.delete.short_lists import BROKEN, NAMED, ShortList, tags_answer
from tests.embedded_registry import MANNERS, EmbeddedRegistry, Request
from tests.embedded_registry.faults import Fault, refusal, with_header
from tests.embedded_registry.images import OCI_INDEX, OCI_MANIFEST, Image, image, index_of, referrer
from tests.embedded_registry.wire import Response, json_response
from tests.stores.copying import once

REPOSITORY = "team/app"
X, Y = image("x"), image("y")
XY = index_of({"linux/amd64": X, "linux/arm64": Y})
XZ = index_of({"linux/amd64": X, "linux/s390x": image("z")})


@pytest.mark.parametrize("first", [(), ("1.0",)], ids=["empty", "short"])
@pytest.mark.parametrize("link", [*NAMED.values(), *BROKEN.values()], ids=[*NAMED, *BROKEN])
@pytest.mark.parametrize("manner", ["oci-1.1", "distribution-2.8"])
def test_a_sibling_on_another_page_stays(manner: str, link: str, first: tuple[str, ...]) -> None:
    """A tag on the same digest that only the second page names is there afterwards, whole."""
    with EmbeddedRegistry(MANNERS[manner]) as registry:
        repository = registry.repository(REPOSITORY)
        XY.seed(repository, "1.0", "1.1")
        registry.fault = ShortList("/tags/list", tags_answer(*first), link)
        done = imagesync("delete", f"{registry.host}/{REPOSITORY}:1.0")
        assert repository.tags == {"1.1": XY.digest}, done.err
        assert set(XY.manifests) <= repository.manifests.keys()


@pytest.mark.parametrize(
    "document", [{}, {"errors": []}, {"tags": None}, {"tags": []}, {"tags": ["other"]}, []], ids=str
)
@pytest.mark.parametrize("manner", ["distribution-2.8", "distribution-3", "nexus", "oci-1.1"])
def test_a_list_without_the_tag_itself_is_not_known(manner: str, document: object) -> None:
    """A list that lacks the tag that is being removed, or is none at all, is no proof that nobody shares its image."""
    with EmbeddedRegistry(MANNERS[manner]) as registry:
        repository = registry.repository(REPOSITORY)
        XY.seed(repository, "1.0", "1.1")
        registry.fault = lambda request: (
            Fault(answer=json_response(200, document)) if request.path.endswith("/tags/list") else None
        )
        done = imagesync("delete", f"{registry.host}/{REPOSITORY}:1.0")
        assert repository.tags["1.1"] == XY.digest, done.err
        assert set(XY.manifests) <= repository.manifests.keys()


@pytest.mark.parametrize("code", ["NAME_UNKNOWN", "NOT_FOUND", "MANIFEST_UNKNOWN"])
@pytest.mark.parametrize("lists", [range(100), range(1, 100)], ids=["always", "afterwards"])
@pytest.mark.parametrize("manner", ["distribution-2.8", "distribution-3", "harbor", "nexus", "oci-1.1", "quay"])
def test_a_repository_that_is_said_to_be_unknown(manner: str, lists: range, code: str) -> None:
    """Where the list of tags is answered as for no such repository, what other tags use stays all the same."""
    for name in ("{}:1.0", "{}:1.0 {}:1.1", "{}@" + XY.digest, "--digest " + XY.digest + " {}:gone"):
        with EmbeddedRegistry(MANNERS[manner]) as registry:
            repository = registry.repository(REPOSITORY)
            XY.seed(repository, "1.0", "1.1")
            XZ.seed(repository, "2")
            X.seed(repository, "3")
            registry.fault = answers(refusal(404, code), lists)
            done = imagesync("delete", *name.format(*[f"{registry.host}/{REPOSITORY}"] * 2).split())
            assert repository.tags.items() >= {"2": XZ.digest, "3": X.digest}.items(), (name, done)
            assert {*XZ.manifests, *X.manifests} <= repository.manifests.keys(), (name, done)
            if name == "{}:1.0":
                assert repository.tags["1.1"] == XY.digest, done
                assert set(XY.manifests) <= repository.manifests.keys(), done


def answers(fault: Fault, lists: range) -> Callable[[Request], Fault | None]:
    """The fault in place of some of the lists of tags that follow."""
    numbers = iter(range(100))
    return lambda request: fault if request.path.endswith("/tags/list") and next(numbers) in lists else None


def without(registry: EmbeddedRegistry, tag: str, lists: range) -> None:
    """Leave this tag out of some of the lists that follow, and say nothing of that."""

    def shorten(response: Response) -> Response:
        document = json.loads(bytes(response.body))
        return json_response(200, {"tags": [each for each in document["tags"] if each != tag]})

    registry.fault = answers(Fault(change=shorten), lists)


@pytest.mark.parametrize("manner", ["oci-1.1", "distribution-2.8"])
def test_a_list_without_a_tag_that_has_moved(manner: str) -> None:
    """A tag that was seen and stays is in the list, or the list tells nothing: what it shares with ours stays."""
    with EmbeddedRegistry(MANNERS[manner]) as registry:
        repository = registry.repository(REPOSITORY)
        XY.seed(repository)
        XZ.seed(repository, "1")
        without(registry, "1", range(100))
        done = imagesync("delete", "--digest", XY.digest, f"{registry.host}/{REPOSITORY}:1")
        assert (done.code, repository.tags) == (0, {"1": XZ.digest}), done.err
        assert {*XY.manifests, *XZ.manifests} <= repository.manifests.keys()
        assert f"the list of tags of {registry.host}/{REPOSITORY} lacks 1" in done.out


@pytest.mark.parametrize("lists", [range(1, 2), range(2, 3), range(3)], ids=["second", "third", "all"])
@pytest.mark.parametrize("manner", ["oci-1.1", "distribution-2.8"])
def test_a_list_without_what_is_known(manner: str, lists: range) -> None:
    """The same for a tag that an earlier list had, or that something else relies on."""
    with EmbeddedRegistry(MANNERS[manner]) as registry:
        repository = registry.repository(REPOSITORY)
        XY.seed(repository, "1.0")
        XZ.seed(repository, "1.1")
        for number in range(20):
            image(number).seed(repository, f"other-{number}")
        without(registry, "1.1", lists)
        policy = Policy(in_use=frozenset({"1.1", "2.0", XZ.digest} if len(lists) > 1 else ()))
        name = parse_reference(f"{registry.host}/{REPOSITORY}:1.0")

        async def removed() -> list[DeleteReport]:
            async with contextlib.aclosing(Stores(Settings())) as stores:
                return await delete(stores, [name], policy)

        (report,) = asyncio.run(removed())
        assert "1.1" in repository.tags
        assert {*XY.manifests, *XZ.manifests} <= repository.manifests.keys(), report


@pytest.mark.parametrize("answered", [(), ("2",)], ids=["every", "one"])
@pytest.mark.parametrize("manner", ["oci-1.1", "distribution-2.8", "ggcr", "nexus"])
def test_tags_that_are_there_by_get_alone(manner: str, answered: tuple[str, ...]) -> None:
    """Where a HEAD answers 404 for what is there, the tags of the list count, and all that they use stays."""
    with EmbeddedRegistry(MANNERS[manner]) as registry:
        repository = registry.repository(REPOSITORY)
        XY.seed(repository, "1", "same")
        XZ.seed(repository, "2")
        gone = refusal(404, "MANIFEST_UNKNOWN")
        registry.fault = lambda request: (
            gone if request.method == "HEAD" and request.path.rpartition("/")[2] not in answered else None
        )
        done = imagesync("delete", f"{registry.host}/{REPOSITORY}:1")
        assert done.code in (0, 6), done
        assert repository.tags.items() >= {"same": XY.digest, "2": XZ.digest}.items()
        assert {*XY.manifests, *XZ.manifests} <= repository.manifests.keys()
        assert "and gives it to who asks by GET" in done.out + done.err


def test_a_cache_before_the_registry(registry: EmbeddedRegistry) -> None:
    """What decides over a removal is asked past caches: a tag that a cache has on another image uses this one."""
    repository = registry.repository(REPOSITORY)
    XY.seed(repository, "1", "moved")
    XZ.seed(repository, "2")

    def stale(request: Request) -> Fault | None:
        if request.method == "DELETE" or request.headers.get("cache-control") == "no-cache":
            return None
        headers = {"Content-Type": OCI_INDEX, "Docker-Content-Digest": XZ.digest}
        return Fault(answer=Response(200, headers, XZ.root.content)) if "/manifests/moved" in request.path else None

    registry.fault = stale
    assert imagesync("delete", f"{registry.host}/{REPOSITORY}:1").code == 0
    assert repository.tags == {"moved": XY.digest, "2": XZ.digest}
    assert set(XY.manifests) <= repository.manifests.keys()


@pytest.mark.parametrize("options", [(), ("--referrers",)], ids=" ".join)
@pytest.mark.parametrize("app", [X, XY], ids=["image", "index"])
def test_a_tag_that_is_named_by_the_digest_it_is_on(
    registry: EmbeddedRegistry, app: Image, options: tuple[str, ...]
) -> None:
    """oc-mirror gives what it mirrors such a tag: it is in use like any other, and attached to nothing."""
    repository = registry.repository(REPOSITORY)
    app.seed(repository, "1", app.digest.replace(":", "-"))
    assert imagesync("delete", *options, f"{registry.host}/{REPOSITORY}:1").code == 0
    assert set(repository.tags) == {app.digest.replace(":", "-")}
    assert set(app.manifests) <= repository.manifests.keys()


@pytest.mark.parametrize("manner", ["oci-1.1", "distribution-2.8", "ggcr"])
def test_an_index_that_is_called_an_image(manner: str) -> None:
    """Where HEAD is seen to name the wrong type, every tag is read: what an index lists stays."""
    with EmbeddedRegistry(MANNERS[manner]) as registry:
        repository = registry.repository(REPOSITORY)
        XY.seed(repository, "1.0")
        XZ.seed(repository, "1.1")
        Y.seed(repository, "y")
        fault = with_header("Content-Type", OCI_MANIFEST)
        registry.fault = lambda request: fault if request.method == "HEAD" else None
        done = imagesync("delete", f"{registry.host}/{REPOSITORY}:1.0")
        assert done.code == 0, done.err
        assert set(repository.tags) == {"1.1", "y"}
        assert set(repository.manifests) == {*XZ.manifests, Y.digest}


@pytest.mark.parametrize("link", [*NAMED.values(), *BROKEN.values()], ids=[*NAMED, *BROKEN])
def test_a_referrer_on_another_page_keeps_its_image(link: str) -> None:
    """What a referrer is about stays, though the first page of referrers does not name it."""
    with EmbeddedRegistry() as registry:
        repository = registry.repository(REPOSITORY)
        X.seed(repository, "1.0")
        referrer(X).seed(repository)
        nothing = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
        pages = ShortList("/referrers/", lambda _: json_response(200, nothing, {"Content-Type": OCI_INDEX}), link)
        registry.fault = pages
        done = imagesync("delete", f"{registry.host}/{REPOSITORY}:1.0")
        assert done.code == 0, done.err
        assert X.digest in repository.manifests
        assert referrer(X).digest in repository.manifests


@pytest.mark.parametrize("media_type", ["application/json", OCI_INDEX.upper(), "text/plain; charset=utf-8"])
def test_a_list_of_referrers_under_another_type(registry: EmbeddedRegistry, media_type: str) -> None:
    """A proxy may name another type: a list of referrers is known by its form as well."""
    repository = registry.repository(REPOSITORY)
    X.seed(repository, "1.0")
    referrer(X).seed(repository)
    fault = with_header("Content-Type", media_type)
    registry.fault = lambda request: fault if "/referrers/" in request.path else None
    assert imagesync("delete", f"{registry.host}/{REPOSITORY}:1.0").code == 0
    assert repository.manifests.keys() == {X.digest, referrer(X).digest}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405])
def test_a_registry_that_lists_referrers_and_then_refuses(registry: EmbeddedRegistry, status: int) -> None:
    """A registry that has listed some has the API: what it refuses to tell of another manifest keeps that."""
    repository = registry.repository(REPOSITORY)
    XY.seed(repository, "1.0")
    referrer(X).seed(repository)
    referrer(Y).seed(repository)
    fault = refusal(status, "UNKNOWN")
    registry.fault = lambda request: fault if request.path.endswith(f"/referrers/{X.digest}") else None
    assert imagesync("delete", f"{registry.host}/{REPOSITORY}:1.0").code == 0
    assert Y.digest in repository.manifests
    assert (X.digest in repository.manifests) == (status != 404)


def test_a_tag_that_does_not_answer_is_apart_from_nothing(registry: EmbeddedRegistry) -> None:
    """Where it is not known whether a tag's index lists what is in use, the tag is not one that may go."""
    repository = registry.repository(REPOSITORY)
    XY.seed(repository, "ours", "silent")
    Y.seed(repository, "apart")
    gone = refusal(404, "MANIFEST_UNKNOWN")
    registry.fault = lambda request: gone if request.path.endswith("/manifests/silent") else None

    async def apart() -> Sequence[str]:
        async with contextlib.aclosing(Stores(Settings())) as stores:
            store = stores.open(parse_reference(f"{registry.host}/{REPOSITORY}"))
            return await tags_apart_from(store, await store.tagged(["ours", "silent", "apart"]), {X.digest})

    assert asyncio.run(apart()) == ["apart"]


@pytest.mark.parametrize("options", [(), ("--referrers",)], ids=" ".join)
@pytest.mark.parametrize("manner", ["oci-1.1", "distribution-2.8", "distribution-3"])
def test_a_repository_that_is_unknown_once(manner: str, options: tuple[str, ...]) -> None:
    """One of several servers may not know of it: that there is no list of tags is asked twice, and tags stay."""
    with EmbeddedRegistry(MANNERS[manner]) as registry:
        repository = registry.repository(REPOSITORY)
        XY.seed(repository, "1", "same")
        XZ.seed(repository, "2")
        referrer(X).seed(repository, "sbom")
        registry.fault = once(lambda request: request.path.endswith("/tags/list"), refusal(404, "NAME_UNKNOWN"))
        done = imagesync("delete", *options, f"{registry.host}/{REPOSITORY}:1")
        assert done.code == 0, done
        assert repository.tags == {"same": XY.digest, "2": XZ.digest, "sbom": referrer(X).digest}
        assert {*XY.manifests, *XZ.manifests, referrer(X).digest} <= repository.manifests.keys()

"""The doubles of registries that cannot be run here: each does what its documentation says of deleting."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.contract.subject import outcome
from tests.embedded_registry import MANNERS, EmbeddedRegistry
from tests.embedded_registry.images import Image, image, index
from tests.embedded_registry.manifests import LATER

REPOSITORY = "team/app"
UNKNOWN = f"sha256:{'a' * 64}"
ONE, SHARED = image(1), index(2, platforms=("linux/amd64", "linux/arm64"))

Opener = Callable[[str], "Double"]


class Double:
    """A running double with ``one`` (one tag) and ``shared`` (an index with two tags) in it."""

    def __init__(self, registry: EmbeddedRegistry, client: httpx.Client) -> None:
        self.client = client
        self.repository = registry.repository(REPOSITORY)
        ONE.seed(self.repository, "one")
        SHARED.seed(self.repository, "shared", "latest")

    def delete(self, reference: str) -> tuple[int, str]:
        return outcome(self.client.delete(f"/v2/{REPOSITORY}/manifests/{reference}"))

    def has(self, pushed: Image) -> bool:
        return pushed.digest in self.repository.manifests


@pytest.fixture
def double() -> Iterator[Opener]:
    """Start the double of a registry kind by name."""
    with ExitStack() as running:

        def start(manner: str) -> Double:
            registry = running.enter_context(EmbeddedRegistry(MANNERS[manner]))
            return Double(registry, running.enter_context(httpx.Client(base_url=f"http://{registry.host}")))

        yield start


@pytest.mark.parametrize(
    ("manner", "answer"),
    [
        ("zot", (202, "")),
        ("harbor", (400, "UNSUPPORTED")),
        ("quay", (202, "")),
        ("docker-hub", (405, "UNSUPPORTED")),
        ("ghcr", (405, "UNSUPPORTED")),
        ("google", (202, "")),
        ("acr", (405, "UNSUPPORTED")),
        ("gitlab", (202, "")),
    ],
)
def test_deleting_a_tag(double: Opener, manner: str, answer: tuple[int, str]) -> None:
    """A tag is deleted alone, or not at all."""
    running = double(manner)
    assert running.delete("shared") == answer
    assert ("shared" in running.repository.tags) == (answer[0] != 202)
    assert "latest" in running.repository.tags
    assert running.has(SHARED)


@pytest.mark.parametrize(
    ("manner", "answer"),
    [
        ("zot", (405, "DENIED")),
        ("harbor", (412, "VIOLATE_FOREIGN_KEY_CONSTRAINT")),
        ("docker-hub", (403, "DENIED")),
        ("ecr", (400, "ImageReferencedByManifestList")),
        ("google", (400, "GOOGLE_MANIFEST_DANGLING_PARENT_IMAGE")),
        ("quay", (404, "MANIFEST_UNKNOWN")),
        ("ghcr", (405, "UNSUPPORTED")),
    ],
)
def test_child_of_an_index_is_guarded(double: Opener, manner: str, answer: tuple[int, str]) -> None:
    """A child of a live index is refused, and still there."""
    running = double(manner)
    assert running.delete(SHARED.children[0]) == answer
    assert SHARED.children[0] in running.repository.manifests


def test_google_guards_tagged_manifests(double: Opener) -> None:
    """A manifest with a tag is refused; without one it goes."""
    running = double("google")
    assert running.delete(ONE.digest) == (400, "GOOGLE_MANIFEST_DANGLING_TAG")
    assert running.delete("one") == (202, "")
    assert running.delete(ONE.digest) == (202, "")


def test_google_lists_every_manifest(double: Opener) -> None:
    """One tags/list answer names each manifest with its tags."""
    running = double("google")
    named = running.client.get(f"/v2/{REPOSITORY}/tags/list").json()["manifest"]
    assert set(named) == set(running.repository.manifests)
    assert named[SHARED.digest]["tag"] == ["latest", "shared"]


@pytest.mark.parametrize(
    ("manner", "answer"),
    [
        ("zot", (400, "MANIFEST_INVALID")),
        ("harbor", (404, "NOT_FOUND")),
        ("distribution-2.8", (400, "MANIFEST_BLOB_UNKNOWN")),
        ("ggcr", (404, "MANIFEST_UNKNOWN")),
        ("pulp", (201, "")),
    ],
)
def test_index_whose_child_is_missing(double: Opener, manner: str, answer: tuple[int, str]) -> None:
    """Each registry has words of its own for an index that lists what is not there, or takes it."""
    running = double(manner)
    del running.repository.manifests[SHARED.children[0]]
    headers = {"Content-Type": SHARED.root.media_type}
    target = f"/v2/{REPOSITORY}/manifests/new"
    assert outcome(running.client.put(target, content=SHARED.root.content, headers=headers)) == answer


@pytest.mark.parametrize(
    "path", ["team/app/manifests/none", "team/none/manifests/1", "team/none/tags/list", f"team/app/manifests/{UNKNOWN}"]
)
def test_harbor_has_one_word_for_all_that_is_not_there(double: Opener, path: str) -> None:
    """Harbor says NOT_FOUND where others tell repositories, tags and manifests apart."""
    assert outcome(double("harbor").client.get(f"/v2/{path}")) == (404, "NOT_FOUND")


def test_zot_collects_what_loses_its_tag(double: Opener) -> None:
    """When a tag moves, the index that it was on goes at once with its children, unless another tag is on it."""
    running = double("zot")
    put = f"/v2/{REPOSITORY}/manifests/"
    headers = {"Content-Type": ONE.root.media_type}
    for tag, stays in (("shared", True), ("latest", False)):
        assert running.client.put(put + tag, content=ONE.root.content, headers=headers).status_code == 201
        assert running.has(SHARED) == stays
    assert set(running.repository.manifests) == {ONE.digest}


def test_zot_names_nothing_that_is_missing(double: Opener) -> None:
    """A manifest without its blobs, or under another digest, is invalid and nothing more."""
    running = double("zot")
    pushed = image("blobs are missing").root
    for target in ("new", UNKNOWN):
        headers = {"Content-Type": pushed.media_type}
        answer = running.client.put(f"/v2/{REPOSITORY}/manifests/{target}", content=pushed.content, headers=headers)
        assert outcome(answer) == (400, "MANIFEST_INVALID")
        assert "sha256" not in answer.text


@pytest.mark.parametrize(
    ("repository", "blob", "answer"),
    [
        (REPOSITORY, ONE.root.blobs[0], (405, "DENIED")),
        (REPOSITORY, UNKNOWN, (404, "BLOB_UNKNOWN")),
        ("team/none", UNKNOWN, (404, "BLOB_UNKNOWN")),
    ],
)
def test_zot_keeps_blobs_in_use(double: Opener, repository: str, blob: str, answer: tuple[int, str]) -> None:
    """The blob of a manifest is not deleted; where there is no repository there is no blob."""
    assert outcome(double("zot").client.delete(f"/v2/{repository}/blobs/{blob}")) == answer


def test_zot_says_less_of_uploads(double: Opener) -> None:
    """A mount is answered without the digest, an upload without its name, and both by their Location."""
    client = double("zot").client
    mount = {"mount": ONE.root.blobs[0], "from": REPOSITORY}
    mounted, started = (client.post("/v2/other/blobs/uploads/", params=params) for params in (mount, {}))
    assert (mounted.status_code, started.status_code) == (201, 202)
    for answer, header in ((mounted, "Docker-Content-Digest"), (started, "Docker-Upload-UUID")):
        assert header not in answer.headers
        assert answer.headers["Location"]


def test_zot_challenges_whom_it_lets_in(double: Opener) -> None:
    """Where everybody may read, a ping is answered with 200 and a challenge."""
    answer = double("zot").client.get("/v2/")
    assert (answer.status_code, answer.headers["WWW-Authenticate"].split()[0]) == (200, "basic")


def test_harbor_breaks_on_an_empty_manifest(double: Opener) -> None:
    """A manifest of nothing is an error of the server's own."""
    headers = {"Content-Type": ONE.root.media_type}
    answer = double("harbor").client.put(f"/v2/{REPOSITORY}/manifests/new", content=b"{}", headers=headers)
    assert outcome(answer) == (500, "UNKNOWN")


def test_harbor_keeps_immutable_tags() -> None:
    """An immutable tag is neither moved nor removed, by none of three ways."""
    with EmbeddedRegistry(replace(MANNERS["harbor"], immutable_tags=True)) as registry:
        with httpx.Client(base_url=f"http://{registry.host}") as client:
            running = Double(registry, client)
            headers = {"Content-Type": SHARED.root.media_type}
            tag = f"/api/v2.0/projects/team/repositories/app/artifacts/{ONE.digest}/tags/one"
            answers = [
                client.put(f"/v2/{REPOSITORY}/manifests/one", content=SHARED.root.content, headers=headers),
                client.delete(tag),
                client.delete(f"/v2/{REPOSITORY}/manifests/{ONE.digest}"),
            ]
        assert [outcome(answer) for answer in answers] == [(412, "PRECONDITION")] * 3
        assert running.repository.tags["one"] == ONE.digest


def test_harbor_wants_its_projects_made() -> None:
    """A project that nobody made is 401, without a challenge that would say how to log in."""
    with EmbeddedRegistry(replace(MANNERS["harbor"], projects=frozenset({"library"}))) as registry:
        answer = httpx.get(f"http://{registry.host}/v2/team/app/manifests/1")
        assert outcome(answer) == (401, "UNAUTHORIZED")
        assert "project team not found" in answer.text
        assert "WWW-Authenticate" not in answer.headers


def test_pulp_deletes_later(double: Opener) -> None:
    """A deletion is accepted at once and done some requests later; by tag it is refused."""
    running = double("pulp")
    assert running.delete("one") == (400, "INVALID_REQUEST")
    assert running.delete(ONE.digest) == (202, "")
    statuses = [running.client.get(f"/v2/{REPOSITORY}/manifests/one").status_code for _ in range(LATER + 1)]
    assert statuses == [200] * LATER + [404]


def test_pulp_untags_what_is_there(double: Opener) -> None:
    """A tag is removed by Pulp's own API, as a task; one that is not there is told among what is about no field."""
    client = double("pulp").client
    path = "/pulp/api/v3/distributions/container/container/"
    untag = client.get(path, params={"base_path": REPOSITORY}).json()["results"][0]["repository"] + "untag/"
    assert "task" in client.post(untag, json={"tag": "one"}).json()
    absent = client.post(untag, json={"tag": "nothing"})
    assert absent.status_code == 400
    assert absent.json()["non_field_errors"][0].startswith("The tag 'nothing' does not exist in the latest ")


def test_harbor_takes_the_children_along(double: Opener) -> None:
    """Deleting an index by digest takes its tags and children."""
    running = double("harbor")
    assert running.delete(SHARED.digest) == (202, "")
    assert set(running.repository.manifests) == {ONE.digest}
    assert set(running.repository.tags) == {"one"}


@pytest.mark.parametrize("manner", ["nexus", "artifactory"])
def test_tags_may_dangle(double: Opener, manner: str) -> None:
    """The manifest goes by digest, its tags stay in the list and lead nowhere."""
    running = double(manner)
    assert running.delete(ONE.digest) == (202, "")
    assert "one" in running.repository.tags
    assert running.client.get(f"/v2/{REPOSITORY}/manifests/one").status_code == 404


@pytest.mark.parametrize(
    ("manner", "path", "status"),
    [
        ("harbor", "/api/v2.0/projects/team/repositories/app/artifacts/shared/tags/shared", 200),
        ("acr", f"/acr/v1/{REPOSITORY}/_tags/shared", 202),
        ("docker-hub", f"/v2/repositories/{REPOSITORY}/tags/shared/", 204),
    ],
)
def test_tag_by_the_host_api(double: Opener, manner: str, path: str, status: int) -> None:
    """The host's own API deletes one tag and nothing else; a second time it is 404."""
    running = double(manner)
    assert running.client.delete(path).status_code == status
    assert set(running.repository.tags) == {"one", "latest"}
    assert running.has(SHARED)
    assert running.client.delete(path).status_code == 404


def test_harbor_repository_with_a_slash(double: Opener) -> None:
    """A slash in Harbor's repository name is encoded twice."""
    running = double("harbor")
    answer = running.client.delete("/api/v2.0/projects/team/repositories/sub%252Fapp/artifacts/one/tags/one")
    assert answer.json()["errors"][0]["message"] == "repository team/sub/app not found"


def test_ghcr_versions(double: Opener) -> None:
    """A version is a manifest with its tags, and deleting it takes them all."""
    running = double("ghcr")
    versions = running.client.get("/orgs/team/packages/container/app/versions").json()
    shared = next(version for version in versions if version["name"] == SHARED.digest)
    assert shared["metadata"]["container"]["tags"] == ["latest", "shared"]
    path = f"/orgs/team/packages/container/app/versions/{shared['id']}"
    assert running.client.delete(path).status_code == 204
    assert set(running.repository.tags) == {"one"}


def _batch_delete(running: Double, *images: dict[str, str]) -> dict[str, Any]:
    answer = running.client.post(
        "/",
        headers={"X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.BatchDeleteImage"},
        content=json.dumps({"repositoryName": REPOSITORY, "imageIds": list(images)}),
    )
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


def test_ecr_last_tag_takes_the_image(double: Opener) -> None:
    """One of two tags goes alone; the last one takes the image with it."""
    running = double("ecr")
    assert _batch_delete(running, {"imageTag": "shared"})["failures"] == []
    assert running.has(SHARED)
    done = _batch_delete(running, {"imageTag": "latest"})
    assert done["imageIds"] == [{"imageTag": "latest", "imageDigest": SHARED.digest}]
    assert not running.has(SHARED)


def test_ecr_lists_failures(double: Opener) -> None:
    """What cannot be deleted is named in an answer of 200."""
    running = double("ecr")
    done = _batch_delete(running, {"imageDigest": SHARED.children[0]}, {"imageTag": "nothing"})
    codes = [failure["failureCode"] for failure in done["failures"]]
    assert codes == ["ImageReferencedByManifestList", "ImageNotFound"]

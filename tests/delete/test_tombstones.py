"""Tombstones: known by their bytes alone, and never a way to anybody else's image. And tags that go by digest."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from imagesync_cli.delete.tombstone import original_of, tombstone_of
from imagesync_cli.values.errors import Refused
from imagesync_cli.values.manifest import OCI_INDEX, OCI_MANIFEST, parse_manifest
from tests.command import imagesync
from tests.embedded_registry import MANNERS, EmbeddedRegistry, Fault, Request, Response
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import Image, image, index_of, to_json
from tests.embedded_registry.manner import Manner, Refusal
from tests.embedded_registry.state import Manifest, Repository

REPOSITORY = "team/app"
X, Y = image("x"), image("y")
XY = index_of({"linux/amd64": X, "linux/arm64": Y})
CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": X.digest, "size": 2}
PLAIN = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": CONFIG, "layers": []}
CHILD = {"mediaType": OCI_MANIFEST, "digest": X.digest, "size": 7, "annotations": {"of": "a child"}}
ORIGINALS = {
    "compact": json.dumps(PLAIN, separators=(",", ":")),
    "indented": json.dumps(PLAIN, indent=3),
    "annotated": json.dumps({**PLAIN, "annotations": {"a": "b"}}),
    "annotated-first": json.dumps({"annotations": {"a": "b", "c": "}"}, **PLAIN}, indent=1),
    "annotated-empty": json.dumps({**PLAIN, "annotations": {}}),
    "annotated-spaced": json.dumps({**PLAIN, "annotations": {}}).replace("{}", "{ \n }"),
    "children-annotated": json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [CHILD]}),
    "both-annotated": json.dumps(
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [CHILD], "annotations": {"a": "é\\"}},
        ensure_ascii=False,
    ),
    "text-that-looks-so": json.dumps({**PLAIN, "annotations": {"a": '"annotations":{"imagesync.tombstone":"x"},'}}),
    "untyped": json.dumps({key: value for key, value in PLAIN.items() if key != "mediaType"}),
}


@pytest.mark.parametrize("content", ORIGINALS.values(), ids=ORIGINALS)
def test_a_tombstone_proves_its_original(content: str) -> None:
    """However a manifest is written, its tombstone names the same image, is another manifest, and says of which."""
    original = parse_manifest(content.encode())
    first, second = tombstone_of(original), tombstone_of(original)
    again = tombstone_of(first)
    assert len({original.digest, first.digest, second.digest, again.digest}) == 4
    for grave in (first, second, again):
        assert original_of(grave) == original.digest
        assert (grave.manifests, grave.blobs) == (original.manifests, original.blobs)
    assert original_of(original) == ""


def test_no_tombstone_of_what_has_no_place_for_it() -> None:
    """Annotations that are no object cannot have one more: nothing is written, and that is said."""
    with pytest.raises(Refused, match="another annotation"):
        tombstone_of(parse_manifest(json.dumps({**PLAIN, "annotations": None}).encode()))


def test_a_thousand_claims_take_no_longer_than_one() -> None:
    """A manifest that is full of claims to be a tombstone, or of places for one, is given up at once."""
    claim = f'"imagesync.tombstone":"{Y.digest} {"0" * 32}"'
    claims = ",".join(f'{{"annotations":{{{claim}}}}}' for _ in range(15_000))
    rest = to_json(X.root.document).decode()[:-1]
    manifest = parse_manifest(f'{rest}, "annotations": {{{claim}}}, "x": [{claims}]}}'.encode())
    started = time.process_time()
    assert original_of(manifest) == ""
    with pytest.raises(Refused, match="cannot be given another annotation"):
        tombstone_of(manifest)
    assert time.process_time() - started < 10


def _claiming(victim: str, how: str) -> Manifest:
    """An image of its own that says that it is a tombstone of the victim."""
    claim = {"imagesync.tombstone": f"{victim} {'0' * 32}" if how != "old" else f"{victim} 0"}
    document = {**X.root.document, "annotations": claim}
    if how == "at a child":
        return Manifest(OCI_INDEX, to_json(_index_claiming(claim)))
    content = json.dumps(document, separators=(",", ":"))
    if how == "first":
        content = json.dumps({"annotations": claim, **X.root.document}, separators=(",", ":"))
    return Manifest(X.root.media_type, content.encode())


def _index_claiming(claim: dict[str, str]) -> dict[str, object]:
    entry = {"mediaType": X.root.media_type, "digest": X.digest, "size": len(X.root.content), "annotations": claim}
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}


@pytest.mark.parametrize("how", ["old", "last", "first", "at a child"])
@pytest.mark.parametrize("manner", ["oci-1.1", "distribution-2.8", "nexus"])
def test_a_claim_removes_nobody_elses_image(manner: str, how: str) -> None:
    """The tag of an image that claims to stand for another one goes by itself; that other image stays."""
    with EmbeddedRegistry(MANNERS[manner]) as registry:
        repository = registry.repository(REPOSITORY)
        Y.seed(repository)  # nobody uses it, so only the claim could lead there
        X.seed(repository)
        claiming = _claiming(Y.digest, how)
        repository.add_manifest(claiming.media_type, claiming.content, "mallory")
        done = imagesync("delete", f"{registry.host}/{REPOSITORY}:mallory")
        assert done.code == 0, done.err
        assert Y.digest in repository.manifests
        assert repository.find("mallory") is None


@pytest.mark.parametrize("how", ["old", "last", "first", "at a child"])
def test_a_claim_gives_nobody_elses_tag_away(how: str) -> None:
    """A tag whose image claims to stand for ours is not ours to remove: with --digest it stays."""
    with EmbeddedRegistry(MANNERS["distribution-2.8"]) as registry:
        repository = registry.repository(REPOSITORY)
        Y.seed(repository, "mine")
        X.seed(repository)
        claiming = _claiming(Y.digest, how)
        repository.add_manifest(claiming.media_type, claiming.content, "theirs")
        done = imagesync("delete", "--digest", Y.digest, f"{registry.host}/{REPOSITORY}:theirs")
        assert done.code == 0
        assert f"kept: tag theirs (it points at {claiming.digest} now" in done.out
        assert repository.tags == {"mine": Y.digest, "theirs": claiming.digest}


def test_a_tombstone_whose_original_is_gone() -> None:
    """A tag that was left on a tombstone goes by the original's digest, though nobody has the original any more."""
    with EmbeddedRegistry(MANNERS["distribution-2.8"]) as registry:
        repository = registry.repository(REPOSITORY)
        XY.seed(repository, "1")
        grave = tombstone_of(parse_manifest(XY.root.content))
        repository.add_manifest(grave.media_type, grave.content, "1")
        del repository.manifests[XY.digest]
        assert imagesync("delete", "--digest", XY.digest, f"{registry.host}/{REPOSITORY}:1").code == 0
        assert repository.tags == {}


@pytest.mark.parametrize("pushed", [X, XY])
@pytest.mark.parametrize("alone", [True, False])
def test_keep_manifests_keeps_them_where_tags_go_with_manifests(pushed: Image, alone: bool) -> None:
    """distribution 2.x would take a manifest with its last tag; with --keep-manifests it is there afterwards."""
    with EmbeddedRegistry(MANNERS["distribution-2.8"]) as registry:
        repository = registry.repository(REPOSITORY)
        pushed.seed(repository, "1", *([] if alone else ["2"]))
        done = imagesync("delete", "--keep-manifests", f"{registry.host}/{REPOSITORY}:1")
        assert (done.code, done.err) == (0, "")
        assert set(repository.tags) == (set() if alone else {"2"})
        assert set(repository.manifests) == set(pushed.manifests)


@pytest.mark.parametrize("manner", ["nexus", "unnamed"])
def test_keep_manifests_is_refused_where_that_cannot_be(manner: str) -> None:
    """Where a tag goes only with its manifest, and there are no tombstones, nothing is done: exit 7 says why."""
    with EmbeddedRegistry(_manner(manner)) as registry:
        X.seed(registry.repository(REPOSITORY), "1")
        before = registry.dump()
        done = imagesync("delete", "--keep-manifests", f"{registry.host}/{REPOSITORY}:1")
        assert done.code == 7
        assert "is to be kept" in done.err
        assert registry.dump() == before


def _manner(name: str) -> Manner:
    if name in MANNERS:
        return MANNERS[name]
    return Manner(name, delete_tag=Refusal(405, "UNSUPPORTED", "unsupported"), referrers=False)


class _Later:
    """A registry that accepts a DELETE, and has done it when it was asked so many more times."""

    def __init__(self, repository: Repository, times: int, deletes: Callable[[Request], bool]) -> None:
        self._repository = repository
        self._times = times
        self._deletes = deletes
        self._accepted: dict[str, int] = {}

    def __call__(self, request: Request) -> Fault | None:
        target = request.path.rpartition("/")[2]
        if request.method == "DELETE" and self._deletes(request):
            self._accepted.setdefault(target, self._times)
            return Fault(answer=Response(202))
        if request.method == "HEAD":
            self._tick()
        return None

    def _tick(self) -> None:
        for target in list(self._accepted):
            self._accepted[target] -= 1
            if self._accepted[target] <= 0:
                del self._accepted[target]
                self._do(target)

    def _do(self, target: str) -> None:
        self._repository.tags.pop(target, None)
        self._repository.manifests.pop(target, None)
        for tag in self._repository.tags_of(target):
            del self._repository.tags[tag]


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize("times", [1, 3, 6])
@pytest.mark.parametrize("manner", ["unnamed", "oci-1.1"])
def test_what_is_accepted_and_done_later(manner: str, times: int) -> None:
    """A delete waits until the registry has done what it accepted: success means that the tag is gone, and stays so."""
    with EmbeddedRegistry(_manner(manner)) as registry:
        repository = registry.repository(REPOSITORY)
        X.seed(repository, "1")
        Y.seed(repository, "2")
        registry.fault = _Later(repository, times, lambda request: "sha256" in request.path or manner == "oci-1.1")
        done = imagesync("delete", f"{registry.host}/{REPOSITORY}:1")
        waiting = f"imagesync: waiting for {registry.host}, which deletes after it says so\n"
        assert (done.code, done.err.replace(waiting, "")) == (0, "")
        assert repository.tags == {"2": Y.digest}
        assert not any(request.method == "PUT" for request in registry.requests)


@pytest.mark.usefixtures("pauses")
def test_what_is_accepted_and_never_done() -> None:
    """If it is not done in time, the delete fails, says so, and puts nothing back."""
    with EmbeddedRegistry(_manner("unnamed")) as registry:
        repository = registry.repository(REPOSITORY)
        X.seed(repository, "1")
        registry.fault = _Later(repository, 1000, lambda request: "sha256" in request.path)
        done = imagesync("delete", f"{registry.host}/{REPOSITORY}:1")
        assert done.code == 5
        assert f"still has {X.digest}, which it said it had deleted" in done.err
        assert "removed: tag 1" not in done.out
        assert not any(request.method == "PUT" for request in registry.requests)


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("pushed", [X, XY])
def test_a_tag_that_was_deleted_does_not_come_back(pushed: Image, shared: bool) -> None:
    """distribution 2.x that fails between a manifest and its tag leaves a tag which the next push would revive."""
    with EmbeddedRegistry(MANNERS["distribution-2.8"]) as registry:
        repository = registry.repository(REPOSITORY)
        pushed.seed(repository, "1", *(["2"] if shared else []))
        failures: list[str] = []

        def half(request: Request) -> Fault | None:
            target = request.path.rpartition("/")[2]
            if request.method == "DELETE" and "1" in repository.tags_of(target) and not failures:
                failures.append(target)
                del repository.manifests[target]
                return refusal(500)
            return None

        registry.fault = half
        done = imagesync("delete", f"{registry.host}/{REPOSITORY}:1")
        assert (done.code, done.err) == (0, "")
        assert failures
        assert "1" not in repository.tags
        pushed.seed(repository, "3")
        assert set(repository.tags) == {"3", *(["2"] if shared else [])}

"""What a sync copies, what it leaves, and what it says: images of every kind between embedded registries."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from imagesync_cli.copy import sync as copying
from imagesync_cli.copy.present import Present
from imagesync_cli.look import walk
from imagesync_cli.settings import Settings
from imagesync_cli.stores import Stores
from imagesync_cli.values.reference import parse_reference
from tests.command import Finished, imagesync
from tests.embedded_registry import MANNERS, EmbeddedRegistry, Request
from tests.embedded_registry.images import (
    DOCKER_LIST,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    describe,
    image,
    index,
    index_of,
    listing,
    referrer,
    to_json,
)
from tests.embedded_registry.state import Manifest, Repository, digest_of
from tests.faults.mirror import lacking

FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


def sync(source: EmbeddedRegistry, registry: EmbeddedRegistry, *options: str, wanted: str = ":1") -> Finished:
    return imagesync("sync", f"{source.host}/up/app{wanted}", f"{registry.host}/team/app:1", *options)


def composed(manifest: dict[str, Any], *blobs: bytes) -> Image:
    root = Manifest(manifest.get("mediaType", OCI_MANIFEST), to_json({"schemaVersion": 2, **manifest}))
    return Image(root, {root.digest: root}, {digest_of(blob): blob for blob in blobs})


def nested(depth: int) -> Image:
    made = image()
    for _ in range(depth):
        root = Manifest(OCI_INDEX, to_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
            describe(made.root.media_type, made.root.content)
        ]}))  # fmt: skip
        made = Image(root, made.manifests | {root.digest: root}, made.blobs)
    return made


ARTIFACT = {
    "mediaType": OCI_MANIFEST,
    "artifactType": "application/vnd.example+type",
    "config": describe(OCI_EMPTY, b"{}"),
    "layers": [],
}
TWICE = {
    "mediaType": OCI_MANIFEST,
    "config": describe(OCI_EMPTY, b"{}"),
    "layers": [describe("text/plain", b"same"), describe("text/plain", b"same"), describe("text/plain", b"{}")],
}
KINDS = {
    "one platform": image(layers=3),
    "index": index(layers=2),
    "Docker schema 2": image(docker=True),
    "Docker list": index(docker=True),
    "with attestations": index(attested=True),
    "artifact without layers": composed(ARTIFACT, b"{}"),
    "the same layer twice": composed(TWICE, b"{}", b"same"),
    "no mediaType": composed({"config": describe(OCI_EMPTY, b"{}"), "layers": []}, b"{}"),
    "empty layer": composed({**ARTIFACT, "layers": [describe("text/plain", b"")]}, b"{}", b""),
    "empty index": composed({"mediaType": OCI_INDEX, "manifests": []}),
    "the same platform twice": index_of({"linux/amd64": image(), "linux/arm64": image()}),
    "index in an index": nested(3),
    "signature": referrer(image()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_copied_whole(source: EmbeddedRegistry, registry: EmbeddedRegistry, kind: str) -> None:
    """Whatever an image is made of, all of it arrives with its digest unchanged."""
    made = KINDS[kind]
    made.seed(source.repository("up/app"), "1")
    finished = sync(source, registry)
    assert finished.code == 0, finished.err
    down = registry.repository("team/app")
    assert (down.tags, down.manifests, down.blobs) == ({"1": made.digest}, made.manifests, made.blobs)


@pytest.mark.parametrize("manner", ["distribution-2.8", "ggcr", "zot", "harbor", "ecr", "google", "artifactory"])
def test_copied_into_every_kind_of_registry(source: EmbeddedRegistry, up: Repository, manner: str) -> None:
    """An image with attestations arrives whole, whatever the registry's habits."""
    made = index(attested=True)
    made.seed(up, "1")
    with EmbeddedRegistry(MANNERS[manner]) as registry:
        down = registry.repository("team/app")
        finished = sync(source, registry)
        assert finished.code == 0, finished.err
        assert (down.tags, down.manifests, down.blobs) == ({"1": made.digest}, made.manifests, made.blobs)
        assert not registry.state.uploads


def test_foreign_layers_stay(source: EmbeddedRegistry, registry: EmbeddedRegistry, up: Repository) -> None:
    """Layers that registries must not hold are left where they are, and counted."""
    layer = {**describe(FOREIGN, b"windows"), "urls": ["https://example.com/layer"]}
    made = composed({**ARTIFACT, "layers": [layer]}, b"{}")
    made.seed(up, "1")
    finished = sync(source, registry)
    assert finished.code == 0, finished.err
    assert "1 foreign layer left where it is" in finished.err
    assert registry.repository("team/app").blobs == made.blobs


def test_digest_after_the_tag_has_moved(source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry) -> None:
    """--digest copies what was planned, although the tag points elsewhere by now."""
    planned = image("planned").seed(up, "1")
    image("newer").seed(up, "1")
    finished = sync(source, registry, "--digest", planned)
    assert finished.out == f"{registry.host}/team/app@{planned}\n"
    assert registry.repository("team/app").tags == {"1": planned}


def test_tag_that_moves_meanwhile(source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry) -> None:
    """A source tag that moves during the copy does not mix two images."""
    first = index("first")
    first.seed(up, "1")

    def move(request: Request) -> None:
        if "/blobs/" in request.path:
            index("second").seed(up, "1")

    source.fault = move
    assert sync(source, registry).code == 0
    down = registry.repository("team/app")
    assert (down.tags, down.manifests) == ({"1": first.digest}, first.manifests)


def test_dry_run(source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry, down: Repository) -> None:
    """--dry-run says what a run will do, and writes nothing."""
    index("old").seed(down, "1", "old")
    index("new").seed(up, "1")
    before = registry.dump()
    planned = json.loads(sync(source, registry, "--dry-run", "--json").out)
    assert {request.method for request in registry.requests} == {"HEAD"}
    assert registry.dump() == before
    done = json.loads(sync(source, registry, "--json").out)
    assert planned == {**done, "dry_run": True}


def test_report(source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry) -> None:
    """--json tells both names, the digests before and after, and what was moved."""
    made = image(layers=2)
    made.seed(up, "1")
    report = json.loads(sync(source, registry, "--json").out)
    assert report == {
        "source": f"{source.host}/up/app:1",
        "destination": f"{registry.host}/team/app:1",
        "id": f"{registry.host}/team/app@{made.digest}",
        "digest": made.digest,
        "before": "",
        "changed": True,
        "dry_run": False,
        "manifests": 1,
        "blobs": {"sent": 3},
        "sent_bytes": sum(map(len, made.blobs.values())),
        "mounted_bytes": 0,
        "foreign": 0,
        "damage": [],
        "foreign_copied": 0,
        "referrers": {},
        "attached": 0,
        "left": [],
        "held": "",
        "kept_as": "",
        "retries": 0,
        "resumed": 0,
        "signed_by": [],
    }
    again = json.loads(sync(source, registry, "--json").out)
    assert (again["changed"], again["before"], again["manifests"]) == (False, made.digest, 0)


def test_tag_last(source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry, down: Repository) -> None:
    """At every moment the tag is the old image or the new one, and each is whole."""
    old, new = index("old"), index("new")
    old.seed(down, "1")
    new.seed(up, "1")
    seen = set()

    def watch(_: Request) -> None:
        with registry.state.lock:
            digest = down.tags.get("1")
            whole = old if digest == old.digest else new
            lacks = whole.manifests.keys() - down.manifests.keys() | whole.blobs.keys() - down.blobs.keys()
            seen.add((digest, frozenset(lacks)))

    registry.fault = source.fault = watch
    assert sync(source, registry).code == 0
    assert down.tags == {"1": new.digest}
    assert seen == {(old.digest, frozenset())}
    put = [request.path.partition("/manifests/")[2] for request in registry.requests if request.method == "PUT"]
    written = [target for target in put if target]
    assert (set(written[:-1]), written[-1]) == (set(new.children), "1")


def test_child_that_a_delete_takes(
    source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry, down: Repository
) -> None:
    """A child manifest that was found there and is deleted before the index is written is written again."""
    made = index(layers=1)
    made.seed(up, "1")
    image("old").seed(down, "1")
    made.seed(down)
    del down.manifests[made.digest]
    plan = [made.children[0]]

    def collect(request: Request) -> None:
        if request.method == "PUT" and request.path.endswith("/manifests/1") and plan:
            del down.manifests[plan.pop()]

    registry.fault = collect
    finished = sync(source, registry)
    assert finished.code == 0, finished.err
    assert made.manifests.items() <= down.manifests.items()


@pytest.mark.parametrize(("depth", "code"), [(16, 0), (17, 6)])
def test_depth(source: EmbeddedRegistry, registry: EmbeddedRegistry, up: Repository, depth: int, code: int) -> None:
    """Indexes may lie in indexes, but not without end."""
    nested(depth).seed(up, "1")
    finished = sync(source, registry)
    assert finished.code == code, finished.err
    assert code == 0 or "more than 16 indexes deep" in finished.err


@pytest.mark.parametrize("most", [18, 17])
def test_too_many_descriptors(
    source: EmbeddedRegistry,
    registry: EmbeddedRegistry,
    up: Repository,
    monkeypatch: pytest.MonkeyPatch,
    most: int,
) -> None:
    """An image that names more manifests and blobs than any real one is refused."""
    monkeypatch.setattr(walk, "MAX_DESCRIPTORS", most)
    index().seed(up, "1")  # 6 manifests, 12 blobs
    finished = sync(source, registry)
    assert finished.code == (0 if most == 18 else 6), finished.err
    assert most == 18 or "more than 17 manifests and blobs" in finished.err


def test_no_conversion(source: EmbeddedRegistry, up: Repository) -> None:
    """A registry that refuses a type is told so; the image is not converted behind the user's back."""
    index(docker=True).seed(up, "1")
    with EmbeddedRegistry(replace(MANNERS["oci-1.1"], refused_media_types=(DOCKER_LIST,))) as registry:
        finished = sync(source, registry)
        assert finished.code == 7
        assert "the registry answers 415" in finished.err
        assert not registry.repository("team/app").tags


def test_same_repository(registry: EmbeddedRegistry, down: Repository) -> None:
    """A second tag in the same repository, spelled differently or not, moves no blob."""
    made = index()
    made.seed(down, "1")
    finished = imagesync("sync", f"{registry.host}/team/app:1", f"docker://{registry.host}/team/app:2")
    assert finished.code == 0
    assert down.tags == {"1": made.digest, "2": made.digest}
    assert not any("/blobs/" in request.path for request in registry.requests)


def test_begun_again(source: EmbeddedRegistry, up: Repository, registry: EmbeddedRegistry, down: Repository) -> None:
    """A run that must begin an image again, for want of memory, has copied it: it was not there already."""
    image().seed(up, "1")
    ends = parse_reference(f"{source.host}/up/app:1"), parse_reference(f"{registry.host}/team/app:1")

    async def copied(present: Present) -> tuple[bool, str]:
        stores = Stores(Settings())
        try:
            report = await copying.sync(stores, *ends, present=present)
        finally:
            await stores.aclose()
        return report.changed, report.before

    one_run = Present()
    assert [asyncio.run(copied(one_run)) for _ in range(2)] == [(True, "")] * 2
    assert asyncio.run(copied(Present())) == (False, down.tags["1"])


@pytest.mark.parametrize("media_type", [OCI_INDEX, "application/vnd.example.index"])
def test_an_index_without_what_it_lists(registry: EmbeddedRegistry, media_type: str) -> None:
    """An index without a tag, whose image went with another tag, is made whole before a new tag leads to it."""
    inner = index(platforms=("linux/amd64", "linux/arm64"))
    made = listing([(inner, {"mediaType": media_type})])
    there = registry.repository("team/app")
    image("old").seed(there, "1")
    there.manifests[inner.digest] = inner.root
    with EmbeddedRegistry() as source:
        made.seed(source.repository("up/app"), "1")
        estimated = sync(source, registry, "--dry-run", "--json")
        finished = sync(source, registry)
    assert finished.code == 0, finished.err
    assert there.tags["1"] == made.digest
    assert list(lacking(there, made.digest)) == []
    assert json.loads(estimated.out)["blobs"] == {"sent": 4}

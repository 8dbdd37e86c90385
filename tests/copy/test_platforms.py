"""Platforms of an image: which arrive, under which digest, and what is said where one is not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagesync_cli.look import choose_platforms
from tests.command import Finished, imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import (
    DOCKER_LIST,
    OCI_CONFIG,
    OCI_MANIFEST,
    Image,
    about,
    attestation,
    describe,
    image,
    index,
    listing,
    platform_of,
    referrer,
    to_json,
)
from tests.embedded_registry.state import Manifest, Repository, digest_of

WINDOWS = ("windows(10.0.17763.5830)/amd64", "windows(10.0.20348.2461)/amd64", "windows(10.0.20348.2500)/amd64")


def options(*platforms: str) -> list[str]:
    return [option for platform in platforms for option in ("--platform", platform)]


def sync(source: EmbeddedRegistry, registry: EmbeddedRegistry, *arguments: str) -> Finished:
    return imagesync("sync", f"{source.host}/up/app:1", f"{registry.host}/team/app:1", *arguments)


def resolve(source: EmbeddedRegistry, *platforms: str) -> str:
    finished = imagesync("resolve", f"{source.host}/up/app:1", *options(*platforms))
    assert finished.code == 0, finished.err
    return finished.out.strip().partition("@")[2]


def offer(*platforms: str, seed: object = 0, **more: Any) -> Image:
    """An index with these platforms, whose last part after a space tells entries of one platform apart."""
    names = [name.partition(" ") for name in platforms]
    return listing(
        [(image((seed, name), platform=name[0]), {"platform": platform_of(name[0])}) for name in names], **more
    )


def parts(made: Image, *places: int) -> list[str]:
    return [made.children[place] for place in places]


def document(down: Repository, tag: str = "1") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(down.manifests[down.tags[tag]].content)
    return found


def holds_all(down: Repository, digest: str) -> bool:
    """Whether what this manifest names, and what that names, is all there."""
    manifest = down.manifests.get(digest)
    if manifest is None:
        return False
    return down.blobs.keys() >= set(manifest.blobs) and all(holds_all(down, child) for child in manifest.children)


@pytest.mark.parametrize("docker", [False, True])
def test_one(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, up: Repository, down: Repository, docker: bool
) -> None:
    """One platform is that platform's own manifest under its own digest, and nothing else arrives."""
    made = index(docker=docker, attested=not docker)
    made.seed(up, "1")
    wanted = made.children[1]
    assert resolve(source, "linux/arm64") == wanted
    finished = sync(source, registry, *options("linux/arm64"))
    assert finished.out == f"{registry.host}/team/app@{wanted}\n"
    assert (down.tags, set(down.manifests)) == ({"1": wanted}, {wanted})
    assert set(down.blobs) == set(made.manifests[wanted].blobs)


def test_one_by_two_names(source: EmbeddedRegistry, up: Repository) -> None:
    """Two names of one platform are one platform."""
    made = index()
    made.seed(up, "1")
    assert resolve(source, "linux/arm64", "linux/aarch64/v8") == made.children[1]


def test_several(source: EmbeddedRegistry, registry: EmbeddedRegistry, up: Repository, down: Repository) -> None:
    """Several platforms are a new index: their entries and attestations in the source's order, its members kept."""
    images = {name: image(name, platform=name) for name in ("linux/amd64", "linux/arm64", "linux/s390x")}
    entries = [(part, {"platform": platform_of(name), "annotations": {"é": name}}) for name, part in images.items()]
    entries += [(attestation(part.digest), about(part)) for part in images.values()]
    made = listing(entries, annotations={"z": "☃", "a": "b"}, artifactType="application/vnd.example")
    made.seed(up, "1")
    finished = sync(source, registry, *options("linux/s390x", "linux/amd64"))
    assert finished.code == 0, finished.err
    before = json.loads(made.root.content)
    kept = [before["manifests"][place] for place in (0, 2, 3, 5)]
    assert document(down) == {**before, "manifests": kept}
    assert (
        down.tags["1"]
        == digest_of(down.manifests[down.tags["1"]].content)
        == resolve(source, "linux/amd64", "linux/s390x")
    )
    assert set(down.manifests) == {down.tags["1"], *parts(made, 0, 2, 3, 5)}
    assert holds_all(down, down.tags["1"])


def test_nothing_left_out(source: EmbeddedRegistry, registry: EmbeddedRegistry, up: Repository) -> None:
    """Where every platform is wanted, the source's own index arrives, byte for byte."""
    made = index(platforms=("linux/amd64", "linux/arm64"), attested=True)
    made.seed(up, "1")
    assert resolve(source, "linux/arm64", "linux/amd64") == made.digest
    assert sync(source, registry, *options("linux/arm64", "linux/amd64")).code == 0
    assert registry.repository("team/app").manifests == made.manifests


def test_docker_list_stays_one(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, up: Repository, down: Repository
) -> None:
    """A new list of a Docker list's entries is a Docker list."""
    index(docker=True).seed(up, "1")
    assert sync(source, registry, *options("linux/arm", "linux/amd64")).code == 0
    assert down.manifests[down.tags["1"]].media_type == document(down)["mediaType"] == DOCKER_LIST


@pytest.mark.parametrize(
    ("offered", "wanted", "taken"),
    [
        (["linux/arm/v5", "linux/arm/v6"], ["linux/arm"], [1]),
        (["linux/arm/v8", "linux/arm/v7", "linux/arm/v6"], ["linux/arm"], [1]),
        (["linux/arm64/v8", "linux/arm64/v8.2", "linux/arm64/v9"], ["linux/arm64"], [0]),
        (["linux/arm64", "linux/arm64/v8.2", "linux/arm64/v9"], ["linux/arm64/v8.4"], [1]),
        (["linux/amd64", "linux/amd64/v2", "linux/amd64/v3"], ["linux/amd64/v4"], [2]),
        (["linux/amd64 one", "linux/amd64 two"], ["linux/amd64"], [0]),
        (["linux/amd64", *WINDOWS], ["windows/amd64"], [1]),
        (["linux/amd64", *WINDOWS], ["windows(10.0.20348)/amd64"], [2]),
        (["linux/amd64", *WINDOWS, "linux/arm64"], ["windows/amd64", "linux/amd64"], [0, 1, 2, 3]),
        (["linux/amd64", *WINDOWS], ["windows(10.0.20348)/amd64", "linux/amd64"], [0, 2, 3]),
        (["linux/amd64", *WINDOWS], ["windows(10.0.17763)/amd64", "windows(10.0.20348.2500)/amd64"], [1, 3]),
        (["linux/arm/v6", "linux/arm/v5", "linux/amd64"], ["linux/arm/v7", "linux/arm/v6"], [0]),
        (["linux/arm/v6", "linux/amd64", "linux/arm/v7"], ["linux/arm", "linux/arm/v6"], [0, 2]),
        (["macos/arm64", "linux/arm64"], ["darwin/aarch64"], [0]),
    ],
)
def test_which(
    source: EmbeddedRegistry, up: Repository, offered: list[str], wanted: list[str], taken: list[int]
) -> None:
    """Of each platform the best variant is taken, in an index all of it, and nothing else."""
    made = offer(*offered)
    made.seed(up, "1")
    expected = parts(made, *taken)
    found = resolve(source, *wanted)
    if len(wanted) == 1:
        assert [found] == expected
    else:
        with EmbeddedRegistry() as registry:
            assert sync(source, registry, *options(*wanted)).code == 0
            down = registry.repository("team/app")
            assert down.tags == {"1": found}
            assert down.manifests[found].children == expected


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (["linux/arm64"], "is not there for linux/arm64\n"),
        (["linux/amd64", "linux/386", "linux/s390x"], "is not there for linux/386, linux/s390x\n"),
        (["unknown/unknown"], "is not there for unknown/unknown\n"),
        (["linux/amd64/v1", "windows/amd64"], "is not there for windows/amd64\n"),
    ],
)
def test_not_there(source: EmbeddedRegistry, registry: EmbeddedRegistry, wanted: list[str], why: str) -> None:
    """A platform that the image lacks ends in an error that names the image and what it has; nothing is written."""
    index(platforms=("linux/amd64", "linux/arm/v7"), attested=True).seed(source.repository("up/app"), "1")
    image("old").seed(registry.repository("team/app"), "1")
    before = registry.dump()
    for finished in (
        imagesync("resolve", f"{source.host}/up/app:1", *options(*wanted)),
        sync(source, registry, *options(*wanted)),
    ):
        assert (finished.code, finished.out) == (3, "")
        assert f"{source.host}/up/app:1 {why}" in finished.err
        assert "it has linux/amd64, linux/arm/v7\n" in finished.err
    assert registry.dump() == before


def test_very_many_platforms(source: EmbeddedRegistry, up: Repository) -> None:
    """What an image has is told in a line that can be read, whatever there is and whatever it is called."""
    parts = [(image(), {"platform": {"os": "linux", "architecture": f"\x1b[31m{number}"}}) for number in range(60)]
    listing(parts).seed(up, "1")
    finished = imagesync("resolve", f"{source.host}/up/app:1", *options("linux/amd64"))
    assert finished.code == 3
    assert "\\x1b[31m49 and 10 more" in finished.err
    assert "\x1b" not in finished.err


@pytest.mark.parametrize("wanted", [["linux/arm"], ["linux/arm/v7", "linux/arm/v6"], ["linux/arm/v8"]])
def test_single_image_that_fits(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, up: Repository, wanted: list[str]
) -> None:
    """An image of one platform is copied as it is where its config says that it serves what is wanted."""
    made = image(platform="linux/arm/v6")
    made.seed(up, "1")
    assert sync(source, registry, *options(*wanted)).code == 0
    assert registry.repository("team/app").tags == {"1": made.digest}


@pytest.mark.parametrize("docker", [False, True])
def test_single_image_that_does_not(source: EmbeddedRegistry, up: Repository, docker: bool) -> None:
    """An image of one platform that is not the one wanted is no match, and the error says what it is."""
    image(platform="linux/arm/v6", docker=docker).seed(up, "1")
    finished = imagesync("resolve", f"{source.host}/up/app:1", *options("linux/arm/v5", "linux/arm/v6"))
    assert finished.code == 3
    assert "is not there for linux/arm/v5" in finished.err
    assert "it has linux/arm/v6" in finished.err


def test_artifact(source: EmbeddedRegistry, up: Repository) -> None:
    """What is no image has no platform, and the error says so and what to do."""
    referrer(image(), "application/vnd.example.chart").seed(up, "1")
    finished = imagesync("resolve", f"{source.host}/up/app:1", *options("linux/amd64"))
    assert finished.code == 3
    assert "has no platform, its type is application/vnd.example.chart" in finished.err
    assert "leave the platforms out" in finished.err


def test_config_tells(source: EmbeddedRegistry, registry: EmbeddedRegistry, up: Repository, down: Repository) -> None:
    """Where an entry tells no platform, the config of its image does; where there is none, the entry is not picked."""
    names = ("linux/amd64", "linux/arm64", "linux/arm/v6")
    entries: list[tuple[Image, dict[str, Any]]] = [(image(name, platform=name), {}) for name in names]
    made = listing([*entries, (referrer(image()), {}), (index("nested"), {})])
    made.seed(up, "1")
    assert resolve(source, "linux/arm") == made.children[2]
    assert sync(source, registry, *options("linux/arm64", "linux/amd64")).code == 0
    assert down.manifests[down.tags["1"]].children == parts(made, 0, 1)


def test_nested(source: EmbeddedRegistry, registry: EmbeddedRegistry, up: Repository, down: Repository) -> None:
    """An entry that is an index itself is taken whole if it tells the platform, and never without."""
    inner = index("inner", platforms=("linux/amd64", "linux/arm64"))
    other = index("other", platforms=("linux/s390x",))
    made = listing(
        [
            (image(), {"platform": platform_of("linux/arm64")}),
            (inner, {"platform": platform_of("linux/amd64")}),
            (other, {}),
        ]
    )
    made.seed(up, "1")
    assert sync(source, registry, *options("linux/amd64")).code == 0
    assert (down.tags, down.manifests) == ({"1": inner.digest}, inner.manifests)
    assert imagesync("resolve", f"{source.host}/up/app:1", *options("linux/s390x")).code == 3


def test_attestations_are_never_picked(source: EmbeddedRegistry, up: Repository) -> None:
    """What is marked as an attestation is data, even where it claims a platform."""
    real = image(platform="linux/arm64")
    said = {**about(real), "platform": platform_of("linux/amd64")}
    listing([(attestation(real.digest), said), (real, {"platform": platform_of("linux/arm64")})]).seed(up, "1")
    assert resolve(source, "linux/arm64") == real.digest
    assert imagesync("resolve", f"{source.host}/up/app:1", *options("linux/amd64")).code == 3


def test_in_sync(source: EmbeddedRegistry, registry: EmbeddedRegistry, up: Repository) -> None:
    """What has arrived is in sync by the same choice; by another it is copied anew, and the tag moves."""
    made = index(attested=True)
    made.seed(up, "1")
    for wanted in (["linux/amd64", "linux/arm64"], ["linux/arm64"], []):
        first = sync(source, registry, *options(*wanted))
        before = registry.dump()
        again = sync(source, registry, *options(*wanted))
        assert first.out == again.out
        assert "copied" in first.err
        assert "is in sync with" in again.err
        assert registry.dump() == before
    assert registry.repository("team/app").tags == {"1": made.digest}


def test_dry_run(source: EmbeddedRegistry, registry: EmbeddedRegistry, up: Repository) -> None:
    """--dry-run tells the digest that a run will bring, and writes nothing."""
    index(attested=True).seed(up, "1")
    wanted = options("linux/amd64", "linux/arm64")
    before = registry.dump()
    planned = json.loads(sync(source, registry, *wanted, "--dry-run", "--json").out)
    assert registry.dump() == before
    done = json.loads(sync(source, registry, *wanted, "--json").out)
    assert planned == {**done, "dry_run": True}
    assert (done["manifests"], done["digest"]) == (5, resolve(source, "linux/amd64", "linux/arm64"))


def test_digest_of_the_source(source: EmbeddedRegistry, registry: EmbeddedRegistry, up: Repository) -> None:
    """With platforms, --digest is the digest of the whole image at the source, wherever its tag points by now."""
    planned = index("planned")
    planned.seed(up, "1")
    expected = resolve(source, "linux/amd64", "linux/arm64")
    index("newer").seed(up, "1")
    finished = sync(source, registry, *options("linux/amd64", "linux/arm64"), "--digest", planned.digest)
    assert finished.code == 0, finished.err
    assert registry.repository("team/app").tags == {"1": expected}


@pytest.mark.parametrize("wanted", [["linux/arm64"], ["linux/arm64", "linux/amd64"]])
def test_same_repository(registry: EmbeddedRegistry, down: Repository, wanted: list[str]) -> None:
    """A tag beside the source's is written without moving a blob."""
    index().seed(down, "1")
    finished = imagesync("sync", f"{registry.host}/team/app:1", f"{registry.host}/team/app:2", *options(*wanted))
    assert finished.code == 0, finished.err
    assert holds_all(down, down.tags["2"])
    assert not any("/blobs/" in request.path for request in registry.requests)


def test_same_tag(registry: EmbeddedRegistry, down: Repository, tmp_path: Path) -> None:
    """An image may be cut down in its place, in a registry and in a layout."""
    made = index(attested=True)
    made.seed(down, "1")
    layout = f"oci:{made.write_layout(tmp_path / 'layout', '1')}:1"
    ids = set()
    for place in (f"{registry.host}/team/app:1", layout):
        finished = imagesync("sync", place, place, *options("linux/arm64", "linux/amd64"))
        assert finished.code == 0, finished.err
        ids.add(finished.out.strip().partition("@")[2])
        assert "is in sync with" in imagesync("sync", place, place, *options("linux/arm64", "linux/amd64")).err
    assert ids == {down.tags["1"]}
    assert down.manifests[down.tags["1"]].children == parts(made, 0, 1, 6, 7)


def test_same_repository_without_a_child(registry: EmbeddedRegistry, down: Repository) -> None:
    """No index is written that lists what is not there, although the source's own does."""
    made = index()
    made.seed(down, "1")
    del down.manifests[made.children[1]]
    wanted = options("linux/amd64", "linux/arm64")
    finished = imagesync("sync", f"{registry.host}/team/app:1", f"{registry.host}/team/app:2", *wanted)
    assert finished.code == 3
    assert made.children[1] in finished.err
    assert set(down.tags) == {"1"}


def with_config(content: bytes) -> Image:
    config = describe(OCI_CONFIG, content)
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": []}
    root = Manifest(OCI_MANIFEST, to_json(manifest))
    return Image(root, {root.digest: root}, {digest_of(content): content})


@pytest.mark.parametrize("content", [b"{", b"[]", b"[" * 100_000, b'{"os": 1, "architecture": {}}'])
def test_foreign_config(source: EmbeddedRegistry, up: Repository, content: bytes) -> None:
    """A config that makes no sense tells no platform."""
    with_config(content).seed(up, "1")
    finished = imagesync("resolve", f"{source.host}/up/app:1", *options("linux/amd64"))
    assert finished.code == 3, finished.err
    assert "has no platform" in finished.err


def test_endless_config(source: EmbeddedRegistry, up: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """A config that is longer than any real one is not read."""
    monkeypatch.setattr(choose_platforms, "_MOST_CONFIG_BYTES", 256)
    with_config(b" " * 257).seed(up, "1")
    source.clear_requests()
    finished = imagesync("resolve", f"{source.host}/up/app:1", *options("linux/amd64"))
    assert finished.code == 6, finished.err
    assert "its config is longer than 256 bytes" in finished.err
    assert len(source.requests) == 1


def test_index_that_cannot_be_written_again(source: EmbeddedRegistry, up: Repository) -> None:
    """An index with a number that Python cannot write is not written anew; whole it may still be copied."""
    made = index()
    content = made.root.content.replace(b'"schemaVersion"', b'"x": 1e999, "schemaVersion"')
    root = Manifest(made.root.media_type, content)
    Image(root, {**made.manifests, root.digest: root}, made.blobs).seed(up, "1")
    finished = imagesync("resolve", f"{source.host}/up/app:1", *options("linux/amd64", "linux/arm64"))
    assert finished.code == 6
    assert f"index {root.digest} cannot be written again" in finished.err
    assert resolve(source, "linux/amd64") == made.children[0]


def test_what_makes_no_sense(source: EmbeddedRegistry, up: Repository) -> None:
    """Foreign annotations and platforms of any type are no accident."""
    strange: list[dict[str, Any]] = [
        {"platform": []},
        {"platform": {"os": ["linux"]}},
        {"annotations": 1, "platform": platform_of("unknown/unknown")},
        {"annotations": {"vnd.docker.reference.digest": [1], "vnd.docker.reference.type": {}}},
    ]
    good = image("good", platform="linux/arm64")
    made = listing(
        [*((image(n), said) for n, said in enumerate(strange)), (good, {"platform": platform_of("linux/arm64")})]
    )
    made.seed(up, "1")
    assert resolve(source, "linux/arm64") == good.digest
    assert imagesync("resolve", f"{source.host}/up/app:1", *options("linux/arm64", "linux/amd64")).code == 0


def test_layout(tmp_path: Path, source: EmbeddedRegistry, up: Repository) -> None:
    """From a registry into a layout and on from there, the same choice stays the same digest."""
    index(attested=True).seed(up, "1")
    wanted = options("linux/amd64", "linux/arm64")
    expected = resolve(source, "linux/amd64", "linux/arm64")
    first, second = f"oci:{tmp_path}/a:1", f"oci:{tmp_path}/b:1"
    for one, other in ((f"{source.host}/up/app:1", first), (first, second)):
        finished = imagesync("sync", one, other, *wanted)
        assert finished.out.strip().endswith(f"@{expected}"), finished.err


def test_json(source: EmbeddedRegistry, up: Repository) -> None:
    """resolve --json tells what would arrive and the digest of the whole image that it is chosen from."""
    made = index()
    made.seed(up, "1")
    finished = imagesync("resolve", "--json", f"{source.host}/up/app:1", *options("linux/arm64"))
    assert json.loads(finished.out) == [
        {
            "reference": f"{source.host}/up/app:1",
            "id": f"{source.host}/up/app@{made.children[1]}",
            "digest": made.children[1],
            "source_digest": made.digest,
            "media_type": OCI_MANIFEST,
            "size": len(made.manifests[made.children[1]].content),
        }
    ]


@pytest.mark.parametrize("name", ["linux", "amd64", "linux/amd64,linux/arm64", ""])
def test_wrong_name(name: str) -> None:
    """A platform that is none is bad usage, before anything is asked."""
    finished = imagesync("resolve", "127.0.0.1:1/app:1", "--platform", name)
    assert finished.code == 2
    assert f"{name!r} is not a platform" in finished.err

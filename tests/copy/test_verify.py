"""sync --verify: what the destination lacks or holds wrongly is sent again, or it is an error that says so."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import peers
from tests.command import Finished, imagesync
from tests.embedded_registry import EmbeddedRegistry, Fault, Request
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.state import Repository
from tests.look.test_check import ATTESTED, SHARED

# Everything below the tag: each of these is taken away, and must come back.
PARTS = sorted({*ATTESTED.manifests, *ATTESTED.blobs} - {ATTESTED.digest})
SEEDS = range(100)


@pytest.fixture
def source() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry() as running:
        ATTESTED.seed(running.repository("up/app"), "1")
        yield running


def part(seed: int) -> str:
    return random.Random(seed).choice(PARTS)  # noqa: S311 - the same parts every time


def sync(source: EmbeddedRegistry, destination: str, *options: str) -> Finished:
    return imagesync("sync", f"{source.host}/up/app:1", destination, *options)


def check(source: EmbeddedRegistry, destination: str, *options: str) -> Finished:
    return imagesync("check", f"{source.host}/up/app:1", destination, *options)


def test_one_part_lost(source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository) -> None:
    """check --deep names whichever one part is deleted, and sync --verify brings it back, 100 times of 100."""
    destination = f"{registry.host}/team/app:1"
    for seed in SEEDS:
        ATTESTED.seed(down, "1")
        lost = part(seed)
        down.manifests.pop(lost, None)
        down.blobs.pop(lost, None)
        found = check(source, destination, "--deep")
        assert (found.code, lost in found.out) == (8, True), (seed, lost, found)
        mended = sync(source, destination, "--verify")
        assert mended.code == 0, (seed, lost, mended)
        assert (down.manifests, down.blobs) == (ATTESTED.manifests, ATTESTED.blobs), (seed, lost)


@pytest.mark.parametrize("fixture", ["docker_registry", "distribution_v3"])
def test_one_part_lost_in_a_real_registry(
    source: EmbeddedRegistry, request: pytest.FixtureRequest, repository_name: str, fixture: str
) -> None:
    """The same on distribution 2.8 and 3, where the part is deleted through their API."""
    host = request.getfixturevalue(fixture)
    destination = f"{host}/{repository_name}:1"
    assert sync(source, destination).code == 0
    for seed in range(12):
        lost = part(seed)
        kind = "manifests" if lost in ATTESTED.manifests else "blobs"
        httpx.delete(f"http://{host}/v2/{repository_name}/{kind}/{lost}", timeout=60).raise_for_status()
        found = check(source, destination, "--deep")
        assert (found.code, lost in found.out) == (8, True), (seed, lost, found)
        mended = sync(source, destination, "--verify")
        assert mended.code == 0, (seed, lost, mended)
        assert check(source, destination, "--read").code == 0


def test_all_is_lost_but_the_index(source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository) -> None:
    """What lies below a lost manifest is looked at too, and comes back in the same run; --dry-run says so before."""
    destination = f"{registry.host}/team/app:1"
    ATTESTED.seed(down, "1")
    kept = ATTESTED.manifests[ATTESTED.digest]
    down.manifests = {kept.digest: kept}
    down.blobs.clear()
    before = registry.dump()
    planned = json.loads(sync(source, destination, "--verify", "--dry-run", "--json").out)
    assert registry.dump() == before
    done = json.loads(sync(source, destination, "--verify", "--json").out)
    assert planned == {**done, "dry_run": True}
    assert (done["changed"], done["manifests"], done["blobs"]) == (True, 12, {"sent": 26})
    assert {each["digest"] for each in done["damage"]} == set(PARTS)
    assert (down.manifests, down.blobs) == (ATTESTED.manifests, ATTESTED.blobs)


def test_nothing_lost(source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository) -> None:
    """Where all is well nothing is written and nothing is read from the source."""
    ATTESTED.seed(down, "1")
    finished = sync(source, f"{registry.host}/team/app:1", "--verify")
    assert "is in sync with" in finished.err
    assert Counter(request.method for request in registry.requests) == {"HEAD": 1 + 26, "GET": 13}
    assert [str(request) for request in source.requests] == ["HEAD /v2/up/app/manifests/1"]


def test_children_that_are_there_are_not_trusted(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository
) -> None:
    """Where the tag is another image, a child that is there is looked at before the tag moves, with --verify alone."""
    for option, whole in (("--quiet", False), ("--verify", True)):
        ATTESTED.seed(down)
        del down.manifests[ATTESTED.digest]
        down.tags["1"] = ATTESTED.children[0]
        del down.blobs[SHARED]
        without: list[bool] = []
        registry.fault = lambda _, seen=without: seen.append(
            down.tags["1"] == ATTESTED.digest and SHARED not in down.blobs
        )
        assert sync(source, f"{registry.host}/team/app:1", option).code == 0
        assert down.tags == {"1": ATTESTED.digest}
        assert (SHARED in down.blobs) is whole
        assert not whole or not any(without)


def test_without_verify(source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository) -> None:
    """A tag that matches is trusted as long as nobody asks for more."""
    ATTESTED.seed(down, "1")
    del down.blobs[SHARED]
    assert sync(source, f"{registry.host}/team/app:1").code == 0
    assert SHARED not in down.blobs


def test_wrong_content(source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository) -> None:
    """A blob of the wrong size is replaced by --verify, one with other bytes by --read."""
    destination = f"{registry.host}/team/app:1"
    for wrong, option in ((b"short", "--verify"), (bytes(len(ATTESTED.blobs[SHARED])), "--read")):
        ATTESTED.seed(down, "1")
        down.blobs[SHARED] = wrong
        assert sync(source, destination, option).code == 0
        assert down.blobs == ATTESTED.blobs


def test_layout(source: EmbeddedRegistry, tmp_path: Path) -> None:
    """In a layout folder too, missing files come back and wrong ones are replaced."""
    folder = ATTESTED.write_layout(tmp_path / "layout", "1")
    whole = {path: path.read_bytes() for path in (folder / "blobs").rglob("*") if path.is_file()}
    gone, short, flipped, child = (
        folder / "blobs" / "sha256" / digest.removeprefix("sha256:")
        for digest in (*list(ATTESTED.blobs)[:3], ATTESTED.children[2])
    )
    gone.unlink()
    short.write_bytes(b"short")
    flipped.write_bytes(bytes(len(whole[flipped])))
    child.write_bytes(b"{}")
    assert sync(source, f"oci:{folder}:1", "--read").code == 0
    assert {path: path.read_bytes() for path in whole} == whole


def test_chosen_platforms(source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository) -> None:
    """An index that was made of chosen platforms comes back too, though the source has no such index."""
    destination, options = f"{registry.host}/team/app:1", ("--platform", "linux/amd64", "--platform", "linux/arm64")
    assert sync(source, destination, *options).code == 0
    assert check(source, destination).code == 8
    assert check(source, destination, "--read", *options).code == 0
    before = dict(down.manifests)
    content = before[down.tags["1"]].content

    def damage(asked: Request) -> Fault | None:
        """The tag still answers, its manifest is gone until it is written again."""
        if asked.method == "PUT":
            registry.fault = None
        gone = asked.method == "GET" and asked.path.endswith(down.tags["1"])
        return refusal(404, "MANIFEST_UNKNOWN") if gone else None

    registry.fault = damage
    assert check(source, destination, "--deep", *options).code == 8
    assert sync(source, destination, "--verify", *options).code == 0
    assert (down.manifests, before[down.tags["1"]].content) == (before, content)
    assert check(source, destination, "--deep", *options).code == 0


def test_another_tag_in_the_same_repository(registry: EmbeddedRegistry, down: Repository) -> None:
    """A second tag is put on an image only when all of it is there, if that is to be verified."""
    ATTESTED.seed(down, "1")
    images = (f"{registry.host}/team/app:1", f"{registry.host}/team/app:2")
    assert imagesync("sync", *images, "--verify").code == 0
    del down.tags["2"]
    del down.blobs[SHARED]
    assert imagesync("sync", *images, "--verify").code == 3
    assert set(down.tags) == {"1"}


def test_source_that_lacks_it_too(source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository) -> None:
    """What the source does not have either cannot be mended: the error says which side lacks what."""
    ATTESTED.seed(down, "1")
    del down.blobs[SHARED]
    del source.repository("up/app").blobs[SHARED]
    finished = sync(source, f"{registry.host}/team/app:1", "--verify")
    assert (finished.code, f"reading blob {SHARED} from {source.host}/up/app" in finished.err) == (3, True)


@pytest.fixture(params=["docker-registry", "distribution 3"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A real registry of its own, and the folder where it keeps the bytes of blobs and manifests."""
    start = peers.docker_registry if request.param == "docker-registry" else peers.distribution_v3
    with start(tmp_path) as host:
        yield host, tmp_path / "storage" / "docker" / "registry" / "v2" / "blobs" / "sha256"


def file_of(storage: Path, digest: str) -> Path:
    encoded = digest.removeprefix("sha256:")
    return storage / encoded[:2] / encoded / "data"


def test_damage_in_storage(source: EmbeddedRegistry, stored: tuple[str, Path]) -> None:
    """distribution writes a file again that is gone from its storage, and keeps one that is wrong: an error says so."""
    host, storage = stored
    destination = f"{host}/team/app:1"
    assert sync(source, destination).code == 0
    for digest in (SHARED, ATTESTED.children[1]):
        file_of(storage, digest).unlink()
        assert digest in check(source, destination, "--deep").out
        assert sync(source, destination, "--verify").code == 0
        assert check(source, destination, "--read").code == 0

    file, content = file_of(storage, SHARED), ATTESTED.blobs[SHARED]
    flipped = content[:200] + bytes([content[200] ^ 1]) + content[201:]
    for wrong, option in ((content[:100], "--deep"), (flipped, "--read")):
        file.write_bytes(wrong)
        found = check(source, destination, option)
        assert (found.code, f"wrong: blob {SHARED} of linux/amd64" in found.out) == (8, True), found
        kept = sync(source, destination, "--verify" if option == "--deep" else option)
        assert (kept.code, f"wrong: blob {SHARED}" in kept.err, "remove that file from its storage" in kept.err) == (
            6,
            True,
            True,
        )
        file.unlink()  # the way out that the message names
        assert sync(source, destination, "--verify").code == 0
        assert check(source, destination, "--read").code == 0

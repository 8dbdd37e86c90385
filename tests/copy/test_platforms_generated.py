"""Two hundred made-up indexes: what `resolve --platform` names is what arrives, whole, by registry and by layout."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagesync_cli.values.platforms import nearness, parse_platform
from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import (
    Descriptor,
    Image,
    about,
    attestation,
    image,
    index,
    listing,
    platform_of,
    referrer,
)
from tests.embedded_registry.state import Repository

NAMES = (
    "linux/amd64",
    "linux/amd64/v3",
    "linux/arm64",
    "linux/arm64/v8",
    "linux/arm64/v9.1",
    "linux/arm/v6",
    "linux/arm/v7",
    "linux/s390x",
    "windows(10.0.17763.5830)/amd64",
    "windows(10.0.20348.2461)/amd64",
)
WANTED = (*NAMES, "linux/arm", "windows/amd64", "windows(10.0.20348)/amd64", "linux/amd64/v4")
IMAGES = {name: image(name, layer_size_bytes=8, platform=name) for name in NAMES}
PARTS: dict[str, dict[str, tuple[Image, Descriptor]]] = {
    "platform": {name: (made, {"platform": platform_of(name)}) for name, made in IMAGES.items()},
    "config": {name: (made, {}) for name, made in IMAGES.items()},
    "index": {name: (index(name, platforms=(name,)), {"platform": platform_of(name)}) for name in NAMES},
    "artifact": {name: (referrer(image(name), seed=name), {}) for name in NAMES},
}
_numbers = itertools.count()


@st.composite
def made_up(draw: st.DrawFn) -> tuple[Image, list[str]]:
    """An index of a few parts of any kind and of attestations about them, in any order; and what is wanted of it.

    As a rule that is there; one time in ten it is whatever comes.
    """
    kinds = st.sampled_from(["platform", *sorted(PARTS)])
    keys = draw(st.lists(st.tuples(kinds, st.sampled_from(NAMES)), min_size=1, max_size=9))
    parts = [PARTS[kind][name] for kind, name in keys]
    attested = draw(st.lists(st.sampled_from([part for part, _ in parts]), max_size=3))
    parts += [(attestation(part.digest), about(part)) for part in attested]
    members: dict[str, Any] = draw(
        st.fixed_dictionaries({}, optional={"annotations": st.dictionaries(st.text(), st.text())})
    )
    made = listing(draw(st.permutations(parts)), docker=draw(st.booleans()), **members)
    there = [parse_platform(name) for kind, name in keys if kind != "artifact"]
    likely = [name for name in WANTED if any(nearness(parse_platform(name), platform) for platform in there)]
    pool = likely if likely and draw(st.integers(0, 9)) > 0 else list(WANTED)
    return made, draw(st.lists(st.sampled_from(pool), min_size=1, max_size=4, unique=True))


@pytest.fixture(scope="module")
def source() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry() as running:
        yield running


@pytest.fixture(scope="module")
def destination() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry() as running:
        yield running


def arrived(digest: str, repository: Repository) -> None:
    """Fail for anything that this manifest reaches and the repository lacks."""
    manifest = repository.manifests[digest]
    assert repository.blobs.keys() >= set(manifest.blobs)
    for child in manifest.children:
        arrived(child, repository)


def is_chosen(made: Image, digest: str, repository: Repository, count: int) -> None:
    """Fail for an index that is not a part of the made one, in its order, with every attestation about its entries."""
    if count == 1:
        assert digest in made.children
        return
    before, after = (json.loads(content) for content in (made.root.content, repository.manifests[digest].content))
    assert {**before, "manifests": []} == {**after, "manifests": []}
    rest = iter(before["manifests"])
    assert all(entry in rest for entry in after["manifests"])
    kept = {entry["digest"] for entry in after["manifests"]}
    for entry in before["manifests"]:
        subject = entry.get("annotations", {}).get("vnd.docker.reference.digest")
        assert subject is None or (entry in after["manifests"]) == (subject in kept)


@settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(made_up())
def test_what_is_named_is_what_arrives(
    source: EmbeddedRegistry,
    destination: EmbeddedRegistry,
    tmp_path_factory: pytest.TempPathFactory,
    question: tuple[Image, list[str]],
) -> None:
    """The digest that is told beforehand is the one that arrives, now and again, by registry and by layout."""
    made, wanted = question
    name = f"app-{next(_numbers)}"
    made.seed(source.repository(name), "1")
    up, down = f"{source.host}/{name}:1", f"{destination.host}/{name}"
    options = [option for platform in wanted for option in ("--platform", platform)]
    told = imagesync("resolve", up, *options)
    if told.code:
        assert (told.code, imagesync("sync", up, f"{down}:1", *options).code) == (3, 3)
        assert destination.repository(name).manifests == {}
        return
    digest = told.out.strip().partition("@")[2]
    layout = f"oci:{tmp_path_factory.getbasetemp() / name}:1"
    for one, other in ((up, f"{down}:1"), (up, layout), (layout, f"{down}/again:1")):
        finished = imagesync("sync", one, other, *(() if one == layout else options))
        assert finished.out.strip().endswith(f"@{digest}"), finished.err
    assert "is in sync with" in imagesync("sync", up, f"{down}:1", *options).err
    assert "is in sync with" in imagesync("sync", up, layout, *options).err
    count = len(set(map(parse_platform, wanted)))
    for repository in (destination.repository(name), destination.repository(f"{name}/again")):
        assert repository.tags == {"1": digest}
        arrived(digest, repository)
        is_chosen(made, digest, repository, count)
    if count > 1:  # from what was chosen, the same choice takes all
        assert imagesync("resolve", f"{down}:1", *options).out.strip().endswith(f"@{digest}")
    folder = tmp_path_factory.mktemp("whole") / "layout"
    whole = made.write_layout(folder, "1")
    assert imagesync("resolve", f"oci:{whole}:1", *options).out.strip().endswith(f"@{digest}")


def test_the_generated_indexes_are_of_every_kind() -> None:
    """The parts that indexes are made of differ, so that none stands for another."""
    roots = [part.digest for kind in ("platform", "index", "artifact") for part, _ in PARTS[kind].values()]
    assert len(set(roots)) == len(roots)

"""What becomes of the image that a tag has: replaced, kept from being replaced, or kept under a tag of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.command import Finished, imagesync
from tests.embedded_registry import MANNERS, EmbeddedRegistry, Fault, Request
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import Image, image, index, referrer
from tests.embedded_registry.manner import Refusal
from tests.embedded_registry.state import Repository

OLD, NEW, FOREIGN = image("old"), image("new"), image("foreign")
TEMPLATE = "{tag}-{date}-{digest}"


@pytest.fixture
def source() -> Iterator[EmbeddedRegistry]:
    """A registry whose tag 1 has moved from one image to another."""
    with EmbeddedRegistry() as running:
        OLD.seed(running.repository("up/app"))
        NEW.seed(running.repository("up/app"), "1")
        yield running


def sync(source: EmbeddedRegistry, registry: EmbeddedRegistry, *options: str, wanted: str = ":1") -> Finished:
    return imagesync("sync", f"{source.host}/up/app{wanted}", f"{registry.host}/team/app:1", *options)


IMMUTABLE = {
    "ECR": MANNERS["distribution-3"],
    "Harbor": MANNERS["harbor"],
    "Quay": replace(MANNERS["distribution-3"], tag_immutable=Refusal(409, "TAG_IMMUTABLE", "The tag %s is immutable")),
    "with 403": replace(MANNERS["distribution-3"], tag_immutable=Refusal(403, "DENIED", "Immutable tag %s")),
}


@pytest.mark.parametrize("manner", IMMUTABLE)
def test_a_registry_that_keeps_its_tags(manner: str, source: EmbeddedRegistry) -> None:
    """Whatever code a registry says it by, an immutable tag is told as one, with the way out, and stays."""
    with EmbeddedRegistry(replace(IMMUTABLE[manner], immutable_tags=True)) as registry:
        there = registry.repository("team/app")
        OLD.seed(there, "1")
        done = sync(source, registry)
        assert done.code == 7
        assert "the tag is immutable at the registry" in done.err
        assert "overwrite = never" in done.err
        assert there.tags == {"1": OLD.digest}


def kept_tags(repository: Repository, tag: str = "1") -> dict[str, str]:
    """The tags that keep old images, oldest first."""
    return {name: digest for name, digest in sorted(repository.tags.items()) if name.startswith(f"{tag}-")}


@pytest.mark.parametrize(
    "case",
    [
        (OLD, "always", True),
        (FOREIGN, "always", True),
        (OLD, "ours", True),
        (FOREIGN, "ours", False),
        (OLD, "never", False),
        (OLD, OLD.digest, True),
        (FOREIGN, OLD.digest, False),
        (NEW, "never", True),  # it is there already
    ],
)
@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_what_may_be_replaced(
    case: tuple[Image, str, bool],
    more: tuple[str, ...],
    source: EmbeddedRegistry,
    registry: EmbeddedRegistry,
    down: Repository,
) -> None:
    """An image that is not to be replaced stays, nothing is written, and the error says which and why."""
    there, overwrite, is_replaced = case
    there.seed(down, "1")
    before = registry.dump()
    done = sync(source, registry, "--overwrite", overwrite, *more)
    if is_replaced:
        assert done.code == 0
        assert down.tags["1"] == (there if more else NEW).digest
    else:
        assert done.code == 7
        assert f"{registry.host}/team/app:1 has another image already, {there.digest}" in done.err
        assert "overwrite = always" in done.err
        assert registry.dump() == before


@pytest.mark.parametrize("overwrite", ["ours", "never", OLD.digest])
def test_a_tag_that_is_not_there_is_no_image_to_keep(
    overwrite: str, source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository
) -> None:
    """A first copy is the same for all of them."""
    assert sync(source, registry, "--overwrite", overwrite).code == 0
    assert down.tags["1"] == NEW.digest


def test_ours_knows_an_index_of_chosen_platforms(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository
) -> None:
    """An index that was made here of the source's images is ours, although the source does not have it."""
    platforms = ("linux/amd64", "linux/arm64", "linux/s390x")
    first, second = (index(name, platforms=platforms) for name in ("first", "second"))
    first.seed(source.repository("up/app"), "1")
    chosen = ("--platform", platforms[0], "--platform", platforms[1], "--overwrite", "ours")
    assert sync(source, registry, *chosen).code == 0
    made = down.tags["1"]
    assert made not in source.repository("up/app").manifests
    second.seed(source.repository("up/app"), "1")
    assert sync(source, registry, *chosen).code == 0
    assert down.tags["1"] != made


@pytest.mark.parametrize("manner", [*MANNERS])
def test_the_old_image_gets_a_tag_before_the_new_one_comes(
    manner: str, source: EmbeddedRegistry, down: Repository
) -> None:
    """An image that is replaced stays whole under a tag that tells what it was, on every kind of registry."""
    with EmbeddedRegistry(MANNERS[manner]) as registry:
        there = registry.repository("team/app")
        OLD.seed(there, "1")
        registry.clear_requests()
        done = sync(source, registry, "--keep-as", TEMPLATE, "--json")
        assert done.code == 0, done.err
        ((tag, digest),) = kept_tags(there).items()
        assert digest == OLD.digest
        assert tag == json.loads(done.out)["kept_as"]
        assert tag.endswith(OLD.digest.removeprefix("sha256:")[:12])
        assert there.tags["1"] == NEW.digest
        assert OLD.digest in there.manifests
        written = [
            each.path.rpartition("/")[2]
            for each in registry.requests
            if each.method == "PUT" and "/manifests/" in each.path
        ]
        assert written[-2:] == [tag, "1"]
        registry.clear_requests()
        assert sync(source, registry, "--keep-as", TEMPLATE).code == 0
        assert "PUT" not in {each.method for each in registry.requests}


def test_the_last_old_images_stay_and_others_go(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository
) -> None:
    """keep_last is a number of images; tags that somebody else has made stay, whatever they are called."""
    options = ("--keep-as", TEMPLATE, "--keep-last", "2")
    images = [image(f"version {number}") for number in range(5)]
    FOREIGN.seed(down, "1-20200101T000000Z-0123456789ab", "2-20200101T000000Z-0123456789ab", "other")
    with pytest.MonkeyPatch.context() as patch:
        for number, each in enumerate(images):
            each.seed(source.repository("up/app"), "1")
            at_hour(patch, number)
            assert sync(source, registry, *options).code == 0
    kept = {tag: digest for tag, digest in kept_tags(down).items() if digest != FOREIGN.digest}
    assert [*kept.values()] == [images[2].digest, images[3].digest]
    assert {images[0].digest, images[1].digest}.isdisjoint(down.manifests)
    assert [*down.tags.values()].count(FOREIGN.digest) == 3
    assert down.tags["1"] == images[4].digest


@pytest.mark.parametrize(("hours", "kept"), [((1, 1, 1), (0, 1, 2)), ((1, 2, 2), (1, 2)), ((1, 1, 2), (2,))])
def test_of_old_images_of_one_second_none_is_taken_for_the_older(
    hours: tuple[int, ...],
    kept: tuple[int, ...],
    source: EmbeddedRegistry,
    registry: EmbeddedRegistry,
    down: Repository,
) -> None:
    """Their tags tell the second in which they were replaced, and no order: they stay together, and go together."""
    OLD.seed(down, "1")
    images = [OLD, *(image(f"version {number}") for number in range(len(hours)))]
    with pytest.MonkeyPatch.context() as patch:
        for hour, each in zip(hours, images[1:], strict=True):
            each.seed(source.repository("up/app"), "1")
            at_hour(patch, hour)
            assert sync(source, registry, "--keep-as", TEMPLATE, "--keep-last", "1").code == 0
    assert {*kept_tags(down).values()} == {images[number].digest for number in kept}


@pytest.mark.parametrize("by_file", [False, True])
def test_an_old_image_goes_with_its_signatures(
    by_file: bool, source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository, tmp_path: Path
) -> None:
    """Where referrers are copied, keep_last removes those of an old image too, and the image does not stay for them."""
    images = [image(f"version {number}") for number in range(3)]
    upstream = source.repository("up/app")
    entry = {"source": f"{source.host}/up/app:1", "destination": f"{registry.host}/team/app:1", "referrers": True}
    options = ("--keep-as", TEMPLATE, "--keep-last", "1")
    with pytest.MonkeyPatch.context() as patch:
        for hour, each in enumerate(images):
            each.seed(upstream, "1")
            referrer(each).seed(upstream)
            at_hour(patch, hour)
            done = (
                batch(tmp_path, entry, options=options) if by_file else sync(source, registry, "--referrers", *options)
            )
            assert done.code == 0, done.err
    assert down.manifests.keys() == {each.digest for image in images[1:] for each in (image, referrer(image))}


@pytest.mark.parametrize("by_file", [False, True])
def test_an_old_image_that_cannot_be_removed(
    by_file: bool, source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository, tmp_path: Path
) -> None:
    """The error says that the copy is done, and the new image is there."""
    OLD.seed(down, "1")
    registry.fault = lambda request: refusal(403) if request.method == "DELETE" else None
    options = ("--keep-as", TEMPLATE, "--keep-last", "0")
    entry = {"source": f"{source.host}/up/app:1", "destination": f"{registry.host}/team/app:1"}
    done = batch(tmp_path, entry, options=options) if by_file else sync(source, registry, *options)
    assert done.code == 4
    (kept,) = kept_tags(down)
    assert f"removing the tag {registry.host}/team/app:{kept}" in done.err
    assert f"{registry.host}/team/app:1 is copied; only an old image could not be removed" in done.err
    assert down.tags["1"] == NEW.digest


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_going_back_copies_nothing_and_keeps_what_it_comes_from(
    host: str, source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository
) -> None:
    """A rollback is a sync from the tag that kept the image; that tag stays as long as it is the source."""
    OLD.seed(down, "1")
    options = ("--keep-as", TEMPLATE, "--keep-last", "0")
    assert sync(source, registry, "--keep-as", TEMPLATE).code == 0
    (kept,) = kept_tags(down)
    registry.clear_requests()
    name = f"{registry.host}/team/app"
    spelled = name.replace("127.0.0.1", host)
    assert imagesync("sync", f"{spelled}:{kept}", f"{name}:1", *options).code == 0
    assert down.tags == {"1": OLD.digest, kept: OLD.digest}
    sent = [each for each in registry.requests if each.method in ("POST", "PATCH") and "mount" not in each.query]
    assert sent == []


def test_what_the_file_names_stays(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository, tmp_path: Path
) -> None:
    """keep_last removes no image that an entry copies from by its digest, and no tag that an entry fills."""
    upstream = source.repository("up/app")
    first, second, *later = (image(f"version {number}") for number in range(4))
    moving = {"source": f"{source.host}/up/app:1", "destination": f"{registry.host}/team/app:1", "keep_as": TEMPLATE}
    for each in (first, second, later[0]):
        each.seed(upstream, "1")
        assert batch(tmp_path, moving).code == 0
    pinned = {"source": f"{registry.host}/team/app@{first.digest}", "destination": f"{registry.host}/team/other:1"}
    (filled,) = (tag for tag, digest in kept_tags(down).items() if digest == second.digest)
    second.seed(upstream, "2")
    held = {"source": f"{source.host}/up/app:2", "destination": f"{registry.host}/team/app:{filled}"}
    later[1].seed(upstream, "1")
    assert batch(tmp_path, {**moving, "keep_last": 0}, pinned, held).code == 0
    assert {*kept_tags(down).values()} == {first.digest, second.digest}
    assert down.manifests.keys() >= {first.digest, second.digest}
    assert later[0].digest not in down.manifests


def test_an_index_stays_for_what_the_file_reads_of_it(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository, tmp_path: Path
) -> None:
    """keep_last removes no old index of which an entry copies one platform by its digest."""
    old = index("old")
    child = json.loads(old.root.content)["manifests"][0]["digest"]
    old.seed(down, "1")
    moving = {"source": f"{source.host}/up/app:1", "destination": f"{registry.host}/team/app:1"}
    assert batch(tmp_path, {**moving, "keep_as": TEMPLATE}).code == 0
    FOREIGN.seed(down, "1")
    onward = {"source": f"{registry.host}/team/app@{child}", "destination": f"{registry.host}/team/onward:1"}
    finished = batch(tmp_path, {**moving, "keep_as": TEMPLATE, "keep_last": 0}, onward)
    assert finished.code == 0, finished.err
    assert [*kept_tags(down).values()] == [old.digest]
    assert child in down.manifests


@pytest.mark.parametrize("onward", ["team/app", "team/**"])
def test_keep_last_waits_until_it_is_known_what_the_file_reads(
    onward: str, source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository, tmp_path: Path
) -> None:
    """While an entry's tags, or a folder's repositories, cannot be listed, no old image goes that it may copy from."""
    OLD.seed(down, "1")
    moving = {"source": f"{source.host}/up/app:1", "destination": f"{registry.host}/team/app:1", "keep_as": TEMPLATE}
    assert batch(tmp_path, moving).code == 0
    FOREIGN.seed(down, "1")
    reader = {"source": f"{registry.host}/{onward}", "destination": f"{source.host}/onward", "tags": ["1-*"]}
    unanswered = iter([True])

    def once(request: Request) -> Fault | None:
        is_list = request.path.endswith(("/tags/list", "/_catalog"))
        return refusal(403) if is_list and next(unanswered, False) else None

    registry.fault = once
    finished = batch(tmp_path, {**moving, "keep_last": 0}, reader)
    assert finished.code == 4, finished.err
    assert {*kept_tags(down).values()} == {OLD.digest, FOREIGN.digest}
    assert down.tags["1"] == NEW.digest
    assert "keep_last removes nothing" in finished.err
    assert batch(tmp_path, {**moving, "keep_last": 0}, {**reader, "tags": ["1"]}).code == 0


def test_prune_leaves_what_the_option_keeps(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository, tmp_path: Path
) -> None:
    """--keep-as holds for entries that do not say it, for prune as well: an old image outlives later runs."""
    ruled = {"source": f"{source.host}/up/app", "destination": f"{registry.host}/team/app", "prune": True}
    FOREIGN.seed(down, "1")
    for _ in range(2):
        options = ("--keep-as", TEMPLATE, "--max-removals", "9")
        assert batch(tmp_path, {**ruled, "tags": ["*"]}, options=options).code == 0
        assert [*kept_tags(down).values()] == [FOREIGN.digest]


def at_hour(patch: pytest.MonkeyPatch, hour: int) -> None:
    """Let syncs take it for this hour of a day."""
    import datetime as module

    class Clock(module.datetime):
        @classmethod
        def now(cls, tz: module.tzinfo | None = None) -> Clock:
            return cls(2026, 11, 30, hour, tzinfo=tz)

    patch.setattr("imagesync_cli.copy.sync.datetime", Clock)


@pytest.mark.parametrize(
    "options",
    [
        ("--overwrite", "sometimes"),
        ("--overwrite", "sha256:1"),
        ("--keep-as", "{tag}-{date}"),
        ("--keep-as", "{tag}-{date}-{digest}-{digest}"),
        ("--keep-as", "{tag}/{date}-{digest}"),
        ("--keep-as", "{tag}-{date}-{digest}-{name}"),
        ("--keep-as", "-{tag}-{date}-{digest}"),
        ("--keep-last", "2"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(
    options: tuple[str, str], source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository
) -> None:
    """A slip in an option changes nothing."""
    OLD.seed(down, "1")
    before = registry.dump()
    done = sync(source, registry, *options)
    assert done.code == 2
    assert registry.dump() == before


def test_a_tag_that_becomes_too_long_is_refused(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository
) -> None:
    """Nothing is written where the old image could not be kept."""
    OLD.seed(down, "1")
    done = sync(source, registry, "--keep-as", f"{TEMPLATE}-{'x' * 100}")
    assert done.code == 2
    assert down.tags == {"1": OLD.digest}


def batch(tmp_path: Path, *entries: Mapping[str, object], options: tuple[str, ...] = ()) -> Finished:
    file = tmp_path / "images.yaml"
    file.write_text(json.dumps({"images": entries}))
    return imagesync("sync", "--file", str(file), *options)


def test_a_file_says_it_for_each_entry(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, down: Repository, tmp_path: Path
) -> None:
    """What an entry says goes before what the call says, and prune leaves the tags that keep old images."""
    FOREIGN.seed(down, "1", "2", "3")
    there = {"source": f"{source.host}/up/app:1"}
    done = batch(
        tmp_path,
        {**there, "destination": f"{registry.host}/team/app:1"},
        {**there, "destination": f"{registry.host}/team/app:2", "overwrite": "always", "keep_as": TEMPLATE},
        options=("--overwrite", "never"),
    )
    assert done.code == 7
    assert (down.tags["1"], down.tags["2"]) == (FOREIGN.digest, NEW.digest)
    (kept,) = kept_tags(down, "2")
    ruled = {"source": f"{source.host}/up/app", "destination": f"{registry.host}/team/app", "prune": True}
    NEW.seed(source.repository("up/app"), "2")
    done = batch(tmp_path, {**ruled, "tags": ["*"], "keep_as": TEMPLATE}, options=("--max-removals", "9"))
    assert done.code == 0, done.err
    assert down.tags.keys() == {"1", "2", kept, *kept_tags(down)}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"overwrite": "perhaps"}, "overwrite 'perhaps'"),
        ({"keep_as": "{tag}"}, "keep_as '{tag}'"),
        ({"keep_last": 2}, "keep_last needs keep_as"),
        ({"keep_as": TEMPLATE, "keep_last": "two"}, "keep_last is a whole number"),
    ],
)
def test_a_file_that_is_wrong_says_where(
    wrong: dict[str, object], said: str, source: EmbeddedRegistry, registry: EmbeddedRegistry, tmp_path: Path
) -> None:
    """Each mistake is told with its line."""
    entry = {"source": f"{source.host}/up/app:1", "destination": f"{registry.host}/team/app:1", **wrong}
    done = batch(tmp_path, entry)
    assert done.code == 2
    assert said in done.err

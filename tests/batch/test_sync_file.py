"""sync --file: everything in the file arrives, what is shared is moved once, and one failure is only one."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from imagesync_cli.batch.report import BatchProgress
from imagesync_cli.output.batch import batch_line
from tests.batch.conftest import Bench
from tests.command import imagesync
from tests.embedded_registry import Fault, Request
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import compose, image, index, index_of, random_bytes, tar
from tests.stores.copying import manifest


def layer(*seed: object) -> bytes:
    return tar({"file": (0o644, random_bytes(seed, 4096))})


def test_everything_arrives(bench: Bench) -> None:
    """Each entry's image is at its destination, byte for byte, after one call."""
    made = {f"team/app-{number}": bench.seed(f"team/app-{number}", "1.0") for number in range(20)}
    bench.write(*(bench.entry(name, "1.0") for name in made))
    finished = bench.sync()
    assert finished.code == 0, finished.err
    assert {name: bench.tags(name) for name in made} == {name: {"1.0": image.digest} for name, image in made.items()}
    assert all(bench.there(name).blobs == image.blobs for name, image in made.items())
    assert "20 copied" in finished.err


def test_a_second_run_only_looks(bench: Bench) -> None:
    """Where nothing is missing, each image costs one HEAD on each side and nothing else."""
    for number in range(10):
        bench.seed("app", str(number), index(number))
    bench.write(*(bench.entry("app", str(number)) for number in range(10)))
    assert bench.sync().code == 0
    bench.clear()
    finished = bench.sync()
    assert (finished.code, finished.out) == (0, "")
    assert Counter(line.partition(" ")[0] for line in bench.asked()) == {"HEAD": 20}


def test_a_rerun_does_what_is_missing(bench: Bench) -> None:
    """After a tag at the destination is lost, the next run brings that one and touches no other."""
    for tag in "ab":
        bench.seed("app", tag)
    bench.write(bench.entry("app", "a"), bench.entry("app", "b"))
    bench.sync()
    before = bench.tags("app")
    del bench.there("app").tags["a"]
    bench.clear()
    assert bench.sync().code == 0
    assert bench.tags("app") == before
    assert [line for line in bench.asked() if line.startswith("PUT")] == ["PUT /v2/app/manifests/a"]


def test_a_shared_layer_is_moved_once(bench: Bench) -> None:
    """A layer of several images is read once and sent once; into another repository it is mounted."""
    common, names = layer("common"), [f"team/app-{number}" for number in range(6)]
    images = {name: compose("linux/amd64", [common, layer(name)]) for name in names}
    for name, made in images.items():
        bench.seed(name, "1", made)
    (shared,) = set.intersection(*({*made.blobs} for made in images.values()))
    bench.write(*(bench.entry(name, "1") for name in names))
    finished = bench.sync("--report", str(bench.folder / "report.json"))
    assert finished.code == 0, finished.err
    assert all(bench.there(name).blobs == made.blobs for name, made in images.items())
    assert len([line for line in bench.asked() if line.startswith("GET") and shared in line]) == 1
    report = json.loads((bench.folder / "report.json").read_text())
    size = len(images[names[0]].blobs[shared])
    assert report["totals"]["mounted_bytes"] == size * (len(names) - 1)
    assert report["totals"]["sent_bytes"] == sum(
        map(len, {k: v for i in images.values() for k, v in i.blobs.items()}.values())
    )


def test_tags_of_one_image_are_copied_once(bench: Bench) -> None:
    """Ten tags on one index: its parts are read and written once, whatever the number of tags."""
    made, tags = index(), [f"1.{number}" for number in range(10)]
    for tag in tags:
        bench.seed("app", tag, made)
    bench.write(bench.entry("app", tags=["1.*"]))
    finished = bench.sync()
    assert finished.code == 0, finished.err
    assert bench.tags("app") == dict.fromkeys(tags, made.digest)
    asked = Counter(bench.asked())
    assert [asked[f"GET /v2/app/manifests/{child}"] for child in made.children] == [1] * 6
    assert [asked[f"GET /v2/app/blobs/{blob}"] for blob in made.blobs] == [1] * len(made.blobs)


def test_a_mount_that_is_refused_is_sent(bench: Bench) -> None:
    """Where a registry does not mount, the shared layer is sent again, and everything arrives all the same."""
    common = layer("common")
    for name in ("a", "b"):
        bench.seed(name, "1", compose("linux/amd64", [common, layer(name)]))
    bench.down.fault = lambda request: refusal(405) if "mount" in request.query else None
    bench.write(bench.entry("a", "1"), bench.entry("b", "1"))
    finished = bench.sync()
    assert finished.code == 0, finished.err
    assert all(bench.there(name).blobs == bench.up.repository(name).blobs for name in ("a", "b"))


def test_one_failure_stops_no_other(bench: Bench) -> None:
    """An image that is not there fails by name and reason at the end; the others arrive."""
    bench.seed("good", "1")
    bench.write(bench.entry("bad", "1"), bench.entry("good", "1"))
    finished = bench.sync()
    assert finished.code == 3
    assert f"failed: {bench.up.host}/bad:1" in finished.err
    assert "not found" in finished.err
    assert list(bench.tags("good")) == ["1"]


def test_what_one_cause_keeps_away_is_told_once(bench: Bench) -> None:
    """A login that a registry lacks is a line for all its images; what is the matter with one alone has its own."""
    names = ("a", "b", "ab", "b/a", "c")
    for name in names:
        bench.seed(name, "1")
    del bench.up.repository("c").tags["1"]
    bench.write(*(bench.entry(name, "1") for name in names))
    bench.up.fault = lambda request: None if "/c/" in request.path else refusal(401)
    lines = [line for line in bench.sync().err.splitlines() if "failed: " in line]
    assert len(lines) == 2
    assert f"failed: {bench.up.host}/a:1 to " in lines[0]
    assert lines[0].endswith(f"and 3 more: {', '.join(f'{bench.up.host}/{name}:1' for name in ('b', 'ab', 'b/a'))}")
    assert f"failed: {bench.up.host}/c:1 to " in lines[1]


def test_a_disk_that_takes_nothing_is_told_once(bench: Bench) -> None:
    """Of many images for one folder that cannot be made, the log says so in one line."""
    (bench.folder / "file").write_text("")
    for name in ("a", "b", "c"):
        bench.seed(name, "1")
    where = f"oci:{bench.folder}/file/images"
    bench.write(*({"source": f"{bench.up.host}/{name}:1", "destination": f"{where}:{name}"} for name in "abc"))
    finished = bench.sync()
    assert finished.code == 2
    line, summary = finished.err.splitlines()
    assert f"{where}: Not a directory" in line
    assert line.endswith(f"; and 2 more: {bench.up.host}/b:1, {bench.up.host}/c:1")
    assert "3 failed" in summary


def test_one_source_of_two_failures_tells_both_destinations(bench: Bench) -> None:
    """What is not there for two places names the second place, not the source again."""
    bench.write({"source": f"{bench.up.host}/a:1", "destination": [f"{bench.down.host}/{name}:1" for name in "bc"]})
    line, _ = bench.sync().err.splitlines()
    assert f"failed: {bench.up.host}/a:1 to {bench.down.host}/b:1: " in line
    assert line.endswith(f"; and 1 more: {bench.down.host}/c:1")


def test_a_repository_without_tags_says_what_to_check(bench: Bench) -> None:
    """No rule is at fault where there is nothing to pick from."""
    bench.seed("app", "1")
    bench.up.repository("app").tags.clear()
    bench.write(bench.entry("app", tags=["*"]))
    finished = bench.sync()
    assert finished.code == 3
    assert f"{bench.up.host}/app has no tags (check its name, and whether the login may read it)" in finished.err


def test_a_log_does_not_count_to_nothing() -> None:
    """While tags and repositories are listed, nobody knows how many images there are."""
    assert batch_line(BatchProgress()) == "listing images"


def test_a_failure_hands_a_shared_layer_on(bench: Bench) -> None:
    """If the image that is sending a shared layer fails, another one that waits for it sends it."""
    common = layer("common")
    for name in ("a", "b"):
        bench.seed(name, "1", compose("linux/amd64", [common, layer(name)]))
    (shared,) = set(bench.up.repository("a").blobs) & set(bench.up.repository("b").blobs)
    del bench.up.repository("a").blobs[shared]
    bench.write(bench.entry("a", "1"), bench.entry("b", "1"))
    assert bench.sync().code == 3
    assert (bench.tags("a"), list(bench.tags("b"))) == ({}, ["1"])
    assert bench.there("b").blobs == bench.up.repository("b").blobs


def test_fail_fast_stops_the_rest(bench: Bench) -> None:
    """With --fail-fast nothing is begun after the first failure, and the report says what was not run."""
    for number in range(5):
        bench.seed("app", str(number))
    bench.write(bench.entry("bad", "1"), *(bench.entry("app", str(number)) for number in range(5)))
    finished = bench.sync("--fail-fast", "--jobs", "1")
    assert (finished.code, bench.tags("app")) == (3, {})
    assert "5 not run" in finished.err


def test_never_more_images_at_once_than_jobs(bench: Bench) -> None:
    """With --jobs 1 the images are copied one after the other."""
    for number in range(4):
        bench.seed(f"app-{number}", "1")
    bench.write(*(bench.entry(f"app-{number}", "1") for number in range(4)))
    assert bench.sync("--jobs", "1").code == 0
    puts = [r.path.split("/")[2] for r in bench.down.requests]
    assert [name for name, after in zip(puts, [*puts[1:], ""], strict=True) if name != after] == [
        f"app-{number}" for number in range(4)
    ]


def test_a_dry_run_changes_nothing_and_tells_all(bench: Bench) -> None:
    """The plan names what would be added, moved, kept and removed; both registries stay as they are."""
    for tag in ("1.0", "1.1", "1.2"):
        bench.seed("app", tag)
    image(("app", "1.0")).seed(bench.there("app"), "1.0")
    image("old").seed(bench.there("app"), "1.1", "0.9")
    bench.write(bench.entry("app", tags=["1.*"], prune=True))
    before = bench.down.dump()
    finished = bench.sync("--dry-run")
    assert finished.code == 0, finished.err
    assert bench.down.dump() == before
    told = {tuple(line.split()[:2]) for line in finished.out.splitlines()}
    host = bench.down.host
    assert told == {
        ("keep", f"{host}/app:1.0"),
        ("move", f"{host}/app:1.1"),
        ("add", f"{host}/app:1.2"),
        ("remove", f"{host}/app:0.9"),
    }
    real = bench.sync()
    assert {tuple(line.split()[:2]) for line in real.out.splitlines()} == told - {("keep", f"{host}/app:1.0")}
    assert set(bench.tags("app")) == {"1.0", "1.1", "1.2"}


@pytest.mark.parametrize("options", [(), ("--verify",)])
def test_a_dry_run_writes_no_shared_part(bench: Bench, options: tuple[str, ...]) -> None:
    """Two images with the same parts: what the first would bring is not taken for what the second lost."""
    shared = {platform: image(platform) for platform in ("linux/amd64", "linux/arm64")}
    for tag in ("1", "2"):
        index_of({**shared, "linux/s390x": image(tag)}).seed(bench.up.repository("app"), tag)
    for part in (*shared.values(), image("1")):  # so that nothing refuses a manifest
        bench.there("app").blobs.update(part.blobs)
    bench.write(bench.entry("app", tags=["*"]))
    before = bench.down.dump()
    finished = bench.sync("--dry-run", *options)
    assert finished.code == 0, finished.err
    assert bench.down.dump() == before
    assert {request.method for request in bench.down.requests} <= {"HEAD", "GET"}


def test_json_is_one_event_a_line(bench: Bench) -> None:
    """A program reads each image as it is done, and the sums in the last line."""
    bench.seed("app", "1")
    bench.write(bench.entry("app", "1"), bench.entry("bad", "1"))
    finished = bench.sync("--json")
    events = [json.loads(line) for line in finished.out.splitlines()]
    assert {(e["destination"], e["outcome"]) for e in events if e["event"] == "image"} == {
        (f"{bench.down.host}/app:1", "copied"),
        (f"{bench.down.host}/bad:1", "failed"),
    }
    assert (events[-1]["event"], events[-1]["copied"], events[-1]["failed"]) == ("end", 1, 1)


def test_a_layout_folder_takes_many(bench: Bench) -> None:
    """A folder is a destination like any other: no tag is lost although all are written at once."""
    for number in range(12):
        bench.seed("app", str(number))
    folder = f"oci:{bench.folder}/mirror"
    bench.write(*({"source": f"{bench.up.host}/app:{n}", "destination": f"{folder}:{n}"} for n in range(12)))
    assert bench.sync().code == 0
    resolved = imagesync("resolve", *(f"{folder}:{number}" for number in range(12)))
    assert resolved.out.splitlines() == [
        f"{folder}@{bench.up.repository('app').tags[str(number)]}" for number in range(12)
    ]


def test_two_images_for_one_tag_are_refused(bench: Bench) -> None:
    """Entries that would overwrite each other fail before anything is written, with their lines."""
    bench.seed("a", "1")
    bench.seed("b", "1")
    entry = bench.entry("b", "1")
    bench.write(bench.entry("a", "1"), {**entry, "destination": f"{bench.down.host}/a:1"})
    finished = bench.sync()
    assert finished.code == 2
    assert "lines 3 and 7" in finished.err
    assert "copied" not in finished.err
    assert bench.tags("a") == {}


@pytest.mark.parametrize(
    "arguments",
    [
        ["only-one"],
        [],
        ["a", "b", "--jobs", "3"],
        ["a", "b", "--file", "x.yaml"],
        ["--file", "x.yaml", "--digest", f"sha256:{'0' * 64}"],
        ["a", "b", "--report", "x.json"],
    ],
)
def test_a_mix_of_both_forms_shows_both(arguments: list[str]) -> None:
    """Whoever mixes SRC DST with --file is told how each of them is called."""
    finished = imagesync("sync", *arguments)
    assert finished.code == 2
    assert "sync SRC DST" in finished.err
    assert "sync --file images.yaml" in finished.err


def test_what_moved_at_the_source_moves(bench: Bench) -> None:
    """A source tag that points elsewhere is followed at the next run."""
    bench.seed("app", "1")
    bench.write(bench.entry("app", "1"))
    bench.sync()
    moved = bench.seed("app", "1", index("new"))
    finished = bench.sync()
    assert finished.out.startswith(f"move   {bench.down.host}/app:1 {moved.digest}, was sha256:")
    assert bench.tags("app") == {"1": moved.digest}


def test_a_failing_manifest_is_told_with_its_side(bench: Bench) -> None:
    """The error of an image in a file says the step, as that of a single sync does."""
    bench.seed("app", "1")

    def deny(request: Request) -> Fault | None:
        return refusal(403) if manifest("PUT")(request) else None

    bench.down.fault = deny
    bench.write(bench.entry("app", "1"))
    finished = bench.sync()
    assert finished.code == 4
    assert f"writing manifest {bench.down.host}/app:1" in finished.err


def test_a_list_comes_from_stdin(bench: Bench) -> None:
    """sync --file - copies what stdin lists; a lock for it must be named."""
    bench.seed("app", "1", image(1))
    listed = json.dumps({"images": [bench.entry("app", "1")]})
    done = imagesync("sync", "--file", "-", stdin=listed)
    assert done.code == 0, done.err
    assert bench.tags("app") == {"1": image(1).digest}
    refused = imagesync("sync", "--file", "-", "--locked", stdin=listed)
    assert (refused.code, "--lock-file" in refused.err) == (2, True)
    lock = str(bench.folder / "named.json")
    assert imagesync("lock", "--file", "-", "--lock-file", lock, stdin=listed).code == 0
    assert imagesync("sync", "--file", "-", "--locked", "--lock-file", lock, stdin=listed).code == 0

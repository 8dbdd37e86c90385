"""Shares of a file: every image in exactly one, about equally heavy, and the same ones next time."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagesync_cli.batch.shards import Shard, parse_shard, shares
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.tags.replacing import parse_keep_as
from tests.batch.conftest import Bench
from tests.command import imagesync
from tests.embedded_registry.images import image

LONG = "9" * 5000
WEIGHTS = st.dictionaries(st.text("abc/:.1", min_size=1, max_size=8), st.integers(0, 10**10), max_size=60)


@settings(deadline=None)
@given(WEIGHTS, st.integers(1, 70))
def test_every_image_is_in_exactly_one_share(weights: dict[str, int], total: int) -> None:
    """Whatever the images and their number, each has one share, from 1 to the last, in whatever order they stand."""
    placed = shares(weights, total)
    assert placed.keys() == weights.keys()
    assert all(1 <= share <= total for share in placed.values())
    assert placed == shares(dict(reversed(weights.items())), total)


@settings(deadline=None)
@given(WEIGHTS.filter(bool), st.integers(1, 16))
def test_no_share_is_much_heavier_than_it_has_to_be(weights: dict[str, int], total: int) -> None:
    """No share has more than its part, a fiftieth, and one image on top of that."""
    known = [weight for weight in weights.values() if weight]
    usual = sum(known) / len(known) if known else 1
    heavy = {name: weight or usual for name, weight in weights.items()}
    loads = [0.0] * total
    for name, share in shares(weights, total).items():
        loads[share - 1] += heavy[name]
    assert max(loads) <= 1.0201 * sum(heavy.values()) / total + max(heavy.values())


def test_a_new_image_moves_few_others() -> None:
    """Of a thousand images, one more leaves nearly all where they were."""
    weights = {f"app-{number}:1.0": 1000 + 37 * (number % 90) for number in range(1000)}
    before = shares(weights, 8)
    after = shares({**weights, "another:1.0": 2500}, 8)
    assert sum(after[name] != share for name, share in before.items()) < 50


@pytest.mark.parametrize(
    ("text", "index", "shard"),
    [
        ("1/1", "", Shard(1, 1)),
        ("2/8", "", Shard(2, 8)),
        ("2/8", "5", Shard(2, 8)),
        ("8", "0", Shard(1, 8)),
        ("8", "7", Shard(8, 8)),
    ],
)
def test_shards_are_told(text: str, index: str, shard: Shard) -> None:
    """I/N counts from 1; N alone takes the rest from JOB_COMPLETION_INDEX, which counts from 0."""
    assert parse_shard(text, index) == shard


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("0/8", ""),
        ("9/8", ""),
        ("8", ""),
        ("8", "8"),
        ("a/b", ""),
        ("-1/3", ""),
        ("1/0", ""),
        (f"8/{LONG}", ""),
        ("8", LONG),
    ],
)
def test_what_is_no_shard_is_refused(text: str, index: str) -> None:
    """A share that does not exist would copy nothing, and nobody would know."""
    with pytest.raises(UsageError, match="8"):
        parse_shard(text, index)


def test_shards_make_the_whole(bench: Bench) -> None:
    """The shards of a job copy every image once among them, and their reports make one."""
    for number in range(24):
        bench.seed(f"app-{number}", "1")
    bench.write(*(bench.entry(f"app-{number}", "1") for number in range(24)))
    reports = [bench.folder / f"report-{index}.json" for index in range(3)]
    for index, report in enumerate(reports):
        options = ["sync", "--file", str(bench.file), "--shard", "3", "--report", str(report)]
        finished = imagesync(*options, environ={"JOB_COMPLETION_INDEX": str(index)})
        assert finished.code == 0, finished.err
    counts = [json.loads(report.read_text())["totals"]["copied"] for report in reports]
    assert (sum(counts), min(counts) > 3) == (24, True)
    assert all(list(bench.tags(f"app-{number}")) == ["1"] for number in range(24))
    merged = imagesync("report", "merge", *map(str, reports))
    totals = json.loads(merged.out)["totals"]
    assert (merged.code, totals["copied"], totals["skipped"]) == (0, 24, 0)


def test_the_lock_balances(bench: Bench) -> None:
    """With a lock the shares are equal in bytes: one large image weighs as much as all the small ones."""
    bench.seed("big", "1", image("big", layer_size_bytes=600_000))
    for number in range(20):
        bench.seed(f"app-{number}", "1", image(number, layer_size_bytes=20_000))
    bench.write(bench.entry("big", "1"), *(bench.entry(f"app-{number}", "1") for number in range(20)))
    bench.lock()
    sizes = {name: found["size"] for name, found in json.loads(bench.lock_file.read_text())["images"].items()}
    loads = []
    for index in (1, 2):
        events = map(json.loads, bench.sync("--dry-run", "--json", "--shard", f"{index}/2").out.splitlines())
        loads.append(sum(sizes[event["source"]] for event in events if event["event"] == "image"))
    assert sum(loads) == sum(sizes.values())
    assert max(loads) < 1.05 * sum(loads) / 2


def test_a_shard_prunes_nothing(bench: Bench) -> None:
    """A shard does not know how the others fare, so no tag goes; the whole run afterwards removes it."""
    bench.seed("app", "1.0").seed(bench.there("app"), "0.9")
    bench.write(bench.entry("app", tags=["1.*"], prune=True))
    assert bench.sync("--shard", "1/1").code == 0
    assert set(bench.tags("app")) == {"0.9", "1.0"}
    assert bench.sync().code == 0
    assert set(bench.tags("app")) == {"1.0"}


def test_what_another_shard_reads_is_in_use(bench: Bench) -> None:
    """An old image that the file copies on stays, in whichever shard that is."""
    old, way = image("old"), "{tag}-{date}-{digest}"
    kept = parse_keep_as(way).tag("1", old.digest, datetime(2026, 1, 1, tzinfo=timezone.utc))
    old.seed(bench.there("app"), kept)
    image("now").seed(bench.there("app"), "1")
    bench.seed("app", "1")
    onward = {"source": f"{bench.down.host}/app:{kept}", "destination": f"{bench.down.host}/live:1"}
    bench.write(bench.entry("app", "1", keep_as=way, keep_last=0), onward)
    for shard in ("1/2", "2/2", "1/2"):
        finished = bench.sync("--shard", shard)
        assert finished.code == 0, finished.err
    assert bench.tags("app")[kept] == bench.tags("live")["1"] == old.digest
    assert len(bench.tags("app")) == 2

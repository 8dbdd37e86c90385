"""check --file: every image of a file is looked at, what differs is told, and nothing is ever written."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as text_metrics

from imagesync_cli.batch.report import BatchReport, ImageResult, Outcome
from imagesync_cli.output.report.metrics import read_times, report_metrics
from tests import peers
from tests.batch.conftest import Bench
from tests.command import Finished, imagesync
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import image, index, referrer
from tests.repo.checkout import ROOT

EXAMPLE = ROOT / "examples/prometheus"
Values = dict[tuple[str, ...], float]


def check(bench: Bench, *options: str) -> Finished:
    return imagesync("check", "--file", str(bench.file), *options)


def metrics(path: Path) -> dict[str, Values]:
    """Read metrics by both of the parsers that Prometheus's own client has; they find the same."""
    text = path.read_text()
    found: list[dict[str, Values]] = []
    for parse in (text_metrics, open_metrics):
        families: dict[str, Values] = {}
        for family in parse(text):
            assert (family.type, bool(family.documentation)) == ("gauge", True)
            families[family.name] = {tuple(each.labels.values()): each.value for each in family.samples}
        found.append(families)
    assert found[0] == found[1]
    return found[0]


@pytest.fixture
def drifted(bench: Bench) -> Bench:
    """Of five images: in sync, not there, another one, one that nobody can read, and a tag that nobody wants."""
    for name in ("same", "new", "moved"):
        bench.seed(name, "1", index(name))
    index("same").seed(bench.there("same"), "1")
    image("other").seed(bench.there("moved"), "1")
    image("old").seed(bench.there("same"), "0")
    bench.write(
        bench.entry("same", tags=["1*"], prune=True), *(bench.entry(name, "1") for name in ("new", "moved", "gone"))
    )
    return bench


def test_each_difference_is_told(drifted: Bench) -> None:
    """A line for each image that differs and each tag that prune would take; exit code 8; nothing is written."""
    before = drifted.down.dump()
    finished = check(drifted)
    host, moved = drifted.down.host, f"{drifted.up.host}/moved:1 is {index('moved').digest}"
    assert sorted(finished.out.splitlines()) == [
        f"differs {host}/moved:1: it is {image('other').digest}; {moved}",
        f"differs {host}/new:1: it is not there; {drifted.up.host}/new:1 is {index('new').digest}",
        f"unwanted {host}/same:0: no entry wants it",
    ]
    assert f"failed: {drifted.up.host}/gone:1" in finished.err
    assert "1 in sync, 2 not, 1 tag unwanted, 1 failed" in finished.err
    assert finished.code == 8
    assert drifted.down.dump() == before
    assert {request.method for request in (*drifted.up.requests, *drifted.down.requests)} == {"HEAD", "GET"}


def test_in_sync_is_two_requests_an_image(bench: Bench) -> None:
    """Where nothing differs a check costs one HEAD on each side, says nothing on stdout, and exits with 0."""
    for name in "abc":
        bench.seed(name, "1").seed(bench.there(name), "1")
    bench.write(*(bench.entry(name, "1") for name in "abc"))
    finished = check(bench)
    assert (finished.code, finished.out) == (0, "")
    assert sorted(line.partition(" ")[0] for line in bench.asked()) == ["HEAD"] * 6


def test_every_form_of_report_tells_it(drifted: Bench) -> None:
    """The reports of a check have the forms of a sync's, and report merge takes them."""
    paths = {form: drifted.folder / f"report.{form}" for form in ("json", "md", "xml", "prom")}
    assert check(drifted, "--report", str(paths["json"]), "--json").code == 8
    report = json.loads(paths["json"].read_text())
    assert [each["outcome"] for each in report["images"]] == ["skipped", "differs", "differs", "failed"]
    assert [each["action"] for each in report["images"]] == ["keep", "add", "move", ""]
    assert report["removals"][0]["outcome"] == "unwanted"
    for form in ("md", "xml", "prom"):
        merged = imagesync("report", "merge", str(paths["json"]), "--output", str(paths[form]))
        assert merged.code == 8
    rows = [line.split()[1] for line in paths["md"].read_text().splitlines() if line.startswith("| ")]
    assert rows[1:] == ["differs", "differs", "failed", "unwanted"]
    suite = ElementTree.fromstring(paths["xml"].read_text())  # noqa: S314
    assert (suite.get("tests"), suite.get("failures")) == ("5", "4")
    found = metrics(paths["prom"])
    assert found["imagesync_images"] == {
        ("copied",): 0, ("skipped",): 1, ("differs",): 2, ("failed",): 1, ("not_run",): 0,
    }  # fmt: skip
    assert found["imagesync_removals"][("unwanted",)] == 1
    assert found["imagesync_failures"][("missing",)] == 1
    drift = {destination.partition("/")[2]: value for (_, destination), value in found["imagesync_image_drift"].items()}
    assert drift == {"same:1": 0, "new:1": 1, "moved:1": 1, "gone:1": 1}


def test_a_check_looks_deeper_where_it_is_asked(bench: Bench) -> None:
    """--deep finds a layer that is gone, and what an entry says of referrers is compared."""
    made = bench.seed("app", "1")
    made.seed(bench.there("app"), "1")
    referrer(made).seed(bench.up.repository("app"))
    bench.write(bench.entry("app", "1"))
    assert check(bench).code == 0
    bench.write(bench.entry("app", "1", referrers=True))
    assert f"referrer {referrer(made).digest} is not there" in check(bench).out
    bench.write(bench.entry("app", "1"))
    bench.there("app").blobs.popitem()
    assert check(bench, "--deep").code == 8


def test_a_locked_check_asks_no_source(bench: Bench) -> None:
    """With a lock the destination is compared with that, wherever the source's tag points by now."""
    bench.seed("app", "1").seed(bench.there("app"), "1")
    bench.write(bench.entry("app", "1"))
    bench.lock()
    bench.seed("app", "1", image("newer"))
    bench.clear()
    assert check(bench, "--locked").code == 0
    assert not bench.up.requests
    assert check(bench).code == 8


def test_what_waits_for_its_age_is_in_sync(bench: Bench) -> None:
    """An image that a sync would not take yet is no difference; a source without any age is a failure by name."""
    bench.seed("app", "1").seed(bench.there("app"), "1")
    bench.write(bench.entry("app", "1", minimum_age="3d"))
    bench.lock()
    bench.seed("app", "1", image("newer"))
    bench.lock()
    assert check(bench, "--locked").code == 0
    assert "nothing tells how old" in check(bench).err


@pytest.mark.usefixtures("pauses")
def test_an_unread_list_makes_no_tag_unwanted(drifted: Bench) -> None:
    """While the source's tags cannot be listed, no tag of the destination is called unwanted."""
    drifted.up.fault = lambda request: refusal(500) if request.path.endswith("/tags/list") else None
    assert "unwanted" not in check(drifted).out
    drifted.up.fault = None
    drifted.down.fault = lambda request: refusal(500) if request.path.endswith("/tags/list") else None
    assert "its tags are not known" in check(drifted).err


@pytest.mark.parametrize("options", [["a", "b", "--file", "f"], ["--file", "f", "--referrers"], ["a", "b", "--locked"]])
def test_both_forms_at_once_are_refused(options: list[str]) -> None:
    """References and a file do not go together, nor do the options of one with the other."""
    finished = imagesync("check", *options)
    assert finished.code == 2
    assert "--file" in finished.err


def test_the_time_in_sync_outlives_a_failure(bench: Bench) -> None:
    """The age of a mirror goes on from when it was last in sync, also while its source cannot be read."""
    path = bench.folder / "images.prom"
    name = "imagesync_image_in_sync_timestamp_seconds"
    bench.seed("app", "1")
    bench.write(bench.entry("app", "1"))
    assert bench.sync("--report", str(path)).code == 0
    (then,) = metrics(path)[name].values()
    bench.up.fault = lambda _: refusal(403)
    assert check(bench, "--report", str(path)).code != 0
    found = metrics(path)
    assert list(found[name].values()) == [then]
    assert found["imagesync_run_timestamp_seconds"][()] > then
    assert found["imagesync_run_exit_code"][()] != 0


@pytest.mark.parametrize("source", ["team/app", "team/**"])
def test_the_time_outlives_a_list_that_cannot_be_read(bench: Bench, source: str) -> None:
    """It goes on also for images that a rule or a folder has brought, while nobody can tell which these are."""
    path = bench.folder / "images.prom"
    name = "imagesync_image_in_sync_timestamp_seconds"
    bench.seed("team/app", "1")
    bench.seed("other", "1")
    destination = source.removesuffix("/**")
    entry = {"source": f"{bench.up.host}/{source}", "destination": f"{bench.down.host}/{destination}", "tags": ["*"]}
    bench.write(entry, bench.entry("other", "1"))
    assert bench.sync("--report", str(path)).code == 0
    then = metrics(path)[name]
    bench.up.fault = lambda request: refusal(403) if "list" in request.path or "catalog" in request.path else None
    bench.write(entry)
    assert check(bench, "--report", str(path)).code != 0
    app = {labels: time for labels, time in then.items() if "other" not in str(labels)}
    assert metrics(path)[name] == app
    bench.up.fault = None
    assert check(bench, "--report", str(path)).code == 0
    assert metrics(path)[name].keys() == app.keys()


def test_the_time_outlives_an_interruption() -> None:
    """A run that ends before it knows its images forgets none."""
    before = {("a:1", "b:1"): 1e9}
    told = report_metrics(BatchReport(interrupted=True), 2e9, before)
    assert 'timestamp_seconds{source="a:1",destination="b:1"} 1000000000' in told
    assert "a:1" not in report_metrics(BatchReport(), 2e9, before)


def test_foreign_text_stays_a_label(tmp_path: Path) -> None:
    """Quotes, backslashes, line ends and control characters in a name end no label, and are read back as they were."""
    nasty = 'a"} 1\nimagesync_x{b="\\n\x1b[31m\\'
    results = [
        ImageResult(nasty, f"{nasty}{word}", word)
        for word in (Outcome.COPIED, Outcome.SKIPPED, Outcome.DIFFERS, Outcome.FAILED)
    ]
    path = tmp_path / "report.prom"
    path.write_text(report_metrics(BatchReport(images=[*results, *results]), 1e9 + 0.25, {}))
    names = metrics(path)["imagesync_image_drift"]
    assert [destination.rpartition("\\")[2] for _, destination in names] == [
        Outcome.COPIED,
        Outcome.SKIPPED,
        Outcome.DIFFERS,
        Outcome.FAILED,
    ]
    times = read_times(path)
    assert list(times.values()) == [1e9 + 0.25] * 2
    path.write_text(report_metrics(BatchReport(dry_run=True, images=results), 2e9, times))
    assert list(read_times(path).values()) == [1e9 + 0.25, 2e9]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b'imagesync_image_in_sync_timestamp_seconds{source="a"} x\n'])
def test_another_file_is_no_memory(tmp_path: Path, content: bytes) -> None:
    """A file that something else has written is replaced, and nothing of it is taken over."""
    path = tmp_path / "a.prom"
    assert read_times(path) == {}
    path.write_bytes(content)
    assert read_times(path) == {}
    path.unlink()
    os.mkfifo(path)
    assert read_times(path) == {}


def test_the_example_for_prometheus(drifted: Bench) -> None:
    """The cron job's command writes what the alerts ask for, and promtool takes both."""
    promtool = peers.program("promtool")
    (line,) = [line for line in (EXAMPLE / "imagesync.cron").read_text().splitlines() if not line.startswith("#")]
    command = shlex.split(line)[6:]
    path = drifted.folder / "imagesync.prom"
    command[command.index("--file") + 1], command[command.index("--report") + 1] = str(drifted.file), str(path)
    assert imagesync(*command[1:]).code == 8
    rules = yaml.safe_load((EXAMPLE / "alerts.yml").read_text())["groups"][0]["rules"]
    asked = {name for rule in rules for name in re.findall(r"imagesync_\w+", rule["expr"])}
    assert asked
    assert asked <= metrics(path).keys()
    subprocess.run([promtool, "check", "metrics"], input=path.read_bytes(), check=True, timeout=60)
    subprocess.run([promtool, "check", "rules", str(EXAMPLE / "alerts.yml")], check=True, timeout=60)

"""Reports: what they tell, in each of their forms; and that an interrupted run tells what it has done."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from imagesync_cli.batch.report import BatchReport, ImageResult, Outcome, RemovalResult
from imagesync_cli.output.report import report_json, report_junit, report_markdown
from tests.batch.conftest import Bench
from tests.command import IMAGESYNC, environment, imagesync
from tests.embedded_registry import Fault, Request
from tests.embedded_registry.images import image
from tests.stores.copying import blob

END_WITHIN_S = 4  # 2, on a machine that does nothing else


@pytest.fixture
def mixed(bench: Bench) -> Bench:
    """One image that is copied, one that is there, one that fails."""
    bench.seed("new", "1")
    bench.seed("there", "1").seed(bench.there("there"), "1")
    bench.write(*(bench.entry(name, "1") for name in ("new", "there", "bad")))
    return bench


def test_json_tells_each_image(mixed: Bench) -> None:
    """The report has what became of each image: outcome, bytes, requests, seconds, and the error."""
    path = mixed.folder / "report.json"
    mixed.sync("--report", str(path))
    report = json.loads(path.read_text())
    new, there, bad = report["images"]
    assert [each["outcome"] for each in (new, there, bad)] == ["copied", "skipped", "failed"]
    assert (new["sent_bytes"], new["requests"]) == (sum(map(len, mixed.there("new").blobs.values())), 9)
    assert (there["sent_bytes"], there["requests"], there["digest"]) == (0, 2, mixed.tags("there")["1"])
    assert ("not found" in bad["error"], bad["kind"], bad["exit_code"]) == (True, "missing", 3)
    assert report["totals"]["requests"] == len(mixed.asked())
    assert all(each["seconds"] > 0 for each in report["images"])


def test_a_long_report_is_written_in_parts() -> None:
    """A report of many images is not made in memory as a whole."""
    report = BatchReport(images=[ImageResult(f"s{number}", "d") for number in range(100)])
    parts = list(report_json(report))
    assert max(map(len, parts)) < 1000
    assert [each["source"] for each in json.loads("".join(parts))["images"]] == [f"s{n}" for n in range(100)]


def test_markdown_is_for_people(mixed: Bench) -> None:
    """A table of what changed and what failed; what was there already is only counted."""
    path = mixed.folder / "report.md"
    mixed.sync("--report", str(path))
    text = path.read_text()
    assert "1 copied, 1 skipped, 1 failed" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert [row.split()[1] for row in rows[1:]] == ["failed", "add"]


def test_junit_is_for_ci(mixed: Bench) -> None:
    """A CI system sees one test an image, with the failure's reason."""
    path = mixed.folder / "report.xml"
    mixed.sync("--report", str(path))
    suite = ElementTree.fromstring(path.read_text())  # noqa: S314
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    (failure,) = suite.iter("failure")
    assert "not found" in str(failure.get("message"))


def test_foreign_text_stays_text() -> None:
    """An error that holds markup, table cells or control characters breaks neither form."""
    nasty = ImageResult("s", "d", Outcome.FAILED, error='a|b <script>\x1b[31m ](http://x) @team\n# `c` ]]> & "q"')
    report = BatchReport(images=[nasty], removals=[RemovalResult("r", Outcome.FAILED, "<x>|")])
    rows = [row for row in report_markdown(report).splitlines() if row.startswith("| ")][1:]
    assert rows == [
        '| failed | `d` | `s` | ``a\\x7cb <script>\\x1b[31m ](http://x) @team\\n# `c` ]]> & "q"`` |',
        "| not removed | `r` |  | `<x>\\x7c` |",
    ]
    assert len(ElementTree.fromstring(report_junit(report))) == 2  # noqa: S314


@pytest.mark.parametrize(
    "name", ["report", "report.txt", "nowhere/report.json", "a.prom", "images.lock.json", "/proc/self/a.md"]
)
def test_a_report_that_cannot_be_is_refused_first(mixed: Bench, name: str) -> None:
    """A name without a form, a folder, or what the run reads fails before anything is copied or replaced."""
    (mixed.folder / "a.prom").mkdir()
    for verb in ("sync", "check"):
        finished = imagesync(verb, "--file", str(mixed.file), "--report", str(mixed.folder / name))
        assert finished.code == 2
    assert mixed.tags("new") == {}
    assert not (mixed.folder / name).is_file()


@pytest.mark.parametrize("verb", ["sync", "check"])
def test_one_run_writes_several_reports(mixed: Bench, verb: str) -> None:
    """Metrics for an alert and a page for people come from one run; one that cannot be written keeps none back."""
    (mixed.folder / "full.json").symlink_to("/dev/full")
    names = ("a.prom", "full.json", "a.md", "a.json")
    reports = [f"--report={mixed.folder / name}" for name in names]
    finished = imagesync(verb, "--file", str(mixed.file), *reports)
    assert "full.json" in finished.err
    assert "imagesync_images{" in (mixed.folder / "a.prom").read_text()
    assert "### " in (mixed.folder / "a.md").read_text()
    assert len(json.loads((mixed.folder / "a.json").read_text())["images"]) == 3
    refused = imagesync(verb, "--file", str(mixed.file), reports[0], f"--report={mixed.folder / 'a.txt'}")
    assert refused.code == 2


@pytest.mark.parametrize("fate", ["full", "gone"])
@pytest.mark.parametrize("is_bad", [False, True])
def test_a_report_that_cannot_be_written_hides_nothing(mixed: Bench, fate: str, is_bad: bool) -> None:
    """Where the disk is full or the folder is gone by then, the summary comes, and the error says what to do."""
    folder = mixed.folder / "reports"
    folder.mkdir()
    path = folder / "report.json"
    if fate == "full":
        path.symlink_to("/dev/full")

    def remove(request: Request) -> Fault | None:
        if fate == "gone" and blob("GET")(request) and folder.exists():
            folder.rmdir()
        return None

    mixed.up.fault = remove
    if not is_bad:
        mixed.write(*(mixed.entry(name, "1") for name in ("new", "there")))
    finished = mixed.sync("--report", str(path))
    assert finished.code == (3 if is_bad else 2), finished.err
    assert "1 copied, 1 there already" in finished.err
    assert f"{path}" in finished.err.partition("1 there already")[2]
    assert "another" in finished.err.splitlines()[-1]
    assert mixed.tags("new")


def test_a_report_does_not_replace_the_list(mixed: Bench) -> None:
    """The list of images may be JSON as well, and is no place for a report."""
    listed = mixed.file.rename(mixed.folder / "images.json")
    before = listed.read_bytes()
    finished = imagesync("sync", "--file", str(listed), "--report", str(listed))
    assert (finished.code, "would replace it" in finished.err) == (2, True)
    assert listed.read_bytes() == before


def test_merging_takes_failures_over(mixed: Bench) -> None:
    """Merged reports have every image and the first failure's exit code, in whatever form they go on."""
    path, target = mixed.folder / "a.json", mixed.folder / "all.md"
    mixed.sync("--report", str(path))
    merged = imagesync("report", "merge", str(path), "--output", str(target))
    assert merged.code == 3
    assert "1 copied, 1 skipped, 1 failed" in target.read_text()


_GOOD: dict[str, Any] = {
    "version": 1,
    "dry_run": False,
    "interrupted": False,
    "totals": {"requests": 1, "seconds": 0.5},
    "images": [{"source": "a", "destination": "b", "outcome": "copied", "sent_bytes": 5}],
    "removals": [{"reference": "c", "outcome": "kept"}],
}
_ODD: list[Any] = ["x", None, [1], {"a": 1}, -1, 10**400, [[]]]
_WRONG = [
    *("", "[]", "{}", "null", "1", '"a"', '{"version": 9}', '{"version": []}', "[" * 100_000, "\xff"),
    *(json.dumps({**_GOOD, key: value}) for key in _GOOD for value in _ODD),
    *(json.dumps({**_GOOD, "totals": {"requests": r, "seconds": s}}) for r, s in ((1.5, 1), (1, "1"), (1, 1e999))),
    *(
        json.dumps({**_GOOD, "images": [{**_GOOD["images"][0], key: value}]})
        for key, value in (
            *(("sent_bytes", 10**400), ("sent_bytes", "5"), ("sent_bytes", True), ("seconds", float("nan"))),
            *(("outcome", "lost"), ("outcome", []), ("error", {}), ("source", None), ("digest", 5), ("exit_code", "3")),
        )
    ),
    json.dumps({**_GOOD, "removals": [{"reference": [], "outcome": "kept"}]}),
]


@pytest.mark.parametrize("text", _WRONG)
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    """Something else than a report, or a report with a value of another kind, is an error that names the file."""
    path = tmp_path / "other.json"
    path.write_text(text, "latin-1")
    for form in ("json", "md", "xml"):
        finished = imagesync("report", "merge", str(path), "--output", str(tmp_path / f"all.{form}"))
        assert finished.code == 2, finished.err
        assert str(path) in finished.err


def test_a_report_by_hand_is_taken(tmp_path: Path) -> None:
    """The smallest report that has every needed key is one."""
    path = tmp_path / "other.json"
    path.write_text(json.dumps(_GOOD))
    assert imagesync("report", "merge", str(path)).code == 0


def test_dry_runs_of_shards_are_summed_up(tmp_path: Path) -> None:
    """Requests and pulls are those of all shards, and so is the wait; each shard has a pace of its own."""
    hub = {"registry": "docker.io", "limit": 10, "left": 2, "window_s": 3600, "reset_s": 600}
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, pulls, requests, least_s in zip(paths, (2, 9), (30, 12), (3, 2), strict=True):
        told = {**hub, "pulls": pulls, "requests": requests, "least_s": least_s, "wait_s": 600 * (pulls > 2)}
        path.write_text(json.dumps({**_GOOD, "dry_run": True, "registries": [told]}))
    assert imagesync("report", "merge", *map(str, paths), "--output", str(tmp_path / "all.json")).code == 0
    (both,) = json.loads((tmp_path / "all.json").read_text())["registries"]
    assert [both[key] for key in ("pulls", "requests", "least_s", "wait_s")] == [11, 42, 3, 600]
    assert imagesync("report", "merge", str(paths[1]), "--output", str(tmp_path / "one.json")).code == 0
    (one,) = json.loads((tmp_path / "one.json").read_text())["registries"]
    assert [one[key] for key in ("pulls", "requests", "least_s", "wait_s")] == [9, 12, 2, 600]


def test_a_termination_is_quick_and_told(bench: Bench) -> None:
    """SIGTERM in the middle ends the run within 2 s; the report tells what was done, and the next run does the rest."""
    stuck, reached, released = 8, threading.Semaphore(0), threading.Event()
    for number in range(40):
        bench.seed(f"app-{number}", "1", image(number, layer_size_bytes=200_000))

    def stall(request: Request) -> Fault | None:
        if blob("GET")(request) and request.path.startswith(tuple(f"/v2/app-{n}/" for n in range(stuck))):
            reached.release()
            return Fault(stall=released, cut_answer_after=70_000)
        return None

    bench.up.fault = stall
    bench.write(*(bench.entry(f"app-{number}", "1") for number in reversed(range(40))))
    path = bench.folder / "report.json"
    command = [*IMAGESYNC, "sync", "--file", str(bench.file), "--report", str(path), "--quiet"]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for _ in range(stuck):
            assert reached.acquire(timeout=60)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        took = time.monotonic() - started
    assert process.returncode == 143
    assert took < END_WITHIN_S
    report = json.loads(path.read_text())
    assert report["interrupted"] is True
    done = {each["destination"] for each in report["images"] if each["outcome"] == "copied"}
    # What was being written at that moment may have arrived, and is not said to be done.
    assert done <= {f"{bench.down.host}/app-{n}:1" for n in range(40) if bench.tags(f"app-{n}")}
    assert report["totals"]["not_run"] == 40 - len(done) >= stuck
    released.set()
    bench.up.fault = None
    assert bench.sync().code == 0
    assert all(bench.tags(f"app-{number}") for number in range(40))


def test_a_termination_tells_the_tags_that_are_gone(bench: Bench) -> None:
    """SIGTERM while tags are removed: the report has those that are gone with what they may have left, and the rest."""
    reached, released = threading.Semaphore(0), threading.Event()
    for name in ("app", "other"):
        bench.seed(name, "1")
        image(("old", name)).seed(bench.there(name), "0")

    def stall(request: Request) -> Fault | None:
        if request.method != "DELETE" or request.path == "/v2/app/manifests/0":
            return None
        reached.release()
        return Fault(stall=released)

    bench.down.fault = stall
    bench.write(*(bench.entry(name, tags=["*"], prune=True) for name in ("app", "other")))
    path = bench.folder / "report.json"
    command = [*IMAGESYNC, "sync", "--file", str(bench.file), "--report", str(path)]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for _ in range(2):
            assert reached.acquire(timeout=60)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
        released.set()
    assert process.returncode == 143
    gone, unknown = json.loads(path.read_text())["removals"]
    digest = image(("old", "app")).digest
    assert (gone["reference"], gone["outcome"]) == (f"{bench.down.host}/app:0", "removed")
    assert f"imagesync delete {bench.down.host}/app@{digest}" in gone["why"]
    assert (unknown["reference"], unknown["outcome"]) == (f"{bench.down.host}/other:0", "not run")
    assert f"not run {bench.down.host}/other:0: interrupted before it was known to be gone" in out.decode()
    bench.down.fault = None
    assert imagesync("delete", f"{bench.down.host}/app@{digest}").code == 0
    assert digest not in bench.there("app").manifests


@pytest.mark.parametrize("methods", [{"HEAD"}, {"POST"}, {"PUT"}, {"PUT", "DELETE"}], ids=sorted)
def test_a_silent_destination_delays_no_termination(bench: Bench, methods: set[str]) -> None:
    """Whatever a destination has stopped to answer, also the giving up of uploads, SIGTERM ends the run within 2 s."""
    reached, released = threading.Semaphore(0), threading.Event()
    for number in range(20):
        bench.seed(f"app-{number}", "1", image(number, layer_size_bytes=200_000))

    def stall(request: Request) -> Fault | None:
        if request.method not in methods or ("/manifests/1" in request.path and "HEAD" not in methods):
            return None
        reached.release()
        return Fault(stall=released)

    bench.down.fault = stall
    bench.write(*(bench.entry(f"app-{number}", "1") for number in range(20)))
    command = [*IMAGESYNC, "sync", "--file", str(bench.file), "--quiet"]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for _ in range(8):
            assert reached.acquire(timeout=60)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        took = time.monotonic() - started
        released.set()
    assert process.returncode == 143
    assert took < END_WITHIN_S

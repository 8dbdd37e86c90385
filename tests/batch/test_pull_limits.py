"""sync --file at registries that allow so many pulls, as Docker Hub does; an hour ends when somebody waits for it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from imagesync_cli.batch.report import BatchProgress
from imagesync_cli.output.batch import LiveBatch, batch_line
from imagesync_cli.stores.registry import pulls
from imagesync_cli.stores.transport import retry
from imagesync_cli.stores.transport.limits import pace
from imagesync_cli.values.limits import PullLimit
from tests.batch.conftest import Bench
from tests.command import IMAGESYNC, environment, imagesync
from tests.embedded_registry import EmbeddedRegistry, Fault, Request
from tests.embedded_registry.faults import with_header
from tests.embedded_registry.images import image, index
from tests.embedded_registry.strict_limits import SlidingWindow, StrictLimits

_SECOND_S = 0.02


class Clock:
    """A time that passes only while a run waits for more pulls, for the run and for the registry alike."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    async def wait(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    passing = Clock()
    monkeypatch.setattr(retry, "pause", passing.wait)
    monkeypatch.setattr(pulls, "_now_s", passing)
    return passing


def pulls_allowed(most: int, hour_s: int = 3600, clock: Callable[[], float] = time.monotonic) -> StrictLimits:
    return StrictLimits(pulls=SlidingWindow(most, hour_s, clock), told_window_s=hour_s)


def fill(bench: Bench, number: int) -> None:
    for each in range(number):
        bench.seed("app", f"{each}")
    bench.write(*(bench.entry("app", f"{each}") for each in range(number)))


def test_a_hundred_images_arrive(bench: Bench, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """At ten requests a second and 60 pulls an hour, 100 images arrive with no request refused, each pulled once.

    The run says how long it waits, and until when. The registry is a double that takes none too many in any second,
    which is one of 20 ms, or in any hour.
    """
    monkeypatch.setattr(pace, "SECOND_S", _SECOND_S)
    monkeypatch.setattr(pace, "ARRIVES_WITHIN_S", 30.0)  # a busy machine is slow
    fill(bench, 100)
    requests, hour = SlidingWindow(10, _SECOND_S), SlidingWindow(60, 3600, clock)
    bench.up.fault = strict = StrictLimits(requests, hour, told_window_s=3600)
    finished = bench.sync("--wait-for-limit", f"--requests-per-second={bench.up.host}=10")
    assert (finished.code, strict.refused) == (0, [])
    assert len(bench.tags("app")) == 100
    assert sorted(strict.pulled.values()) == [1] * 100
    said = f"40 of 100 images wait: {bench.up.host} allows 60 pulls in 60 min, and 0 are left: more in at most 60 min"
    assert f"{said} (until " in finished.err
    assert 3600 <= clock.now_s - 1000 < 3601
    assert "100 copied" in finished.err


def test_without_the_option_the_rest_fails(bench: Bench) -> None:
    """What is beyond the limit fails with an error that names limit, reset and option; nothing more is sent there."""
    fill(bench, 20)
    bench.up.fault = strict = pulls_allowed(5, hour_s=3600)
    finished = bench.sync("--jobs", "1")
    assert finished.code == 5
    assert len(bench.tags("app")) == 5
    assert (len(strict.refused), "15 failed" in finished.err) == (1, True)
    assert f"{bench.up.host} allows 5 pulls in 60 min, and 0 are left: more in at most 60 min" in finished.err
    assert "--wait-for-limit" in finished.err
    assert f"{bench.up.host}: 5 pulls made, 0 of 5 in 60 min left" in finished.err


def test_what_needs_no_pull_does_not_wait(bench: Bench, clock: Clock) -> None:
    """Images that are there already, and those of other registries, are done while the others wait."""
    with EmbeddedRegistry() as other:
        for each in range(4):
            bench.seed("app", f"{each}")
        image("other").seed(other.repository("other"), "1")
        entries = [bench.entry("app", f"{each}") for each in range(4)]
        bench.write(*entries[2:])
        assert bench.sync().code == 0
        bench.write(*entries, {"source": f"{other.host}/other:1", "destination": f"{bench.down.host}/other:1"})
        bench.up.fault = strict = pulls_allowed(1, clock=clock)
        finished = bench.sync("--wait-for-limit", "--json", "--jobs", "1")
    events = [json.loads(line) for line in finished.out.splitlines()]
    order = [event["destination"].rpartition("/")[2] for event in events if event["event"] == "image"]
    assert (finished.code, strict.refused) == (0, [])
    assert order == ["app:0", "app:2", "app:3", "other:1", "app:1"]
    assert strict.pulled.total() == 2


def test_an_image_that_has_begun_goes_on_where_it_was(bench: Bench) -> None:
    """An index whose platforms must wait is not read again: each of its manifests is pulled once."""
    bench.seed("app", "1", index("a"))
    bench.write(bench.entry("app", "1"))
    number = len(index("a").manifests)
    bench.up.fault = strict = pulls_allowed(number - 1, hour_s=1)
    finished = bench.sync("--wait-for-limit")
    assert (finished.code, strict.refused) == (0, [])
    assert sorted(strict.pulled.values()) == [1] * number


def test_a_limit_that_is_used_up_by_others(bench: Bench, clock: Clock) -> None:
    """The first answer may be "too many": then all wait from the beginning, and the run says so."""
    fill(bench, 3)
    bench.up.fault = strict = pulls_allowed(5, clock=clock)
    for _ in range(5):
        strict(Request("GET", "/v2/a/manifests/1", {}, {}))
    finished = bench.sync("--wait-for-limit")
    assert (finished.code, len(strict.refused)) == (0, 1)
    assert "3 of 3 images wait: " in finished.err


def test_a_registry_that_only_asks_to_wait(bench: Bench, clock: Clock) -> None:
    """One that tells no numbers, and with 429 how long to wait, is waited for as well; else the option is told."""
    fill(bench, 5)
    bench.up.fault = strict = StrictLimits(pulls=SlidingWindow(3, 3600, clock), retry_after_s="3600")
    finished = bench.sync("--wait-for-limit", "--jobs", "1")
    assert (finished.code, len(strict.refused), strict.pulled.total()) == (0, 1, 5)
    assert f"2 of 5 images wait: {bench.up.host} allows no more pulls for now: more in at most 60 min" in finished.err
    bench.seed("app", "new")
    bench.write(bench.entry("app", "new"))
    bench.up.fault = StrictLimits(pulls=SlidingWindow(0, 1), retry_after_s="3600")
    assert "--wait-for-limit waits for more pulls" in bench.sync().err


def test_a_registry_that_lets_nobody_pull(bench: Bench, clock: Clock) -> None:
    """After a whole wait that has helped no image all of them fail: nobody waits for ever."""
    fill(bench, 3)
    bench.up.fault = StrictLimits(pulls=SlidingWindow(0, 1, clock), retry_after_s="3600")
    finished = bench.sync("--wait-for-limit")
    assert (finished.code, "3 failed" in finished.err) == (5, True)
    assert finished.err.count("images wait") == 1


def test_a_dry_run_says_how_many_pulls_a_run_needs(bench: Bench) -> None:
    """By registry; and at the limit that is told, how long the run waits. HEAD costs none, nor does what is there."""
    for each in range(3):
        bench.seed("app", f"{each}", index(each))
    bench.write(*(bench.entry("app", f"{each}") for each in range(3)))
    each_needs = len(index(0).manifests)
    bench.up.fault = pulls_allowed(2 * 3 * each_needs - 1, hour_s=7200)
    needed = 3 * each_needs
    finished = bench.sync("--dry-run", f"--report={bench.folder / 'report.json'}")
    said = (
        f"{bench.up.host}: {needed} pulls needed, {needed - 1} of {2 * needed - 1} in 2 h left, reset in at most 2 h; "
    )
    assert f"{said}with --wait-for-limit, the run waits at most 2 h" in finished.err
    (told,) = json.loads((bench.folder / "report.json").read_text())["registries"]
    assert (told["registry"], told["pulls"], told["left"]) == (bench.up.host, needed, needed - 1)
    assert 7000 < told["wait_s"] <= 7200
    bench.up.fault = None
    assert f"{bench.up.host}: {needed} pulls needed\n" in bench.sync("--dry-run").err
    bench.clear()
    bench.sync()
    assert sum(request.method == "GET" and "/manifests/" in request.path for request in bench.up.requests) == needed
    assert "pulls needed" not in bench.sync("--dry-run").err


def test_a_dry_run_says_what_it_was_not_allowed_to_read(bench: Bench, clock: Clock) -> None:
    """Images that are refused at the limit need pulls as well, and the wait is that for all of them."""
    fill(bench, 14)
    bench.up.fault = pulls_allowed(4, clock=clock)
    finished = bench.sync("--dry-run", f"--report={bench.folder / 'report.json'}")
    assert finished.code == 5
    said = f"{bench.up.host}: 4 pulls needed, and at least 10 more for images not read yet, 0 of 4"
    assert said in finished.err
    assert "the run waits at most 4 h" in finished.err
    (told,) = json.loads((bench.folder / "report.json").read_text())["registries"]
    assert (told["pulls"], told["unread"]) == (4, 10)


def test_a_dry_run_says_how_long_a_pace_takes(bench: Bench) -> None:
    """Where a pace is set, the requests that the run will send there are counted, and the time that they take."""
    fill(bench, 3)
    options = [f"--requests-per-second={host}=1000" for host in (bench.up.host, bench.down.host)]
    dry = bench.sync("--dry-run", "--json", *options)
    told = {each["registry"]: each for each in json.loads(dry.out.splitlines()[-1])["registries"]}
    bench.clear()
    assert (
        f"{bench.up.host}: 3 pulls needed, about 9 requests that take at least 1 s with --requests-per-second"
        in bench.sync("--dry-run", *options).err
    )
    bench.clear()
    bench.sync()
    assert told[bench.up.host]["requests"] == len(bench.up.requests) == 9
    assert told[bench.down.host]["requests"] == len(bench.down.requests)
    assert (told[bench.down.host]["pulls"], told[bench.down.host]["least_s"]) == (0, 1)


def test_reports_tell_limits(bench: Bench) -> None:
    """In Markdown a line says what is left; the reports of shards are summed up."""
    fill(bench, 4)
    bench.up.fault = pulls_allowed(10, hour_s=3600)
    files = [bench.folder / f"{number}.json" for number in range(2)]
    for number, file in enumerate(files):
        assert bench.sync("--shard", f"{number + 1}/2", f"--report={file}").code == 0
    merged = bench.folder / "all.md"
    assert imagesync("report", "merge", *map(str, files), "--output", str(merged)).code == 0
    assert f"{bench.up.host}: 4 pulls made, 6 of 10 in 60 min left" in merged.read_text()
    metrics = bench.folder / "all.prom"
    assert imagesync("report", "merge", *map(str, files), "--output", str(metrics)).code == 0
    for name, value in (("pulls", 4), ("pulls_left", 6), ("pulls_limit", 10)):
        assert f'imagesync_{name}{{registry="{bench.up.host}"}} {value}\n' in metrics.read_text()


@pytest.mark.parametrize("value", ["-1;w=21600", "9" * 400 + ";w=1", "x" * 10_000, "61", "61;w=99999999", ""])
@pytest.mark.parametrize("name", ["RateLimit-Limit", "RateLimit-Remaining"])
def test_what_makes_no_sense_changes_nothing(bench: Bench, name: str, value: str) -> None:
    """Whatever a registry says of its limit, nothing is shown or waited for but what may be true."""
    fill(bench, 2)
    other = {"RateLimit-Limit": "RateLimit-Remaining", "RateLimit-Remaining": "RateLimit-Limit"}[name]

    def lie(request: Request) -> Fault:
        change = with_header(name, value).change
        also = with_header(other, "1;w=21600").change
        assert change is not None
        assert also is not None
        return Fault(change=lambda response: also(change(response)))

    bench.up.fault = lie
    finished = bench.sync("--wait-for-limit")
    assert finished.code == 0
    assert "pulls" not in finished.err or (name, value) == ("RateLimit-Remaining", "61")


def test_another_host_has_no_word(bench: Bench) -> None:
    """What a storage says of limits, to which blobs are redirected, is no matter of the registry's."""
    fill(bench, 2)
    bench.down.fault = with_header_of("RateLimit-Limit", "1;w=21600", "RateLimit-Remaining", "0;w=21600")
    finished = bench.sync("--wait-for-limit")
    assert finished.code == 0
    assert f"{bench.down.host}: 0 pulls made, 0 of 1 in 6 h left" in finished.err
    assert f"{bench.up.host}: " not in finished.err


def with_header_of(name: str, value: str, other: str, more: str) -> Callable[[Request], Fault]:
    first, second = with_header(name, value).change, with_header(other, more).change
    assert first is not None
    assert second is not None
    return lambda _: Fault(change=lambda response: second(first(response)))


def test_the_wait_can_be_interrupted(bench: Bench) -> None:
    """Ctrl-C ends the wait at once, with what is there by then."""
    fill(bench, 3)
    bench.up.fault = pulls_allowed(1, hour_s=3600)
    command = [*IMAGESYNC, "sync", "--file", str(bench.file), "--wait-for-limit"]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        waiting = next(line for line in lines if "images wait" in line)
        os.kill(process.pid, signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert re.search(r"2 of 3 images wait: .* more in at most 60 min \(until \d\d:\d\d:\d\d\)", waiting)
    assert "all of them take about 2 h" in waiting
    assert "interrupted: 1 of 3 images are done" in rest


@pytest.mark.parametrize("option", ["--wait-for-limit", "--max-removals=0"])
def test_the_option_goes_with_a_file(bench: Bench, option: str) -> None:
    """A single image has nothing to go on with while it waits, and no tags that are pruned, none at all either."""
    finished = imagesync("sync", f"{bench.up.host}/a:1", f"{bench.down.host}/a:1", option)
    assert (finished.code, f"{option.partition('=')[0]} goes with --file" in finished.err) == (2, True)


def test_progress_tells_what_is_left() -> None:
    """In lines and on a terminal: how many pulls are left, until when, and how many images wait for that."""
    limit = PullLimit("docker.io", 100, 61, 21600, 14400)
    progress = BatchProgress(total=9, done=2, waiting=3, limits=lambda: [limit])
    assert batch_line(progress).endswith(
        "; docker.io: 61 of 100 pulls left, reset in at most 4 h; 3 images waiting for more pulls"
    )
    lines = LiveBatch(progress)(60, 0.0)
    assert "  docker.io: 61 of 100 pulls left, reset in at most 4 h" in lines
    assert "  3 images waiting for more pulls" in lines
    assert all(len(line) <= 30 for line in LiveBatch(progress)(30, 0.0))


def test_no_event_loop_is_needed_to_tell() -> None:
    """What a report says of limits was noted while the run went on."""
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    limit = PullLimit("docker.io", 100, 61, 21600, 14400)
    assert [limit.wait_s(number) for number in (0, 61, 62, 161, 162)] == [0, 0, 14400, 14400, 36000]

"""An image for several places: the source is read once, and what fails at one place arrives at the others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.batch.conftest import Bench
from tests.command import imagesync
from tests.copy.test_replacing import at_hour
from tests.embedded_registry import EmbeddedRegistry, Fault, Request
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import image, index
from tests.embedded_registry.wire import Response


class Served:
    """Counts the bytes of bodies that a registry gives away, and may break its answers besides."""

    def __init__(self, registry: EmbeddedRegistry) -> None:
        self.count = 0
        registry.fault = self

    def __call__(self, request: Request) -> Fault | None:
        return Fault(change=self._count) if request.method == "GET" else None

    def _count(self, response: Response) -> Response:
        self.count += len(response.body)
        return response


@pytest.fixture
def second() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry() as registry:
        yield registry


def both(bench: Bench, second: EmbeddedRegistry, name: str, tag: str = "", **more: Any) -> dict[str, Any]:
    entry = bench.entry(name, tag, **more)
    return {**entry, "destination": [entry["destination"], entry["destination"].replace(bench.down.host, second.host)]}


@pytest.mark.parametrize("platforms", [[], ["linux/amd64", "linux/arm64"]], ids=["whole", "platforms"])
def test_the_source_is_read_once(bench: Bench, second: EmbeddedRegistry, platforms: list[str]) -> None:
    """Two places on two registries cost the source the bytes of one."""
    bench.seed("app", "1", index("app"))
    served = Served(bench.up)
    bench.write(bench.entry("app", "1", platforms=platforms))
    assert bench.sync().code == 0
    for_one, served.count = served.count, 0
    bench.down.state.repositories.clear()
    bench.write(both(bench, second, "app", "1", platforms=platforms))
    finished = bench.sync("--json")
    assert finished.code == 0, finished.err
    assert 0 < served.count == for_one
    assert bench.tags("app") == second.repository("app").tags
    assert bench.there("app").blobs == second.repository("app").blobs
    *images, end = map(json.loads, finished.out.splitlines())
    assert [each["destination"].partition("/")[0] for each in images] == [bench.down.host, second.host]
    assert end["copied"] == 2


@pytest.mark.parametrize("broken", [0, 1])
@pytest.mark.usefixtures("pauses")
def test_one_place_that_fails_stops_no_other(bench: Bench, second: EmbeddedRegistry, broken: int) -> None:
    """An image arrives where it can, what is to go there goes, and the report names the place that failed."""
    made = bench.seed("app", "1")
    registries = bench.down, second
    for registry in registries:
        image("old").seed(registry.repository("app"), "0")
    registries[broken].fault = lambda request: refusal(403) if request.method in ("PUT", "POST") else None
    bench.write(both(bench, second, "app", tags=["1*"], prune=True))
    finished = bench.sync("--report", str(bench.folder / "report.json"))
    assert finished.code != 0
    report = json.loads((bench.folder / "report.json").read_text())
    assert [each["outcome"] == "failed" for each in report["images"]] == [broken == 0, broken == 1]
    assert registries[broken].host in report["images"][broken]["error"]
    assert registries[1 - broken].repository("app").tags == {"1": made.digest}
    assert set(registries[broken].repository("app").tags) == {"0"}


def test_a_place_that_lets_nobody_read_is_not_needed(bench: Bench, second: EmbeddedRegistry) -> None:
    """Where the first place gives no bytes, or wrong ones, the source gives them again, and they arrive whole."""
    made = bench.seed("app", "1", index("app"))

    def fault(request: Request) -> Fault | None:
        broken = Fault(change=lambda response: replace(response, body=bytes(reversed(bytes(response.body)))))
        return broken if request.method == "GET" and "/blobs/" in request.path else None

    bench.down.fault = fault
    bench.write(both(bench, second, "app", "1"))
    finished = bench.sync()
    assert finished.code == 0, finished.err
    assert "is not read again in this run" in finished.err
    assert second.repository("app").blobs == made.blobs


def test_an_image_that_is_there_gives_its_bytes(bench: Bench, second: EmbeddedRegistry) -> None:
    """A second place that is added later is filled from the first, and the source is only asked what the tag is."""
    made = bench.seed("app", "1")
    bench.write(bench.entry("app", "1"))
    bench.sync()
    bench.write(both(bench, second, "app", "1"))
    bench.clear()
    assert bench.sync().code == 0
    assert second.repository("app").tags == {"1": made.digest}
    assert [request.method for request in bench.up.requests] == ["HEAD"]


def test_a_tag_that_moves_meanwhile_is_one_image(bench: Bench, second: EmbeddedRegistry) -> None:
    """Both places get the image that the tag was when the first was filled."""
    made, newer = bench.seed("app", "1"), image("newer")

    def move(request: Request) -> None:
        if request.method == "PUT" and request.path.endswith("/manifests/1"):
            newer.seed(bench.up.repository("app"), "1")

    bench.down.fault = move
    bench.write(both(bench, second, "app", "1"))
    assert bench.sync().code == 0
    assert bench.tags("app") == second.repository("app").tags == {"1": made.digest}


def test_a_dry_run_tells_both_places(bench: Bench, second: EmbeddedRegistry) -> None:
    """The plan has a line for each place, nothing is written to either, and each manifest is one pull."""
    bench.seed("app", "1", index("app"))
    bench.write(both(bench, second, "app", "1"))
    finished = bench.sync("--dry-run")
    assert [line.split()[:2] for line in finished.out.splitlines()] == [
        ["add", f"{host}/app:1"] for host in (bench.down.host, second.host)
    ]
    assert not bench.tags("app")
    assert not second.repository("app").tags
    read = [request.path for request in bench.up.requests if request.method == "GET"]
    assert len(read) == len(set(read)) > 1


def test_a_check_of_both_places_asks_the_source_once(bench: Bench, second: EmbeddedRegistry) -> None:
    """An image in sync at two places is one HEAD at each of the three; the place that differs is named."""
    made = bench.seed("app", "1")
    for registry in (bench.down, second):
        made.seed(registry.repository("app"), "1")
    bench.write(both(bench, second, "app", "1", referrers=True))
    assert imagesync("check", "--file", str(bench.file)).code == 0
    bench.write(both(bench, second, "app", "1"))
    bench.clear()
    assert imagesync("check", "--file", str(bench.file)).code == 0
    assert [request.method for request in bench.up.requests] == ["HEAD"]
    image("other").seed(second.repository("app"), "1")
    finished = imagesync("check", "--file", str(bench.file))
    assert [line.split()[1] for line in finished.out.splitlines()] == [f"{second.host}/app:1:"]


def test_shards_keep_the_places_of_an_image_together(bench: Bench, second: EmbeddedRegistry) -> None:
    """Every image is copied in one shard, to all its places: two shards would read the source twice."""
    for number in range(6):
        bench.seed("app", str(number))
    bench.write(*(both(bench, second, "app", str(number)) for number in range(6)))
    assert bench.sync("--shard", "1/2").code == 0
    half = bench.tags("app")
    assert 0 < len(half) < 6
    assert second.repository("app").tags == half
    assert bench.sync("--shard", "2/2").code == 0
    assert len(bench.tags("app")) == len(second.repository("app").tags) == 6


def test_each_place_keeps_its_own_old_images(
    bench: Bench, second: EmbeddedRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What keep_as, keep_last and a lock say holds for every place of the list."""
    bench.write(both(bench, second, "app", "1", keep_as="{tag}-{date}-{digest}", keep_last=1))
    for number in range(3):
        at_hour(monkeypatch, number)
        bench.seed("app", "1", image(number))
        assert bench.lock().code == 0
        assert bench.sync("--locked").code == 0
    for tags in (bench.tags("app"), second.repository("app").tags):
        assert len(tags) == 2
        assert set(tags.values()) == {image(1).digest, image(2).digest}


def test_places_on_one_registry_share_by_mounting(bench: Bench) -> None:
    """Two repositories of one registry get each layer once over the wire."""
    bench.seed("app", "1")
    entry = bench.entry("app", "1")
    bench.write({**entry, "destination": [entry["destination"], f"{bench.down.host}/copy/app"]})
    finished = bench.sync()
    assert finished.code == 0, finished.err
    assert bench.tags("copy/app") == bench.tags("app")
    assert "mounted instead" in finished.err


def test_a_folder_may_be_the_first_place(bench: Bench) -> None:
    """A layout folder gives its bytes to the next place too."""
    made = bench.seed("app", "1")
    entry = bench.entry("app", "1")
    bench.write({**entry, "destination": [f"oci:{bench.folder}/layout:1", entry["destination"]]})
    assert bench.sync().code == 0
    assert bench.tags("app") == {"1": made.digest}
    assert sum(request.method == "GET" and "/blobs/" in request.path for request in bench.up.requests) == len(
        made.blobs
    )


def test_a_folder_may_be_the_source(bench: Bench, second: EmbeddedRegistry, tmp_path: Path) -> None:
    """An image of a layout folder goes to both places."""
    made = bench.seed("app", "1")
    layout = f"oci:{tmp_path}/layout:1"
    assert imagesync("sync", f"{bench.up.host}/app:1", layout).code == 0
    bench.write({**both(bench, second, "app", "1"), "source": layout})
    assert bench.sync().code == 0
    assert bench.tags("app") == second.repository("app").tags == {"1": made.digest}

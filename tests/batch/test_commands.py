"""The commands around sync --file as a person meets them: tags, progress on a terminal, real registries."""

from __future__ import annotations

import json
import os
import subprocess
import threading

import pytest

from tests.batch.conftest import Bench
from tests.command import IMAGESYNC, environment, imagesync
from tests.copy.test_processes import pseudo_terminal
from tests.embedded_registry import Fault, Request
from tests.embedded_registry.images import Image, image, index
from tests.stores.copying import blob


def test_tags_shows_what_rules_pick(bench: Bench) -> None:
    """The same rules as in a file, tried on the command line: one tag a line, the newest version first."""
    for tag in ("1.9", "1.10", "1.10-rc1", "2.0", "latest"):
        bench.seed("app", tag)
    repository = f"{bench.up.host}/app"
    assert imagesync("tags", repository, "--include", "1.*", "--exclude", "*-rc*").out == "1.10\n1.9\n"
    assert imagesync("tags", repository, "--semver", ">=1.10", "--latest", "1").out == "2.0\n"
    assert imagesync("tags", repository).out == "2.0\n1.10\n1.10-rc1\n1.9\nlatest\n"
    document = json.loads(imagesync("tags", repository, "--include", "/^l/", "--json").out)
    assert document == {"repository": repository, "tags": ["latest"], "count": 5}


def test_tags_of_an_image_are_none(bench: Bench) -> None:
    """A reference with a tag is not a repository, and a range that is none is not an empty answer."""
    for arguments in ([f"{bench.up.host}/app:1"], [f"{bench.up.host}/app", "--semver", "abc"]):
        assert imagesync("tags", *arguments).code == 2


def test_a_bar_on_a_terminal(bench: Bench) -> None:
    """On a terminal the bar shows how many images there are and which is in flight, and is taken away at the end."""
    released = threading.Event()

    def stall(request: Request) -> Fault | None:
        stuck = blob("GET")(request) and request.path.startswith("/v2/slow/")
        return Fault(stall=released, cut_answer_after=70_000) if stuck else None

    bench.seed("slow", "1", image(layer_size_bytes=200_000))
    bench.seed("quick", "1")
    bench.write(bench.entry("quick", "1"), bench.entry("slow", "1"))
    bench.up.fault = stall
    master, slave = pseudo_terminal()
    command = [*IMAGESYNC, "sync", "--file", str(bench.file)]
    seen = b""
    with subprocess.Popen(command, env=environment(TERM="xterm"), stderr=slave, stdout=subprocess.DEVNULL) as process:
        os.close(slave)
        while b"1 of 2 images" not in seen or b"/slow:1" not in seen:
            seen += os.read(master, 65536)
        bench.up.fault = None
        released.set()
        while True:
            try:
                more = os.read(master, 65536)
            except OSError:
                break
            if not more:
                break
            seen += more
    os.close(master)
    assert process.returncode == 0
    assert b"2 copied" in seen


@pytest.mark.parametrize("fixture", ["docker_registry", "distribution_v3", "crane_registry"])
def test_real_registries(
    request: pytest.FixtureRequest, bench: Bench, repository_name: str, busybox: Image, fixture: str
) -> None:
    """Tags by rule into a real registry: all of it arrives, is pruned, and the next run changes nothing."""
    host = request.getfixturevalue(fixture)
    for tag, made in (("1.0", busybox), ("1.1", busybox), ("1.2", index("more")), ("2.0", image("other"))):
        bench.seed("app", tag, made)
    target = f"{host}/{repository_name}"
    bench.write({"source": f"{bench.up.host}/app", "destination": target, "tags": ["2.*"]})
    assert bench.sync().code == 0
    bench.write({"source": f"{bench.up.host}/app", "destination": target, "tags": ["1.*"], "prune": True})
    finished = bench.sync()
    assert finished.code == 0, finished.err
    assert imagesync("tags", target).out.split() == ["1.2", "1.1", "1.0"]
    resolved = imagesync("resolve", *(f"{target}:{tag}" for tag in ("1.0", "1.1", "1.2"))).out.split()
    assert resolved == [f"{target}@{bench.up.repository('app').tags[tag]}" for tag in ("1.0", "1.1", "1.2")]
    again = bench.sync()
    assert (again.code, again.out) == (0, "")


@pytest.mark.parametrize("fixture", ["docker_registry", "distribution_v3", "crane_registry"])
def test_a_folder_of_a_real_registry(
    request: pytest.FixtureRequest, bench: Bench, repository_name: str, fixture: str
) -> None:
    """A whole folder goes into a real registry and comes out of it by its catalog; a check finds all of it."""
    host = request.getfixturevalue(fixture)
    images = {f"team/{name}": bench.seed(f"team/{name}", "1") for name in ("a", "b/c")}
    place = f"{host}/{repository_name}"
    bench.write({"source": f"{bench.up.host}/team/**", "destination": place, "tags": ["*"]})
    assert bench.sync().code == 0
    assert imagesync("check", "--file", str(bench.file)).code == 0
    bench.write({"source": f"{place}/**", "destination": f"{bench.down.host}/team", "tags": ["*"]})
    finished = bench.sync()
    assert finished.code == 0, finished.err
    assert {name: bench.tags(name) for name in images} == {name: {"1": made.digest} for name, made in images.items()}

"""Workers and processes on real registries, whose answers take their own time."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from imagesync_cli.settings import Settings
from imagesync_cli.stores import Stores
from imagesync_cli.stores.transport.http import Http
from tests.command import IMAGESYNC, environment, imagesync
from tests.delete import world as worlds
from tests.delete.world import IMAGES, TAGS, World
from tests.embedded_registry import MANNERS, EmbeddedRegistry, Fault, Request
from tests.embedded_registry.images import Image
from tests.embedded_registry.state import Repository
from tests.stores.copying import blob

_SEEDS = range(6)
_PROCESSES = 10
_ACCEPT = {"Accept": ", ".join({found.media_type for one in IMAGES.values() for found in one.manifests.values()})}


class Running:
    """A repository of a registry that is looked into from outside."""

    def __init__(self, host: str, repository: str, *, is_distribution: bool) -> None:
        self.host, self.repository, self.is_distribution = host, repository, is_distribution
        self.http = httpx.Client(
            base_url=f"http://{host}/v2/{repository}/", headers=_ACCEPT, trust_env=False, timeout=60
        )

    def push(self, pushed: Image, *tags: str) -> None:
        for digest, content in pushed.blobs.items():
            upload = self.http.post("blobs/uploads/")
            url = upload.url.join(upload.headers["Location"]).copy_merge_params({"digest": digest})
            assert self.http.put(url, content=content).status_code == 201
        for target, manifest in [*pushed.manifests.items(), *((tag, pushed.root) for tag in tags)]:
            headers = {"Content-Type": manifest.media_type}
            assert self.http.put(f"manifests/{target}", content=manifest.content, headers=headers).status_code == 201

    def state(self) -> Repository:
        """Tags and manifests as they are now."""
        repository = Repository()
        for digest, manifest in {d: m for one in IMAGES.values() for d, m in one.manifests.items()}.items():
            if self.http.head(f"manifests/{digest}").status_code == 200:
                repository.manifests[digest] = manifest
        for tag in self.http.get("tags/list").json().get("tags") or []:
            answer = self.http.head(f"manifests/{tag}")
            if answer.status_code == 200:
                repository.tags[tag] = answer.headers["Docker-Content-Digest"]
        return repository


@pytest.fixture(params=["docker_registry", "distribution_v3", "embedded"])
def running(request: pytest.FixtureRequest, repository_name: str) -> Iterator[Running]:
    """A repository of distribution 2.8, of 3, and of the embedded registry in the manner of 2.8."""
    if request.param == "embedded":
        with EmbeddedRegistry(MANNERS["distribution-2.8"]) as registry:
            found = Running(registry.host, repository_name, is_distribution=False)
            yield found
    else:
        found = Running(request.getfixturevalue(request.param), repository_name, is_distribution=True)
        yield found
    found.http.close()


def test_workers(running: Running, registry: EmbeddedRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sync, delete, retag and push at once: no tag misses a manifest, no removed tag is there."""
    for name, pushed in IMAGES.items():
        pushed.seed(registry.repository(name), "1")
    monkeypatch.setattr(worlds, "REPOSITORY", running.repository)
    for seed in _SEEDS:
        for tag, pushed in zip(TAGS, IMAGES.values(), strict=True):
            running.push(pushed, tag)
        asyncio.run(_play(running, registry, seed))


async def _play(running: Running, registry: EmbeddedRegistry, seed: int) -> None:
    opened: list[Stores] = []
    http = Http(Settings())

    def open_stores() -> Stores:
        opened.append(Stores(Settings()))
        return opened[-1]

    async def send(request: httpx.Request) -> httpx.Response:
        response = await http.handle_async_request(request)
        await response.aclose()
        return response

    # distribution deletes a manifest first and its tags after that: in between they lead nowhere, a delete of one finds
    # nothing to do, and it answers again when the manifest is put back. The embedded registry does both at once.
    world = World(running.host, registry.host, open_stores, send, revives=running.is_distribution)
    await asyncio.gather(*(world.work(steps) for steps in world.plan(seed)))
    assert list(world.broken(running.state())) == [], "\n".join(map(str, (seed, *world.steps)))
    for _ in range(2):
        assert await world.clear() == [], "\n".join(map(str, (seed, *world.steps)))
    assert running.state().tags == {}
    for stores in opened:
        await stores.aclose()
    await http.aclose()


def test_ten_processes(running: Running) -> None:
    """Ten processes that delete tags on the same and on overlapping images leave every other tag whole."""
    first, second, third = IMAGES["xy"], IMAGES["xz"], IMAGES["yz"]
    going = [f"going-{number}" for number in range(_PROCESSES)]
    running.push(first, *going[:5], "staying-first")
    running.push(second, *going[5:9])
    running.push(third, going[9], "staying-third")
    processes = [
        subprocess.Popen(
            [*IMAGESYNC, "delete", "--quiet", f"{running.host}/{running.repository}:{tag}"],
            stdout=subprocess.DEVNULL,
            env=environment(),
        )
        for tag in going
    ]
    assert [process.wait(timeout=120) for process in processes] == [0] * _PROCESSES
    state = running.state()
    assert state.tags == {"staying-first": first.digest, "staying-third": third.digest}
    whole = {*first.manifests, *third.manifests}
    # A tag that is just going is listed and leads nowhere for a moment: in doubt, what may be missing is put back.
    assert whole <= set(state.manifests) <= {*whole, second.digest}


def test_ten_processes_on_one_tag(running: Running) -> None:
    """Ten processes that delete the same tag all succeed, and its sibling stays."""
    pushed = IMAGES["xy"]
    running.push(pushed, "going", "staying")
    command = [*IMAGESYNC, "delete", "--quiet", "--digest", pushed.digest]
    processes = [
        subprocess.Popen(
            [*command, f"{running.host}/{running.repository}:going"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        for _ in range(_PROCESSES)
    ]
    told = [process.communicate(timeout=120)[1].decode() for process in processes]
    assert {process.returncode for process in processes} <= {0, 5}, told
    state = running.state()
    assert state.tags == {"staying": pushed.digest}
    assert set(state.manifests) == set(pushed.manifests)


def test_a_prune_removes_what_it_saw(running: Running, registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """While images are copied, somebody pushes over a tag that is to go: that stays whole, and the others go."""
    IMAGES["xz"].seed(registry.repository("up"), "1")
    running.push(IMAGES["xy"], "going", "moving")

    def push(request: Request) -> Fault | None:
        if blob("GET")(request):
            registry.fault = None
            running.push(IMAGES["yz"], "moving")
        return None

    registry.fault = push
    place = f"{running.host}/{running.repository}"
    entry = {"source": f"{registry.host}/up", "destination": place, "tags": ["*"], "prune": True}
    (tmp_path / "images.json").write_text(json.dumps({"images": [entry]}))
    finished = imagesync("sync", "--file", str(tmp_path / "images.json"), "--max-removals", "2")
    assert finished.code == 0, finished.err
    assert f"remove {place}:going" in finished.out
    assert (
        f"keep   {place}:moving (it points at {IMAGES['yz'].digest} now, not at {IMAGES['xy'].digest})" in finished.out
    )
    state = running.state()
    assert state.tags == {"1": IMAGES["xz"].digest, "moving": IMAGES["yz"].digest}
    assert {*IMAGES["xz"].manifests, *IMAGES["yz"].manifests} <= set(state.manifests)


@pytest.mark.parametrize("running", ["docker_registry", "distribution_v3"], indirect=True)
def test_a_repository_that_never_had_a_tag(running: Running) -> None:
    """distribution lists it as unknown, so nothing goes; what the error tells to do removes it all."""
    never, index = f"{running.host}/{running.repository}", next(iter(IMAGES.values()))
    running.push(index)
    done = imagesync("delete", f"{never}@{index.digest}")
    assert (done.code, running.state().manifests.keys()) == (6, index.manifests.keys()), done
    assert "the registry lists it as unknown" in done.err
    words = done.err.rpartition("imagesync sync ")[2].replace("TAG", "given").split()
    assert imagesync("sync", *words).code == 0
    assert imagesync("delete", f"{never}:given").code == 0
    assert running.state() == Repository()

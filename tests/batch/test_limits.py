"""The limits of one host, seen at a host that keeps count."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from imagesync_cli.stores.transport.limits import pace
from imagesync_cli.stores.transport.limits.host_limit import HostLimit
from imagesync_cli.values.hosts import KNOWN_HOSTS, KnownHost, Rate
from tests.batch.conftest import Bench
from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry, Fault, Request, Response
from tests.embedded_registry.images import image, index
from tests.embedded_registry.manner import Authentication, Manner
from tests.embedded_registry.strict_limits import SlidingWindow, StrictLimits

_SECOND_S = 0.05  # what these hosts call a second


@pytest.fixture
def short_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "SECOND_S", _SECOND_S)
    monkeypatch.setattr(pace, "ARRIVES_WITHIN_S", 30.0)  # a busy machine is slow


class Busy:
    """How many requests were under way at the same time, at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = 0
        self.most = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        yield
        with self._lock:
            self._now -= 1

    def watch(self, registry: EmbeddedRegistry) -> None:
        handle = registry._server.handler

        def counted(request: Request) -> object:
            with self.one():
                threading.Event().wait(0.002)
                return handle(request)

        registry._server.handler = counted  # type: ignore[assignment]


def fill(bench: Bench, number: int) -> None:
    for each in range(number):
        bench.seed("app", f"{each}")
    bench.write(*(bench.entry("app", f"{each}") for each in range(number)))


@pytest.mark.usefixtures("short_seconds")
def test_a_pace_holds_for_all_that_goes_to_a_host(bench: Bench) -> None:
    """Manifests and blobs of many images together stay below what a strict host takes in any second."""
    fill(bench, 10)
    bench.up.fault = up = StrictLimits(SlidingWindow(10, _SECOND_S))
    bench.down.fault = down = StrictLimits(SlidingWindow(20, _SECOND_S))
    finished = bench.sync(f"--requests-per-second={bench.up.host}=10", f"--requests-per-second={bench.down.host}=20")
    assert (finished.code, up.refused, down.refused) == (0, [], [])
    assert len(bench.tags("app")) == 10


@pytest.mark.usefixtures("short_seconds")
def test_requests_for_tokens_count(bench: Bench) -> None:
    """A registry that gives its own tokens counts those requests, and so does the pace; what is sent again, too."""
    guarded = Manner(authentication=Authentication("bearer", anonymous_pull=True))
    with EmbeddedRegistry(guarded) as up:
        image("a").seed(up.repository("app"), "1")
        up.fault = strict = StrictLimits(SlidingWindow(1, _SECOND_S))
        finished = imagesync(
            *("sync", f"{up.host}/app:1", f"{bench.down.host}/app:1", f"--requests-per-second={up.host}=1")
        )
        asked = [request.path for request in up.requests]
    assert (finished.code, strict.refused) == (0, [])
    assert "/token" in asked


def test_what_a_host_redirects_to_is_another_host(bench: Bench) -> None:
    """Blobs that come from elsewhere cost the registry one request each, and the other host's pace is its own."""
    with EmbeddedRegistry(Manner(redirects_blobs=True)) as up:
        image("a").seed(up.repository("app"), "1")
        call = ("sync", f"{up.host}/app:1", f"{bench.down.host}/app:1", f"--requests-per-second={up.host}=3")
        finished = imagesync(*call)
        assert (finished.code, len(up.requests), len(up.storage.requests)) == (0, 3, 2)


def test_connections_hold(bench: Bench) -> None:
    """No more requests are under way than there may be connections; the environment says so under Terraform too."""
    fill(bench, 6)
    up, down = Busy(), Busy()
    up.watch(bench.up)
    down.watch(bench.down)
    environ = {"IMAGESYNC_CONNECTIONS": f"{bench.up.host}=1,{bench.down.host}=2"}
    finished = imagesync("sync", "--file", str(bench.file), environ=environ)
    assert (finished.code, up.most, down.most) == (0, 1, 2)
    assert (bench.up.connections_opened, bench.down.connections_opened) == (1, 2)


def test_one_connection_to_who_hides_images(tmp_path: Path) -> None:
    """A registry that says 404 to nobody is asked for a way to log in over its only connection."""
    with EmbeddedRegistry() as registry:
        image("a").seed(registry.repository("a"), "1")
        handle = registry._server.handler

        def hidden(request: Request) -> object:
            is_open = "/manifests/" not in request.path or "authorization" in {name.lower() for name in request.headers}
            return handle(request) if is_open else Response(404, {}, b"{}")

        registry._server.handler = hidden  # type: ignore[assignment]
        (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": "dTpw"}}}))
        call = ("resolve", f"{registry.host}/a:1", f"--connections={registry.host}=1")
        finished = imagesync(*call, environ={"DOCKER_CONFIG": str(tmp_path)})
        assert (finished.code, registry.connections_opened) == (0, 1), finished.err


@pytest.mark.parametrize("connections", [1, 2])
def test_few_connections_within_one_registry(connections: int) -> None:
    """Reading and writing at one host, which mounts nothing, does not wait for itself; one place becomes two."""
    with EmbeddedRegistry(Manner(mount="refused")) as registry:
        made, busy = index("a"), Busy()
        made.seed(registry.repository("a"), "1")
        busy.watch(registry)
        limited = f"--connections={registry.host}={connections}"
        finished = imagesync("sync", f"{registry.host}/a:1", f"{registry.host}/b:1", limited)
        assert (finished.code, busy.most <= 2) == (0, True)
        assert registry.repository("b").blobs == made.blobs


@pytest.mark.parametrize("connections", [1, 2])
def test_two_registries_that_copy_from_each_other(bench: Bench, connections: int) -> None:
    """With few connections to both, a batch in both directions ends, and all of it arrives."""
    there, back = ("b", "c", "d"), ("e", "f", "g")
    for name in there:
        bench.seed(name, "1", index(name))
    for name in back:
        index(name).seed(bench.down.repository(name), "1")
    entries = [bench.entry(name, "1") for name in there]
    entries += [{"source": f"{bench.down.host}/{n}:1", "destination": f"{bench.up.host}/{n}:1"} for n in back]
    bench.write(*entries)
    hosts = (bench.up.host, bench.down.host)
    assert bench.sync(*(f"--connections={host}={connections}" for host in hosts)).code == 0
    assert all(bench.tags(name) for name in there)
    assert all(bench.up.repository(name).tags for name in back)


@pytest.mark.parametrize("connections", [1, 2])
def test_pieces_within_one_registry(registry: EmbeddedRegistry, connections: int) -> None:
    """Blobs that one registry takes in pieces alone, from itself and without mounting, arrive over few connections."""
    registry.manner = replace(registry.manner, mount="session")
    made = index("a", layer_size_bytes=200_000)
    made.seed(registry.repository("a"), "1")
    registry.fault = lambda request: (
        Fault(answer=Response(413)) if int(request.headers.get("content-length") or 0) > 150_000 else None
    )
    limited = f"--connections={registry.host}={connections}"
    assert imagesync("sync", f"{registry.host}/a:1", f"{registry.host}/b:1", limited).code == 0
    assert registry.repository("b").blobs == made.blobs


def test_too_many_slows_its_action_alone(bench: Bench, pauses: list[float]) -> None:
    """After "too many" at one action, the host is asked as before for all else, and that action less."""
    limit = HostLimit()

    async def refused_once() -> None:
        limit.action("PUT manifests").answered(429)

    asyncio.run(refused_once())
    assert limit.action("PUT manifests").limit == 16
    assert (limit.action("GET manifests").limit, limit.most) == (32, 32)
    fill(bench, 10)
    refused = iter(range(3))

    def puts(request: Request) -> Fault | None:
        is_one = request.method == "PUT" and "/manifests/" in request.path
        return StrictLimits(SlidingWindow(0, 1))(request) if is_one and next(refused, None) is not None else None

    bench.down.fault = puts
    assert bench.sync().code == 0
    assert len(pauses) == 3


def is_put(request: Request) -> bool:
    return request.method == "PUT" and "/manifests/" in request.path


@pytest.fixture
def a_known_host(bench: Bench) -> Iterator[Callable[[KnownHost], None]]:
    """Makes the destination a host of a kind with rates of its own."""
    before = list(KNOWN_HOSTS)
    pattern = bench.down.host.replace(".", r"\.")
    yield lambda kind: KNOWN_HOSTS.insert(0, replace(kind, pattern=pattern))
    KNOWN_HOSTS[:] = before


@pytest.mark.usefixtures("short_seconds")
def test_a_documented_rate_holds_for_its_action(bench: Bench, a_known_host: Callable[[KnownHost], None]) -> None:
    """A host that takes few manifests in a second is sent few, and blobs as fast as ever; a number that is set wins."""
    a_known_host(KnownHost("double", "", rates=(Rate("PutImage", 2, ("PUT manifests",)),)))
    fill(bench, 6)
    bench.down.fault = strict = StrictLimits(of_action=(is_put, SlidingWindow(2, _SECOND_S)))
    assert (bench.sync().code, strict.refused) == (0, [])
    bench.down.state.repositories.clear()
    bench.clear()
    bench.down.fault = None
    assert bench.sync(f"--requests-per-second={bench.down.host}=1000").code == 0
    assert Counter(map(is_put, bench.down.requests))[True] == 6

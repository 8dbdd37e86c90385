"""The limits of one host, seen at a host that keeps count."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from imagesync_cli.stores.transport.limits import pace
from imagesync_cli.stores.transport.limits.host_limit import HostLimit
from imagesync_cli.stores.transport.limits.learned_pace import LearnedPace
from imagesync_cli.values.hosts import KNOWN_HOSTS, KnownHost, Rate
from tests.batch.conftest import Bench
from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry, Fault, Request
from tests.embedded_registry.images import image
from tests.embedded_registry.manner import Authentication, Manner
from tests.embedded_registry.strict_limits import SlidingWindow, StrictLimits
from tests.fake_time import run_in_fake_time

_SECOND_S = 0.05  # what these hosts call a second


@pytest.fixture
def short_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "SECOND_S", _SECOND_S)


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


def test_one_connection_within_one_registry() -> None:
    """Reading and writing at one host, which mounts nothing, does not wait for itself."""
    with EmbeddedRegistry(Manner(mount="refused")) as registry:
        made = image("a")
        made.seed(registry.repository("a"), "1")
        finished = imagesync(
            *("sync", f"{registry.host}/a:1", f"{registry.host}/b:1", f"--connections={registry.host}=1")
        )
        assert finished.code == 0
        assert registry.repository("b").blobs == made.blobs


def test_too_many_slows_its_action_alone(bench: Bench, pauses: list[float]) -> None:
    """After "too many" at one action, the host is asked as before for all else, and that action less."""
    limit = HostLimit()
    limit.action("PUT manifests").answered(429)
    assert limit.action("PUT manifests").limit == 16
    assert (limit.action("GET manifests").limit, limit.places.limit) == (32, 32)
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
def test_a_documented_rate_holds_for_its_action(
    bench: Bench, a_known_host: Callable[[KnownHost], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that takes few manifests in a second is sent few, and blobs as fast as ever; a number that is set wins."""
    monkeypatch.setattr(pace, "ARRIVES_WITHIN_S", 0.5)
    a_known_host(KnownHost("double", "", rates=(Rate("PutImage", 2, ("PUT manifests",)),)))
    fill(bench, 6)
    bench.down.fault = strict = StrictLimits(of_action=(is_put, SlidingWindow(2, _SECOND_S)))
    assert (bench.sync().code, strict.refused) == (0, [])
    bench.down.state.repositories.clear()
    bench.clear()
    bench.down.fault = None
    assert bench.sync(f"--requests-per-second={bench.down.host}=1000").code == 0
    assert Counter(map(is_put, bench.down.requests))[True] == 6


@pytest.mark.usefixtures("short_seconds")
def test_a_limit_that_nobody_has_told_is_learned(bench: Bench) -> None:
    """After one crowd of refusals the pace is what the host takes, and no image fails; other actions are not slower."""
    fill(bench, 60)
    bench.down.fault = strict = StrictLimits(of_action=(is_put, SlidingWindow(5, _SECOND_S)))
    finished = bench.sync()
    assert (finished.code, len(bench.tags("app"))) == (0, 60)
    assert strict.refused
    assert max(strict.refused_at) - min(strict.refused_at) < 1


@pytest.mark.parametrize("refusals", [7, 8])
def test_a_few_refusals_teach_nothing(refusals: int) -> None:
    """A host that refuses now and then is no slower afterwards; a crowd of refusals within a second is a limit."""

    async def work() -> bool:
        limit = HostLimit()
        for _ in range(100):
            limit.answered("PUT manifests", 200)
        for _ in range(refusals):
            limit.answered("PUT manifests", 429)
        return limit._learned["PUT manifests"].pace is not None

    assert run_in_fake_time(work()) == (refusals == 8)


def test_a_pace_that_was_learned_changes() -> None:
    """A refusal later makes it slower, half a minute without one a little faster; there is always one a second."""

    async def work() -> list[float]:
        learned, seen = LearnedPace(), []
        for status in (*[200] * 10, *[429] * 8):
            learned.answered(status)
        seen.append(learned._per_second)
        for wait_s, status in ((1, 429), (5, 429), (31, 200), *[(5, 429)] * 20):
            await asyncio.sleep(wait_s)
            learned.answered(status)
            seen.append(learned._per_second)
        return seen

    seen = run_in_fake_time(work())
    assert seen[:4] == [10, 10, 7.5, 8.5]
    assert seen[-1] == 1

"""Sync, delete, retag and push by several workers at once, in every order that a seed can make of their requests."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imagesync_cli.stores.registry.hosts import ecr
from imagesync_cli.stores.transport import retry
from tests.delete.doubles import logins, pretending, settings
from tests.delete.inline import InlineHttp, InlineStores, Schedule
from tests.delete.world import ATTACHED, IMAGES, REPOSITORY, TAGS, World
from tests.embedded_registry import MANNERS, EmbeddedRegistry

# Enough for CI; pytest -m soak does IMAGESYNC_SOAK_RUNS (10,000) over all kinds.
_SEEDS = range(25)
# ECR does not let go of the last tag of what an index lists, be that index without a tag itself.
_GUARDS_TAGS = frozenset({"ecr"})
# Their tags dangle when a manifest goes, and lead somewhere again when it is pushed again under any tag. What a delete
# puts back may miss what another took, because of the dangling tag: then it fails and says so.
_REVIVES = frozenset({"nexus", "artifactory"})
_DANGLES = _REVIVES | {"ggcr"}
# What a tag moves away from goes at once, although an index lists it: a push by another tool breaks that index alone.
_DROPS_UNTAGGED = frozenset({"zot"})


@pytest.fixture(scope="module")
def upstream() -> Iterator[EmbeddedRegistry]:
    """Where the images come from."""
    with EmbeddedRegistry() as registry:
        for name, attached in ATTACHED.items():
            attached.seed(registry.repository(name))
        yield registry


class Play:
    """One registry kind on which seeds are played."""

    def __init__(self, manner: str, registry: EmbeddedRegistry, upstream: EmbeddedRegistry, folder: Path) -> None:
        self.manner, self.registry, self.upstream = manner, registry, upstream
        self._settings = settings(logins(folder, registry.host))
        self.schedule = Schedule()

    def play(self, seed: int, *, referrers: bool = False) -> None:
        """Play one seed, check what must hold, delete everything, check again."""
        self.registry.state.repositories.clear()
        repository = self.registry.repository(REPOSITORY)
        for tag, pushed in zip(TAGS, IMAGES.values(), strict=True):
            pushed.seed(repository, tag)
        for attached in ATTACHED.values() if referrers else ():
            attached.seed(repository, listed=not self.registry.manner.referrers)
            del repository.tags["1"]
        if referrers:
            repository.tags["1"] = IMAGES["xy"].digest
        asyncio.run(self._play(seed, referrers=referrers))

    async def _play(self, seed: int, *, referrers: bool) -> None:
        self.schedule = Schedule(seed)
        world = self._world(InlineHttp(self.schedule, self.registry, self.upstream))
        world.referrers = referrers
        await self.schedule.run(world.work(steps) for steps in world.plan(seed))
        repository = self.registry.repository(REPOSITORY)
        told = self.manner in _DANGLES and any(step.error for step in world.steps if step.verb == "delete")
        assert told or list(world.broken(repository)) == [], (self.manner, seed, world.steps)
        assert told or not referrers or list(world.unattached(repository)) == [], (self.manner, seed, world.steps)
        self.schedule.end()
        for _ in range(2):
            errors = await world.clear()
            assert errors == [] or self.manner in _GUARDS_TAGS, (self.manner, seed, errors, world.steps)
            assert told or list(world.broken(repository)) == [], (self.manner, seed, world.steps)
        if self.manner not in _GUARDS_TAGS:
            assert not any(repository.find(tag) for tag in TAGS), (self.manner, seed)

    def _world(self, http: InlineHttp) -> World:
        return World(
            self.registry.host,
            self.upstream.host,
            lambda: InlineStores(self._settings, http),
            http.handle_async_request,
            revives=self.manner in _REVIVES,
            others_push=self.manner not in _DROPS_UNTAGGED,
        )


@pytest.fixture
def play(
    request: pytest.FixtureRequest, upstream: EmbeddedRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Play]:
    """The kind of registry that the test names."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "a-double-takes-any")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with EmbeddedRegistry(MANNERS[request.param]) as registry, pretending(request.param, registry.host):
        playing = Play(request.param, registry, upstream, tmp_path)

        async def in_turn(function: Callable[[], Any], what: str) -> Any:
            await playing.schedule.turn()
            return function()

        async def pause(_: float) -> None:
            await playing.schedule.turn()

        monkeypatch.setattr(ecr, "in_thread", in_turn)
        monkeypatch.setattr(retry, "pause", pause)
        monkeypatch.setattr(retry, "_LOOKS_AFTER_S", (0,) * 7)
        yield playing


@pytest.mark.parametrize("play", MANNERS, indirect=True)
def test_interleavings(play: Play) -> None:
    """Whatever the order, no tag loses a manifest, no removed tag is there, and deleting twice is success."""
    for seed in _SEEDS:
        play.play(seed)


@pytest.mark.parametrize("play", MANNERS, indirect=True)
def test_interleavings_with_referrers(play: Play) -> None:
    """The same where sync and delete take along what is attached; and what was synced has its signatures."""
    for seed in _SEEDS:
        play.play(seed, referrers=True)


@pytest.mark.soak
@pytest.mark.parametrize("referrers", [False, True])
@pytest.mark.parametrize("play", MANNERS, indirect=True)
def test_many_interleavings(play: Play, *, referrers: bool) -> None:
    """The same, 10,000 times over all kinds of registries."""
    runs = int(os.environ.get("IMAGESYNC_SOAK_RUNS", "10000")) // len(MANNERS) + 1
    for seed in range(1000, 1000 + runs):
        play.play(seed, referrers=referrers)

"""Each kind of fault at each request of a copy, one after the other, and thousands of seeded mixtures of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import Finished
from tests.embedded_registry import Fault
from tests.embedded_registry.plan import FAULTS, LYING, PASSING, Census, at, seeded
from tests.faults.mirror import Mirror, mirror

_SEEDS = 300


@pytest.fixture
def app(tmp_path: Path, pauses: list[float]) -> Iterator[Mirror]:
    """One platform: every kind of request, and few of each."""
    with mirror("image", tmp_path) as made:
        yield made
        assert all(pause_s <= 120 for pause_s in pauses)


@pytest.fixture
def platforms(tmp_path: Path, pauses: list[float]) -> Iterator[Mirror]:
    """Two platforms under an index."""
    with mirror("index", tmp_path) as made:
        yield made
        assert all(pause_s <= 120 for pause_s in pauses)


def requests(mirror: Mirror) -> list[str]:
    """The requests of a copy in which nothing goes wrong."""
    mirror.reset()
    census = Census()
    finished = mirror.run(census)
    assert (finished.code, mirror.arrived) == (0, True), finished.err
    return census.named


def check(mirror: Mirror, finished: Finished, what: str) -> None:
    """What must hold after every run, and after the next one."""
    assert "Traceback" not in finished.err, (what, finished.err)
    assert "bug" not in finished.err, (what, finished.err)
    assert mirror.broken() == [], (what, finished.err)
    assert (finished.code == 0) == bool(finished.out), (what, finished)
    if finished.code == 0:
        assert mirror.arrived, (what, finished.err)
    else:
        again = mirror.run()
        assert (again.code, mirror.arrived) == (0, True), (what, finished.err, again.err)
        assert mirror.broken() == [], (what, again.err)


def every_request(mirror: Mirror, kind: str) -> None:
    for name in requests(mirror):
        mirror.reset()
        finished = mirror.run(at(name, kind))
        check(mirror, finished, f"{kind} at {name}")
        assert kind in LYING or finished.code == 0, (kind, name, finished.err)


@pytest.mark.parametrize("kind", FAULTS)
def test_every_request(app: Mirror, kind: str) -> None:
    """What may pass is survived at whichever request it happens; what may not leaves the old image or the new one."""
    every_request(app, kind)


@pytest.mark.parametrize("unread", [False, True])
def test_dead_token_at_every_request(app: Mirror, unread: bool) -> None:
    """A token that dies before its time is replaced, and what was being sent is sent again, read or unread."""
    for wanted in requests(app):

        def revoke(name: str, wanted: str = wanted) -> Fault | None:
            if name != wanted:
                return None
            app.source.authenticator.revoke_tokens()
            app.destination.authenticator.revoke_tokens()
            return Fault(unread=unread)

        app.reset()
        finished = app.run(Census(revoke))
        check(app, finished, f"dead token at {wanted}")
        assert finished.code == 0, (wanted, finished.err)


@pytest.mark.soak
@pytest.mark.parametrize("kind", FAULTS)
def test_every_request_of_an_index(platforms: Mirror, kind: str) -> None:
    """The same with several platforms."""
    every_request(platforms, kind)


def play(mirror: Mirror, seed: int) -> None:
    """Play one seed: an odd one has only what a copy must survive, an even one all there is."""
    kinds = [*PASSING] if seed % 2 else [*FAULTS]
    mirror.reset()
    finished = mirror.run(seeded(seed, kinds))
    check(mirror, finished, f"seed {seed}")
    assert seed % 2 == 0 or finished.code == 0, (seed, finished.err)


@pytest.mark.parametrize("part", range(3))
def test_seeds(app: Mirror, part: int) -> None:
    """Up to three faults in one copy, wherever a seed puts them: survived, or the tag is as it was."""
    for seed in range(part, _SEEDS, 3):
        play(app, seed)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_many_seeds(platforms: Mirror) -> None:
    """The same, 10,000 times; IMAGESYNC_SOAK_SEED plays one of them again."""
    first = os.environ.get("IMAGESYNC_SOAK_SEED")
    seeds = [int(first)] if first else range(1000, 1000 + int(os.environ.get("IMAGESYNC_SOAK_RUNS", "10000")))
    for seed in seeds:
        play(platforms, seed)

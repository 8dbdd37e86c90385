"""Syncs, deletes, files of images and archives that a seed makes up: alone, two at once, killed, with others' pushes.

After each of them every tag is what somebody asked for, and whole; what is attached to it stays; and what a removed tag
alone held is gone. More seeds: ``pytest -m soak tests/faults/test_generated.py``; IMAGESYNC_SOAK_RUNS says how many.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagesync_cli.stores.files.new_file import PREFIX
from tests import peers
from tests.delete.killable import Killable
from tests.embedded_registry import MANNERS, EmbeddedRegistry, Fault, Request, Response
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.state import Repository
from tests.faults.generated import ARCHIVE, ATTACHED, DOWN, FOLDER, IMAGES, TAGS, UP, Plan, Run, Tag
from tests.faults.mirror import lacking
from tests.faults.seen import Distribution, Down, Embedded, archive, below, layout, original

SEEDS, STEPS, STEPS_AT_NIGHT = 4, 12, 30
PLACES = (*DOWN, FOLDER, ARCHIVE)
STEPS_OF = (
    *["alone"] * 5,
    *["killed"] * 3,
    *["together"] * 3,
    *["one is killed"] * 2,
    *("a push", "moves", "moves", "collects garbage", "requests fail"),
)


class World:
    """An upstream, places to copy to, and two processes that run the command."""

    def __init__(self, seed: int, folder: Path, up: EmbeddedRegistry, down: Down, runners: list[Killable]) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.up, self.down, self._runners, self._folder = up, down, runners, folder
        hosts = {**dict.fromkeys(UP, up.host), **dict.fromkeys(DOWN, down.host)}
        self.plan = Plan(self.random, hosts, folder)
        self.story: list[str] = []
        self._attached: dict[str, set[tuple[str, str]]] = {place: set() for place in PLACES}
        self._before: dict[str, Repository] = {}
        for name in UP:
            for digest, attached in ATTACHED.items():
                attached.seed(up.repository(name), "new")
                assert up.repository(name).tags.pop("new") == digest
            for tag in TAGS:
                self._move(name, tag)
        self._see()

    def step(self) -> None:
        """Let one thing happen, and check what must hold."""
        kind = self.random.choice(STEPS_OF)
        self.story.append(kind)
        runs = [self.plan.run() for _ in range(2 if kind in ("together", "one is killed") else 1)]
        if kind == "moves":
            self._move(self.random.choice(UP), self.random.choice(TAGS))
            self._see()
        elif kind == "a push":
            self._push()
        elif kind == "collects garbage":
            self.down.collect_garbage()
            self._check({})
        else:
            codes = self._run(runs, kind)
            self._check(self._allowed(runs, codes), runs[0] if kind == "alone" else None)
            if kind == "killed" and self.random.random() < 0.5:
                self.story.append("again")
                codes = self._run(runs, "alone")
                self._check(self._allowed(runs, codes), runs[0])

    def end(self) -> None:
        """Nothing that a killed process has left hinders the next one, or outlives it."""
        digest = next(iter(IMAGES))
        for name in UP:
            IMAGES[digest].seed(self.up.repository(name), "end")
        for place in PLACES:
            run = Run(
                ("sync", self.plan.name((UP[0], "end")), self.plan.name((place, "1.0"))), {(place, "1.0"): digest}
            )
            self._check(self._allowed([run], self._run([run], "alone")), run)
        left = [*self._folder.rglob(f"{PREFIX}*"), *self._folder.rglob("*.lock")]
        assert left == [], self._said(f"left: {left}")

    def _run(self, runs: list[Run], kind: str) -> list[int]:
        number, k = self.random.randint(1, 40), self.random.randint(3, 9)
        process, started, lock = 0, threading.Event(), threading.Lock()
        numbers = iter(range(10**9))

        def hook(request: Request) -> Fault | None:
            with lock:
                count = next(numbers) + 1
            if kind == "requests fail" and count % k == 0:
                return refusal(503)
            if "killed" not in kind or count != number:
                return None
            assert started.wait(timeout=10)
            if count % 2:
                return Fault(change=kill)
            kill(Response())
            return Fault(drop_request_after=0)

        def kill(response: Response) -> Response:
            os.kill(process, signal.SIGKILL)
            return response

        self.up.fault = hook
        self.down.watch(hook)
        killed = {"folder": str(self._folder), "call": self.random.randint(1, 60)}
        by_file = "killed" in kind and any(kind in " ".join(runs[0].arguments) for kind in (FOLDER, "archive:"))
        for runner, run, more in zip(self._runners, runs, [killed if by_file else {}, {}], strict=False):
            pid = runner.start("oci-1.1", "", run.arguments[0], "--quiet", *run.arguments[1:], **more)
            process = process or pid
        started.set()
        codes = [runner.end() for runner, _ in zip(self._runners, runs, strict=False)]
        self.up.fault = None
        self.down.watch(None)
        self.story += [f"{run.arguments} -> {code}" for run, code in zip(runs, codes, strict=True)]
        if kind == "alone":
            assert codes == [0] or runs[0].may_fail, self._said("failed")
        return codes

    def _allowed(self, runs: list[Run], codes: list[int]) -> dict[Tag, set[str]]:
        """What each tag may be afterwards, of those that these runs touch."""
        allowed = dict[Tag, set[str]]()
        for number, (run, code) in enumerate(zip(runs, codes, strict=True)):
            others = [other for other in runs if other is not run]
            for tag, digest in run.becomes.items():
                found = allowed.setdefault(tag, set())
                found.add(digest)
                if code != 0 or any(tag in other.becomes for other in others) or run.may_fail:
                    found.add(self.plan.tags.get(tag, ""))
                for other in others:
                    found.update(other.becomes.values())  # what it copies from, and what it looks for, may have moved
                    found.add("")
            assert number < 2
        return allowed

    def _check(self, allowed: dict[Tag, set[str]], alone: Run | None = None) -> None:
        was, before = dict(self.plan.tags), self._before
        self._see()
        for at in {*was, *self.plan.tags}:
            now, may_be = self.plan.tags.get(at, ""), allowed.get(at, {was.get(at, "")})
            assert now in may_be, self._said(f"{at} is {now}, not one of {may_be}")
        for place in PLACES:
            repository = self._before[place]
            for tag, digest in repository.tags.items():
                lacks = list(lacking(repository, digest))
                assert lacks == [], self._said(f"{place}:{tag} lacks {lacks}")
            used = set(below(repository, (digest for tag, digest in repository.tags.items() if tag in TAGS)))
            self._attached[place] = {each for each in self._attached[place] if each[0] in used}
            for subject, attached in self._attached[place]:
                assert list(lacking(repository, attached)) == [], self._said(f"{place} lost what {subject} had")
        if alone is not None:
            self._check_alone(alone, was, before)

    def _check_alone(self, run: Run, was: dict[Tag, str], before: dict[str, Repository]) -> None:
        done = {tag: digest for tag, digest in run.becomes.items() if self.plan.tags.get(tag, "") == digest}
        if run.referrers and run.arguments[0] == "sync" and any(f"/{name}:" in run.arguments[-2] for name in UP):
            for (place, _), digest in done.items():
                reached = {*below(self._before[place], [digest])}
                pairs = {(subject.digest, one.digest) for up in ATTACHED.values() for subject, one in up.attached}
                self._attached[place] |= {pair for pair in pairs if pair[0] in reached}
                missing = [each for _, each in self._attached[place] if each not in self._before[place].manifests]
                assert missing == [], self._said(f"{place} lacks {missing}")
        for tag in run.removes:
            if was.get(tag):
                self._check_gone(tag[0], before[tag[0]], was[tag], referrers=run.referrers)

    def _check_gone(self, place: str, before: Repository, digest: str, *, referrers: bool) -> None:
        """What the removed tag alone held is gone."""
        after = self._before[place]
        had = [each for each in below(before, [digest]) if each in before.manifests]
        kept = [named for tag, named in after.tags.items() if tag in TAGS or not referrers]
        used = set(below(after, kept))
        about = {manifest.subject for manifest in before.manifests.values()}
        about |= {f"sha256:{tag[7:71]}" for tag in before.tags if tag.startswith("sha256-")}
        if referrers or about.isdisjoint(had):
            left = [each for each in had if each in after.manifests and each not in used]
            assert left == [], self._said(f"{place} still has {left}")

    def _move(self, name: str, tag: str) -> None:
        made = self.plan.image()
        made.seed(self.up.repository(name), tag)
        self.story.append(f"{name}:{tag} becomes {made.digest}")

    def _push(self) -> None:
        """Somebody else pushes over a tag."""
        place, tag, made = self.random.choice(DOWN), self.random.choice(TAGS), self.plan.image()
        self.down.push(place, tag, made)
        self.story.append(f"{place}:{tag} is pushed: {made.digest}")
        self._check({(place, tag): {made.digest}})

    def _see(self) -> None:
        self._before = {place: self.down.repository(place) for place in DOWN}
        self._before[FOLDER] = layout(self._folder / "layout")
        self._before[ARCHIVE] = archive(self._folder / "images.tar")
        self.plan.tags.clear()
        for place, there in {**{name: self.up.repository(name) for name in UP}, **self._before}.items():
            self.plan.tags |= {(place, tag): original(there, there.tags[tag]) for tag in TAGS if tag in there.tags}

    def _said(self, wrong: str) -> str:
        return "\n".join([*self.story, wrong])


@pytest.fixture
def runners(tmp_path: Path) -> Iterator[list[Killable]]:
    """Two processes whose forks are runs, which meet in a folder of their own."""
    (tmp_path / "tmp").mkdir()
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path / "tmp")}
    started = [Killable(environ), Killable(environ)]
    yield started
    for each in started:
        each.close()


def run_seed(seed: int, steps: int, folder: Path, down: Down, runners: list[Killable]) -> None:
    """Play one seed."""
    folder.mkdir()
    with EmbeddedRegistry() as up:
        world = World(seed, folder, up, down, runners)
        for _ in range(steps):
            world.step()
        world.end()


@contextlib.contextmanager
def registry(kind: str, folder: Path) -> Iterator[Down]:
    """A registry of this kind, empty."""
    if kind != "the real distribution 3":
        with EmbeddedRegistry(MANNERS[kind]) as embedded:
            yield Embedded(embedded)
        return
    folder.mkdir()
    with peers.distribution_v3(folder) as host:
        yield Distribution(host, folder / "storage")


@pytest.mark.parametrize("kind", ["oci-1.1", "distribution-2.8"])
def test_nothing_is_lost(kind: str, tmp_path: Path, runners: list[Killable]) -> None:
    """Whatever is done, and whoever is killed: no tag loses anything, and the next run ends well."""
    for seed in range(SEEDS):
        with registry(kind, tmp_path / f"down-{seed}") as down:
            run_seed(seed, STEPS, tmp_path / str(seed), down, runners)


@pytest.mark.soak
@pytest.mark.timeout(8 * 3600)
@pytest.mark.parametrize("kind", ["oci-1.1", "distribution-2.8", "the real distribution 3"])
def test_many_runs(kind: str, tmp_path: Path, runners: list[Killable]) -> None:
    """The same, for a night."""
    found = {}
    start = int(os.environ.get("IMAGESYNC_SOAK_SEED", "1000"))
    for seed in range(start, start + int(os.environ.get("IMAGESYNC_SOAK_RUNS", "1000"))):
        storage = tmp_path / f"down-{seed}"
        try:
            with registry(kind, storage) as down:
                run_seed(seed, STEPS_AT_NIGHT, tmp_path / str(seed), down, runners)
        except AssertionError as error:
            found[seed] = str(error)
    assert found == {}

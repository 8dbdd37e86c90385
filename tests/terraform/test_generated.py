"""Configurations, edits and accidents that a seed makes up: nothing is lost that the configuration names.

More seeds: ``pytest -m soak tests/terraform/test_generated.py``; IMAGESYNC_SOAK_RUNS says how many.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry, Fault, Request
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import index
from tests.terraform.explained import watch, wrong_consumers, wrong_words
from tests.terraform.generated import CALLS, EDITS, SOURCES, Configuration, Place
from tests.terraform.workspace import IMAGESYNC, Outcome, Workspace

SEEDS = 40
EDITS_A_SEED, EDITS_A_SEED_AT_NIGHT = 1, 3
ACCIDENTS = ("none", "none", "target", "copies fail", "removals fail", "imagesync is killed", "terraform is killed")
ENDS_WITHIN_S = 30


class World:
    """Two registries, a configuration, and Terraform between them."""

    def __init__(self, seed: int, workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> None:
        hosts = [registry.host.replace("127.0.0.1", "localhost") for registry in (source, mirror)]
        self.configuration = Configuration(seed, *hosts)
        self.random = self.configuration.random
        self.source, self.mirror = source, mirror
        self._steps: list[str] = []
        self._workspace = workspace
        self._processes = workspace.folder / "processes"
        self._named = {call: set[Place]() for call in CALLS}  # by each call, since all of them were applied
        self._kinds: list[bool] = []
        self.is_behind = False  # whether consumers may have what an earlier apply has not brought them
        for name in SOURCES:
            self._move(name)

    @property
    def story(self) -> str:
        """What has been done so far."""
        return "; ".join(self._steps)

    def edit(self) -> None:
        """Change the configuration in one or two ways, and write it."""
        for kind in self.random.sample(EDITS, self.random.randint(1, 2)):
            self._steps.append(kind)
            for name in self.configuration.edit(kind):
                self._move(name)

    def apply(self, accident: str = "none") -> None:
        """Apply once; whatever comes in between, nothing is gone that was there and is named."""
        self._write()
        arguments, left_out = [f"-parallelism={self.random.choice([1, 10])}"], set[Place]()
        calls: Sequence[str] = CALLS
        if accident == "target":
            target = self.random.choice(CALLS)
            calls = [target]
            arguments.append(f"-target={self.random.choice(self.configuration.addresses(target))}")
            # Terraform shows a run with -target nothing of other calls: what they alone name now, and the target has
            # named until now, counts as removed.
            left_out = self._named[target] - self.configuration.places(target)
        self._steps.append(f"apply {' '.join(arguments)} ({accident})")
        for call in CALLS:
            self._named[call] |= self.configuration.places(call)
        before, broken_before = self._whole(), self._broken(CALLS)
        if accident in ("none", "target"):
            outcome = self._apply_as_explained(arguments)
        else:
            workspace = self._workspace.killable() if "killed" in accident else self._workspace
            with self._accident(accident):
                outcome = workspace.run("apply", "-auto-approve", *arguments)
        self._steps.append(f"ended with {outcome.code}")
        is_usual = accident in ("none", "beginning")
        self.is_behind = not is_usual
        lost = {place: before[place] for place in before.keys() - self._whole().keys() - left_out}
        assert lost == {}, f"{self.story}: lost {lost}"
        if outcome.code == 0:
            # What a run with -target leaves out may still name what an earlier run was killed before it had copied.
            broken = self._broken(calls) | (self._broken(CALLS) - broken_before)
            assert broken == set(), f"{self.story}: broken {broken}"
        if is_usual:
            assert outcome.code == 0, (self.story, outcome.text)
            self._named = {call: self.configuration.places(call) for call in CALLS}
            assert sum(map(len, map(self._ids, CALLS))) == sum(map(len, self._named.values())), self.story

    def assert_settled(self) -> None:
        """Everything named is there, and a plan has nothing to do."""
        named = {place for call in CALLS for place in self.configuration.places(call)}
        assert self._whole().keys() == named, self.story
        planned = self._workspace.plan()
        assert planned.code == 0, (self.story, planned.text)

    def _apply_as_explained(self, arguments: list[str]) -> Outcome:
        """Apply a plan; what `imagesync explain` has said of it is what then happens at the registry, and no more."""
        told = self._explained(*arguments)
        watched, consumers, sent = watch(self.mirror), self._consumers(), len(self.mirror.requests)
        with self._accident("none"):
            outcome = self._workspace.run("apply", *arguments[:1], "plan.bin")
        if outcome.code == 0:
            size_bytes = sum(each.body_size for each in self.mirror.requests[sent:] if "/blobs/" in each.path)
            is_all = len(arguments) == 1 and not self.is_behind
            wrong = [
                *wrong_words(told, watched, watch(self.mirror), size_bytes),
                *wrong_consumers(told, consumers, self._consumers(), all_told=is_all),
            ]
            assert wrong == [], f"{self.story}: {wrong}"
        return outcome

    def _explained(self, *arguments: str) -> dict[str, Any]:
        """Plan, and what `imagesync explain` says of it."""
        planned = self._workspace.run("plan", "-out=plan.bin", *arguments)
        assert planned.code == 0, (self.story, planned.text)
        done = imagesync("explain", "--json", stdin=json.dumps(self._workspace.planned()))
        told: dict[str, Any] = json.loads(done.out)
        return told

    def _consumers(self) -> dict[str, str]:
        """What each consumer of an image has."""
        return {
            f"terraform_data.{resource['name']}[{json.dumps(each['index_key'])}]": each["attributes"]["input"]
            for resource in self._state().get("resources", [])
            if "module" not in resource and resource["mode"] == "managed"
            for each in resource["instances"]
        }

    def _state(self) -> dict[str, Any]:
        file = self._workspace.folder / "terraform.tfstate"
        state: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        return state

    def _move(self, source: str) -> None:
        """Push another image over this source's tag."""
        made = index(self.random.randint(0, 20), platforms=("linux/amd64", "linux/arm64"))
        made.seed(self.source.repository(source), "1")

    def _write(self) -> None:
        noting = f'echo "$$ $PPID" >> {self._processes}; exec "$0" "$@"'
        command = ["/bin/sh", "-c", noting, *self._workspace.recorded(*IMAGESYNC)]
        (self._workspace.folder / "main.tf").write_text(self.configuration.text(command))
        kinds = [call.is_single for call in self.configuration.calls.values()]
        if kinds != self._kinds:
            self._workspace = self._workspace.with_environment({})  # to be initialised again
        self._kinds = kinds

    def _ids(self, call: str) -> list[str]:
        # modules/image has none where -target has left it out before it was ever applied.
        return [each for each in self._state().get("outputs", {}).get(call, {}).get("value", []) if each]

    def _broken(self, calls: Sequence[str]) -> set[str]:
        """The ids in these calls' outputs that are not there, or not whole."""
        ids = {each for call in calls for each in self._ids(call)}
        return {each for each in ids if not self._is_whole(*each.split("/", 1)[1].split("@"))}

    def _whole(self) -> dict[Place, str]:
        """The tags that the configuration names and that are whole."""
        places = [place for call in CALLS for place in self.configuration.places(call)]
        with self.mirror.state.lock:
            found = {(name, tag): self.mirror.repository(name).tags.get(tag, "") for name, tag in places}
            return {place: digest for place, digest in found.items() if self._is_whole(place[0], digest)}

    def _is_whole(self, name: str, digest: str) -> bool:
        repository = self.mirror.repository(name)
        manifest = repository.manifests.get(digest)
        if manifest is None or not set(manifest.blobs) <= repository.blobs.keys():
            return False
        return all(self._is_whole(name, child) for child in manifest.children)

    @contextmanager
    def _accident(self, kind: str) -> Iterator[None]:
        self._processes.write_text("")
        number, end = self.random.randint(1, 6), self.random.choice([signal.SIGINT, signal.SIGKILL])
        unlucky, everything = self.random.choice(SOURCES), self.random.random() < 0.5
        hooks: dict[str, Callable[[Request], Fault | None]] = {
            "removals fail": lambda request: refusal(403) if request.method == "DELETE" else None,
            "imagesync is killed": self._at_write(number, lambda: self._kill(end, imagesync=True)),
            "terraform is killed": self._at_write(
                number, lambda: self._kill(end, terraform=True, imagesync=everything)
            ),
        }
        self.mirror.fault = hooks.get(kind)
        if kind == "copies fail":
            blobs = f"/v2/{unlucky}/blobs/"
            self.source.fault = lambda request: refusal(403) if request.path.startswith(blobs) else None
        yield
        self.source.fault = self.mirror.fault = None
        self._wait_for_processes()

    def _at_write(self, number: int, act: Callable[[], None]) -> Callable[[Request], None]:
        """Act once, at this request of those that write or remove a manifest."""
        left = iter(range(number))
        lock = threading.Lock()

        def hook(request: Request) -> None:
            if request.method in ("PUT", "DELETE") and "/manifests/" in request.path:
                with lock:
                    if next(left, None) == number - 1:
                        act()

        return hook

    def _kill(self, end: signal.Signals, *, terraform: bool = False, imagesync: bool = False) -> None:
        own, parent = (int(number) for number in self._processes.read_text().split()[-2:])
        for process in [parent] * terraform + [own] * imagesync:
            with suppress(ProcessLookupError):
                os.kill(process, end)

    def _wait_for_processes(self) -> None:
        """Wait for those that Terraform has left behind."""
        for line in self._processes.read_text().splitlines():
            with suppress(ProcessLookupError):
                descriptor = os.pidfd_open(int(line.split()[0]))
                try:
                    select.select([descriptor], [], [], ENDS_WITHIN_S)
                finally:
                    os.close(descriptor)


def run_seed(seed: int, edits: int, workspace: Workspace) -> None:
    """Apply what the seed wants, change it with or without accidents, and settle, often after one more edit."""
    with EmbeddedRegistry() as source, EmbeddedRegistry() as mirror:
        world = World(seed, workspace, source, mirror)
        world.apply("beginning")
        for _ in range(edits):
            world.edit()
            world.apply(world.random.choice(ACCIDENTS))
        if world.is_behind:
            if world.random.random() < 0.5:
                world.edit()
            world.apply()
        world.assert_settled()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_is_lost(seed: int, workspace: Workspace) -> None:
    """After every apply each image that was there and is named is there; one more apply, and nothing is left to do.

    A seed makes one change with or without an accident, and then settles; those of the night make three changes before.
    """
    run_seed(seed, EDITS_A_SEED, workspace)


@pytest.mark.soak
@pytest.mark.timeout(8 * 3600)
def test_many_seeds(tmp_path: Path, tool: str, tool_environment: dict[str, str]) -> None:
    """The same, for a night."""
    runs = int(os.environ.get("IMAGESYNC_SOAK_RUNS", "2000"))
    start = int(os.environ.get("IMAGESYNC_SOAK_SEED", "1000"))
    found = {}
    for seed in range(start, start + runs):
        folder = tmp_path / str(seed)
        folder.mkdir()
        try:
            run_seed(seed, EDITS_A_SEED_AT_NIGHT, Workspace(folder, tool, tool_environment))
        except (AssertionError, subprocess.TimeoutExpired) as error:
            found[seed] = str(error)
    assert found == {}

"""Configurations, edits and accidents that a seed makes up: nothing is lost that the configuration names.

More seeds: ``pytest -m soak tests/terraform/test_generated.py``; IMAGESYNC_SOAK_RUNS says how many.
"""

from __future__ import annotations

import copy
import json
import os
import random
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.command import imagesync
from tests.embedded_registry import MANNERS, EmbeddedRegistry
from tests.embedded_registry.images import Image, index, referrer
from tests.terraform.accidents import Accidents
from tests.terraform.explained import watch, wrong_consumers, wrong_words
from tests.terraform.generated import CALLS, EDITS, PLACES, SOURCES, Configuration, Place
from tests.terraform.workspace import IMAGESYNC, Outcome, Workspace

SEEDS = 40
KINDS = ("oci-1.1", "distribution-2.8", "distribution-3")
EDITS_A_SEED, EDITS_A_SEED_AT_NIGHT = 1, 3
ACCIDENTS = (
    *("none", "none", "target", "replace", "no refresh", "a plan is dropped", "state rm"),
    *("others work", "copies fail", "removals fail", "requests fail", "imagesync is killed", "terraform is killed"),
)


def some_image(choose: random.Random) -> Image:
    """One of a few, so that repositories share some."""
    return index(choose.randint(0, 20), platforms=("linux/amd64", "linux/arm64"))


class World:
    """Two registries, a configuration, and Terraform between them."""

    def __init__(self, seed: int, workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> None:
        hosts = [registry.host.replace("127.0.0.1", "localhost") for registry in (source, mirror)]
        self.configuration = Configuration(seed, *hosts)
        self.random = self.configuration.random
        self.source, self.mirror = source, mirror
        self._steps: list[str] = []
        self._workspace = workspace
        self._accidents = Accidents(self.random, source, mirror, workspace.folder / "processes")
        self._named = {call: set[Place]() for call in CALLS}  # by each call, since all of them were applied
        self._kinds: list[bool] = []
        self.is_behind = False  # whether consumers may have what an earlier apply has not brought them
        self._theirs: dict[Place, str] = {}  # what others have pushed beside our tags
        for name in SOURCES:
            self._move(name)

    @property
    def story(self) -> str:
        """What has been done so far."""
        return "; ".join(self._steps)

    def edit(self) -> None:
        """Change the configuration in one or two ways, and write it."""
        repository, made = self.random.choice(PLACES)[0], some_image(self.random)
        self._theirs[repository, "theirs"] = made.seed(self.mirror.repository(repository), "theirs")
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
        if accident == "replace":
            arguments += [f"-replace={self._some_object()}"]
        elif accident == "no refresh":
            arguments += ["-refresh=false"]
        elif accident == "state rm":
            self._workspace.succeeding("state", "rm", self._some_object())
        if accident in ("none", "target", "replace", "no refresh", "a plan is dropped"):
            outcome = self._apply_as_explained(arguments, drops=accident == "a plan is dropped")
        else:
            workspace = self._workspace.killable() if "killed" in accident else self._workspace
            with self._accidents.happen(accident):
                outcome = workspace.run("apply", "-auto-approve", *arguments)
        self._steps.append(f"ended with {outcome.code}")
        is_usual = accident in ("none", "beginning")
        self.is_behind = not is_usual
        lost = {place: before[place] for place in before.keys() - self._whole().keys() - left_out}
        assert lost == {}, f"{self.story}: lost {lost}"
        theirs = {place for place, digest in self._theirs.items() if not self._is_whole(place[0], digest)}
        theirs |= {place for place, digest in self._theirs.items() if self._tag(*place) != digest}
        assert theirs == set(), f"{self.story}: others lost {theirs}"
        if outcome.code == 0:
            # What a run with -target leaves out may still name what an earlier run was killed before it had copied.
            broken = self._broken(calls) | (self._broken(CALLS) - broken_before)
            assert broken == set(), f"{self.story}: broken {broken}"
        if is_usual:
            assert outcome.code == 0, (self.story, outcome.text)
            self._named = {call: self.configuration.places(call) for call in CALLS}
            assert sum(map(len, map(self._ids, CALLS))) == sum(map(len, self._named.values())), self.story

    def assert_settled(self) -> None:
        """Everything named is there, with what is attached to it, and a plan has nothing to do."""
        named = {place for call in CALLS for place in self.configuration.places(call)}
        assert self._whole().keys() == named, self.story
        attached = [
            (entry.place, digest)
            for call in self.configuration.calls.values()
            for entry in call.entries
            if call.referrers and not entry.platforms
            for digest in self._attached(self._tag(*entry.place))
            if not self._is_whole(entry.place[0], digest)
        ]
        assert attached == [], f"{self.story}: lacks {attached}"
        planned = self._workspace.plan()
        assert planned.code == 0, (self.story, planned.text)

    def _apply_as_explained(self, arguments: list[str], *, drops: bool) -> Outcome:
        """Apply a plan; what `imagesync explain` has said of it is what then happens at the registry, and no more.

        ``drops`` if a plan of another configuration, which nobody applies, comes in between.
        """
        told = self._explained(*arguments)
        if drops:
            self._drop_a_plan()
        watched, consumers, sent = watch(self.mirror), self._consumers(), len(self.mirror.requests)
        with self._accidents.happen("none"):
            outcome = self._workspace.run("apply", *arguments[:1], "plan.bin")
        if outcome.code == 0:
            size_bytes = sum(each.body_size for each in self.mirror.requests[sent:] if "/blobs/" in each.path)
            is_all = len(arguments) == 1 and not self.is_behind
            wrong = [
                *wrong_words(told, watched, watch(self.mirror), size_bytes),
                *wrong_consumers(told, consumers, self._consumers(), all_told=is_all),
            ]
            if "; if that is gone, remove " in outcome.text:  # what calls that are gone have left, no plan knows
                wrong = [each for each in wrong if not each.startswith("not {'outcome': 'deleted'")]
            assert wrong == [], f"{self.story}: {wrong}"
        return outcome

    def _explained(self, *arguments: str) -> dict[str, Any]:
        """Plan, and what `imagesync explain` says of it."""
        planned = self._workspace.run("plan", "-out=plan.bin", *arguments)
        assert planned.code == 0, (self.story, planned.text)
        done = imagesync("explain", "--json", stdin=json.dumps(self._workspace.planned()))
        told: dict[str, Any] = json.loads(done.out)
        return told

    def _drop_a_plan(self) -> None:
        applied = self.configuration.calls
        self.configuration.calls = copy.deepcopy(applied)
        self.configuration.edit(self.random.choice([edit for edit in EDITS if edit not in ("source", "kind", "form")]))
        self._write()
        self._workspace.run("plan")
        self.configuration.calls = applied
        self._write()

    def _some_object(self) -> str:
        """The address of an image's object."""
        images = [each for each in self._state()["resources"] if each["name"] == "image"]
        addresses = [
            f"{each['module']}.terraform_data.image[{json.dumps(instance['index_key'])}]"
            for each in images
            for instance in each["instances"]
        ]
        return self.random.choice(addresses)

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
        made = some_image(self.random)
        made.seed(self.source.repository(source), "1")
        referrer(made).seed(self.source.repository(source))

    def _write(self) -> None:
        command = [*self._accidents.noting, *self._workspace.recorded(*IMAGESYNC)]
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
            found = {place: self._tag(*place) for place in places}
            return {place: digest for place, digest in found.items() if self._is_whole(place[0], digest)}

    def _attached(self, digest: str) -> list[str]:
        """What the source has attached to this image."""
        return [each.digest for name in SOURCES for each in self.source.repository(name).referrers_of(digest)]

    def _tag(self, name: str, tag: str) -> str:
        return self.mirror.repository(name).tags.get(tag, "")

    def _is_whole(self, name: str, digest: str) -> bool:
        repository = self.mirror.repository(name)
        manifest = repository.manifests.get(digest)
        if manifest is None or not set(manifest.blobs) <= repository.blobs.keys():
            return False
        return all(self._is_whole(name, child) for child in manifest.children)


def run_seed(seed: int, edits: int, workspace: Workspace) -> None:
    """Apply what the seed wants, change it with or without accidents, and settle, often after one more edit."""
    with EmbeddedRegistry() as source, EmbeddedRegistry(MANNERS[KINDS[seed % len(KINDS)]]) as mirror:
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

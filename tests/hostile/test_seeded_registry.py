"""A registry whose answers a seed chooses, against every command: nothing that was not named changes anywhere.

More seeds: ``pytest -m soak tests/hostile/test_seeded_registry.py``; IMAGESYNC_SOAK_RUNS says how many.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import image, index
from tests.hostile.lies import Liar
from tests.hostile.seeds import SEEDS, SEEDS_A_PROCESS, Runner, run_for_a_night, run_seeds, wrong_ends

READS = {"GET", "HEAD"}
SECRET = "hunter2-of-the-liar"


@dataclass
class World:
    """A liar, an honest registry to copy to and from, and one that no command names."""

    liar: EmbeddedRegistry
    honest: EmbeddedRegistry
    bystander: EmbeddedRegistry
    folder: Path

    def commands(self) -> dict[str, list[str]]:
        """Every command, with the liar in each of its roles."""
        source, target = f"{self.liar.host}/app", f"{self.honest.host}/mirror"
        onto = f"{self.liar.host}/mirror"
        return {
            "resolve": ["resolve", f"{source}:1", f"{source}:2"],
            "tags": ["tags", source, "--latest", "2"],
            "doctor": ["doctor", f"{source}:1"],
            "check": ["check", "--deep", "--referrers", f"{source}:1", f"{self.honest.host}/good:1"],
            "check it": ["check", "--read", f"{self.honest.host}/good:1", f"{source}:1"],
            "sync from": ["sync", f"{source}:1", f"{target}:1"],
            "sync with referrers from": ["sync", "--referrers", "--foreign-layers", f"{source}:1", f"{target}:1"],
            "sync platforms from": ["sync", "--platform", "linux/amd64", f"{source}:1", f"{target}:1"],
            "sync into": ["sync", f"{self.honest.host}/good:1", f"{onto}:1"],
            "sync with referrers into": ["sync", "--referrers", "--verify", f"{self.honest.host}/good:1", f"{onto}:1"],
            "sync within": ["sync", f"{source}:1", f"{onto}:1"],
            "sync to a folder": ["sync", "--referrers", f"{source}:1", f"oci:{self.folder}/layout:1"],
            "delete": ["delete", f"{source}:1"],
            "delete with referrers": ["delete", "--referrers", f"{source}:2", f"{source}:1"],
            "lock": ["lock", "--file", str(self.folder / "from.yaml")],
            "batch from": ["sync", "--file", str(self.folder / "from.yaml"), "--max-removals", "9"],
            "batch into": ["sync", "--file", str(self.folder / "into.yaml"), "--max-removals", "9"],
            "external": ["external"],
        }

    def write_files(self) -> None:
        """The files of images for the commands that take one."""
        rules = {"tags": {"include": ["*"]}, "prune": True, "referrers": True}
        entry = {"source": f"{self.liar.host}/app", "destination": f"{self.honest.host}/mirror", **rules}
        back = {"source": f"{self.honest.host}/good", "destination": f"{self.liar.host}/mirror", **rules}
        (self.folder / "from.yaml").write_text(json.dumps({"images": [entry]}))
        (self.folder / "into.yaml").write_text(json.dumps({"images": [back]}))

    def query(self) -> str:
        """What Terraform asks, of the liar and with everything that can be asked."""
        wanted = {"reference": f"{self.liar.host}/app:1", "referrers": True, "verify": "deep"}
        return json.dumps({"images": json.dumps({"a": wanted, "b": f"{self.liar.host}/app:2"})})


@contextlib.contextmanager
def world(seed: int, folder: Path) -> Iterator[World]:
    """Three registries with the same few images; the first one's answers are the seed's."""
    with EmbeddedRegistry() as liar, EmbeddedRegistry() as honest, EmbeddedRegistry() as bystander:
        one, two, other = index("one", platforms=("linux/amd64", "linux/arm64")), image("two"), image("other")
        for registry in (liar, honest):
            one.seed(registry.repository("app"), "1", "same")
            two.seed(registry.repository("app"), "2")
            two.seed(registry.repository("good"), "1", "2")
            other.seed(registry.repository("mirror"), "1", "gone")
        for registry in (liar, honest, bystander):
            one.seed(registry.repository("victim/app"), "latest", "keep")
            other.seed(registry.repository("victim/app"), "other")
        made = World(liar, honest, bystander, folder)
        made.write_files()
        liar.fault = Liar(seed, bystander.host, [one.digest, two.digest, other.digest, *one.children])
        yield made


def wrongs(made: World, name: str, report: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """What this run did that nobody asked for."""
    found = wrong_ends(report)
    strange = [request for request in made.bystander.requests if request.method not in {*READS, "PUT", "PATCH"}]
    strange += [request for request in made.bystander.requests if "authorization" in request.headers]
    found += [f"asked another registry for {request}" for request in strange]
    if made.bystander.dump() != before["bystander"]:
        found.append("another registry holds something else now")
    after = made.honest.dump()
    for repository in ("app", "good", "victim/app"):
        if after[repository] != before["honest"][repository]:
            found.append(f"{repository} of the honest registry holds something else now")
    allowed = re.compile(r"/v2/(app|mirror)/|/token|/api/|/v2/$")
    removals = [request for request in made.liar.requests if request.method == "DELETE"]
    found += [f"sent {request}" for request in removals if not allowed.match(request.path)]
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", report["out"] + report["err"]):
        found.append(f"printed what drives a terminal: {report['out'] + report['err']!r}")
    return found


def run_seed(seed: int, here: Path, runner: Runner) -> list[str]:
    """Run the seed's command against what the seed makes a registry answer; what it did wrong."""
    with world(seed, here) as made:
        name = random.Random(seed).choice(sorted(made.commands()))  # noqa: S311
        before = {"honest": made.honest.dump(), "bystander": made.bystander.dump()}
        report = runner(*made.commands()[name], stdin=made.query() if name == "external" else "")
        return [f"seed {seed}, {name}: {wrong}" for wrong in wrongs(made, name, report, before)]


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_A_PROCESS))
def test_no_answer_makes_a_command_do_what_it_was_not_told(first: int, tmp_path: Path) -> None:
    """Whatever a registry answers: another one is only read, nothing that was not named changes, memory stays flat."""
    assert run_seeds(run_seed, range(first, first + SEEDS_A_PROCESS), tmp_path) == []


@pytest.mark.soak
@pytest.mark.timeout(8 * 3600)
def test_many_seeds(tmp_path: Path) -> None:
    """The same, for a night."""
    assert run_for_a_night(run_seed, tmp_path) == []

"""Plans that a seed makes up, with options mixed and calls in a module with for_each: `explain` beside what is done.

What test_generated.py leaves out is here: gates, trust, ages, referrers, damage, prefixes known only at apply, and
-target, -replace, -destroy and -refresh-only. More seeds: ``pytest -m soak tests/terraform/test_mixed.py``.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import image, index
from tests.terraform.explained import Watched, place_of, watch, wrong_words
from tests.terraform.workspace import CHECKOUT, IMAGESYNC, Workspace
from tests.trust.signing import key_pair, sign, trusting

SEEDS, SEEDS_OF_TOFU = 4, 2
ROUNDS, ROUNDS_AT_NIGHT = 3, 6
OURS = key_pair()
NAMES, CALLS = ("a", "b", "c"), ("blue", "green")
MADE = [index(number, platforms=("linux/amd64", "linux/arm64")) for number in range(8)]
OPTIONS = {
    "keep_last": "null",
    "overwrite": '"always"',
    "source_unavailable": '"error"',
    "verify": '"tag"',
    "explain": '"all"',
    "referrers": "false",
    "trust": '{ default = "accept", rules = [] }',
    "minimum_age": '""',
    "minimum_age_new": '"wait"',
    "ignore_age_for": "[]",
    "required_platforms": "[]",
    "max_size_bytes": "0",
}
INNER = """
variable "call" {}
variable "prefix" {}
module "mirror" {
  source             = "%s/modules//images"
  command            = %s
  images             = var.call.images
  destination_prefix = var.prefix
  on_replace         = var.call.options.on_replace
  on_destroy         = var.call.options.on_destroy
%s
}
output "ids" { value = module.mirror.ids }
"""
ROOT = """
locals {
  calls = jsondecode(file("${path.module}/calls.json"))
  late  = { for key, call in local.calls : key => split("|", terraform_data.place[key].id)[0] == "" ? "" : call.place }
}
resource "terraform_data" "place" {
  for_each         = local.calls
  triggers_replace = each.value.place
}
module "env" {
  source   = "./env"
  for_each = local.calls
  call     = each.value
  prefix   = each.value.late ? local.late[each.key] : each.value.place
}
"""
MIRROR = 'module.env["%s"].module.mirror'
MODES: list[list[str]] = [
    *[[] for _ in range(6)],
    ['-target=module.env["blue"]'],
    [f"-target={MIRROR % 'green'}.terraform_data.image"],
    ["-target=IMAGE"],
    ["-replace=IMAGE"],
    [f"-replace={MIRROR % 'blue'}.terraform_data.copies[0]"],
    ["-destroy"],
    ["-destroy", '-target=module.env["blue"]'],
    ["-destroy", "-target=IMAGE"],
    ["-refresh-only"],
    ["-refresh=false"],
]
EVENTS = [
    *["moves", "moves", "loses its tag", "is gone", "is overwritten", "is damaged", "loses its source"],
    *["removed", "added", "renamed", "other options", "other policy", "late", "swapped", "elsewhere"],
]
# What Terraform says where keys hang on a prefix known only at apply, or where -target leaves out a read.
UNDECIDED = ("Invalid for_each", "Invalid count", "Invalid index")


class Mixed:
    """Two registries, two calls, and what has been done with them."""

    def __init__(self, seed: int, workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.workspace, self.source, self.mirror = workspace, source, mirror
        self.steps = list[str]()
        self._calls: dict[str, Any] = {}
        for name in NAMES:
            self._move(name)
        for call in CALLS:
            images = {f"{name}:1": self._entry(name) for name in NAMES if self.random.random() < 0.7}
            place = f"{mirror.host}/{call}"
            self._calls[call] = {"images": images, "options": self._options(), "place": place, "late": False}
        folder = workspace.folder / "env"
        folder.mkdir()
        options = [f"  {name} = try(var.call.options.{name}, {default})" for name, default in OPTIONS.items()]
        inner = INNER % (CHECKOUT, json.dumps(workspace.recorded(*IMAGESYNC)), "\n".join(options))
        (folder / "main.tf").write_text(inner)
        (workspace.folder / "main.tf").write_text(ROOT)

    def happen(self) -> None:
        """Let a few things happen to images, upstream, at the mirror and in the configuration."""
        for event in self.random.sample(EVENTS, self.random.randint(1, 4)):
            call, name = self.random.choice(CALLS), self.random.choice(NAMES)
            key = self.random.choice([*self._calls[call]["images"], "a:1"])
            self.steps.append(f"{call} {key} ({name}) {event}")
            self._upstream(event, name)
            self._at_the_mirror(event, call, key)
            self._in_the_configuration(event, call, key, name)

    def run(self, mode: list[str]) -> list[str]:
        """Plan, explain and apply; gives what was wrong with the explanation."""
        (self.workspace.folder / "calls.json").write_text(json.dumps(self._calls))
        mode = [each.replace("IMAGE", self._some_image()) for each in mode]
        self.steps.append(f"plan {' '.join(mode)} {json.dumps(self._calls)}")
        before, file = watch(self.mirror), self.workspace.folder / "plan.bin"
        file.unlink(missing_ok=True)
        planned = self.workspace.run("plan", "-out=plan.bin", *mode)
        if not file.exists():
            return []
        plan = json.dumps(self.workspace.planned())
        told = json.loads(imagesync("explain", "--json", stdin=plan).out)
        self.steps.append(imagesync("explain", stdin=plan).out)
        if planned.code:
            return _wrong_of_failed(told, planned.text)
        sent = len(self.mirror.requests)
        applied = self.workspace.run("apply", "plan.bin")
        self.steps.append(f"applied: {applied.code}")
        outcomes = {old["outcome"] for change in told["changes"] for old in change["old"]}
        if applied.code:
            may_fail = "refused" in outcomes or any(call["late"] for call in self._calls.values())
            return [] if may_fail or not told["can_be_applied"] else [applied.text[-1500:]]
        size_bytes = sum(each.body_size for each in self.mirror.requests[sent:] if "/blobs/" in each.path)
        if any(change["why"].endswith("if overwrite allows it") for change in told["changes"]):
            return []
        for change in told["changes"]:
            self._find(change, before)
        return wrong_words(told, before, watch(self.mirror), size_bytes)

    def _find(self, change: dict[str, Any], before: Watched) -> None:
        """Fill in what is known only at apply."""
        if not change["destination"]:
            call = self._calls[change["module"].split('"')[1]]
            change["destination"] = f"{call['place']}/{change['key']}"
            change["before"] = before.tags.get(place_of(change["destination"]), "")
            for old in change["old"]:
                old["destination"] = old["destination"] or change["destination"]

    def _entry(self, name: str) -> dict[str, str]:
        return {"source": f"{self.source.host}/{name}:1"}

    def _options(self) -> dict[str, Any]:
        pick = self.random.choice
        options: dict[str, Any] = {"on_replace": pick(["delete", "delete", "keep", "retag"])}
        options["on_destroy"] = pick([*["delete"] * 6, "keep", "keep", "refuse"])
        if options["on_replace"] == "retag":
            options["keep_last"] = pick([None, 0, 1])
        more = {
            "overwrite": pick(["ours", "never", "always", "always"]),
            "source_unavailable": "use_destination",
            "verify": "deep",
            "explain": pick(["words", "drift"]),
            "referrers": True,
            "trust": {"rules": [trusting(OURS)]},
            "minimum_age": "2d",
            "required_platforms": ["linux/amd64"],
            "max_size_bytes": pick([10**6, 10**9]),
        }
        options |= {name: value for name, value in more.items() if self.random.random() < 0.25}
        waiting = {"minimum_age_new": pick(["wait", "take", "take", "take"])}
        return options | waiting | {"ignore_age_for": [made.digest for made in self.random.sample(MADE, 4)]}

    def _move(self, name: str) -> None:
        made = self.random.choice(MADE)
        made.seed(self.source.repository(name), "1")
        if self.random.random() < 0.95:
            sign(self.source.repository(name), made.digest, OURS)

    def _upstream(self, event: str, name: str) -> None:
        if event == "moves":
            self._move(name)
        elif event == "loses its source":
            self.source.repository(name).tags.pop("1", None)

    def _at_the_mirror(self, event: str, call: str, key: str) -> None:
        name, tag = key.split(":")
        repository = self.mirror.repository(f"{self._calls[call]['place'].partition('/')[2]}/{name}")
        if event == "loses its tag":
            repository.tags.pop(tag, None)
        elif event == "is gone":
            for content in (repository.tags, repository.manifests, repository.blobs):
                content.clear()
        elif event == "is overwritten":
            image("foreign").seed(repository, tag)
        elif event == "is damaged" and repository.blobs:
            del repository.blobs[self.random.choice(sorted(repository.blobs))]

    def _in_the_configuration(self, event: str, call: str, key: str, name: str) -> None:
        changed = self._calls[call]
        images = changed["images"]
        if event == "removed":
            images.pop(key, None)
        elif event == "added":
            images.setdefault(f"{name}:2", self._entry(name))
        elif event == "renamed" and key in images:
            images[f"{self.random.choice('xy')}:1"] = images.pop(key)
        elif event == "other options":
            changed["options"] = self._options()
        elif event == "other policy":
            changed["options"]["on_destroy"] = self.random.choice(["delete", "keep"])
        elif event == "late":
            changed["late"] = not changed["late"]
        elif event == "swapped":
            one, two = (self._calls[each] for each in CALLS)
            one["images"], two["images"] = two["images"], one["images"]
        elif event == "elsewhere" and call == "blue":
            changed["place"] = f"{self.mirror.host}/{self.random.choice(['blue', 'green', 'red'])}"

    def _some_image(self) -> str:
        file = self.workspace.folder / "terraform.tfstate"
        resources = json.loads(file.read_text())["resources"] if file.exists() else []
        images = [(each["module"], each["instances"]) for each in resources if each["name"] == "image"]
        addresses = [
            f'{module}.terraform_data.image["{instance["index_key"]}"]'
            for module, instances in images
            for instance in instances
        ]
        return self.random.choice([*addresses, f"{MIRROR % 'blue'}.terraform_data.call"])


def _wrong_of_failed(told: dict[str, Any], said: str) -> list[str]:
    failed = told["summary"].startswith("imagesync: this plan failed") and not told["can_be_applied"]
    wrong = [] if failed else [f"it failed: {told['summary']}"]
    if any(words in said for words in UNDECIDED):
        return wrong
    refused = [change["key"] for change in told["changes"] if change["kind"] == "refused"]
    wrong += [] if refused else ["nothing was refused"]
    return [*wrong, *(f"{key} was not refused" for key in refused if key not in said)]


def run_seed(seed: int, rounds: int, workspace: Workspace) -> None:
    with EmbeddedRegistry() as source, EmbeddedRegistry() as mirror:
        world = Mixed(seed, workspace, source, mirror)
        wrong = world.run([])
        for _ in range(rounds):
            assert wrong == [], "\n".join([*world.steps, *wrong])
            world.happen()
            wrong = world.run(world.random.choice(MODES))
        assert wrong == [], "\n".join([*world.steps, *wrong])


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_wrong_word(seed: int, workspace: Workspace) -> None:
    """What is said of each plan is what its apply does; a plan that failed says so, and which images it refused."""
    run_seed(seed, ROUNDS, workspace)


@pytest.mark.parametrize("tool", ["tofu"], indirect=True)
@pytest.mark.parametrize("seed", range(SEEDS, SEEDS + SEEDS_OF_TOFU))
def test_no_wrong_word_of_plans_of_opentofu(seed: int, workspace: Workspace) -> None:
    """OpenTofu's plans have the same words."""
    run_seed(seed, ROUNDS, workspace)


@pytest.mark.soak
@pytest.mark.timeout(8 * 3600)
def test_many_seeds(tmp_path: Path, tool: str, tool_environment: dict[str, str]) -> None:
    """The same, for a night."""
    found = {}
    start = int(os.environ.get("IMAGESYNC_SOAK_SEED", "100"))
    for seed in range(start, start + int(os.environ.get("IMAGESYNC_SOAK_RUNS", "500"))):
        folder = tmp_path / str(seed)
        folder.mkdir()
        try:
            run_seed(seed, ROUNDS_AT_NIGHT, Workspace(folder, tool, tool_environment))
        except AssertionError as error:
            found[seed] = str(error)
    assert found == {}

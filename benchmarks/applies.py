"""What a Terraform apply of many new images costs, and their destroy.

Beside ours: `sync --file` of the same images, which is the work without Terraform; and a process for each image, which
is how a provider with one resource works: `imagesync sync` when an object is made, `imagesync delete` when it goes.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.batch import crumb, ours
from benchmarks.laboratory import Laboratory
from benchmarks.measure import Cost, measure
from benchmarks.plans import CHECKOUT, has_terraform, terraform_environment
from benchmarks.registries import Registry
from benchmarks.repository import Repository
from benchmarks.results import Row
from benchmarks.tools import IMAGESYNC, OURS

_COUNT = 100
_APPLY, _DESTROY = f"terraform apply, {_COUNT} images", f"terraform destroy, {_COUNT} images"
_WITHOUT_TERRAFORM = "imagesync sync --file"
_A_PROCESS_EACH = "a process an image"


def rows(laboratory: Laboratory) -> Iterator[Row]:
    """New images from one repository into another, and away again."""
    if laboratory.quick or not any(map(laboratory.wanted, (_APPLY, _DESTROY))) or not has_terraform(laboratory):
        return
    with laboratory.registry() as source, laboratory.registry() as destination:
        for number in range(_COUNT):
            Repository(source.address, "app").push(crumb(number), str(number))
        bench = Bench(laboratory, source, destination)
        yield bench.batch()
        for tool, configuration in ((OURS, bench.module()), (_A_PROCESS_EACH, bench.object_each())):
            yield from bench.life(tool, configuration)


class Bench:
    """Two registries, and Terraform beside them."""

    def __init__(self, laboratory: Laboratory, source: Registry, destination: Registry) -> None:
        self._laboratory, self._source, self._destination = laboratory, source, destination
        self._environ = terraform_environment(laboratory)
        self._calls = laboratory.folder / "calls.log"
        self._command = [str(self._noting(laboratory.folder / "noted"))]
        self._pairs = {
            f"app:{number}": (f"{source.proxied_host}/app:{number}", f"{destination.proxied_host}/app:{number}")
            for number in range(_COUNT)
        }

    def batch(self) -> Row:
        """The same images without Terraform."""
        costs = []
        for _ in range(self._laboratory.runs):
            self._destination.empty()
            command = ours([*self._pairs.values()], self._laboratory.folder / "images.yaml")
            costs.append(self._laboratory.measure(command))
        self._destination.empty()
        return self._row(_APPLY, _WITHOUT_TERRAFORM, costs)

    def life(self, tool: str, configuration: Mapping[str, object]) -> Iterator[Row]:
        """Apply and destroy, as often as there are runs. A removal leaves blobs behind, so each begins with nothing."""
        folder = self._laboratory.folder / tool.replace(" ", "-")
        folder.mkdir()
        (folder / "main.tf.json").write_text(json.dumps(configuration))
        subprocess.run(
            ["terraform", "init", "-input=false"], cwd=folder, env=self._environ, check=True, stdout=subprocess.DEVNULL
        )
        done: dict[str, list[tuple[Cost, str, int]]] = {_APPLY: [], _DESTROY: []}
        for _ in range(self._laboratory.runs):
            self._destination.empty()
            for scenario, verb in ((_APPLY, "apply"), (_DESTROY, "destroy")):
                done[scenario].append(self._run(folder, verb))
        for scenario, runs in done.items():
            costs, requests, processes = map(list, zip(*runs, strict=True))
            yield self._row(scenario, tool, costs, requests[-1]).noted(f"{processes[-1]} imagesync processes")

    def module(self) -> Mapping[str, object]:
        """One call of modules/images."""
        images = {key: {"source": source} for key, (source, _) in self._pairs.items()}
        call = {
            "source": str(CHECKOUT / "modules" / "images"),
            "command": self._command,
            "destination_prefix": self._destination.proxied_host,
            "images": images,
        }
        return {"module": {"mirror": call}}

    def object_each(self) -> Mapping[str, object]:
        """An object for each image, with a command of its own for its creation and its end."""
        provisioners = [
            {"interpreter": [*self._command, "sync", "--quiet", "${self.input[0]}"], "command": "${self.input[1]}"},
            {"when": "destroy", "interpreter": [*self._command, "delete"], "command": "${self.input[1]}"},
        ]
        image = {
            "for_each": {key: [*pair] for key, pair in self._pairs.items()},
            "input": "${each.value}",
            "provisioner": [{"local-exec": each} for each in provisioners],
        }
        return {"resource": {"terraform_data": {"image": image}}}

    def _noting(self, program: Path) -> Path:
        """A program that notes each call of imagesync. Its name is short: Terraform's state has it for each image."""
        program.write_text(f'#!/bin/sh\necho >> {shlex.quote(str(self._calls))}\nexec {shlex.quote(IMAGESYNC)} "$@"\n')
        program.chmod(0o755)
        return program

    def _run(self, folder: Path, verb: str) -> tuple[Cost, str, int]:
        self._calls.write_text("")
        for registry in (self._source, self._destination):
            registry.start_counting(0)
        cost = measure(["terraform", f"-chdir={folder}", verb, "-auto-approve", "-input=false"], self._environ)
        there = [bool(Repository(self._destination.address, "app").digest(str(n))) for n in (0, _COUNT - 1)]
        if there != [verb == "apply"] * 2:
            self._laboratory.failed(f"terraform {verb} has not done its work")
        requests = f"{self._source.counts().total}+{self._destination.counts().total}"
        return cost, requests, len(self._calls.read_text().splitlines())

    def _row(self, scenario: str, tool: str, costs: list[Cost], requests: str = "") -> Row:
        self._laboratory.say(f"{scenario} {tool}: {min(cost.wall_s for cost in costs) * 1000:.0f} ms, {requests}")
        return Row(scenario, tool, 0, costs, requests)

"""What a Terraform plan of many images costs: modules/images, and a stand-in for the external provider."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.images import SMALL
from benchmarks.laboratory import Laboratory
from benchmarks.measure import Cost, measure
from benchmarks.registries import Registry
from benchmarks.repository import Repository
from benchmarks.results import Row
from benchmarks.tools import IMAGESYNC, OURS

CHECKOUT = Path(__file__).parents[1]
_PROVIDER = CHECKOUT / "tests" / "terraform" / "external_provider"
_VERSION = "2.3.99"
_COUNTS = (0, 1, 20, 200, 500)
_CLI_CONFIG = 'disable_checkpoint = true\nprovider_installation {\n  filesystem_mirror {\n    path = "%s"\n  }\n}\n'


def rows(laboratory: Laboratory) -> Iterator[Row]:
    """Plans of 0 images (Terraform alone), 1, 20, 200 and 500, these by rule too, where Terraform and Go are there."""
    delays_ms = (0, 20)
    sorts = [*((count, False) for count in _COUNTS), (max(_COUNTS), True)]
    wanted = [(*sort, delay) for delay in delays_ms for sort in sorts if laboratory.wanted(_scenario(*sort), delay)]
    if laboratory.quick or not wanted or not has_terraform(laboratory):
        return
    with laboratory.registry() as source, laboratory.registry() as destination:
        bench = Bench(laboratory, source, destination)
        for count, by_rule, delay_ms in wanted:
            yield bench.plan(count, delay_ms, by_rule=by_rule)


def _scenario(count: int, by_rule: bool) -> str:  # noqa: FBT001 (a tuple of both is unpacked)
    return f"terraform plan, {count} images{' by rule' if by_rule else ''}"


class Bench:
    """A provider, and two registries with the same images."""

    def __init__(self, laboratory: Laboratory, source: Registry, destination: Registry) -> None:
        self._laboratory = laboratory
        self._registries = source, destination
        self._folder = laboratory.folder / "plans"
        self._folder.mkdir()
        self._environ = terraform_environment(laboratory)
        for registry in self._registries:
            repository = Repository(registry.address, "app")
            repository.push(SMALL, "0")
            repository.tag(SMALL, [str(number) for number in range(1, max(_COUNTS))])

    def plan(self, count: int, delay_ms: int, *, by_rule: bool) -> Row:
        """Plan the images before they are in a state: what a plan asks does not depend on it."""
        scenario = _scenario(count, by_rule)
        folder = self._folder / f"{scenario}-{delay_ms}".replace(" ", "-")
        folder.mkdir()
        (folder / "main.tf.json").write_text(json.dumps(self._configuration(count, by_rule=by_rule)))
        subprocess.run(
            ["terraform", "init", "-input=false"], cwd=folder, env=self._environ, check=True, stdout=subprocess.DEVNULL
        )
        costs = [self._cost(folder, delay_ms) for _ in range(self._laboratory.runs)]
        requests = "+".join(str(registry.counts().total) for registry in self._registries)
        self._laboratory.say(f"{scenario} {delay_ms} ms: {min(cost.wall_s for cost in costs) * 1000:.0f} ms")
        return Row(scenario, OURS, delay_ms, costs, requests)

    def _cost(self, folder: Path, delay_ms: int) -> Cost:
        for registry in self._registries:
            registry.start_counting(delay_ms)
        return measure(["terraform", f"-chdir={folder}", "plan", "-input=false"], self._environ)

    def _configuration(self, count: int, *, by_rule: bool) -> dict[str, object]:
        source, destination = (registry.proxied_host for registry in self._registries)
        entries: dict[str, object] = {f":{number}": {"source": f"{source}/app:{number}"} for number in range(count)}
        rule = {":": {"source": f"{source}/app", "tags": {"include": ["*"]}}}
        module = {
            "source": str(CHECKOUT / "modules" / "images"),
            "command": [IMAGESYNC],
            "destination_prefix": f"{destination}/app",
            "images": rule if by_rule else entries,
        }
        return {"module": {"mirror": module}}


def has_terraform(laboratory: Laboratory) -> bool:
    """Whether Terraform can be run here, and a provider built for it; says what is left out if not."""
    is_there = all(map(shutil.which, ("terraform", "go")))
    if not is_there:
        laboratory.say("terraform: left out, for it takes terraform and go")
    return is_there


def terraform_environment(laboratory: Laboratory) -> Mapping[str, str]:
    """An environment in which Terraform finds the stand-in for the external provider, which is built for it."""
    folder = laboratory.folder / "terraform"
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    place = f"registry.terraform.io/hashicorp/external/{_VERSION}/{platform.system().lower()}_{machine}"
    program = folder / place / f"terraform-provider-external_v{_VERSION}"
    config = folder / "terraform.tfrc"
    if not config.exists():
        subprocess.run(["go", "build", "-o", str(program), "."], cwd=_PROVIDER, check=True)
        config.write_text(_CLI_CONFIG % folder)
    return {**laboratory.environment(), "TF_CLI_CONFIG_FILE": str(config)}

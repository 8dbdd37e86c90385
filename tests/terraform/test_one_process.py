"""All that an apply copies is copied by one process: what fails, fails alone, and nothing is lost when it is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.embedded_registry import EmbeddedRegistry, Request
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import Image, image
from tests.terraform.workspace import IMAGESYNC, Workspace

IDS = 'output "ids" { value = module.mirror.ids }'
# As they were at commit f6a4c89, the last whose image objects did the copying.
WITH_A_COPY_FOR_EACH_IMAGE = Path(__file__).with_name("modules_at_f6a4c89")


def seeded(source: EmbeddedRegistry, *names: str, of: str = "") -> dict[str, Image]:
    """Images of their own for these repositories, each under the tag 1."""
    made = {name: image(f"{name}{of}") for name in names}
    for name, each in made.items():
        each.seed(source.repository(name), "1")
    return made


def entries(source: EmbeddedRegistry, *names: str) -> dict[str, str]:
    """What the module is given for them."""
    return {f"{name}:1": f"{source.host}/{name}:1" for name in names}


def digests(registry: EmbeddedRegistry, *names: str) -> list[str | None]:
    """What the tags point at, None where they are missing."""
    there = registry.state.repositories
    return [there[name].tags.get("1") if name in there else None for name in names]


def tainted(workspace: Workspace) -> list[str]:
    """The objects of the state that Terraform would destroy without their commands."""
    state = json.loads((workspace.folder / "terraform.tfstate").read_text())
    return [each["name"] for each in state["resources"] for one in each["instances"] if one.get("status") == "tainted"]


def test_an_image_that_fails_fails_alone(
    workspace: Workspace, source: EmbeddedRegistry, destination: EmbeddedRegistry
) -> None:
    """One process copies all; what it cannot copy is named with its reason, keeps its old image, and is tried again."""
    names = ("a", "b", "c")
    old = seeded(source, *names)
    workspace.write(entries(source, *names), IDS, destination_prefix=destination.host)
    workspace.apply()
    assert workspace.verbs() == ["apply"]
    assert digests(destination, *names) == [each.digest for each in old.values()]

    new = seeded(source, "a", "b", of=" again")
    broken = new["b"].manifests[new["b"].digest].blobs[0]
    source.fault = lambda request: refusal(403) if broken in request.path else None
    failed = workspace.run("apply", "-auto-approve")
    assert failed.code == 1
    assert f'images["b:1"]: {source.host}/b:1 could not be copied to {destination.host}/b:1: ' in failed.text
    assert broken in failed.text
    assert digests(destination, *names) == [new["a"].digest, old["b"].digest, old["c"].digest]
    assert tainted(workspace) == []

    source.fault = None
    workspace.calls()
    workspace.apply()
    assert workspace.verbs() == ["apply", "delete", "delete"]
    assert digests(destination, *names) == [new["a"].digest, new["b"].digest, old["c"].digest]
    assert workspace.plan().code == 0
    assert list((workspace.folder / ".terraform" / "imagesync").glob("failures/*/*")) == []


def test_what_goes_between_plan_and_apply_comes_back(
    workspace: Workspace, source: EmbeddedRegistry, destination: EmbeddedRegistry
) -> None:
    """An image that a plan found in place and that has gone by the time of the apply is copied with the others."""
    seeded(source, "a", "b")
    workspace.write(entries(source, "a"), destination_prefix=destination.host)
    workspace.apply()
    workspace.write(entries(source, "a", "b"), destination_prefix=destination.host)
    workspace.plan()
    del destination.state.repositories["a"]
    workspace.succeeding("apply", "plan.bin")
    assert None not in digests(destination, "a", "b")
    assert workspace.plan().code == 0


def test_states_of_a_copy_for_each_image_go_over(
    workspace: Workspace, source: EmbeddedRegistry, destination: EmbeddedRegistry
) -> None:
    """What earlier modules have brought is taken over: nothing is sent, nothing is removed, ids stay.

    An entry that goes in the same apply is removed by the policies that the earlier module has left.
    """
    names = ("a", "b", "c")
    seeded(source, *names)
    options = {"destination_prefix": destination.host}
    workspace.write(entries(source, *names), IDS, **options, source=f"{WITH_A_COPY_FOR_EACH_IMAGE}//images")
    workspace.apply()
    assert workspace.verbs() == ["sync"] * 3
    ids = workspace.outputs()

    workspace = workspace.with_environment({})  # to be initialised again
    workspace.write(entries(source, *names), IDS, **options)
    destination.clear_requests()
    planned = workspace.plan()
    assert "changes:" not in planned.text
    actions = {tuple(change["change"]["actions"]) for change in workspace.planned()["resource_changes"]}
    assert not any("delete" in action for action in actions), actions
    assert [each["kind"] for each in workspace.explained()] == ["settings"] * 3
    workspace.write(entries(source, "a", "b"), IDS, **options, on_destroy="keep")
    workspace.apply()
    assert workspace.verbs() == ["apply", "delete"]
    assert {request.method for request in destination.requests if "/c/" not in request.path} == {"HEAD"}
    assert digests(destination, "c") == [None]
    assert workspace.outputs()["ids"] == {key: each for key, each in ids["ids"].items() if key != "c:1"}
    assert workspace.plan().code == 0

    workspace.destroy()
    assert None not in digests(destination, "a", "b")


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_copy_is_taken_up_again(
    workspace: Workspace, source: EmbeddedRegistry, destination: EmbeddedRegistry, end: signal.Signals
) -> None:
    """When the copying process is killed every tag is as it was or as it is to be, and the next apply goes on."""
    names = ("a", "b", "c")
    old = seeded(source, *names)
    workspace = workspace.killable()
    last_started = workspace.folder / "pid"
    noting = ["/bin/sh", "-c", f'echo $$ > {last_started}; exec "$0" "$@"', *workspace.recorded(*IMAGESYNC)]
    workspace.write(entries(source, *names), destination_prefix=destination.host, command=noting)
    workspace.apply()
    new = seeded(source, *names, of=" again")

    def kill(request: Request) -> None:
        """End the copying with the second tag that it writes."""
        puts = [each for each in destination.requests if each.method == "PUT" and each.path.endswith("manifests/1")]
        if len(puts) > 1:
            os.kill(int(last_started.read_text()), end)

    destination.clear_requests()
    destination.fault = kill
    assert workspace.run("apply", "-auto-approve").code == 1
    destination.fault = None
    for name, digest in zip(names, digests(destination, *names), strict=True):
        assert digest in (old[name].digest, new[name].digest)
    assert "delete" not in workspace.verbs()
    workspace.apply()
    assert digests(destination, *names) == [each.digest for each in new.values()]
    assert workspace.plan().code == 0


def test_a_data_folder_of_its_own(
    workspace: Workspace, source: EmbeddedRegistry, destination: EmbeddedRegistry, tmp_path: Path
) -> None:
    """TF_DATA_DIR names where failures are told; where nothing can be written there, nothing is copied."""
    seeded(source, "a")
    data = tmp_path / "data"
    workspace = workspace.with_environment({"TF_DATA_DIR": str(data)})
    workspace.write(entries(source, "a"), destination_prefix=destination.host)
    source.fault = lambda request: refusal(403) if request.method == "GET" and "blobs" in request.path else None
    failed = workspace.run("apply", "-auto-approve")
    assert f"{source.host}/a:1 could not be copied to" in failed.text
    assert not (workspace.folder / ".terraform").exists()
    source.fault = None

    workspace.plan()
    shutil.rmtree(data / "imagesync")
    (data / "imagesync").write_text("in the way")
    refused = workspace.run("apply", "plan.bin")
    assert refused.code == 1
    assert "TF_DATA_DIR names another folder" in refused.text
    assert digests(destination, "a") == [None]


def test_a_saved_plan_is_applied_elsewhere(
    workspace: Workspace, source: EmbeddedRegistry, destination: EmbeddedRegistry, tmp_path: Path
) -> None:
    """A plan may be made in one folder and applied in another, as CI does."""
    made = seeded(source, "a", "b")
    workspace.write(entries(source, "a", "b"), destination_prefix=destination.host)
    assert workspace.plan().code == 2
    shutil.copytree(workspace.folder, elsewhere := tmp_path.parent / f"{tmp_path.name}-elsewhere", symlinks=True)
    shutil.rmtree(workspace.folder / ".terraform")
    shutil.rmtree(elsewhere / ".terraform" / "imagesync", ignore_errors=True)
    workspace.inside(str(elsewhere)).succeeding("apply", "plan.bin")
    assert digests(destination, "a", "b") == [each.digest for each in made.values()]

"""Platforms under Terraform: chosen at plan, changed, and missing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.embedded_registry.images import Image, index
from tests.remote_repository import RemoteRepository
from tests.terraform.workspace import BOTH_TOOLS, Workspace

IDS = 'output "ids" { value = module.mirror.ids }'


@pytest.fixture(scope="session")
def three() -> Image:
    """An image of three platforms with attestations."""
    return index("three", platforms=("linux/amd64", "linux/arm64", "linux/s390x"), attested=True)


def children(mirror: RemoteRepository, tag: str) -> list[str]:
    """The platforms that the destination's index lists, each of them there; attestations left out."""
    listed: list[dict[str, Any]] = json.loads(mirror.content(tag))["manifests"]
    assert all(mirror.digest(entry["digest"]) for entry in listed)
    names = ["{os}/{architecture}".format(**entry["platform"]) for entry in listed]
    return [name for name in names if name != "unknown/unknown"]


@BOTH_TOOLS
def test_platforms_change(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, three: Image
) -> None:
    """Two platforms arrive under the id of the plan, a third one moves it, and after each apply the plan is empty."""
    source, destination = upstream.tagged("1"), mirror.tagged("1")
    upstream.push(three, "1")
    ids = []
    for platforms in (["linux/amd64", "linux/arm64"], ["linux/amd64"], []):
        workspace.write({destination: source}, IDS, platforms=platforms)
        assert workspace.plan().code == 2
        ids.append(workspace.planned()["planned_values"]["outputs"]["ids"]["value"][destination])
        workspace.succeeding("apply", "plan.bin")
        assert workspace.outputs()["ids"] == {destination: ids[-1]} == {destination: f"{mirror}@{mirror.digest('1')}"}
        assert len(platforms) == 1 or children(mirror, "1") == (
            platforms or ["linux/amd64", "linux/arm64", "linux/s390x"]
        )
        assert workspace.plan().code == 0
    assert workspace.verbs() == ["apply", "apply", "delete", "apply", "delete"]
    assert ids[1:] == [f"{mirror}@{three.children[0]}", f"{mirror}@{three.digest}"]
    assert mirror.digest(ids[0].partition("@")[2]) is None
    workspace.destroy()
    assert [digest for digest in three.manifests if mirror.digest(digest)] == []


def test_one_image_of_its_own(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, three: Image
) -> None:
    """An image's own platforms come before those of all, also when the copy comes back."""
    upstream.push(three, "1")
    source, own = upstream.tagged("1"), mirror.tagged("own")
    images: dict[str, str | dict[str, Any]] = {own: {"source": source, "platforms": ["linux/s390x"]}}
    workspace.write(images | {mirror.tagged("all"): source}, platforms=["linux/arm64"])
    workspace.apply()
    assert (mirror.digest("own"), mirror.digest("all")) == (three.children[2], three.children[1])
    assert workspace.plan().code == 0

    mirror.delete(three.children[2])
    workspace.apply()
    assert mirror.digest("own") == three.children[2]
    assert workspace.plan().code == 0


def test_source_moves_before_the_apply(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, three: Image
) -> None:
    """What arrives is what was planned, although the source has another image by the time of the apply."""
    upstream.push(three, "1")
    workspace.write({mirror.tagged("1"): upstream.tagged("1")}, platforms=["linux/arm64"])
    workspace.plan()
    upstream.push(index("newer", platforms=("linux/arm64",)), "1")
    workspace.succeeding("apply", "plan.bin")
    assert mirror.digest("1") == three.children[1]


@pytest.mark.parametrize("source_unavailable", ["error", "use_destination"])
def test_platform_that_is_not_there(
    workspace: Workspace,
    upstream: RemoteRepository,
    mirror: RemoteRepository,
    three: Image,
    source_unavailable: str,
) -> None:
    """A platform that the image lacks, or has lost, fails the plan and names what it has; nothing is touched."""
    upstream.push(three, "1")
    images = {mirror.tagged("1"): upstream.tagged("1")}
    workspace.write(images, platforms=["linux/arm64"], source_unavailable=source_unavailable)
    workspace.apply()
    workspace.calls()
    upstream.push(index("fewer", platforms=("linux/amd64", "linux/s390x")), "1")
    plan = workspace.plan()
    assert plan.code == 1
    assert (
        f"the source {upstream.tagged('1')} is unsuitable: {upstream.tagged('1')} is not there for linux/arm64"
        in plan.text
    )
    assert "it has linux/amd64, linux/s390x" in plan.text
    assert workspace.verbs() == []
    assert mirror.digest("1") == three.children[1]


def test_upstream_gone(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, three: Image
) -> None:
    """source_unavailable = "use_destination" keeps what was chosen while the source is away, and adopts it."""
    upstream.push(three, "1")
    images = {mirror.tagged("1"): upstream.tagged("1")}
    options = {"platforms": ["linux/arm64"], "source_unavailable": "use_destination"}
    workspace.write(images, IDS, **options)
    workspace.apply()
    upstream.delete(three.digest)
    plan = workspace.plan()
    assert plan.code == 0
    assert "is missing, so" in plan.text
    (workspace.folder / "terraform.tfstate").unlink()
    workspace.apply()
    assert workspace.outputs()["ids"] == {mirror.tagged("1"): f"{mirror}@{three.children[1]}"}


def test_single_image_module(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, three: Image
) -> None:
    """modules/image takes platforms too."""
    upstream.push(three, "1")
    wanted = {"source_image": upstream.tagged("1"), "destination_image": mirror.tagged("1")}
    workspace.write_module("image", 'output "id" { value = module.mirror.id }', platforms=["linux/s390x"], **wanted)
    workspace.apply()
    assert workspace.outputs() == {"id": f"{mirror}@{three.children[2]}"}
    assert workspace.plan().code == 0

"""Damage below a tag that has not moved: found by a plan with verify = "deep", and mended by its apply."""

from __future__ import annotations

import pytest

from tests.embedded_registry.images import Image
from tests.remote_repository import RemoteRepository
from tests.terraform.workspace import BOTH_TOOLS, Expression, Workspace


@BOTH_TOOLS
def test_damage(workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image) -> None:
    """A blob or child that is deleted is named by the plan and comes back with its apply; the next plan is empty."""
    source, destination = upstream.tagged("1"), mirror.tagged("1")
    upstream.push(old, "1")
    workspace.write({destination: source}, verify="deep")
    workspace.apply()
    assert workspace.plan().code == 0

    child = old.children[1]
    layer = old.manifests[child].blobs[1]
    mirror.delete_blob(layer)
    workspace.calls()
    damaged = workspace.plan()
    assert damaged.code == 2
    assert f"{destination} is damaged (1 of {len(old.blobs)} blobs is missing: {layer} of linux/arm64)" in damaged.text
    (explained,) = workspace.explained()
    assert (explained["kind"], explained["before"]) == ("damaged", explained["after"])
    assert f"{layer} of linux/arm64" in explained["why"]
    applied = workspace.succeeding("apply", "plan.bin")
    assert f"mend {destination} {old.digest}" in applied.text
    assert workspace.verbs() == ["apply"]
    assert mirror.has_blob(layer)
    clean = workspace.plan()
    assert (clean.code, "Warning" in clean.text) == (0, False)

    mirror.delete(child)
    assert f"manifests is missing: {child} of linux/arm64" in workspace.apply().text
    assert mirror.holds(old)
    assert workspace.plan().code == 0


def test_damage_is_not_looked_for_unasked(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image
) -> None:
    """Without verify the tag alone is compared, as before; one image has the variable too."""
    upstream.push(old, "1")
    options = {"source_image": upstream.tagged("1"), "destination_image": mirror.tagged("1")}
    workspace.write_module("image", **options)
    workspace.apply()
    mirror.delete_blob(old.manifests[old.children[0]].blobs[1])
    assert workspace.plan().code == 0
    workspace.write_module("image", verify="deep", **options)
    assert workspace.plan().code == 2


def test_damage_while_the_source_is_away(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image
) -> None:
    """With use_destination, damage that nobody can mend is told, and fails nothing."""
    upstream.push(old, "1")
    workspace.write({mirror.tagged("1"): upstream.tagged("1")}, verify="deep", source_unavailable="use_destination")
    workspace.apply()
    upstream.delete(old.digest)
    mirror.delete_blob(old.manifests[old.children[0]].blobs[1])
    plan = workspace.plan()
    assert plan.code == 0
    assert f"{mirror.tagged('1')} stays as it is, damaged (1 of" in plan.text


@pytest.mark.parametrize("verify", ["tag", "deep"])
def test_destination_known_at_apply(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image, verify: str
) -> None:
    """A prefix that is known only at apply puts off the look as well, and one apply is enough."""
    upstream.push(old, "1")
    later = f'resource "terraform_data" "prefix" {{ input = "{mirror}" }}'
    prefix = Expression("terraform_data.prefix.output")
    workspace.write({":1": upstream.tagged("1")}, later, destination_prefix=prefix, verify=verify)
    workspace.apply()
    assert mirror.digest("1") == old.digest
    assert workspace.plan().code == 0

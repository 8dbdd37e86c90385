"""An image's whole life under Terraform: made, moved, tampered with, removed."""

from __future__ import annotations

import json

from tests.embedded_registry.images import Image
from tests.remote_repository import RemoteRepository
from tests.terraform.workspace import BOTH_TOOLS, Workspace

pytestmark = BOTH_TOOLS


def test_create(workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image) -> None:
    """The first apply brings the whole image under its digest, known at plan; the second plan is empty and silent."""
    source, destination = upstream.tagged("1"), mirror.tagged("1")
    upstream.push(old, "1")
    workspace.write({destination: source}, 'output "ids" { value = module.mirror.ids }')

    assert workspace.plan().code == 2
    expected = {destination: f"{mirror}@{old.digest}"}
    assert workspace.planned()["planned_values"]["outputs"]["ids"]["value"] == expected
    applied = workspace.apply()
    assert f"add {destination} {old.digest}" in applied.text
    told = f"Not an error: this plan changes 1 of 1 image: {destination} is new, from {source}: 2 layers, "
    assert told in applied.text
    assert workspace.outputs()["ids"] == expected
    assert mirror.digest("1") == old.digest
    assert mirror.holds(old)

    again = workspace.plan()
    assert again.code == 0
    assert "Warning" not in again.text


def test_source_moves(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image, new: Image
) -> None:
    """The new image comes first, consumers follow, the old one goes last; the tag is old or new, never absent."""
    destination = mirror.tagged("1")
    consumer_runs = json.dumps(workspace.recorded("true"))
    consumer = f"""
      resource "terraform_data" "consumer" {{
        triggers_replace = module.mirror.ids["{destination}"]
        provisioner "local-exec" {{
          interpreter = {consumer_runs}
          command     = "consumer"
        }}
        lifecycle {{ create_before_destroy = true }}
      }}"""
    upstream.push(old, "1")
    workspace.write({destination: upstream.tagged("1")}, consumer)
    workspace.apply()
    assert workspace.verbs() == ["apply", "consumer"]

    upstream.push(new, "1")
    with mirror.watched("1") as seen:
        moved = workspace.apply()
    assert seen == [old.digest, new.digest]
    assert workspace.verbs() == ["apply", "consumer", "delete"]
    assert (
        f"{destination} has another image and moves from {old.digest[:19]} to {new.digest[:19]}: 2 layers, "
        in moved.text
    )
    assert mirror.holds(new)
    assert not any(mirror.digest(digest) for digest in old.manifests)
    assert workspace.plan().code == 0


def test_same_digest_from_elsewhere(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image
) -> None:
    """Another source with the same digest changes nothing: no plan, no copy."""
    upstream.push(old, "1")
    upstream.push(old, "also-1")
    workspace.write({mirror.tagged("1"): upstream.tagged("1")})
    workspace.apply()
    workspace.write({mirror.tagged("1"): upstream.tagged("also-1")})
    assert workspace.plan().code == 0


def test_destination_changes(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image
) -> None:
    """A new destination gets the image before the old one loses it."""
    elsewhere = RemoteRepository(mirror.host, f"{mirror.name}-elsewhere")
    upstream.push(old, "1")
    workspace.write({mirror.tagged("1"): upstream.tagged("1")})
    workspace.apply()
    workspace.calls()

    workspace.write({elsewhere.tagged("1"): upstream.tagged("1")})
    workspace.apply()
    assert workspace.verbs() == ["apply", "delete"]
    assert elsewhere.holds(old)
    assert mirror.digest("1") is None
    assert workspace.plan().code == 0


def test_drift(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image, foreign: Image
) -> None:
    """A tag that was deleted or overwritten outside comes back, the plan says why, and the foreign image stays."""
    destination = mirror.tagged("1")
    upstream.push(old, "1")
    workspace.write({destination: upstream.tagged("1")})
    workspace.apply()

    mirror.delete(old.digest)
    missing = workspace.apply()
    assert f"{destination} is missing at its destination" in missing.text
    assert mirror.digest("1") == old.digest
    assert workspace.plan().code == 0

    mirror.push(foreign, "1")
    workspace.calls()
    overwritten = workspace.plan()
    assert f"{destination} has another image, {foreign.digest}, at its destination" in overwritten.text
    workspace.succeeding("apply", "plan.bin")
    assert workspace.verbs() == ["apply"]
    assert mirror.digest("1") == old.digest
    assert mirror.holds(foreign)
    assert workspace.plan().code == 0


def test_removal(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image, new: Image
) -> None:
    """A removed entry takes its image with it and no other; `terraform destroy` takes the rest."""
    upstream.push(old, "1")
    upstream.push(new, "2")
    both = {mirror.tagged("1"): upstream.tagged("1"), mirror.tagged("2"): upstream.tagged("2")}
    workspace.write(both)
    workspace.apply()

    workspace.write({mirror.tagged("2"): upstream.tagged("2")})
    workspace.apply()
    assert mirror.digest("1") is None
    assert mirror.holds(new)

    workspace.destroy()
    assert mirror.digest("2") is None
    assert upstream.holds(old)
    assert upstream.holds(new)


def test_empty_map(workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image) -> None:
    """An empty map removes every image, and afterwards two calls note that none is relied on."""
    upstream.push(old, "1")
    workspace.write({mirror.tagged("1"): upstream.tagged("1")})
    workspace.apply()

    workspace.write({})
    workspace.apply()
    assert mirror.digest("1") is None
    workspace.calls()
    assert workspace.plan().code == 0
    assert workspace.calls() == [["external"]] * 2


def test_failed_copy(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image, new: Image
) -> None:
    """When the new image cannot be copied the old one stays; the next apply finishes the move."""
    upstream.push(old, "1")
    workspace.write({mirror.tagged("1"): upstream.tagged("1")})
    workspace.apply()

    upstream.push(new, "1")
    workspace.plan()
    upstream.delete(new.digest)
    assert workspace.run("apply", "plan.bin").code == 1
    assert mirror.digest("1") == old.digest
    assert mirror.holds(old)

    upstream.push(new, "1")
    workspace.apply()
    assert mirror.digest("1") == new.digest
    assert mirror.digest(old.digest) is None
    assert workspace.plan().code == 0


def test_single_image_module(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image
) -> None:
    """modules/image mirrors one image and gives its id."""
    upstream.push(old, "1")
    workspace.write_module(
        "image",
        'output "id" { value = module.mirror.id }',
        source_image=upstream.tagged("1"),
        destination_image=mirror.tagged("1"),
    )
    workspace.apply()
    assert workspace.outputs() == {"id": f"{mirror}@{old.digest}"}
    assert workspace.plan().code == 0
    workspace.destroy()
    assert mirror.digest("1") is None


def test_refresh_only_after_a_move(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image, new: Image
) -> None:
    """A plan that only refreshes works after a source has moved, and outputs tell nothing that is not there yet."""
    upstream.push(old, "1")
    workspace.write({mirror.tagged("1"): upstream.tagged("1")}, 'output "ids" { value = module.mirror.ids }')
    workspace.apply()
    upstream.push(new, "1")
    workspace.succeeding("plan", "-refresh-only")
    workspace.succeeding("apply", "-refresh-only", "-auto-approve")
    assert new.digest not in str(workspace.outputs())
    workspace.apply()
    assert workspace.outputs()["ids"] == {mirror.tagged("1"): f"{mirror}@{new.digest}"}

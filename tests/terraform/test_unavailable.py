"""What happens when a source or a destination cannot be read."""

from __future__ import annotations

import pytest

from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import Image
from tests.peers import free_host
from tests.remote_repository import RemoteRepository
from tests.terraform.workspace import BOTH_TOOLS, Workspace

pytestmark = BOTH_TOOLS


@pytest.fixture
def nobody() -> str:
    """HOST:PORT where nothing listens."""
    return free_host()


@pytest.fixture
def applied(workspace: Workspace, mirror: RemoteRepository, old: Image) -> tuple[Workspace, dict[str, str]]:
    """A workspace whose image is mirrored, and its images; the upstream registry has gone since."""
    with EmbeddedRegistry() as registry:
        old.seed(registry.repository("app"), "1")
        images = {mirror.tagged("1"): f"{registry.host}/app:1"}
        workspace.write(images)
        workspace.apply()
    workspace.calls()
    return workspace, images


def test_upstream_gone(applied: tuple[Workspace, dict[str, str]], mirror: RemoteRepository, old: Image) -> None:
    """A plan fails and names the image, the source and the error; nothing is touched."""
    workspace, images = applied
    plan = workspace.plan()
    assert plan.code == 1
    [(destination, source)] = images.items()
    assert f'images["{destination}"]: the source {source} is unreachable' in plan.text
    assert workspace.verbs() == []
    assert mirror.holds(old)


def test_use_destination(applied: tuple[Workspace, dict[str, str]], mirror: RemoteRepository, old: Image) -> None:
    """With source_unavailable = "use_destination" the plan is empty, keeps the id and warns."""
    workspace, images = applied
    more = 'output "ids" { value = module.mirror.ids }'
    workspace.write(images, more, source_unavailable="use_destination")
    workspace.apply()
    assert workspace.verbs() == []
    assert workspace.outputs()["ids"] == {mirror.tagged("1"): f"{mirror}@{old.digest}"}
    plan = workspace.plan()
    assert plan.code == 0
    assert "is unreachable, so" in plan.text
    assert [each["kind"] for each in workspace.explained()] == ["held"]


def test_what_others_push_meanwhile(
    applied: tuple[Workspace, dict[str, str]], mirror: RemoteRepository, old: Image, foreign: Image
) -> None:
    """What somebody pushes over the tag while the source is away does not become ours, and ours is not removed."""
    workspace, images = applied
    workspace.write(images, source_unavailable="use_destination")
    workspace.apply()
    mirror.push(foreign, "1")
    planned = workspace.plan()
    assert f"{mirror.tagged('1')} has another image, {foreign.digest}, at its destination" in planned.text
    assert f"is unreachable, so {mirror.tagged('1')} goes back to {old.digest}" in planned.text
    workspace.succeeding("apply", "plan.bin")
    assert mirror.digest("1") == old.digest
    assert mirror.holds(old)
    assert workspace.verbs() == ["apply"]


def test_adopt_what_the_destination_has(
    workspace: Workspace, mirror: RemoteRepository, old: Image, nobody: str
) -> None:
    """source_unavailable = "use_destination" also takes an image into a fresh state, as its source is gone already."""
    mirror.push(old, "1")
    more = 'output "digests" { value = module.mirror.digests }'
    workspace.write({mirror.tagged("1"): f"{nobody}/app:1"}, more, source_unavailable="use_destination")
    workspace.apply()
    assert workspace.outputs()["digests"] == {mirror.tagged("1"): old.digest}
    assert workspace.plan().code == 0


def test_destroy_with_upstream_gone(applied: tuple[Workspace, dict[str, str]], mirror: RemoteRepository) -> None:
    """`terraform destroy` needs no upstream."""
    workspace, _ = applied
    workspace.destroy()
    assert workspace.verbs() == ["delete", "forget"]
    assert mirror.digest("1") is None


def test_destroy_of_what_names_each_image(workspace: Workspace, mirror: RemoteRepository, old: Image) -> None:
    """A consumer that names two images of a registry that is gone holds up no destroy: their keys stay in the plan."""
    both = 'output "both" { value = [module.mirror.ids["%s"], module.mirror.ids["%s"]] }'
    with EmbeddedRegistry() as registry:
        old.seed(registry.repository("app"), "1", "2")
        images = {mirror.tagged(tag): f"{registry.host}/app:{tag}" for tag in "12"}
        workspace.write(images, both % tuple(images))
        workspace.apply()
    workspace.destroy()
    assert (mirror.digest("1"), mirror.digest("2")) == (None, None)


def test_nothing_anywhere(workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository) -> None:
    """source_unavailable = "use_destination" does not help an image that the destination lacks too."""
    workspace.write({mirror.tagged("1"): upstream.tagged("1")}, source_unavailable="use_destination")
    plan = workspace.plan()
    assert plan.code == 1
    assert f"the source {upstream.tagged('1')} is missing" in plan.text


def test_destination_unreachable(workspace: Workspace, upstream: RemoteRepository, old: Image, nobody: str) -> None:
    """A destination that cannot be read fails the plan, not the apply."""
    upstream.push(old, "1")
    workspace.write({f"{nobody}/app:1": upstream.tagged("1")})
    plan = workspace.plan()
    assert plan.code == 1
    assert f"the destination {nobody}/app:1 is unreachable" in plan.text

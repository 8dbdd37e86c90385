"""on_replace and on_destroy: what becomes of an image that is no longer wanted."""

from __future__ import annotations

import pytest

from tests.embedded_registry.images import Image, image, index_of
from tests.remote_repository import RemoteRepository
from tests.terraform.workspace import Workspace


def test_on_replace_keep(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image, new: Image
) -> None:
    """With on_replace = "keep" a replaced image can still be pulled by its digest."""
    images = {mirror.tagged("1"): upstream.tagged("1")}
    upstream.push(old, "1")
    workspace.write(images, on_replace="keep")
    workspace.apply()

    upstream.push(new, "1")
    workspace.apply()
    assert mirror.digest("1") == new.digest
    assert mirror.holds(old)


@pytest.mark.parametrize(("on_replace", "is_whole"), [("keep", False), ("retag", True)])
def test_a_part_that_a_kept_image_shares(
    on_replace: str, is_whole: bool, workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository
) -> None:
    """A later removal sees that a kept image uses it only if that has a tag, as with "retag": "keep" leaves none."""
    parts = {name: image(name) for name in ("old", "same", "new")}
    old, new = (index_of({"linux/amd64": parts[name], "linux/arm64": parts["same"]}) for name in ("old", "new"))
    upstream.push(old, "1")
    workspace.write({mirror.tagged("1"): upstream.tagged("1")}, on_replace=on_replace)
    workspace.apply()
    upstream.push(new, "1")
    workspace.apply()
    assert (mirror.holds(old), mirror.holds(new)) == (True, True)
    workspace.destroy()
    assert [mirror.holds(each) for each in (new, old, parts["old"])] == [False, is_whole, True]


def test_on_destroy_refuse(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image, new: Image
) -> None:
    """With on_destroy = "refuse" a removal fails and says why, a replacement goes through."""
    images = {mirror.tagged("1"): upstream.tagged("1")}
    upstream.push(old, "1")
    workspace.write(images, on_destroy="refuse")
    workspace.apply()
    upstream.push(new, "1")
    workspace.apply()
    assert mirror.digest(old.digest) is None

    refused = workspace.run("destroy", "-auto-approve")
    assert refused.code == 1
    assert "refuse" in refused.text
    assert mirror.holds(new)

    workspace.write(images, on_destroy="delete")
    workspace.apply()
    workspace.destroy()
    assert mirror.digest("1") is None


def test_policy_change(workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image) -> None:
    """A new policy updates in place and copies nothing; on_destroy = "keep" then leaves the image."""
    images = {mirror.tagged("1"): upstream.tagged("1")}
    upstream.push(old, "1")
    workspace.write(images)
    workspace.apply()
    workspace.calls()

    workspace.write(images, on_destroy="keep")
    workspace.plan()
    changes = workspace.planned()["resource_changes"]
    assert [change["change"]["actions"] for change in changes if change["name"] == "image"] == [["update"]]
    assert [each["why"] for each in workspace.explained()] == ["on_destroy was delete and is keep"]
    workspace.succeeding("apply", "plan.bin")
    assert workspace.verbs() == []
    workspace.destroy()
    assert mirror.holds(old)


@pytest.mark.parametrize("is_whole", [True, False], ids=["everything", "one entry"])
def test_on_destroy_keep_where_somebody_else_has_the_tag(  # noqa: PLR0917
    is_whole: bool,
    workspace: Workspace,
    upstream: RemoteRepository,
    mirror: RemoteRepository,
    old: Image,
    foreign: Image,
) -> None:
    """An image that may run by its digest stays when its entry goes, although its tag has another image by now."""
    upstream.push(old, "1")
    workspace.write({mirror.tagged("1"): upstream.tagged("1")}, on_destroy="keep")
    workspace.apply()
    mirror.push(foreign, "1")
    if is_whole:
        workspace.destroy()
    else:
        workspace.write({}, on_destroy="keep")
        workspace.apply()
    assert mirror.holds(old)
    assert mirror.digest("1") == foreign.digest

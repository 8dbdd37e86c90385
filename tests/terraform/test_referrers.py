"""Signatures and the like under Terraform: they come with the image, later ones by the next apply, and go with it."""

from __future__ import annotations

from tests.embedded_registry.images import Image, referrer
from tests.referrers.artifacts import NOTATION, about, child, cosign, list_of
from tests.remote_repository import RemoteRepository
from tests.terraform.workspace import Workspace


def test_from_create_to_destroy(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image
) -> None:
    """A referrer that arrives later is drift, the next apply brings it and nothing else; destroying leaves nothing."""
    first, later = referrer(old, NOTATION, 1), referrer(old, NOTATION, 2)
    sbom = referrer(child(old), "application/spdx+json")
    upstream.push(old, "1")
    for one in (first, sbom):
        upstream.push(one, one.digest)
    upstream.push(list_of(first), about(old))
    upstream.push(list_of(sbom), about(child(old)))
    upstream.push(cosign(old), about(old, ".sig"))
    workspace.write({mirror.tagged("1"): upstream.tagged("1")}, referrers=True)
    workspace.apply()
    everything = [old, first, sbom, cosign(old)]
    assert all(mirror.holds(one) for one in everything)
    assert workspace.plan().code == 0

    upstream.push(later, later.digest)
    upstream.push(list_of(first, later), about(old))
    planned = workspace.plan()
    assert planned.code == 2
    assert f"{mirror.tagged('1')} is there, but 1 referrer is missing" in planned.text
    assert [(each["kind"], each["why"]) for each in workspace.explained()] == [("incomplete", "1 referrer is missing")]
    assert workspace.verbs() == ["apply"]
    workspace.apply()
    assert workspace.verbs() == ["apply"]
    assert mirror.holds(later)
    again = workspace.plan()
    assert (again.code, "Warning" in again.text) == (0, False)

    workspace.destroy()
    assert workspace.verbs() == ["delete", "forget"]
    assert not any(mirror.digest(digest) for one in [*everything, later] for digest in one.manifests)
    assert not any(mirror.digest(tag) for tag in ("1", about(old), about(child(old)), about(old, ".sig")))


def test_only_where_wanted(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image, new: Image
) -> None:
    """What is attached is left alone unless that is asked for: for all images, or for one of them."""
    tagged = {"1": old, "2": new}
    for tag, pushed in tagged.items():
        upstream.push(pushed, tag)
        upstream.push(cosign(pushed), about(pushed, ".sig"))
    images = {mirror.tagged(tag): {"source": upstream.tagged(tag), "referrers": tag == "1"} for tag in tagged}
    workspace.write_module("images", images=images)
    workspace.apply()
    assert (mirror.holds(cosign(old)), mirror.holds(cosign(new))) == (True, False)
    assert workspace.plan().code == 0


def test_module_image(workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image) -> None:
    """The module for one image takes the same wish."""
    upstream.push(old, "1")
    upstream.push(cosign(old), about(old, ".sig"))
    workspace.write_module(
        "image", source_image=upstream.tagged("1"), destination_image=mirror.tagged("1"), referrers=True
    )
    workspace.apply()
    assert mirror.digest(about(old, ".sig")) == cosign(old).digest
    workspace.destroy()
    assert mirror.digest(about(old, ".sig")) is None
    assert not mirror.holds(old)

"""What a plan says of each image that will change: what happens to it, why, and how much moves."""

from __future__ import annotations

from typing import Any

from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import Image, compose, image, random_bytes, tar
from tests.remote_repository import RemoteRepository
from tests.terraform.workspace import BOTH_TOOLS, Expression, Workspace

OUTPUT = 'output "changes" { value = module.mirror.changes }'
LAYER_BYTES = 100_000


def of_layers(*seeds: object) -> Image:
    """An image whose layers follow from the seeds, so that two images may share some."""
    return compose("linux/amd64", [tar({"f": (0o644, random_bytes(seed, LAYER_BYTES))}) for seed in seeds])


def size_bytes(made: Image, without: Image | None = None) -> int:
    """Of its layers and its config, less what another image has too."""
    return sum(len(content) for blob, content in made.blobs.items() if without is None or blob not in without.blobs)


def changes_of(workspace: Workspace) -> dict[str, Any]:
    """The output ``changes`` of the last plan."""
    changes: dict[str, Any] = workspace.planned()["planned_values"]["outputs"]["changes"]["value"]
    return changes


def short(digest: str) -> str:
    return digest[: len("sha256:") + 12]


@BOTH_TOOLS
def test_each_change_in_words(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, foreign: Image
) -> None:
    """New, moved, missing, overwritten: each image is told with its reason, layers and bytes; others are not."""
    before, after = of_layers(*range(9)), of_layers(*range(7), "a", "b")
    elsewhere = RemoteRepository(mirror.host, f"{mirror.name}-elsewhere")
    tags = ["moved", "missing", "overwritten", "same"]
    images = {mirror.tagged(tag): upstream.tagged(tag) for tag in tags}
    for tag in (*tags, "new"):
        upstream.push(before, tag)
    workspace.write(images, on_replace="keep")
    workspace.apply()
    assert mirror.holds(before)

    gone = of_layers("gone")
    upstream.push(gone, "missing")
    workspace.apply()
    mirror.delete(gone.digest)
    upstream.push(after, "moved")
    mirror.push(foreign, "overwritten")
    workspace.write({**images, elsewhere.tagged("1"): upstream.tagged("new")}, on_replace="keep")
    planned = workspace.plan()

    moved = f"{size_bytes(after, before) / 1000:.1f} kB"
    assert planned.code == 2
    assert "Not an error: this plan changes 4 of 5 images:" in planned.text
    said = planned.text.partition("Not an error: this plan changes 4 of 5 images:")[2]
    assert (
        f" {mirror.tagged('overwritten')} has another image, {foreign.digest}, at its destination: "
        f"nothing to copy; all 9 layers are there already {mirror.tagged('missing')} is missing at its "
        f"destination: nothing to copy; its layer is there already {mirror.tagged('moved')} has another image and "
        f"moves from {short(before.digest)} to {short(after.digest)}: 2 of 9 layers, {moved} to copy; 7 are there "
        f"already {elsewhere.tagged('1')} is new, from {upstream.tagged('new')}: 9 layers, "
        f"{size_bytes(before) / 1000:.1f} kB to copy "
    ) in said
    assert f"{(size_bytes(before) + size_bytes(after, before)) / 1e6:.1f} MB to copy in all." in said
    assert mirror.tagged("same") not in said

    workspace.succeeding("apply", "plan.bin")
    again = workspace.plan()
    assert (again.code, "Warning" in again.text) == (0, False)


def test_output(workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository) -> None:
    """The output `changes` has the same for programs, with whole digests, and is empty where nothing changes."""
    before, after = of_layers(1, 2, 3), of_layers(1, 2, 4)
    upstream.push(before, "1")
    workspace.write({mirror.tagged("1"): upstream.tagged("1")}, OUTPUT)
    workspace.plan()
    assert changes_of(workspace)[mirror.tagged("1")]["change"] == "new"
    workspace.apply()
    workspace.plan()
    assert changes_of(workspace) == {}

    upstream.push(after, "1")
    workspace.plan()
    told = changes_of(workspace)[mirror.tagged("1")]
    assert told.pop("summary").startswith("has another image and moves from ")
    assert told == {
        "change": "moved",
        "destination": mirror.tagged("1"),
        "from": before.digest,
        "to": after.digest,
        "layers": 3,
        "layers_to_copy": 1,
        "bytes": size_bytes(after),
        "bytes_to_copy": size_bytes(after, before),
    }


def test_taken_over(workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image) -> None:
    """An image that is at its destination before Terraform knows of it is said to be there; nothing is copied."""
    upstream.push(old, "1")
    mirror.push(old, "1")
    workspace.write({mirror.tagged("1"): upstream.tagged("1")})
    planned = workspace.plan()
    assert "this plan changes 1 of 1 image:" in planned.text
    assert f"{mirror.tagged('1')} is there already, as {upstream.tagged('1')} is, and is taken over" in planned.text
    assert "to copy" not in planned.text


def test_one_image(workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image) -> None:
    """modules/image tells its change as `change`, and null where there is none."""
    upstream.push(old, "1")
    more = 'output "change" { value = module.mirror.change == null ? "none" : module.mirror.change.change }'
    workspace.write_module("image", more, source_image=upstream.tagged("1"), destination_image=mirror.tagged("1"))
    applied = workspace.apply()
    assert f"{mirror.tagged('1')} is new, from {upstream.tagged('1')}" in applied.text
    workspace.apply()
    assert workspace.outputs() == {"change": "none"}


def test_within_a_registry(workspace: Workspace, mirror: RemoteRepository) -> None:
    """Where source and destination are one registry nothing passes through this machine, and the plan says so."""
    made = of_layers(1, 2)
    team = RemoteRepository(mirror.host, f"{mirror.name}-team")
    mirror.push(made, "1")
    workspace.write({team.tagged("1"): mirror.tagged("1")}, OUTPUT)
    planned = workspace.plan()
    assert f"2 layers, {size_bytes(made) / 1000:.1f} kB to mount from another repository" in planned.text
    assert changes_of(workspace)[team.tagged("1")]["bytes_to_copy"] == 0


@BOTH_TOOLS
def test_prefix_known_at_apply(workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository) -> None:
    """Where the destination is known only at apply, its changes are told then; the next plan is empty and silent."""
    made = of_layers(1)
    upstream.push(made, "1")
    later = f'resource "terraform_data" "prefix" {{ input = "{mirror}" }}'
    workspace.write({":1": upstream.tagged("1")}, later, destination_prefix=Expression("terraform_data.prefix.output"))
    assert workspace.plan().code == 2
    workspace.succeeding("apply", "plan.bin")
    assert mirror.digest("1") == made.digest
    again = workspace.plan()
    assert (again.code, "Warning" in again.text) == (0, False)


def test_what_cannot_be_told(workspace: Workspace) -> None:
    """A source whose manifest cannot be read at plan costs the numbers, not the plan."""
    made = image()
    with EmbeddedRegistry() as source, EmbeddedRegistry() as destination:
        made.seed(source.repository("app"), "1")
        source.fault = lambda request: refusal(403) if request.method == "GET" and "manifests" in request.path else None
        workspace.write({f"{destination.host}/app:1": f"{source.host}/app:1"})
        planned = workspace.plan()
        assert planned.code == 2
        assert (
            f"{destination.host}/app:1 is new, from {source.host}/app:1: how much to copy is not known: "
            in planned.text
        )


def test_in_words_alone(workspace: Workspace) -> None:
    """With `explain = "words"` a plan makes HEAD requests alone, and says what changes without how much."""
    made = image()
    with EmbeddedRegistry() as source, EmbeddedRegistry() as destination:
        made.seed(source.repository("app"), "1")
        workspace.write({f"{destination.host}/app:1": f"{source.host}/app:1"}, explain="words")
        planned = workspace.plan()
        assert planned.code == 2
        assert f"{destination.host}/app:1 is new, from {source.host}/app:1" in planned.text
        assert "to copy" not in planned.text
        assert {request.method for request in source.requests + destination.requests} == {"HEAD"}


def test_drift_alone(workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image) -> None:
    """With `explain = "drift"` a new image is no reason for a warning, one deleted outside Terraform is."""
    upstream.push(old, "1")
    workspace.write({mirror.tagged("1"): upstream.tagged("1")}, explain="drift")
    assert "Warning" not in workspace.apply().text
    mirror.delete(old.digest)
    assert f"{mirror.tagged('1')} is missing at its destination" in workspace.plan().text


def test_many(workspace: Workspace) -> None:
    """Of very many changes the first fifty are named, and the rest are counted."""
    made = image()
    with EmbeddedRegistry() as source, EmbeddedRegistry() as destination:
        for number in range(60):
            made.seed(source.repository(f"app-{number}"), "1")
        images = {f"app-{number}:1": f"{source.host}/app-{number}:1" for number in range(60)}
        workspace.write(images, destination_prefix=destination.host)
        planned = workspace.plan()
        assert f"this plan changes 60 of 60 images in {destination.host}:" in planned.text
        assert planned.text.count(" is new, from ") == 50
        assert "and 10 more." in planned.text
        assert f"{60 * size_bytes(made) / 1000:.1f} kB to copy in all." in planned.text

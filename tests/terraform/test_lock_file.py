"""lock_file under Terraform: a plan of what is locked asks no source, and what is not locked is a clear error."""

from __future__ import annotations

import json

from tests.command import imagesync
from tests.embedded_registry.images import Image, image, index
from tests.remote_repository import RemoteRepository
from tests.terraform.workspace import BOTH_TOOLS, Workspace

IDS = 'output "ids" { value = module.mirror.ids }'


def lock(workspace: Workspace, *entries: dict[str, object]) -> str:
    """Lock these entries beside main.tf; gives the value of lock_file."""
    file = workspace.folder / "images.json"
    file.write_text(json.dumps({"images": entries}))
    finished = imagesync("lock", "--file", str(file))
    assert finished.code == 0, finished.err
    return str(workspace.folder / "images.lock.json")


@BOTH_TOOLS
def test_a_plan_asks_no_source(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image
) -> None:
    """The locked digest is planned and copied although the tag has moved: nobody looks at it."""
    source, destination = upstream.tagged("1"), mirror.tagged("1")
    upstream.push(old, "1")
    lock_file = lock(workspace, {"source": source, "destination": destination})
    upstream.push(image("moved since"), "1")
    workspace.write({destination: source}, IDS, lock_file=lock_file)
    assert workspace.plan().code == 2
    assert [call[0] for call in workspace.calls()] == ["external", "external"]
    workspace.succeeding("apply", "plan.bin")
    assert workspace.outputs()["ids"] == {destination: f"{mirror}@{old.digest}"}
    assert mirror.digest("1") == old.digest
    assert workspace.plan().code == 0


def test_platforms_come_from_the_lock(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository
) -> None:
    """Where platforms are chosen the lock knows what arrives; for others than the locked ones it is an error."""
    source, destination = upstream.tagged("1"), mirror.tagged("1")
    made = index("locked", platforms=("linux/amd64", "linux/arm64", "linux/s390x"))
    upstream.push(made, "1")
    lock_file = lock(workspace, {"source": source, "destination": destination, "platforms": ["linux/s390x"]})
    workspace.write({destination: source}, lock_file=lock_file, platforms=["linux/s390x"])
    workspace.apply()
    assert mirror.digest("1") == made.children[2]
    assert workspace.plan().code == 0
    workspace.write({destination: source}, lock_file=lock_file, platforms=["linux/amd64"])
    refused = workspace.plan()
    assert refused.code == 1
    assert "other platforms than linux/amd64; run imagesync lock with a file that has these" in refused.text


def test_what_the_lock_lacks_fails_the_plan(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image
) -> None:
    """An entry whose source is not locked fails by name, and says how to lock it."""
    upstream.push(old, "1")
    lock_file = lock(workspace, {"source": upstream.tagged("1"), "destination": mirror.tagged("1")})
    workspace.write({mirror.tagged("2"): upstream.tagged("2")}, lock_file=lock_file)
    refused = workspace.plan()
    assert refused.code == 1
    assert f"the source {upstream.tagged('2')} is invalid" in refused.text
    assert "run imagesync lock" in refused.text

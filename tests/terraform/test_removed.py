"""What becomes of the images when the module block itself is deleted."""

from __future__ import annotations

import re
import textwrap

from tests.embedded_registry.images import Image
from tests.remote_repository import RemoteRepository
from tests.terraform.workspace import BOTH_TOOLS, CHECKOUT, IMAGESYNC, Workspace

pytestmark = BOTH_TOOLS


def removed_block() -> str:
    """The block that the page on removing tells people to write, for the module of these tests."""
    page = (CHECKOUT / "docs" / "how-to" / "removing.md").read_text("utf-8")
    block = re.search(r"^ *```hcl\n( *removed \{.*?)^ *```", page, re.DOTALL | re.MULTILINE)
    assert block
    return textwrap.dedent(block[1]).replace("module.images.", "module.mirror.")


def test_deleted_block(workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image) -> None:
    """A block that is deleted at once leaves the image where it is, as the documentation warns."""
    upstream.push(old, "1")
    workspace.write({mirror.tagged("1"): upstream.tagged("1")})
    workspace.apply()
    (workspace.folder / "main.tf").write_text("")
    workspace.apply()
    assert mirror.digest("1") == old.digest


def test_removed_block(workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image) -> None:
    """The documented removed block in the place of the module removes tag and image, also by a path with a space."""
    workspace = workspace.with_program("image sync", IMAGESYNC)
    upstream.push(old, "1")
    workspace.write({mirror.tagged("1"): upstream.tagged("1")}, command=["image sync"])
    workspace.apply()
    (workspace.folder / "main.tf").write_text(removed_block())
    workspace.apply()
    assert not mirror.digest("1")
    assert not any(mirror.digest(digest) for digest in old.manifests)

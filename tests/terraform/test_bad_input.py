"""Wrong values fail the plan with the entry's name, and nothing of them reaches a shell."""

from __future__ import annotations

from typing import Any

import pytest

from tests.embedded_registry.images import Image
from tests.remote_repository import RemoteRepository
from tests.terraform.workspace import Workspace


@pytest.mark.parametrize("trick", ["$(touch${IFS}PWNED)", "`touch${IFS}PWNED`", "';touch${IFS}PWNED;'", '"$HOME"'])
def test_shell_text_in_a_source(workspace: Workspace, mirror: RemoteRepository, trick: str) -> None:
    """A source full of shell is one argument and an invalid reference."""
    source = f"127.0.0.1/{trick}".replace("${", "$${")
    workspace.write({mirror.tagged("1"): source})
    plan = workspace.plan()
    assert plan.code == 1
    assert "is invalid" in plan.text
    assert not (workspace.folder / "PWNED").exists()


def test_spaces_in_a_source(workspace: Workspace, mirror: RemoteRepository) -> None:
    """A source with spaces is refused before anything runs."""
    workspace.write({mirror.tagged("1"): "busybox --insecure"})
    plan = workspace.plan()
    assert plan.code == 1
    assert f'Wrong at: "{mirror.tagged("1")}"' in plan.text
    assert workspace.calls() == []


def test_two_keys_for_one_destination(workspace: Workspace, mirror: RemoteRepository) -> None:
    """Two spellings of one destination are refused, both named."""
    workspace.write({f"{mirror}": "busybox", f"docker://{mirror}:latest": "alpine"})
    plan = workspace.plan()
    assert plan.code == 1
    assert f'The same: "{mirror}" and "docker://{mirror}:latest".' in plan.text


def test_unknown_tag(workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image) -> None:
    """One source that is not there is named, and the plan says nothing of the good one."""
    upstream.push(old, "1")
    workspace.write({mirror.tagged("1"): upstream.tagged("1"), mirror.tagged("2"): upstream.tagged("2")})
    plan = workspace.plan()
    assert plan.code == 1
    assert f"the source {upstream.tagged('2')} is missing" in plan.text
    assert f"the source {upstream.tagged('1')}" not in plan.text
    assert mirror.digest("1") is None


def test_platforms_of_an_image(workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository) -> None:
    """Each entry whose platforms are none is named with what is wrong."""
    wrong = {"1": ["arm64"], "2": ["linux/amd64,linux/arm64"], "3": [None]}
    workspace.write(
        {
            mirror.tagged(tag): {"source": upstream.tagged(tag), "platforms": platforms}
            for tag, platforms in wrong.items()
        }
    )
    plan = workspace.plan()
    assert plan.code == 1
    for tag in wrong:
        assert f'images["{mirror.tagged(tag)}"]: the source {upstream.tagged(tag)} is invalid: ' in plan.text


WRONG: dict[str, Any] = {
    "destination_prefix": "localhost/",
    "platforms": ["arm64"],
    "command": [],
    "on_replace": "refuse",
    "on_destroy": "retain",
    "source_unavailable": "ignore",
    "lock_file": "images.yaml",
    "verify": "always",
    "explain": "none",
    "allowed_sources": [""],
    "required_platforms": ["amd64"],
    "max_size_bytes": -1,
}


def test_options_of_one_image(workspace: Workspace, mirror: RemoteRepository) -> None:
    """modules/image refuses what modules/images refuses, before anything runs."""
    workspace.write_module("image", source_image="busybox", destination_image=mirror.tagged("1"), **WRONG)
    plan = workspace.plan()
    assert plan.code == 1
    for name in WRONG:
        assert f"var.{name} is" in plan.text, name
    assert workspace.calls() == []

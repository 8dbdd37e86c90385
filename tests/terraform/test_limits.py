"""Limits of what a host is asked hold for all that the modules call, which take no options for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import image
from tests.terraform.workspace import Workspace

NAMES = tuple(f"app-{number}" for number in range(6))


def test_a_file_limits_plan_apply_and_destroy(workspace: Workspace, registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """Each process that Terraform starts, to read, copy or remove, opens one connection where no more are allowed."""
    config = tmp_path / "config.json"
    with EmbeddedRegistry() as source:
        for name in NAMES:
            image(name).seed(source.repository(name), "1")
        config.write_text(json.dumps({"connections": {source.host: 1, registry.host: 1}}))
        limited = workspace.with_environment({"IMAGESYNC_CONFIG": str(config)})
        images: Mapping[str, str] = {f"{name}:1": f"{source.host}/{name}:1" for name in NAMES}
        limited.write(images, destination_prefix=registry.host, on_destroy="delete")
        limited.apply()
        assert all(registry.repository(name).tags for name in NAMES)
        limited.destroy()
        calls = len(limited.calls())
        assert max(source.connections_opened, registry.connections_opened) <= calls
    assert not any(registry.repository(name).tags for name in NAMES)


@pytest.mark.parametrize(
    "words", [("external",), ("apply", "folder", "--call", "c", "--run", "r"), ("delete", "a/b:1")]
)
def test_a_slip_is_told_by_whatever_is_called(words: tuple[str, ...]) -> None:
    """A limit that cannot be read is an error before anything is asked, not a limit that does not hold."""
    finished = imagesync(*words, stdin='{"images": "{}"}', environ={"IMAGESYNC_REQUESTS_PER_SECOND": "docker.io:10"})
    assert finished.code == 2
    assert "IMAGESYNC_REQUESTS_PER_SECOND" in finished.err
    assert "HOST=N" in finished.err

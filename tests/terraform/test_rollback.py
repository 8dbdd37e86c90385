"""A consumer cannot take the new image, so its apply fails, and the source goes back: what plans remember is true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import image
from tests.terraform.workspace import Workspace

CONSUMER = """
  output "ids" { value = module.mirror.ids }
  resource "terraform_data" "consumer" {
    triggers_replace = module.mirror.ids
    provisioner "local-exec" { command = "%s" }
  }"""


@pytest.fixture
def source() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry() as registry:
        image("good").seed(registry.repository("a"), "1")
        image("good").seed(registry.repository("rule"), "1.0")
        yield registry


@pytest.fixture
def mirror() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry() as registry:
        yield registry


def test_back_to_the_image_before(workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> None:
    """The way back is no foreign image and needs nobody, and afterwards the good one is what stays."""
    entries: dict[str, str | dict[str, Any]] = {
        "a:1": {"source": f"{source.host}/a:1"},
        "rule": {"source": f"{source.host}/rule", "tags": {"include": ["*"]}},
    }
    options: dict[str, Any] = {
        "destination_prefix": mirror.host,
        "overwrite": "ours",
        "source_unavailable": "use_destination",
    }
    workspace.write(entries, CONSUMER % "true", **options)
    workspace.apply()

    image("bad").seed(source.repository("a"), "1")
    image("bad").seed(source.repository("rule"), "1.1")
    workspace.write(entries, CONSUMER % "false", **options)
    target = f'module.mirror.terraform_data.image["a:1@{image("bad").digest}"]'
    workspace.succeeding("plan", f"-target={target}")
    assert workspace.run("apply", "-auto-approve").code == 1
    assert mirror.repository("a").tags["1"] == image("bad").digest
    workspace.succeeding("apply", "-refresh-only", "-auto-approve")  # as health checks do
    assert workspace.outputs()["ids"]["a:1"] == f"{mirror.host}/a@{image('bad').digest}"

    image("good").seed(source.repository("a"), "1")
    del source.repository("rule").tags["1.1"]
    workspace.write(entries, CONSUMER % "true", **options)
    workspace.apply()
    assert mirror.repository("a").tags == {"1": image("good").digest}
    assert mirror.repository("rule").tags == {"1.0": image("good").digest}
    assert workspace.plan().code == 0

    workspace.write(entries, CONSUMER % "true", **{**options, "overwrite": "always"})
    source.fault = lambda request: refusal(503)
    image("foreign").seed(mirror.repository("a"), "1")
    workspace.apply()
    assert mirror.repository("a").tags == {"1": image("good").digest}
    assert mirror.repository("rule").tags == {"1.0": image("good").digest}


def test_one_image_under_another_tag(workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> None:
    """modules/image has the objects of both tags then, and gives the wanted one."""
    consumer = CONSUMER.replace("module.mirror.ids", "module.mirror.id")
    options = {"source_image": f"{source.host}/a:1", "destination_prefix": f"{mirror.host}/a"}
    workspace.write_module("image", consumer % "true", destination_image=":1", **options)
    workspace.apply()
    image("other").seed(source.repository("a"), "1")
    workspace.write_module("image", consumer % "false", destination_image=":2", **options)
    assert workspace.run("apply", "-auto-approve").code == 1
    workspace.succeeding("apply", "-refresh-only", "-auto-approve")
    assert workspace.outputs()["ids"] == f"{mirror.host}/a@{image('other').digest}"

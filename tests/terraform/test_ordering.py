"""What is known only at apply, and what must exist first."""

from __future__ import annotations

import json

import pytest

from tests.embedded_registry.images import Image
from tests.remote_repository import RemoteRepository
from tests.terraform.workspace import BOTH_TOOLS, Expression, Workspace

pytestmark = BOTH_TOOLS


def test_prefix_known_at_apply(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image
) -> None:
    """One apply creates a repository and fills it; keys may be tags of it or paths in it."""
    repository = f'resource "terraform_data" "repository" {{ input = "{mirror}" }}'
    ids = 'output "ids" { value = module.mirror.ids }'
    upstream.push(old, "1")
    images = {":1": upstream.tagged("1"), "nested/app:1": upstream.tagged("1")}
    prefix = Expression("terraform_data.repository.output")
    workspace.write(images, f"{repository}\n{ids}", destination_prefix=prefix)

    workspace.apply()
    nested = RemoteRepository(mirror.host, f"{mirror.name}/nested/app")
    assert workspace.outputs()["ids"] == {
        ":1": f"{mirror}@{old.digest}",
        "nested/app:1": f"{nested}@{old.digest}",
    }
    assert mirror.holds(old)
    assert nested.holds(old)
    assert workspace.plan().code == 0


@pytest.mark.parametrize("program", ["true", "false"])
def test_wait_for(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image, program: str
) -> None:
    """What wait_for names must have succeeded before anything is copied; ids are known at plan all the same."""
    policy = f"""
      resource "terraform_data" "policy" {{
        provisioner "local-exec" {{
          interpreter = {json.dumps(workspace.recorded(program))}
          command     = "policy"
        }}
      }}
      output "ids" {{ value = module.mirror.ids }}"""
    upstream.push(old, "1")
    images = {mirror.tagged("1"): upstream.tagged("1")}
    workspace.write(images, policy, wait_for=Expression("terraform_data.policy.id"))

    workspace.plan()
    ids = workspace.planned()["planned_values"]["outputs"]["ids"]["value"]
    assert ids == {mirror.tagged("1"): f"{mirror}@{old.digest}"}
    applied = workspace.run("apply", "plan.bin")
    succeeded = program == "true"
    assert (applied.code == 0) is succeeded
    assert workspace.verbs() == (["policy", "apply"] if succeeded else ["policy"])

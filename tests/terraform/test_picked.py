"""Tags by rule under Terraform: each picked tag is an image of its own, and what is not known removes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import Image, image
from tests.terraform.workspace import BOTH_TOOLS, Expression, Workspace
from tests.trust.signing import key_pair, trusting

TAGS = ("1.25.0", "1.26.0", "1.27.0", "1.27.0-rc.1", "latest", "Odd_Tag-1", f"sha256-{'1' * 64}.sig")
OUTPUTS = 'output "digests" { value = module.mirror.digests }\noutput "ids" { value = module.mirror.ids }'
NEWEST = 'output "newest" { value = module.mirror.ids[":${module.mirror.tags[":"][0]}"] }'


@pytest.fixture
def source() -> Iterator[EmbeddedRegistry]:
    """A registry whose repository app has TAGS, each its own image."""
    with EmbeddedRegistry() as registry:
        push(registry, *TAGS)
        yield registry


def push(registry: EmbeddedRegistry, *tags: str) -> None:
    for tag in tags:
        made(tag).seed(registry.repository("app"), tag)


def made(tag: str) -> Image:
    return image(tag)


def asked(registry: EmbeddedRegistry) -> list[str]:
    """Take the requests since the last time: method and what it is about."""
    requests = sorted(f"{each.method} {each.path.removeprefix('/v2/app/')}" for each in registry.requests)
    registry.clear_requests()
    return requests


def changed(workspace: Workspace) -> list[str]:
    """Return the resources that the last plan changes, without the module's name and keys."""
    changes = workspace.planned()["resource_changes"]
    names = [f"{each['type']}.{each['name']}" for each in changes if each["change"]["actions"] != ["no-op"]]
    return sorted(names)


@BOTH_TOOLS
def test_the_life_of_a_rule(workspace: Workspace, source: EmbeddedRegistry, destination: EmbeddedRegistry) -> None:
    """New tags come, old ones go, each under KEY:TAG; an entry beside the rule stays; an empty pick removes nothing."""
    mirror = destination.repository("mirror")

    def write(semver: str) -> None:
        rule = {"source": f"{source.host}/app", "tags": {"semver": semver, "latest": 2}}
        images: dict[str, dict[str, Any]] = {":": rule, ":latest": {"source": f"{source.host}/app:latest"}}
        workspace.write(images, f"{OUTPUTS}\n{NEWEST}", destination_prefix=f"{destination.host}/mirror")

    write(">=1.25 <2")
    first = workspace.plan()
    assert ":1.27.0 is new, from" in first.text
    workspace.succeeding("apply", "plan.bin")
    wanted = ["1.26.0", "1.27.0", "latest"]
    assert mirror.tags == {tag: made(tag).digest for tag in wanted}
    assert workspace.outputs()["ids"] == {f":{tag}": f"{destination.host}/mirror@{made(tag).digest}" for tag in wanted}
    asked(source)
    assert workspace.plan().code == 0
    assert asked(source) == ["GET tags/list", *(f"HEAD manifests/{tag}" for tag in wanted)]

    push(source, "1.28.0")
    workspace.apply()
    wanted = ["1.27.0", "1.28.0", "latest"]
    assert workspace.outputs()["newest"].endswith(made("1.28.0").digest)
    assert mirror.tags == {tag: made(tag).digest for tag in wanted}
    assert workspace.plan().code == 0

    named = {f":{tag}": f"{source.host}/app:{tag}" for tag in wanted}
    newest = 'output "newest" { value = module.mirror.ids[":1.28.0"] }'
    workspace.write(named, f"{OUTPUTS}\n{newest}", destination_prefix=f"{destination.host}/mirror")
    workspace.plan()
    assert changed(workspace) == ["terraform_data.last_picked", "terraform_data.listed"]  # no image: keys are the same

    write(">=9")
    refused = workspace.plan()
    assert refused.code == 1
    assert (
        f'images[":"]: the rules pick none of the 8 tags of {source.host}/app (imagesync tags --explain' in refused.text
    )
    assert sorted(mirror.tags) == wanted

    workspace.destroy()
    assert mirror.tags == {}


def test_a_list_of_tags_that_is_away(
    workspace: Workspace, source: EmbeddedRegistry, destination: EmbeddedRegistry
) -> None:
    """With use_destination the images that were picked last stay; without it the plan fails. Nothing is removed."""
    mirror = destination.repository("mirror/app")
    images = {"app": {"source": f"{source.host}/app", "tags": {"semver": ">=1.25 <2", "latest": 2}}}

    def write(choice: str) -> None:
        workspace.write(images, OUTPUTS, destination_prefix=f"{destination.host}/mirror", source_unavailable=choice)

    write("use_destination")
    workspace.apply()
    push(source, "1.28.0")
    workspace.apply()  # what is remembered moves on with what is picked
    kept = {"1.27.0": made("1.27.0").digest, "1.28.0": made("1.28.0").digest}
    assert mirror.tags == kept

    source.fault = lambda _: refusal(404, "NAME_UNKNOWN")
    away, held = workspace.plan(), [f"app:{tag}" for tag in kept]
    assert changed(workspace) == ["terraform_data.listed"]  # that there was a list is all that is forgotten
    stay = "the tags are missing, so the images that were picked last stay as they are (1.28.0, 1.27.0)"
    assert f'images["app"]: {stay}: listing the tags of {source.host}/app' in away.text
    assert {each["key"]: each["kind"] for each in workspace.explained()} == dict.fromkeys(held, "held")
    workspace.apply()
    assert workspace.plan().code == 0
    assert workspace.outputs()["digests"] == {f"app:{tag}": digest for tag, digest in kept.items()}

    write("error")
    refused = workspace.plan()
    assert refused.code == 1
    assert f'images["app"]: the source {source.host}/app is missing' in refused.text
    assert mirror.tags == kept

    write("use_destination")
    source.fault = None
    push(source, "1.29.0")
    workspace.apply()
    source.fault = lambda _: refusal(404, "NAME_UNKNOWN")
    workspace.apply()  # what came back with another list is remembered as well
    assert sorted(mirror.tags) == ["1.28.0", "1.29.0"]


def test_picks_that_were_not_remembered(
    workspace: Workspace, source: EmbeddedRegistry, destination: EmbeddedRegistry
) -> None:
    """An apply that was aimed at half of what remembers them leaves a plan that fails, and says how to go on."""
    images = {"app": {"source": f"{source.host}/app", "tags": {"latest": 1, "semver": "1.x"}}}
    workspace.write(images, destination_prefix=destination.host, source_unavailable="use_destination")
    workspace.apply()
    push(source, "1.28.0")
    assert "not remembered" not in workspace.succeeding("plan", "-refresh-only").text  # as HCP's health checks plan
    workspace.succeeding("apply", "-auto-approve", "-target=module.mirror.terraform_data.listed")
    refused = workspace.plan()
    assert refused.code == 1
    assert 'images["app:1.28.0"]: the last picks are not remembered. Apply with -replace=' in refused.text
    address = 'module.mirror.terraform_data.last_picked["app"]'
    workspace.succeeding("apply", "-auto-approve", f"-replace={address}")
    assert destination.repository("app").tags == {"1.28.0": made("1.28.0").digest}
    source.fault = lambda _: refusal(404, "NAME_UNKNOWN")
    workspace.apply()
    assert destination.repository("app").tags == {"1.28.0": made("1.28.0").digest}


def test_rules_hold_for_each_picked_image(
    workspace: Workspace, source: EmbeddedRegistry, destination: EmbeddedRegistry
) -> None:
    """What is allowed, what is signed and what is there twice, also where the prefix comes into being meanwhile."""
    options: dict[str, Any] = {
        "destination_prefix": Expression(f'terraform_data.place.id == "" ? "" : "{destination.host}/app"'),
        "more": 'resource "terraform_data" "place" {}',
    }
    rule = {"source": f"{source.host}/app", "tags": {"semver": ">=1.26"}}
    allowed = [f"{source.host}/app:1.27.*"]
    workspace.write({":": rule, ":1.27.0": f"{source.host}/app:latest"}, allowed_sources=allowed, **options)
    refused = workspace.plan()
    assert refused.code == 1
    assert f'images[":1.26.0"]: the source {source.host}/app:1.26.0 is not one of allowed_sources' in refused.text
    assert 'images[":1.27.0"]: the tags of images[":"] pick :1.27.0 as well' in refused.text

    workspace.write({":": rule}, trust={"rules": [trusting(key_pair())]}, **options)
    refused = workspace.plan()
    for tag in ("1.26.0", "1.27.0"):
        assert f'images[":{tag}"]: trust: {source.host}/app@{made(tag).digest}: it has no signature' in refused.text

    workspace.write({":": rule}, **options)
    workspace.apply()
    assert sorted(destination.repository("app").tags) == ["1.26.0", "1.27.0"]
    assert workspace.plan().code == 0

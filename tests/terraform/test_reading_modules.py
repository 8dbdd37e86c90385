"""modules/digests and modules/tags, which only read: what they tell and what fails a plan; a destroy needs nobody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import image, index
from tests.terraform.workspace import BOTH_TOOLS, Workspace
from tests.trust.signing import key_pair, sign, trusting

APP = index("app", platforms=("linux/amd64", "linux/arm64"))


@pytest.fixture
def registry() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry() as running:
        APP.seed(running.repository("app"), "1.25.0", "1.26.0", "1.27.0")
        image("tool").seed(running.repository("tool"), "1")
        yield running


def outputs(*names: str) -> str:
    return "".join(f'output "{name}" {{ value = module.mirror.{name} }}\n' for name in names)


@BOTH_TOOLS
def test_digests(workspace: Workspace, registry: EmbeddedRegistry) -> None:
    """One process tells digests, platforms and sizes; a missing image fails the plan by name; nothing is written."""
    app, tool = f"{registry.host}/app:1.27.0", f"{registry.host}/tool:1"
    told = outputs("ids", "digests", "platforms", "sizes", "signed")
    consumer = 'resource "terraform_data" "consumer" { input = module.mirror.ids }'
    workspace.write_module("digests", told + consumer, references={"app": app, "tool": tool}, details=True)
    workspace.apply()
    assert workspace.calls() == [["external"]] * 1
    found = workspace.outputs()
    assert found["ids"] == {
        "app": f"{registry.host}/app@{APP.digest}",
        "tool": f"{registry.host}/tool@{image('tool').digest}",
    }
    assert found["digests"] == {"app": APP.digest, "tool": image("tool").digest}
    assert found["platforms"]["app"] == dict(zip(("linux/amd64", "linux/arm64"), APP.children, strict=True))
    assert found["platforms"]["tool"] == {"linux/amd64": image("tool").digest}
    assert found["sizes"]["tool"] > 0
    assert {request.method for request in registry.requests} <= {"HEAD", "GET"}
    assert workspace.plan().code == 0

    workspace.write_module("digests", told + consumer, references=[app], platforms=["linux/amd64"])
    workspace.apply()
    assert workspace.outputs()["digests"] == {app: APP.digest}  # of the whole, which is what can be pulled
    assert workspace.outputs()["platforms"] == {}

    registry.fault = lambda _: refusal(404, "NAME_UNKNOWN")
    refused = workspace.plan()
    assert refused.code == 1
    assert f'references["{app}"]: {app} is missing: ' in refused.text
    workspace.destroy()


def test_tags(workspace: Workspace, registry: EmbeddedRegistry) -> None:
    """The picked tags come in order, pinned; rules that pick nothing fail the plan; a destroy asks for no tags."""

    def write(semver: str, *told: str) -> None:
        repositories = {"app": {"source": f"{registry.host}/app", "tags": {"semver": semver, "latest": 2}}}
        consumer = 'resource "terraform_data" "consumer" { input = module.mirror.references }'
        workspace.write_module("tags", outputs(*told) + consumer, repositories=repositories)

    write("1.x", "tags", "digests", "references")
    workspace.apply()
    found = workspace.outputs()
    assert found["tags"] == {"app": ["1.27.0", "1.26.0"]}
    assert found["digests"] == {"app": {"1.26.0": APP.digest, "1.27.0": APP.digest}}
    assert found["references"]["app"]["1.27.0"] == f"{registry.host}/app:1.27.0@{APP.digest}"
    assert workspace.plan().code == 0

    write(">=9", "tags", "digests", "references")
    refused = workspace.plan()
    assert refused.code == 1
    none = f'repositories["app"]: the rules pick none of the 3 tags of {registry.host}/app'
    assert none in refused.text
    write(">=9")  # with no output but the one that the consumer uses: without its error, nothing would be picked
    targeted = workspace.run("plan", "-target=terraform_data.consumer")
    assert targeted.code == 1
    assert none in targeted.text
    workspace.destroy()


def test_digests_that_are_signed(workspace: Workspace, registry: EmbeddedRegistry) -> None:
    """With trust an image that nobody has signed fails the plan, and `signed` says who has signed the other one."""
    key = key_pair()
    sign(registry.repository("app"), APP.digest, key)
    options = {"trust": {"rules": [trusting(key)]}, "allowed_sources": [f"{registry.host}/app:*"]}
    references = {"app": f"{registry.host}/app:1.27.0", "tool": f"{registry.host}/tool:1"}
    workspace.write_module("digests", outputs("signed"), references=references, **options)
    refused = workspace.plan()
    assert refused.code == 1
    assert (
        f'references["tool"]: trust: {registry.host}/tool@{image("tool").digest}: it has no signature' in refused.text
    )
    assert f'references["tool"]: the source {references["tool"]} is not one of allowed_sources' in refused.text
    assert 'references["app"]' not in refused.text

    workspace.write_module("digests", outputs("signed"), references={"app": references["app"]}, **options)
    workspace.apply()
    assert workspace.outputs()["signed"]["app"].startswith("signed by key sha256:")

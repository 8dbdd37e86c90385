"""`imagesync explain` on real plans, beside what the apply then did at the registry.

More plans: test_generated.py holds every word about each of its plans against the registry. What is made up of parts
is in explain/.
"""

from __future__ import annotations

import json
from typing import Any

from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import index
from tests.terraform.explain.test_written import cells
from tests.terraform.explained import watch, wrong_words
from tests.terraform.workspace import BOTH_TOOLS, Expression, Workspace

CONSUMER = """
resource "terraform_data" "consumer" {
  for_each = try(nonsensitive(module.mirror.ids), module.mirror.ids) # Terraform 1.5 refuses what is not sensitive
  input    = "image: ${each.value}"
}
"""
PLATFORMS = ("linux/amd64", "linux/arm64")


def explained(workspace: Workspace, *arguments: str) -> dict[str, Any]:
    """What is said of the last plan."""
    done = imagesync("explain", "--json", *arguments, stdin=json.dumps(workspace.planned()))
    assert (done.code, done.err) == (0, "")
    told: dict[str, Any] = json.loads(done.out)
    return told


def kinds(told: dict[str, Any]) -> dict[str, str]:
    """The kind of each image that is told of, by its key."""
    return {change["key"]: change["kind"] for change in told["changes"]}


@BOTH_TOOLS
def test_every_change(workspace: Workspace) -> None:
    """A plan of all kinds: each image is one line, in Markdown that renders, and the apply does what they say."""
    with EmbeddedRegistry() as source, EmbeddedRegistry() as mirror:
        names = ["moved", "missing", "overwritten", "renamed", "removed", "same"]
        for name in (*names, "new", "adopted"):
            index(name, platforms=PLATFORMS).seed(source.repository(name), "1")
        images = {f"{name}:1": f"{source.host}/{name}:1" for name in names}
        workspace.write(images, CONSUMER, destination_prefix=f"{mirror.host}/m")
        workspace.apply()

        index("moved on", platforms=PLATFORMS).seed(source.repository("moved"), "1")
        gone = mirror.repository("m/missing")
        for content in (gone.tags, gone.manifests, gone.blobs):
            content.clear()
        index("foreign").seed(mirror.repository("m/overwritten"), "1")
        index("adopted", platforms=PLATFORMS).seed(mirror.repository("m/adopted"), "1")
        del images["removed:1"]
        images["other:1"] = images.pop("renamed:1")
        images |= {f"{name}:1": f"{source.host}/{name}:1" for name in ("new", "adopted")}
        workspace.write(images, CONSUMER, destination_prefix=f"{mirror.host}/m")
        workspace.plan()

        told = explained(workspace)
        assert kinds(told) == {
            **{f"{kind}:1": kind for kind in ("moved", "missing", "overwritten", "removed", "new", "adopted")},
            "other:1": "renamed",
        }
        assert told["images"] == 8
        changing = ("adopted", "moved", "new", "other", "removed", "renamed")
        assert told["consumers"] == [f'terraform_data.consumer["{name}:1"]' for name in changing]
        markdown = imagesync("explain", "--format", "markdown", stdin=json.dumps(workspace.planned())).out
        assert markdown.splitlines()[0] == told["summary"]
        assert [row[0] for row in cells(markdown)[1:]] == [change["kind"] for change in told["changes"]]

        before, sent = watch(mirror), len(mirror.requests)
        workspace.succeeding("apply", "plan.bin")
        size_bytes = sum(each.body_size for each in mirror.requests[sent:] if "/blobs/" in each.path)
        assert wrong_words(told, before, watch(mirror), size_bytes) == []
        assert size_bytes == told["bytes_to_copy"]
        workspace.plan()
        assert explained(workspace)["summary"] == "imagesync: 7 images, no change"


@BOTH_TOOLS
def test_other_plans(workspace: Workspace) -> None:
    """A sensitive prefix is not shown, a refresh and a target leave out, a destroy and a deleted block take away."""
    with EmbeddedRegistry() as source, EmbeddedRegistry() as mirror:
        index("app", platforms=PLATFORMS).seed(source.repository("app"), "1")
        images = {"app:1": f"{source.host}/app:1"}
        secret = f'variable "prefix" {{\n  sensitive = true\n  default = "{mirror.host}/hidden"\n}}\n{CONSUMER}'
        workspace.write(images, secret, destination_prefix=Expression("var.prefix"))
        workspace.plan()
        told = explained(workspace)
        assert kinds(told) == {"app:1": "new"}
        assert f"{mirror.host}/hidden" not in json.dumps(told)
        workspace.apply()

        workspace.run("plan", "-out=plan.bin", "-refresh-only")
        assert (
            explained(workspace)["summary"] == "imagesync: this plan leaves out its 1 image (-refresh-only or -target)"
        )
        workspace.run("plan", "-out=plan.bin", "-destroy")
        told = explained(workspace)
        assert told["summary"] == "imagesync: 1 removed of 1 image; 1 consumer changes"
        assert told["changes"][0]["why"] == "this plan destroys it"

        (workspace.folder / "main.tf").write_text("")
        workspace.plan()
        told = explained(workspace)
        assert kinds(told) == {"app:1": "forgotten"}
        before = watch(mirror)
        workspace.succeeding("apply", "plan.bin")
        assert watch(mirror) == before

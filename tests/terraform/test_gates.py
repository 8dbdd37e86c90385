"""What a configuration does not allow fails its plan, with the image named, and nothing is copied."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from imagesync_cli.values.reference import as_meant, parse_reference
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import Image, image, index
from tests.referrers.artifacts import about, cosign
from tests.remote_repository import RemoteRepository
from tests.terraform.test_changes import size_bytes
from tests.terraform.workspace import BOTH_TOOLS, CHECKOUT, Expression, Workspace


def refuses(workspace: Workspace, *texts: str) -> None:
    planned = workspace.plan()
    assert planned.code == 1
    for text in texts:
        assert text in planned.text


CASES = [
    ("docker.io/library/*", "busybox", True),
    ("docker.io/library/*", "docker://busybox:1.36", True),
    ("docker.io/library/*", "index.docker.io/library/busybox", True),
    ("docker.io/library/*", "docker.io/org/app", False),
    ("docker.io/library/*", "docker.io.example.com/library/app", False),
    ("docker.io/library/*", "docker-io/library/app", False),
    ("quay.io/*", "quay.io/org/app:1", False),
    ("quay.io/**", "quay.io/org/app:1", True),
    ("quay.io/**", "evil.example/quay.io/app:1", False),
    ("**/app", "quay.io/deep/in/app:1", True),
    ("quay.io/org/app", "quay.io/org/app:1@sha256:" + "1" * 64, True),
    ("quay.io/org/app", "quay.io/org/app-2:1", False),
    ("quay.io/org/app:1.*", "quay.io/org/app:1.2", True),
    ("quay.io/org/app:1.*", "quay.io/org/app:1.2@sha256:" + "1" * 64, True),
    ("quay.io/org/app:1.*", "quay.io/org/app:2.2", False),
    ("QUAY.IO/org/app", "QUAY.IO/org/app:1", False),
    ("quay.io/org/app", "QUAY.IO/org/app:1", True),
    ("localhost:5000/*/app", "localhost:5000/team/app:1", True),
    ("localhost:5000/*/app", "localhost:5001/team/app:1", False),
    ("[::1]:5000/app", "[::1]:5000/app:1", True),
    ("oci:build/*", "oci:build/app:1", True),
    ("oci:build/*", "oci:other/app:1", False),
    ("(a+)+$|.", "quay.io/org/app:1", False),
]
# Answers what imagesync would, for references that are on no registry here.
STAND_IN = """\
import json, sys
from imagesync_cli.values.reference import as_meant, parse_reference
from imagesync_cli.terraform.rules import Rules
query = json.load(sys.stdin)
rules = Rules(**json.loads(query.get("rules", "{}")))
def answer(wanted):
    digest = "sha256:" + "1" * 64
    reference = parse_reference(wanted["reference"])
    named = {"reference": as_meant(reference), "digest": digest, "source_digest": digest}
    return json.dumps(named | {"kind": "", "error": "", "refused": rules.refusals(reference, digest)})
print(json.dumps({key: answer(wanted) for key, wanted in json.loads(query["images"]).items()}))
"""


def test_patterns(workspace: Workspace, tmp_path: Path) -> None:
    """A pattern means repositories as Docker spells them whole, or references with their tag; `*` stops at a slash."""
    (tmp_path / "answers.py").write_text(STAND_IN)
    command = [sys.executable, str(tmp_path / "answers.py")]
    modules = [
        f"""
        module "case_{number}" {{
          source          = "{CHECKOUT}/modules//images"
          command         = {json.dumps(command)}
          allowed_sources = [{json.dumps(pattern)}]
          images          = {{ "localhost:1/{number}:1" = {{ source = {json.dumps(source)} }} }}
        }}"""
        for number, (pattern, source, _) in enumerate(CASES)
    ]
    (tmp_path / "main.tf").write_text("".join(modules))
    planned = workspace.plan()
    assert planned.code == 1
    for number, (pattern, source, is_allowed) in enumerate(CASES):
        refused = (
            f'images["localhost:1/{number}:1"]: the source {as_meant(parse_reference(source))} is not one of '
            f"allowed_sources, which are {pattern}."
        )
        assert (refused in planned.text) is not is_allowed, (pattern, source)


def test_no_source_is_allowed(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image
) -> None:
    """An empty list of sources allows none; a gate that is shut does not keep an image from being removed."""
    upstream.push(old, "1")
    workspace.write({mirror.tagged("1"): upstream.tagged("1")})
    workspace.apply()
    workspace.write({mirror.tagged("1"): upstream.tagged("1")}, allowed_sources=[])
    refuses(
        workspace, f'images["{mirror.tagged("1")}"]: the source {upstream.tagged("1")} is not one of allowed_sources'
    )
    workspace.destroy()
    assert mirror.digest("1") is None


def test_require_digest(workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image) -> None:
    """A source by its tag alone is refused, and the message has the digest to write down; with it, all is well."""
    source = upstream.tagged("1")
    upstream.push(old, "1")
    workspace.write({mirror.tagged("1"): source}, require_digest=True)
    refuses(workspace, f'images["{mirror.tagged("1")}"]: require_digest wants', f"like {source}@{old.digest}.")
    workspace.write({mirror.tagged("1"): f"{source}@{old.digest}"}, require_digest=True)
    workspace.apply()
    assert mirror.digest("1") == old.digest
    assert workspace.plan().code == 0


@BOTH_TOOLS
def test_required_platforms(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image, foreign: Image
) -> None:
    """Each image that lacks a platform is named with what it has; as it arrives counts, not as the source has it."""
    upstream.push(old, "two")
    upstream.push(foreign, "one")
    both = {mirror.tagged("two"): upstream.tagged("two"), mirror.tagged("one"): upstream.tagged("one")}
    wanted = ["linux/amd64", "linux/arm64"]
    workspace.write(both, required_platforms=wanted)
    text = "required_platforms are linux/amd64, linux/arm64"
    lacking = f"{upstream.tagged('one')} is not there for linux/arm64 (it has linux/amd64)"
    refuses(workspace, f'images["{mirror.tagged("one")}"]: {text}: {lacking}')
    assert workspace.verbs() == []
    workspace.write({mirror.tagged("two"): upstream.tagged("two")}, required_platforms=wanted)
    workspace.apply()
    assert workspace.plan().code == 0

    workspace.write(
        {mirror.tagged("two"): upstream.tagged("two")}, required_platforms=wanted, platforms=["linux/arm64"]
    )
    refuses(
        workspace, f'images["{mirror.tagged("two")}"]: {text}: {upstream.tagged("two")} is not there for linux/amd64'
    )
    assert mirror.holds(old)


def test_max_size(workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image) -> None:
    """An image of one byte more than is allowed is refused, an image of just as many is not."""
    size = size_bytes(old)
    upstream.push(old, "1")
    workspace.write({mirror.tagged("1"): upstream.tagged("1")}, max_size_bytes=size - 1)
    more = f"has {size} bytes, more than max_size_bytes, {size - 1}."
    refuses(workspace, f'images["{mirror.tagged("1")}"]: the source {upstream.tagged("1")} {more}')
    workspace.write({mirror.tagged("1"): upstream.tagged("1")}, max_size_bytes=size)
    workspace.apply()
    assert mirror.digest("1") == old.digest
    assert workspace.plan().code == 0

    workspace.write({mirror.tagged("1"): upstream.tagged("1")}, max_size_bytes=size - 1)
    refuses(workspace, more)


@BOTH_TOOLS
@pytest.mark.parametrize("referrers", [False, True])
def test_require_signature(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image, referrers: bool
) -> None:
    """An image that nobody signed is refused; once it is signed it is copied, and the next plan is empty."""
    upstream.push(old, "1")
    workspace.write({mirror.tagged("1"): upstream.tagged("1")}, require_signature=True, referrers=referrers)
    unsigned = f"{upstream}@{old.digest} has no signature"
    refuses(workspace, f'images["{mirror.tagged("1")}"]: require_signature: {unsigned}')
    upstream.push(cosign(old), about(old, ".sig"))
    workspace.apply()
    assert mirror.digest("1") == old.digest
    assert bool(mirror.digest(about(old, ".sig"))) is referrers
    assert workspace.plan().code == 0


def test_looks_at_the_mirror_where_it_can(workspace: Workspace) -> None:
    """For an image that is there already, gates cost the source no more than the HEAD request of every plan."""
    made = index(platforms=("linux/amd64", "linux/arm64"))
    with EmbeddedRegistry() as source, EmbeddedRegistry() as destination:
        for registry in (source, destination):
            made.seed(registry.repository("app"), "1")
        images = {f"{destination.host}/app:1": f"{source.host}/app:1"}
        workspace.write(images, required_platforms=["linux/arm64"], max_size_bytes=size_bytes(made))
        workspace.plan()
        assert [request.method for request in source.requests] == ["HEAD"]
        assert {request.method for request in destination.requests} == {"HEAD", "GET"}


def test_a_gate_that_cannot_be_looked_at_is_shut(workspace: Workspace) -> None:
    """Where an image's manifest cannot be read, a plan with gates fails and says why."""
    made = image()
    with EmbeddedRegistry() as source, EmbeddedRegistry() as destination:
        made.seed(source.repository("app"), "1")
        source.fault = lambda request: refusal(403) if request.method == "GET" and "manifests" in request.path else None
        workspace.write({f"{destination.host}/app:1": f"{source.host}/app:1"}, max_size_bytes=10**9)
        refuses(workspace, f'images["{destination.host}/app:1"]: whether', "is not known: ", "403")


@BOTH_TOOLS
def test_prefix_known_at_apply(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image
) -> None:
    """Where the destination is known only at apply, the gate is shut then: before anything is copied."""
    upstream.push(old, "1")
    later = f'resource "terraform_data" "prefix" {{ input = "{mirror}" }}'
    prefix = Expression("terraform_data.prefix.output")
    workspace.write({":1": upstream.tagged("1")}, later, destination_prefix=prefix, max_size_bytes=1)
    applied = workspace.run("apply", "-auto-approve")
    assert applied.code == 1
    assert 'images[":1"]: the source' in applied.text
    assert mirror.digest("1") is None


@pytest.mark.parametrize("option", [{"max_size_bytes": 1}, {"require_signature": True}])
def test_source_away(
    workspace: Workspace, upstream: RemoteRepository, mirror: RemoteRepository, old: Image, option: dict[str, Any]
) -> None:
    """While the source is away the image at the destination is judged, as far as it can be judged there."""
    upstream.push(old, "1")
    workspace.write({mirror.tagged("1"): upstream.tagged("1")}, source_unavailable="use_destination")
    workspace.apply()
    upstream.delete(old.digest)
    workspace.write({mirror.tagged("1"): upstream.tagged("1")}, source_unavailable="use_destination", **option)
    planned = workspace.plan()
    assert planned.code == (1 if "max_size_bytes" in option else 0)
    assert ("more than max_size_bytes, 1." in planned.text) is ("max_size_bytes" in option)

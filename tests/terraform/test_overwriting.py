"""What becomes of another image under a destination's tag: refused at plan, or kept under a tag of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import Image, image
from tests.embedded_registry.state import Repository
from tests.terraform.workspace import Expression, Workspace

FOREIGN = image("foreign")


@pytest.fixture
def mirror() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry() as registry:
        yield registry


def moved_to(source: EmbeddedRegistry, name: str, of: str) -> str:
    """Let the source's tag 1 point at this image; gives its digest."""
    return image(of).seed(source.repository(name), "1")


def test_only_what_we_put_there_is_replaced(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry
) -> None:
    """With "ours" a plan refuses somebody else's image, whenever it came; our own moves, a failed copy included."""
    moved_to(source, "a", "a 1")
    moved_to(source, "b", "b 1")
    FOREIGN.seed(mirror.repository("b"), "1")
    entries = {f"{name}:1": f"{source.host}/{name}:1" for name in ("a", "b")}
    options = {"destination_prefix": mirror.host, "overwrite": "ours"}
    workspace.write(entries, **options)
    before = mirror.dump()
    refused = workspace.run("plan")
    assert refused.code == 1
    assert f"{mirror.host}/b:1 has another image, {FOREIGN.digest}, which this configuration did not" in refused.text
    assert "a:1 has another image" not in refused.text
    assert mirror.dump() == before

    del mirror.state.repositories["b"]
    workspace.apply()
    second = moved_to(source, "a", "a 2")
    source.fault = lambda request: refusal(403) if "blobs" in request.path else None
    assert workspace.run("apply", "-auto-approve").code == 1
    source.fault = None
    workspace.apply()
    assert mirror.repository("a").tags["1"] == second

    FOREIGN.seed(mirror.repository("a"), "1")
    refused = workspace.run("plan")
    assert refused.code == 1
    assert f"{mirror.host}/a:1 has another image, {FOREIGN.digest}" in refused.text
    workspace.write(entries, **{**options, "overwrite": "always"})
    workspace.apply()
    assert mirror.repository("a").tags["1"] == second
    assert workspace.plan().code == 0

    moved_to(source, "a", "a 3")
    workspace.write(entries, **options)
    assert (
        f'{second}, which this configuration did not put there, or not since overwrite is "ours".'
        in workspace.plan().text
    )


def test_another_option_forgets_nothing(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry
) -> None:
    """Where an option remembers images in another way, somebody else's is refused in the very plan that sets it."""
    digest = moved_to(source, "a", "a 1")
    options = {"destination_prefix": mirror.host, "overwrite": "ours"}
    away = {**options, "source_unavailable": "use_destination"}
    entry = {"a:1": f"{source.host}/a:1"}
    workspace.write(entry, **options)
    workspace.apply()
    for changed in (away, options):
        FOREIGN.seed(mirror.repository("a"), "1")
        workspace.write(entry, **changed)
        assert f"a:1 has another image, {FOREIGN.digest}, which this configuration did not" in workspace.plan().text
        mirror.repository("a").tags["1"] = digest
        workspace.apply()
        assert workspace.plan().code == 0


def test_another_place_is_looked_at_anew(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry
) -> None:
    """Under a prefix known only at apply, or a new one, somebody else's image stays, however often that is applied."""
    prefix = 'resource "terraform_data" "prefix" { input = "%s/%s" }'
    options = {"destination_prefix": Expression("terraform_data.prefix.output"), "overwrite": "ours"}
    digest = moved_to(source, "a", "a 1")
    for place in ("first", "second"):
        repository = mirror.repository(f"{place}/a")
        FOREIGN.seed(repository, "1")
        workspace.write({"a:1": f"{source.host}/a:1"}, prefix % (mirror.host, place), **options)
        for _ in range(2):
            refused = workspace.run("apply", "-auto-approve")
            assert refused.code == 1
            assert f"{place}/a:1 has another image, {FOREIGN.digest}, which this configuration did not" in refused.text
            assert repository.tags == {"1": FOREIGN.digest}
        del repository.tags["1"]
        workspace.apply()
        assert repository.tags == {"1": digest}
        digest = moved_to(source, "a", "a 2")
    workspace.write({"a:1": f"{source.host}/a:1"}, prefix % (mirror.host, "second"), **options)
    assert workspace.plan().code == 0


def test_what_comes_after_the_plan_is_not_replaced(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry
) -> None:
    """The apply of a saved plan replaces what the plan has seen, and nothing that came since."""
    moved_to(source, "a", "a 1")
    workspace.write({"a:1": f"{source.host}/a:1"}, destination_prefix=mirror.host, overwrite="ours")
    workspace.plan()
    FOREIGN.seed(mirror.repository("a"), "1")
    failed = workspace.run("apply", "plan.bin")
    assert failed.code == 1
    assert f"{mirror.host}/a:1 has another image already, {FOREIGN.digest}" in failed.text
    assert mirror.repository("a").tags == {"1": FOREIGN.digest}


def test_a_tag_that_never_moves(workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> None:
    """With "never" a moved source fails the plan; what is in sync stays so."""
    first = moved_to(source, "a", "a 1")
    workspace.write({"a:1": f"{source.host}/a:1"}, destination_prefix=mirror.host, overwrite="never")
    workspace.apply()
    assert workspace.plan().code == 0
    moved_to(source, "a", "a 2")
    refused = workspace.run("plan")
    assert refused.code == 1
    assert f'{mirror.host}/a:1 has another image, {first}, and overwrite is "never"' in refused.text
    assert mirror.repository("a").tags == {"1": first}


def kept(repository: Repository) -> list[str]:
    """The digests that tags of their own keep, oldest first."""
    return [digest for tag, digest in sorted(repository.tags.items()) if tag != "1"]


def test_old_versions_stay_for_a_rollback(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry
) -> None:
    """With "retag" the last two old images have tags, and going back to one is a change of one line."""
    options: dict[str, Any] = {"destination_prefix": mirror.host, "on_replace": "retag", "keep_last": 2}
    repository = mirror.repository("a")
    digests = []
    for number in range(4):
        digests.append(moved_to(source, "a", f"a {number}"))
        workspace.write({"a:1": f"{source.host}/a:1"}, **options)
        planned = workspace.plan()
        assert ("and the old one gets a tag of its own" in planned.text) == (number > 0)
        log = workspace.succeeding("apply", "plan.bin").text
    assert f"kept: manifest {digests[2]} (on_replace is not delete)" in log
    assert repository.tags["1"] == digests[3]
    assert kept(repository) == digests[1:3]
    assert digests[0] not in repository.manifests
    assert workspace.plan().code == 0

    (back,) = (tag for tag, digest in repository.tags.items() if digest == digests[1])
    workspace.write({"a:1": f"{mirror.host}/a:{back}"}, **options)
    mirror.clear_requests()
    workspace.apply()
    assert repository.tags["1"] == digests[1]
    assert not [request for request in mirror.requests if "/blobs/" in request.path]
    assert back in repository.tags
    assert workspace.plan().code == 0


def test_what_keep_last_removes_is_told(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry, foreign: Image
) -> None:
    """The log of a removal names each old image that goes; one that somebody else has pushed is kept by its tag."""
    options: dict[str, Any] = {"destination_prefix": mirror.host, "on_replace": "retag", "keep_last": 0}
    repository = mirror.repository("a")
    workspace.write({"a:1": f"{source.host}/a:1"}, **options)
    first = moved_to(source, "a", "a 0")
    workspace.apply()
    moved_to(source, "a", "a 1")
    log = workspace.apply().text
    assert f"removed: manifest {first}" in log
    assert f"kept: manifest {first}" not in log
    foreign.seed(repository, "1")
    assert workspace.plan().code == 2
    assert [old["why"] for old in workspace.explained()[0]["old"]] == ["gets a tag of its own first"]
    workspace.succeeding("apply", "plan.bin")
    assert kept(repository) == [foreign.digest]


def test_what_a_consumer_runs_is_kept_until_it_moves(
    workspace: Workspace, source: EmbeddedRegistry, mirror: EmbeddedRegistry
) -> None:
    """However few old versions stay: while a consumer cannot take new images, the one that it runs is there."""
    consumer = """
      resource "terraform_data" "consumer" {
        triggers_replace = module.mirror.ids["a:1"]
        provisioner "local-exec" { command = "%s" }
      }"""
    options: dict[str, Any] = {"destination_prefix": mirror.host, "on_replace": "retag", "keep_last": 0}
    repository = mirror.repository("a")
    runs = moved_to(source, "a", "a 0")
    workspace.write({"a:1": f"{source.host}/a:1"}, consumer % "true", **options)
    workspace.apply()
    workspace.write({"a:1": f"{source.host}/a:1"}, consumer % "false", **options)
    newest = moved_to(source, "a", "a 1")
    assert workspace.run("apply", "-auto-approve").code == 1
    assert repository.tags["1"] == newest
    assert runs in repository.manifests
    workspace.write({"a:1": f"{source.host}/a:1"}, consumer % "true", **options)
    workspace.apply()
    assert repository.tags == {"1": newest}
    assert workspace.plan().code == 0

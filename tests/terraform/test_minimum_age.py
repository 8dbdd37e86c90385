"""A moved tag is held back until its image is old enough, and taken later without anyone's doing."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from tests.embedded_registry import EmbeddedRegistry, Fault, Request
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import image
from tests.embedded_registry.wire import json_response
from tests.terraform.workspace import Workspace


def tell_ages(source: EmbeddedRegistry, hours: dict[str, float]) -> None:
    """Let the registry say how many hours ago each digest was pushed."""

    def answer(request: Request) -> Fault | None:
        digest = request.path.rpartition("/")[2]
        if not request.path.startswith("/api/v2.0/") or digest not in hours:
            return None
        time = datetime.now(timezone.utc) - timedelta(hours=hours[digest])
        return Fault(answer=json_response(200, {"digest": digest, "push_time": time.isoformat()}))

    source.fault = answer


def test_minimum_age(workspace: Workspace, source: EmbeddedRegistry) -> None:
    """The mirror keeps what it has, the plan says until when, and nothing else waits."""
    names = ("a", "b")
    old = {name: image(f"{name} 1").seed(source.repository(name), "1") for name in names}
    entries = {f"{name}:1": f"{source.host}/{name}:1" for name in names}
    ids = 'output "ids" { value = module.mirror.ids }'
    with EmbeddedRegistry() as mirror:
        options: dict[str, Any] = {"destination_prefix": mirror.host, "minimum_age": "3d"}
        tell_ages(source, {old["a"]: 100, old["b"]: 3})
        workspace.write(entries, ids, **options)
        refused = workspace.run("plan")
        assert refused.code == 1
        assert f"minimum_age: the source {source.host}/b:1: {old['b']} was pushed 3 h ago" in refused.text
        assert f"the source {source.host}/a:1:" not in refused.text
        workspace.write(entries, ids, **options, minimum_age_new="take")
        workspace.apply()
        assert {name: mirror.repository(name).tags["1"] for name in names} == old

        new = {name: image(f"{name} 2").seed(source.repository(name), "1") for name in names}
        tell_ages(source, {new["a"]: 100, new["b"]: 3})
        workspace.write(entries, ids, **options)
        planned = workspace.plan()
        assert f"{mirror.host}/b:1 stays as it is: {source.host}/b:1 {new['b']} was pushed 3 h ago" in planned.text
        assert "is taken in 69 h" in planned.text
        assert "this plan changes 1 of 2 images" in planned.text
        moved, waiting = workspace.explained()
        assert (moved["kind"], moved["after"], waiting["kind"], waiting["after"]) == (
            "moved",
            new["a"],
            "waiting",
            old["b"],
        )
        assert f"{source.host}/b:1 {new['b']} was pushed 3 h ago" in waiting["why"]
        workspace.succeeding("apply", "plan.bin")
        assert {name: mirror.repository(name).tags["1"] for name in names} == {"a": new["a"], "b": old["b"]}
        assert workspace.outputs()["ids"]["b:1"].endswith(old["b"])
        assert workspace.plan().code == 0

        tell_ages(source, {new["b"]: 73})
        workspace.apply()
        assert mirror.repository("b").tags["1"] == new["b"]
        source.clear_requests()
        assert workspace.plan().code == 0
        assert not [request for request in source.requests if "/api/" in request.path]


def test_a_digest_that_cannot_wait(workspace: Workspace, source: EmbeddedRegistry) -> None:
    """The security fix is taken at once; what nobody tells the age of fails the plan with its way out."""
    old = image("old").seed(source.repository("a"), "1")
    with EmbeddedRegistry() as mirror:
        options: dict[str, Any] = {"destination_prefix": mirror.host, "minimum_age": "72h", "ignore_age_for": [old]}
        workspace.write({"a:1": f"{source.host}/a:1"}, **options)
        workspace.apply()
        new = image("new").seed(source.repository("a"), "1")
        refused = workspace.run("plan")
        assert refused.code == 1
        assert f"nothing tells how old {source.host}/a@{new} is" in refused.text
        assert "ignore_age_for" in refused.text
        assert mirror.repository("a").tags == {"1": old}


def test_what_is_wrong_with_a_mirror_that_waits(workspace: Workspace, source: EmbeddedRegistry) -> None:
    """While an image is held back, the plan tells damage; with "ours" it refuses what somebody else has pushed."""
    old = image("old").seed(source.repository("a"), "1")
    with EmbeddedRegistry() as mirror:
        options: dict[str, Any] = {"destination_prefix": mirror.host, "minimum_age": "72h", "overwrite": "ours"}
        repository = mirror.repository("a")
        tell_ages(source, {old: 100})
        workspace.write({"a:1": f"{source.host}/a:1"}, **options, verify="deep")
        workspace.apply()
        new = image("new").seed(source.repository("a"), "1")
        tell_ages(source, {new: 3})
        blob, content = repository.blobs.popitem()
        planned = workspace.plan()
        assert planned.code == 0
        assert f"{mirror.host}/a:1 stays as it is, damaged (1 of 2 blobs is missing: {blob}" in planned.text
        repository.blobs[blob] = content

        foreign = image("foreign").seed(repository, "1")
        refused = workspace.run("apply", "-auto-approve")
        assert refused.code == 1
        assert f"{mirror.host}/a:1 has another image, {foreign}, which this configuration did not" in refused.text
        assert old in repository.manifests
        repository.tags["1"] = old
        assert workspace.plan().code == 0


def test_a_rule_does_not_pick_what_is_too_young(workspace: Workspace, source: EmbeddedRegistry) -> None:
    """A new version waits, and until it is old enough `latest` counts the others: the mirror loses nothing by it."""
    digests = {tag: image(tag).seed(source.repository("a"), tag) for tag in ("1.0", "1.1", "1.2")}
    rule = {"a": {"source": f"{source.host}/a", "tags": {"semver": "1.x", "latest": 2}}}
    with EmbeddedRegistry() as mirror:
        tell_ages(source, {digests["1.0"]: 100, digests["1.1"]: 100, digests["1.2"]: 3})
        workspace.write(rule, destination_prefix=mirror.host, minimum_age="72h")
        planned = workspace.plan()
        assert (
            f'images["a"] does not pick 1.2 yet: {digests["1.2"]} was pushed 3 h ago, and is taken in 69 h.'
            in planned.text
        )
        workspace.succeeding("apply", "plan.bin")
        assert sorted(mirror.repository("a").tags) == ["1.0", "1.1"]
        assert workspace.plan().code == 0

        tell_ages(source, {digests["1.2"]: 73})  # nobody tells the others' age any more, and nobody asks
        workspace.apply()
        assert sorted(mirror.repository("a").tags) == ["1.1", "1.2"]


def test_what_waits_is_our_own_image(workspace: Workspace, source: EmbeddedRegistry) -> None:
    """What somebody pushes over a mirror that waits, or deletes there, is put right; nothing of ours is removed."""
    old = image("old").seed(source.repository("a"), "1")
    ids = 'output "ids" { value = module.mirror.ids }'
    with EmbeddedRegistry() as mirror:
        repository = mirror.repository("a")
        tell_ages(source, {old: 100})
        workspace.write({"a:1": f"{source.host}/a:1"}, ids, destination_prefix=mirror.host, minimum_age="72h")
        workspace.apply()
        young = image("young").seed(source.repository("a"), "1")
        tell_ages(source, {young: 3})
        workspace.calls()

        foreign = image("foreign").seed(repository, "1")
        planned = workspace.plan()
        assert f"{mirror.host}/a:1 goes back to {old}: {source.host}/a:1 {young} was pushed 3 h ago" in planned.text
        assert f"a:1 has another image, {foreign}, at its destination" in planned.text
        source.clear_requests()
        workspace.succeeding("apply", "plan.bin")
        assert repository.tags == {"1": old}
        assert workspace.outputs()["ids"] == {"a:1": f"{mirror.host}/a@{old}"}
        assert not [request for request in source.requests if request.path.startswith("/v2/a/")]

        del repository.tags["1"], repository.manifests[old]
        workspace.apply()
        assert repository.tags == {"1": old}
        workspace.apply()  # of its own notes alone
        assert "delete" not in workspace.verbs()
        assert workspace.plan().code == 0

        foreign = image("foreign").seed(repository, "1")
        del source.repository("a").manifests[old], repository.manifests[old]
        failed = workspace.run("apply", "-auto-approve")
        assert failed.code == 1
        assert f'images["a:1"]: {source.host}/a:1 could not be copied to {mirror.host}/a:1: ' in failed.text
        assert "delete" not in workspace.verbs()
        tell_ages(source, {young: 80})
        workspace.apply()
        assert repository.tags == {"1": young}
        assert workspace.plan().code == 0

        tell_ages(source, {image("younger").seed(source.repository("a"), "1"): 3})
        image("foreign").seed(repository, "1")  # what was there when ours came
        refused = workspace.run("apply", "-auto-approve")
        assert refused.code == 1
        assert (
            f"has another image, {foreign}, which this configuration did not put there. That was {young}"
            in refused.text
        )
        assert young in repository.manifests
        workspace.plan()
        assert [(each["kind"], each["key"]) for each in workspace.explained()] == [("refused", "a:1")]


def test_a_copy_that_failed_leaves_the_former_image_ours(workspace: Workspace, source: EmbeddedRegistry) -> None:
    """What is still there as another one could not be copied is gone on with once that has given way to a young one."""
    old = image("old").seed(source.repository("a"), "1")
    with EmbeddedRegistry() as mirror:
        tell_ages(source, {old: 100})
        workspace.write({"a:1": f"{source.host}/a:1"}, destination_prefix=mirror.host, minimum_age="72h")
        workspace.apply()
        tell_ages(source, {image("never").seed(source.repository("a"), "1"): 100})
        mirror.fault = lambda request: refusal(403) if request.method == "POST" else None
        assert workspace.run("apply", "-auto-approve").code == 1
        mirror.fault = None
        tell_ages(source, {image("young").seed(source.repository("a"), "1"): 3})
        workspace.calls()
        applied = workspace.apply()
        assert f"{mirror.host}/a:1 stays as it is: " in applied.text
        assert mirror.repository("a").tags == {"1": old}
        assert "delete" not in workspace.verbs()
        assert workspace.plan().code == 0

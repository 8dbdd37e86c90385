"""How long a plan is: an image is some lines of it, whatever has to be remembered of it."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import Image, image
from tests.terraform.workspace import BOTH_TOOLS, IMAGESYNC, Workspace
from tests.trust.signing import key_pair, sign, trusting

OURS = key_pair()
OLD, NEW, FOREIGN = image("old"), image("new"), image("foreign")
TRUST: dict[str, Any] = {"trust": {"rules": [trusting(OURS)]}}
AGE: dict[str, Any] = {"minimum_age": "1d", "ignore_age_for": [OLD.digest, NEW.digest]}
KEPT: dict[str, Any] = {"on_replace": "retag", "keep_last": 2, "referrers": True, "verify": "deep"}
ALL = {**TRUST, **AGE, **KEPT, "overwrite": "ours", "source_unavailable": "use_destination"}


def lines_of_images(workspace: Workspace) -> int:
    """How many lines the last plan has for what there is one of for each image, blank ones included."""
    blocks = workspace.shown().split("\n\n")
    return sum(block.count("\n") + 2 for block in blocks if re.match(r'\s*# \S+\["', block))


@pytest.mark.parametrize(
    ("options", "new", "moved", "gone"),
    [
        (KEPT, 8, 17, 9),
        ({"overwrite": "never"}, 8, 9, 9),  # what has moved is refused
        (TRUST, 16, 25, 18),
        (AGE, 25, 34, 28),
        ({"source_unavailable": "use_destination"}, 25, 34, 28),
        ({"overwrite": "ours"}, 27, 28, 30),
        ({**AGE, "overwrite": "ours"}, 33, 34, 37),
        (ALL, 41, 42, 46),
    ],
)
def test_lines(workspace: Workspace, options: dict[str, Any], new: int, moved: int, gone: int) -> None:
    """Options that remember something of each image cost lines; what is missing at its destination costs none."""
    with EmbeddedRegistry() as source, EmbeddedRegistry() as mirror:
        upstream = source.repository("app")

        def push(made: Image) -> None:
            made.seed(upstream, "1")
            sign(upstream, made.digest, OURS)

        push(OLD)
        entry = {"app:1": f"{source.host}/app:1"}
        options = {"destination_prefix": mirror.host, **options}
        workspace.write(entry, **options)
        workspace.plan()
        lines = [lines_of_images(workspace)]
        workspace.succeeding("apply", "plan.bin")
        push(NEW)
        workspace.plan()
        lines.append(lines_of_images(workspace))
        push(OLD)
        mirror.repository("app").tags.pop("1")
        workspace.plan()
        lines.append(lines_of_images(workspace))
        workspace.write({}, **options)
        workspace.plan()
        assert [*lines, lines_of_images(workspace)] == [new, moved, 0, gone]


@pytest.mark.parametrize("module", ["images", "image"])
def test_how_long_a_plan_is(workspace: Workspace, module: str) -> None:
    """An image is some lines of a plan, however long the command is and whatever is copied with it."""
    with EmbeddedRegistry() as source, EmbeddedRegistry() as mirror:
        OLD.seed(source.repository("a"), "1")
        place, of = f"{mirror.host}/a:1", f"{source.host}/a:1"
        entry = {"images": {place: {"source": of}}} if module == "images" else {
            "destination_image": place, "source_image": of,
        }  # fmt: skip
        command = ["/usr/bin/env", "WORDS=two words\nand 100%25 a line", *workspace.recorded(*IMAGESYNC)]
        options: dict[str, Any] = {"referrers": True, "on_replace": "retag", "command": command, **entry}
        workspace.write_module(module, **options)
        workspace.plan()
        assert lines_of_images(workspace) == 8
        assert workspace.shown().count("\n") < 50
        workspace.succeeding("apply", "plan.bin")

        NEW.seed(source.repository("a"), "1")
        workspace.plan()
        assert lines_of_images(workspace) == 17
        workspace.succeeding("apply", "plan.bin")

        workspace.write_module(module, **{**options, "on_destroy": "keep"})
        workspace.plan()
        assert lines_of_images(workspace) == 8
        workspace.destroy()
        assert "1" not in mirror.repository("a").tags


def as_before(state: dict[str, Any]) -> None:
    """Make of a state what earlier modules have left: an object as input, and the digest in every key."""
    for resource in state["resources"]:
        for instance in resource["instances"]:
            attributes = instance["attributes"]
            if resource["name"] == "image":
                place, command = attributes["input"]["value"].split(" removed by: ")
                given = {"destination": place, "digest": instance["index_key"].split("@")[1], "delete": command}
                of_kind = ["object", dict.fromkeys(given, "string")]
                attributes["input"] = attributes["output"] = {"value": given, "type": of_kind}
            elif resource["name"] == "verified":
                digest, attributes["triggers_replace"]["value"] = attributes["triggers_replace"]["value"].split(" ")
                instance["index_key"] += f"@{digest}"
            elif resource["name"] == "seen":
                attributes["input"] = attributes["output"] = {"value": "2026-11-01T06:57:57Z", "type": "string"}
    state["resources"] += with_had(state)


def with_had(state: dict[str, Any]) -> list[dict[str, Any]]:
    """The objects that told with overwrite = "ours" what a tag had: now `own` does, which was there for other options.

    They are as they would have been, and other objects, as an own one may be there too.
    """
    (own,) = (copy.deepcopy(each) for each in state["resources"] if each["name"] == "own")
    for number, instance in enumerate(own["instances"]):
        attributes = instance["attributes"]
        _, digest, before = attributes["input"]["value"].split(" ")
        attributes["id"] = f"00000000-0000-0000-0000-{number:012}"
        attributes["input"] = attributes["output"] = {"value": f"{digest} {before}", "type": "string"}
        attributes["triggers_replace"]["value"][1] = digest
    return [{**own, "name": "had"}]


def test_states_go_over(workspace: Workspace) -> None:
    """What earlier modules remember with every option on is gone on with: nothing is sent, nothing goes, ids stay.

    The one has lost its source, so that what was remembered decides; the other one goes in that apply.
    """
    with EmbeddedRegistry() as source, EmbeddedRegistry() as mirror:
        entries = {f"{made}:1": f"{source.host}/{made}:1" for made in ("a", "b", "c")}
        digests = {made: image(made).seed(source.repository(made), "1") for made in ("a", "b", "c")}
        for made, digest in digests.items():
            sign(source.repository(made), digest, OURS)
        options = {**ALL, "ignore_age_for": [*digests.values()], "destination_prefix": mirror.host}
        ids = 'output "ids" { value = module.mirror.ids }'
        workspace.write(entries, ids, **options)
        workspace.apply()
        before = workspace.outputs()["ids"]
        file = workspace.folder / "terraform.tfstate"
        state = json.loads(file.read_text())
        as_before(state)
        file.write_text(json.dumps(state))

        del source.repository("a").tags["1"], entries["c:1"]
        workspace.succeeding("plan", "-refresh-only")
        workspace.write(entries, ids, **options)
        mirror.clear_requests()
        workspace.calls()
        workspace.plan()
        assert [(each["kind"], each["key"]) for each in workspace.explained()] == [("removed", "c:1"), ("held", "a:1")]
        workspace.succeeding("apply", "plan.bin")
        assert workspace.verbs() == ["apply", "delete"]
        assert {request.method for request in mirror.requests if "/c/" not in request.path} <= {"HEAD", "GET"}
        assert [mirror.repository(name).tags.get("1") for name in digests] == [digests["a"], digests["b"], None]
        assert workspace.outputs()["ids"] == {key: each for key, each in before.items() if key in entries}
        assert workspace.plan().code == 0


def ids_in(resource: dict[str, Any]) -> list[str]:
    return [each["attributes"]["id"] for each in resource["instances"] if "deposed" not in each]


@BOTH_TOOLS
def test_what_earlier_modules_remember_of_a_tag(workspace: Workspace) -> None:
    """With overwrite = "ours" alone it is gone on with: a copy that has failed, and what somebody else has pushed."""
    with EmbeddedRegistry() as source, EmbeddedRegistry() as mirror:
        entries = {f"{name}:1": f"{source.host}/{name}:1" for name in ("a", "b")}
        upstream, place = source.repository("a"), mirror.repository("a")
        for name in ("a", "b"):
            OLD.seed(source.repository(name), "1")
        workspace.write(entries, destination_prefix=mirror.host, overwrite="ours")
        workspace.apply()
        NEW.seed(upstream, "1")
        source.fault = lambda request: refusal(403) if "blobs" in request.path else None
        assert workspace.run("apply", "-auto-approve").code == 1
        source.fault = None

        file = workspace.folder / "terraform.tfstate"
        state = json.loads(file.read_text())
        had = with_had(state)
        state["resources"] = [each for each in state["resources"] if each["name"] != "own"] + had
        file.write_text(json.dumps(state))
        workspace.succeeding("plan", "-refresh-only")
        FOREIGN.seed(place, "1")
        assert f"a:1 has another image, {FOREIGN.digest}, which this configuration did not" in workspace.plan().text
        OLD.seed(place, "1")
        workspace.plan()
        assert [(each["kind"], each["key"]) for each in workspace.explained()] == [("moved", "a:1")]
        workspace.calls()
        workspace.succeeding("apply", "plan.bin")
        assert workspace.verbs() == ["apply", "delete"]
        assert (place.tags["1"], mirror.repository("b").tags["1"]) == (NEW.digest, OLD.digest)
        assert workspace.plan().code == 0
        (own,) = (each for each in json.loads(file.read_text())["resources"] if each["name"] == "own")
        assert ids_in(own) == ids_in(had[0])

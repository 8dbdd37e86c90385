"""What the commands print and write as JSON is what docs/output.schema.json says, no key more and none less."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import image, index, referrer
from tests.repo.checkout import ROOT

SCHEMA = json.loads((ROOT / "docs/output.schema.json").read_text("utf-8"))


def closed(schema: Any) -> Any:
    """The same without room for keys that it does not name, which it leaves for later versions."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    more = {"additionalProperties": False} if isinstance(schema.get("properties"), dict) and "type" in schema else {}
    return more | {key: closed(value) for key, value in schema.items()}


CLOSED = closed(SCHEMA)


def matches(text: str, name: str) -> Any:
    """The JSON text, once it is what the schema says under this name."""
    document = json.loads(text)
    jsonschema.validate(document, CLOSED | {"$ref": f"#/$defs/{name}"}, cls=jsonschema.Draft202012Validator)
    return document


class Mirror:
    """Images at ``up``, a signed index and two plain ones, and a place for them below ``down``."""

    def __init__(self, registry: EmbeddedRegistry, folder: Path) -> None:
        self.registry, self.folder = registry, folder
        self.up, self.down = f"{registry.host}/up", f"{registry.host}/down"
        self.there = registry.repository("down")
        source = registry.repository("up")
        self.index = index("app")
        self.index.seed(source, "app")
        referrer(self.index).seed(source)
        image("1").seed(source, "v1")
        image("2").seed(source, "v2")
        self.file = folder / "images.yaml"

    def write(self, *images: dict[str, Any], **more: Any) -> None:
        self.file.write_text(json.dumps({"images": images, **more}))

    def damage(self) -> None:
        """Lose a blob of the index at the destination."""
        child = self.index.manifests[self.index.children[0]]
        del self.there.blobs[child.blobs[-1]]


@pytest.fixture
def mirror(registry: EmbeddedRegistry, tmp_path: Path) -> Mirror:
    return Mirror(registry, tmp_path)


def test_the_schema_is_one() -> None:
    """The published schema is itself right, and says something of everything in it."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def described(schema: Any) -> Iterator[bool]:
        for each in schema.get("properties", {}).values():
            yield "description" in each or "$ref" in each
            yield from described(each)

    assert all(all(described(each)) for each in SCHEMA["$defs"].values())


def test_resolve(mirror: Mirror) -> None:
    """What was found and what was not are told apart."""
    done = imagesync("resolve", "--json", f"{mirror.up}:app", f"{mirror.up}:none")
    found, missing = matches(done.out, "resolve")
    assert (found["digest"], missing["kind"]) == (mirror.index.digest, "missing")


def test_sync_and_check(mirror: Mirror) -> None:
    """A first sync, one of damaged content, and what a check finds before that."""
    pair = (f"{mirror.up}:app", f"{mirror.down}:app")
    first = matches(imagesync("sync", "--json", "--referrers", *pair).out, "sync")
    assert (first["changed"], first["referrers"]) == (True, {"signature": 1})
    mirror.damage()
    for options in ((), ("--deep", "--referrers")):
        matches(imagesync("check", "--json", *options, *pair).out, "check")
    found = matches(imagesync("check", "--json", "--deep", pair[1]).out, "check")
    assert [problem["what"] for problem in found["problems"]] == ["blob"]
    mended = matches(imagesync("sync", "--json", "--verify", *pair).out, "sync")
    assert len(mended["damage"]) == 1


def test_verify(mirror: Mirror) -> None:
    """An image that no rule names, and is refused or accepted."""
    rules = mirror.folder / "trust.json"
    for default in ("accept", "refuse"):
        rules.write_text(json.dumps({"default": default, "rules": []}))
        (found,) = matches(imagesync("verify", "--json", "--trust", str(rules), f"{mirror.up}:app").out, "verify")
        assert found["verified"] == (default == "accept")


def test_sync_of_a_file(mirror: Mirror) -> None:
    """Each line of a run that copies, fails and prunes, and the report of it."""
    image("old").seed(mirror.there, "old")
    rules = {"source": mirror.up, "destination": mirror.down, "tags": ["v*"], "prune": True}
    bad = {"source": f"{mirror.up}:none", "destination": f"{mirror.registry.host}/other:1"}
    mirror.write(rules, bad)
    report = mirror.folder / "report.json"
    done = imagesync("sync", "--json", "--file", str(mirror.file), "--report", str(report))
    events = [matches(line, "event")["event"] for line in done.out.splitlines()]
    assert sorted(events) == ["end", "image", "image", "image", "removal"]
    told = matches(report.read_text(), "report")
    assert [each["outcome"] for each in (*told["images"], *told["removals"])] == [
        *("copied", "copied", "failed"),
        "removed",
    ]
    merged = imagesync("report", "merge", str(report), str(report))
    assert len(matches(merged.out, "report")["images"]) == 3


def test_tags(mirror: Mirror) -> None:
    """The tags that were picked."""
    picked = matches(imagesync("tags", "--json", mirror.up, "--include", "v*").out, "tags")
    assert picked["tags"] == ["v2", "v1"]
    explained = matches(imagesync("tags", "--json", "--explain", mirror.up, "--latest", "1").out, "tags")["reasons"]
    assert [each["tag"] for each in explained if each["picked"]] == ["v2"]
    assert {"tag": "v1", "picked": False, "why": "is older than the newest 1"} in explained


def test_lock(mirror: Mirror) -> None:
    """A new lock; one with platforms; one that waits for a tag that has moved; and what could not be read."""
    platform, old = ["linux/amd64"], {"min_age_hours": 48}
    mirror.write({"source": f"{mirror.up}:app", "destination": mirror.down, "platforms": platform}, defaults=old)
    lock = mirror.folder / "images.lock.json"
    finished = imagesync("lock", "--json", "--file", str(mirror.file))
    assert finished.err == "imagesync: 1 image in the lock, 1 change\n"
    made = matches(finished.out, "lock")
    assert [change["kind"] for change in made["changes"]] == ["new"]
    (locked,) = matches(lock.read_text(), "lock_file")["images"].values()
    assert list(locked["selected"]) == platform
    index("newer").seed(mirror.registry.repository("up"), "app")
    moved = matches(imagesync("lock", "--json", "--file", str(mirror.file)).out, "lock")
    assert [change["kind"] for change in moved["changes"]] == ["waiting"]
    (waiting,) = matches(lock.read_text(), "lock_file")["images"].values()
    assert waiting["digest"] == mirror.index.digest != waiting["pending"]["digest"]
    mirror.write({"source": f"{mirror.up}:none", "destination": mirror.down})
    failed = matches(imagesync("lock", "--json", "--file", str(mirror.file)).out, "lock")
    assert [each["kind"] for each in failed["failed"].values()] == ["missing"]


def test_delete(mirror: Mirror) -> None:
    """What went, what was not there, and an error."""
    mirror.index.seed(mirror.there, "app")
    asked = (f"{mirror.down}:app", f"{mirror.down}:gone", f"{mirror.up}@{mirror.index.digest}")
    done = imagesync("delete", "--json", *asked)
    removed, gone, refused = matches(done.out, "delete")
    assert [removed["items"][0]["outcome"], gone["items"][0]["outcome"]] == ["removed", "absent"]
    assert refused["error"]


def test_doctor(mirror: Mirror) -> None:
    """Every step, with what was seen."""
    (told,) = matches(imagesync("doctor", "--json", f"{mirror.up}:app").out, "doctor")
    steps = [step["name"] for step in told["steps"]]
    assert steps == SCHEMA["$defs"]["step"]["properties"]["name"]["enum"]


def test_external(mirror: Mirror) -> None:
    """Both answers, with and without what is only told when asked for, and with errors."""
    whole = {"reference": f"{mirror.up}:app", "referrers": True, "verify": "deep"}
    copy = {"source": f"{mirror.up}:app", "digest": mirror.index.digest, "estimated": True, "signed": True}
    images = {
        "plain": f"{mirror.up}:v1",
        "whole": whole,
        "none": {"reference": f"{mirror.down}:app", "copy": copy},
        "bad": "Not A Reference",
    }
    answer = json.loads(imagesync("external", stdin=json.dumps({"images": json.dumps(images)})).out)
    told = {key: matches(text, "external_image") for key, text in answer.items()}
    assert [told[key]["kind"] for key in images] == ["", "", "missing", "invalid"]
    assert len(told["whole"]["referrers"]) == 1
    assert told["none"]["copy"]["layers_to_copy"] == told["none"]["copy"]["layers"] > 0
    pair = {"source": f"{mirror.up}:app", "destination": f"{mirror.down}:app"}
    for more, in_sync in (({}, "false"), ({"verify": "deep"}, "true")):
        done = imagesync("external", stdin=json.dumps(pair | more))
        assert matches(done.out, "external_pair")["in_sync"] == in_sync
        mirror.index.seed(mirror.there, "app")

"""Rules under a minimum age: which new tags wait, what is picked in their place, and when nothing is left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.embedded_registry import EmbeddedRegistry, Fault, Request
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import image
from tests.embedded_registry.wire import json_response
from tests.terraform.test_minimum_age import tell_ages
from tests.terraform.test_picked_answers import ask, picked

TAGS = ("1.0", "1.1", "1.2", "1.3")
DIGESTS = {tag: image(tag).digest for tag in TAGS}


@pytest.fixture
def source() -> Iterator[EmbeddedRegistry]:
    """A registry whose newest two of four versions are too young."""
    with EmbeddedRegistry() as registry:
        for tag in TAGS:
            image(tag).seed(registry.repository("app"), tag)
        tell_ages(registry, dict(zip(DIGESTS.values(), (100, 90, 3, 2), strict=True)))
        yield registry


@pytest.fixture
def mirror() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry() as registry:
        yield registry


def waiting(source: EmbeddedRegistry, mirror: str, tags: dict[str, Any], **rule: Any) -> dict[str, Any]:
    wait = {"destination": f"{mirror}/app", "least": "72h", "new": "wait", "ignored": [], "by_created": False}
    return {"app": {"reference": f"{source.host}/app", "tags": tags, "waiting": wait | rule}}


@pytest.mark.parametrize(
    ("tags", "rule", "outcome"),
    [
        ({"latest": 1}, {}, "1.1; late 1.3 1.2"),
        ({"semver": "1.x"}, {}, "1.1 1.0; late 1.3 1.2"),
        ({"include": ["1.2", "1.*"], "latest": 1}, {}, "1.2; late 1.3"),  # it is named: judged as an entry is
        ({"latest": 1}, {"new": "take"}, "1.3; late"),
        ({"latest": 1}, {"ignored": [DIGESTS["1.2"]]}, "1.2; late 1.3"),
    ],
)
def test_what_waits(source: EmbeddedRegistry, mirror: EmbeddedRegistry, tags: Any, rule: Any, outcome: str) -> None:
    """A tag that is too young is left out, with its why, and the rules pick from the others."""
    told = ask(waiting(source, mirror.host, tags, **rule))
    late = told["app"]["waiting"]
    assert f"{' '.join(picked(told, 'app'))}; {' '.join(['late', *late])}" == outcome
    assert all("is taken in" in why for why in late.values())


def test_what_is_mirrored_does_not_wait(source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> None:
    """A tag that the destination has is picked at any age, and nobody asks how old it is."""
    image("1.3").seed(mirror.repository("app"), "1.3")
    assert picked(ask(waiting(source, mirror.host, {"latest": 1})), "app") == ["1.3"]
    assert not [request for request in source.requests if "/api/" in request.path]


def test_nothing_is_old_enough(source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> None:
    """It is refused, and the young ones are named: nothing is removed for it."""
    told = ask(waiting(source, mirror.host, {"semver": ">=1.2"}))
    assert (picked(told, "app"), told["app"]["kind"]) == ([], "")
    (why,) = told["app"]["refused"]
    assert "/app; not taken yet: 1.3, 1.2; 1.3: sha256:" in why
    assert why.endswith(" was pushed 2 h ago, and is taken in 70 h")


def test_who_does_not_answer_hides_no_tag(source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> None:
    """While a destination refuses to say what it has, a tag is picked: its image is judged later."""
    mirror.fault = lambda _: refusal(403, "DENIED")
    assert picked(ask(waiting(source, mirror.host, {"latest": 1})), "app") == ["1.3"]


def test_a_tag_of_unknown_age_waits_alone(source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> None:
    """At a registry that tells no ages a new tag is not picked yet, with the way out; what is mirrored stays picked."""
    source.fault = None
    for tag in ("1.0", "1.1"):
        image(tag).seed(mirror.repository("app"), tag)
    told = ask(waiting(source, mirror.host, {"semver": "1.x"}))
    assert picked(told, "app") == ["1.1", "1.0"]
    assert list(told["app"]["waiting"]) == ["1.3", "1.2"]
    assert all("nothing tells how old" in why and "ignore_age_for" in why for why in told["app"]["waiting"].values())
    (why,) = ask(waiting(source, mirror.host, {"semver": ">=1.2"}))["app"]["refused"]
    assert "not taken yet: 1.3, 1.2; 1.3: minimum_age: nothing tells how old" in why


def test_no_end_of_young_tags(source: EmbeddedRegistry, mirror: EmbeddedRegistry) -> None:
    """A stranger who pushes a new version each minute keeps no plan busy: after some rounds the rules are refused."""
    now = datetime.now(timezone.utc) - timedelta(hours=1)
    made = image("1.0").seed(source.repository("app"), *(f"2.{number}" for number in range(40)))

    def young(request: Request) -> Fault | None:
        is_age = request.path.startswith("/api/v2.0/")
        return Fault(answer=json_response(200, {"digest": made, "push_time": now.isoformat()})) if is_age else None

    source.fault = young
    told = ask(waiting(source, mirror.host, {"latest": 1}))
    (why,) = told["app"]["refused"]
    assert why.startswith(f"20 tags of {source.host}/app that the rules would pick are not old enough; not taken yet: ")
    assert why.endswith("(let exclude or semver leave them out)")


def test_a_lock_tells_when_it_saw_a_tag(source: EmbeddedRegistry, mirror: EmbeddedRegistry, tmp_path: Path) -> None:
    """With a lock its first sighting is the age, and the source is asked nothing."""
    now = datetime.now(timezone.utc)
    lock = tmp_path / "images.lock.json"
    images = {}
    for tag, hours in (("1.0", 99), ("1.1", 1)):
        time = (now - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
        locked = {"digest": DIGESTS[tag], "size": 1, "platforms": [], "date": time, "first_seen": time}
        images[f"{source.host}/app:{tag}"] = locked
    lock.write_text(json.dumps({"version": 1, "images": images}))
    told = ask(waiting(source, mirror.host, {"latest": 1}), lock_file=str(lock))
    assert (picked(told, "app"), list(told["app"]["waiting"])) == (["1.0"], ["1.1"])
    assert source.requests == []


@pytest.mark.parametrize("wrong", ["mirror", {}, {"destination": 1}, {"destination": "m", "least": "72"}])
def test_a_question_that_makes_no_sense(source: EmbeddedRegistry, wrong: Any) -> None:
    """It is that entry's error."""
    images = {"app": {"reference": f"{source.host}/app", "tags": {"latest": 1}, "waiting": wrong}}
    assert ask(images)["app"]["kind"] == ("" if wrong == {} else "invalid")

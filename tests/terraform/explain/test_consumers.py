"""Which other resources are said to change with an image."""

from __future__ import annotations

import json

import pytest

from tests.terraform.explain.plans import HOST, PlanFile, digest, stored


def identity(name: str, of: str) -> str:
    return f"{HOST}/{name}@{digest(of)}"


OLD, NEW = identity("app", "old"), identity("app", "new")


def moved() -> PlanFile:
    """A plan in which one image moves."""
    plan = PlanFile()
    plan.image("app", stored("app:1", "old"), None)
    plan.image("app", None, stored("app:1", "new"))
    plan.read("app", "app:1", "new", "old")
    return plan


@pytest.mark.parametrize(
    ("before", "after", "change", "counts"),
    [
        ({"image": OLD}, {"image": NEW}, {}, True),
        ({"image": OLD}, None, {}, True),
        (None, {"image": NEW}, {}, True),
        ({"containers": json.dumps([{"image": OLD}])}, {"containers": json.dumps([{"image": NEW}])}, {}, True),
        ({"spec": [{"image": f"docker://{OLD}"}]}, {"spec": [{"image": NEW}]}, {}, True),
        ({"tags": {"digest": digest("old")}}, {"tags": {"digest": digest("new")}}, {}, True),
        ({"image": NEW, "size": 1}, {"image": NEW, "size": 2}, {}, False),
        ({"image": identity("other", "old")}, {"image": identity("other", "new")}, {}, False),
        ({"image": OLD}, {"image": OLD}, {"actions": ["no-op"]}, False),
        ({"image": OLD}, {}, {"after_unknown": {"image": True}}, False),
        ({"all": [{"image": OLD}]}, {"all": [{}]}, {"after_unknown": {"all": [{"image": True}]}}, False),
        ({"all": OLD}, {"all": NEW}, {"after_unknown": {"all": {"of": True}}}, True),
        ({"image": f"sha256:{'a' * 65}"}, {"image": "sha256:1"}, {}, False),
    ],
)
def test_by_its_values(before: object, after: object, change: dict[str, object], counts: bool) -> None:
    """A resource counts that names the image on one side alone, by its id or by a digest that nothing else has."""
    plan = moved()
    plan.consumer("aws_ecs_task_definition.app", before, after, **change)  # type: ignore[arg-type]
    told = plan.explained()
    assert told["consumers"] == (["aws_ecs_task_definition.app"] if counts else [])
    assert told["summary"].endswith("; 1 consumer changes" if counts else "1 image")


def test_a_digest_of_two_places() -> None:
    """A digest alone does not tell which of two places it means."""
    plan = moved()
    plan.image("two", stored("two:1", "old", key="two"), stored("two:1", "old", key="two"))
    plan.read("two", "two:1", "old", "old")
    plan.consumer("x.y", {"digest": digest("old")}, {"digest": ""})
    assert plan.explained()["consumers"] == []


def test_many() -> None:
    """A line names the first few; JSON has all."""
    plan = moved()
    for number in range(8):
        plan.consumer(f"x.y[{number}]", {"image": OLD}, {"image": NEW})
    assert len(plan.explained()["consumers"]) == 8
    assert "with it change x.y[0], x.y[1], x.y[2], x.y[3], x.y[4] and 3 more" in plan.written()


def test_a_long_text_takes_no_time() -> None:
    """What a plan has of user data and certificates is looked through once."""
    plan = moved()
    plan.consumer("x.y", {"data": "a" * 5_000_000 + "sha256:" * 1000}, {"data": "sha" * 100_000})
    assert plan.explained()["consumers"] == []


def test_a_deep_document() -> None:
    """A document as deep as JSON may be is looked through as well."""
    depth = 400
    plan = moved()
    text = json.loads(f"{'[' * depth}{json.dumps(OLD)}{']' * depth}")
    plan.consumer("x.y", {"a": text}, {}, after_unknown={"a": json.loads(f"{'[' * depth}true{']' * depth}")})
    assert plan.explained()["consumers"] == []

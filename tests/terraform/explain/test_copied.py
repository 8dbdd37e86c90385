"""Images that -target leaves out and the plan copies all the same: one process copies for all entries of a call."""

from __future__ import annotations

import pytest

from tests.terraform.explain.plans import HOST, MODULE, Document, PlanFile, as_input, digest, stored

COPIES = {"type": "terraform_data", "name": "copies", "module_address": MODULE, "mode": "managed", "index": 0}


def targeted(actions: list[str], overwrite: str = "always") -> PlanFile:
    """A plan that names one object, which goes, and whose copies are replaced, or not."""
    call = {"expressions": {"overwrite": {"constant_value": overwrite}}}
    plan = PlanFile(configuration={"root_module": {"module_calls": {"mirror": call}}})
    plan.image("gone", stored("gone:1", "gone", key="gone"), None)
    plan.document["resource_changes"].append(
        {"address": f"{MODULE}.terraform_data.copies[0]", **COPIES, "change": {"actions": actions}}
    )
    return plan


def in_state(plan: PlanFile, *keys: str) -> None:
    for key in keys:
        image = {"type": "terraform_data", "name": "image", "index": f"{key}@{digest('same')}"}
        plan.state({**image, "values": {"input": as_input(stored(f"{key}:1", "same", key=key))}})


def kinds(plan: PlanFile) -> dict[str, str]:
    return {change["key"]: change["kind"] for change in plan.explained()["changes"]}


def entries(plan: PlanFile) -> PlanFile:
    for key, present, more in (
        ("absent", "", {}),
        ("in sync", "same", {}),
        ("damaged", "same", {"there": {"damage": "1 of 2 blobs is missing"}}),
        ("strange", "foreign", {}),
        ("refused", "", {"there": {"refused": ["it is its own source"]}}),
        ("held", "other", {"source": {"digest": "", "kind": "unreachable"}}),
    ):
        plan.read(key, f"{key}:1", "same", present, **more)
    in_state(plan, "absent", "in sync", "damaged", "strange", "refused", "held")
    plan.read("new", "new:1", "next", "")
    return plan


def test_what_the_process_copies() -> None:
    """What is missing or wrong at a destination is told, with the object or without it, and what is refused is not."""
    plan = entries(targeted(["create", "delete"]))
    assert kinds(plan) == {
        **{"strange": "overwritten", "absent": "missing", "damaged": "damaged", "new": "new", "gone": "removed"},
    }
    told = {change["key"]: change for change in plan.explained()["changes"]}
    why = "it is missing at its destination; the plan leaves out its object, and copies it all the same"
    assert told["absent"]["why"] == why


@pytest.mark.parametrize("actions", [["no-op"], ["delete"]])
def test_no_process(actions: list[str]) -> None:
    """Where nothing is copied, what the plan leaves out stays as it is."""
    assert kinds(entries(targeted(actions))) == {"gone": "removed"}


def test_what_may_not_be_overwritten() -> None:
    """Whether another image under the tag is ours is known to the apply alone."""
    told: list[Document] = entries(targeted(["create", "delete"], overwrite="ours")).explained()["changes"]
    conditions = {change["key"]: change["why"].endswith(", if overwrite allows it") for change in told}
    assert [key for key, condition in conditions.items() if condition] == ["strange"]


def test_another_place() -> None:
    """An image is copied where its entry is now, though its object, which is left out, remembers another place."""
    plan = targeted(["create", "delete"])
    in_state(plan, "app")
    plan.read("app", "elsewhere/app:1", "same", "")
    told = {change["key"]: change for change in plan.explained()["changes"]}["app"]
    assert (told["kind"], told["destination"]) == ("relocated", f"{HOST}/elsewhere/app:1")
    assert [(old["outcome"], old["destination"]) for old in told["old"]] == [("kept", f"{HOST}/app:1")]


def test_another_call() -> None:
    """With for_each on the call, -target of one instance copies for the others, which have no other change."""
    plan = PlanFile()
    plan.image("app", None, stored("app:1", "new"), module="module.other")
    plan.document["resource_changes"].append(
        {"address": f"{MODULE}.terraform_data.copies[0]", **COPIES, "change": {"actions": ["create"]}}
    )
    plan.read("two", "two:1", "new", "")
    told = plan.explained()
    assert [(change["module"], change["kind"]) for change in told["changes"]] == [
        (MODULE, "new"),
        ("module.other", "new"),
    ]
    assert told["images"] == 2

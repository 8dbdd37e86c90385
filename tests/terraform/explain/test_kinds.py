"""What happens to each image, and why: a kind, digests, and words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.terraform.explain.plans import HOST, PlanFile, digest, old_of, stored

OTHER = "module.other"
COPY = {"layers": 9, "layers_to_copy": 2, "bytes": 900, "bytes_to_copy": 200, "error": "", "summary": "2 of 9"}


def new(present: str = "", **more: object) -> PlanFile:
    """A plan with one image that no object had before."""
    plan = PlanFile()
    plan.image("app", None, stored("app:1", "new"))
    plan.read("app", "app:1", "new", present, **more)  # type: ignore[arg-type]
    return plan


def there(present: str, after: str = "same", **more: object) -> PlanFile:
    """A plan with one image that is in the state as it is wanted."""
    plan = PlanFile()
    plan.image("app", stored("app:1", after), stored("app:1", after))
    plan.read("app", "app:1", after, present, **more)  # type: ignore[arg-type]
    return plan


@pytest.mark.parametrize(
    ("plan", "kind", "before", "after", "outcome"),
    [
        (new(), "new", "", "new", ""),
        (new("new"), "adopted", "new", "new", ""),
        (new("foreign"), "moved", "foreign", "new", "untagged"),
        (there(""), "missing", "", "same", ""),
        (there("foreign"), "overwritten", "foreign", "same", "untagged"),
        (there("same", there={"damage": "2 of 9 blobs are missing"}), "damaged", "same", "same", ""),
        (there("same", source={"attached": ["a", "b"]}, there={"attached": ["a"]}), "incomplete", "same", "same", ""),
        (
            there("same", copy={"young": "is 2 hours old"}, source={"digest": digest("next")}),
            "waiting",
            "same",
            "same",
            "",
        ),
        (there("same", source={"digest": "", "kind": "unreachable"}), "held", "same", "same", ""),
    ],
)
def test_one_object(plan: PlanFile, kind: str, before: str, after: str, outcome: str) -> None:
    """What an image is called follows from whether it is new, and from what its destination has."""
    told = plan.told()
    names = {digest(name) if name else "": name for name in ("", "new", "same", "foreign")}
    assert (told["kind"], names[told["before"]], names[told["after"]]) == (kind, before, after)
    assert old_of(told)["outcome"] == outcome


def test_picked_by_a_rule() -> None:
    """Where the list of tags cannot be read, the image that a rule has picked before is held back."""
    plan = PlanFile()
    plan.image("app:1", stored("app:1", "same"), stored("app:1", "same"))
    plan.read("app:1", "app:1", "", "same")
    document = json.loads(plan.text())
    source, _ = document["prior_state"]["values"]["root_module"]["child_modules"][0]["resources"]
    source["values"]["result"] = {"app": json.dumps({"digest": "", "kind": "unreachable"})}
    plan.document = document
    assert plan.told()["kind"] == "held"


def test_unchanged() -> None:
    """An image that is as it should be has no line, and counts."""
    told = there("same").explained()
    assert (told["changes"], told["summary"]) == ([], "imagesync: 1 image, no change")


def test_words() -> None:
    """A line has the digests, where the image comes from, how much is copied, and who has signed it."""
    lines = new("", copy=COPY, signed="signed by me@example.com").written().splitlines()
    assert lines[0] == "imagesync: 1 new of 1 image; 200 B to copy"
    assert lines[1] == (
        f"  new          {HOST}/app:1: {digest('new')[:19]}; from source.example.com/app; "
        "200 B to copy, 2 of 9 layers; signed by me@example.com"
    )


def moved(present: str = "old", *, on_replace: str = "delete", **configured: Any) -> PlanFile:
    """A plan that takes another image for one entry."""
    plan = PlanFile(**configured)
    plan.image("app", stored("app:1", "old", on_replace=on_replace), None)
    plan.image("app", None, stored("app:1", "new", on_replace=on_replace))
    plan.read("app", "app:1", "new", present, copy=COPY)
    return plan


@pytest.mark.parametrize(
    ("present", "words"),
    [
        ("old", "its source gives another image now: source.example.com/app"),
        ("", "its tag is missing at the destination"),
        ("new", "it is there already"),
        ("foreign", f"the destination has another image, {digest('foreign')[:19]}"),
    ],
)
def test_moved(present: str, words: str) -> None:
    """One line for the object that goes and the one that comes, which says what the tag has meanwhile."""
    told = moved(present).told()
    assert (told["kind"], told["after"], old_of(told)["digest"]) == ("moved", digest("new"), digest("old"))
    assert words in told["why"]
    assert old_of(told)["outcome"] == "deleted"


def calling(**expressions: object) -> dict[str, object]:
    """A configuration that calls the module so."""
    module = {"variables": {"on_replace": {"default": "delete"}}}
    return {"root_module": {"module_calls": {"mirror": {"expressions": expressions, "module": module}}}}


@pytest.mark.parametrize(
    ("configured", "outcome"),
    [
        ({"configuration": calling(on_replace={"constant_value": "retag"})}, "retagged"),
        (
            {
                "configuration": calling(on_replace={"references": ["var.on_replace"]}),
                "variables": {"on_replace": {"value": "retag"}},
            },
            "retagged",
        ),
        ({"configuration": calling(on_replace={"references": ["var.other"]})}, "kept"),
        ({"configuration": calling()}, "kept"),
    ],
)
def test_retagged(configured: dict[str, Any], outcome: str) -> None:
    """That an old image gets a tag of its own is said where the configuration says so, else only that it stays."""
    assert moved(on_replace="keep", **configured).outcome() == outcome


def test_renamed() -> None:
    """The same image under another tag, whose entry goes, is one line with both places."""
    plan = PlanFile()
    plan.image("app", stored("app:1", "same"), None)
    plan.image("two", None, stored("app:2", "same", key="two"))
    plan.read("two", "app:2", "same", "")
    told = plan.told()
    assert (told["kind"], told["destination"], old_of(told)["destination"]) == (
        "renamed",
        f"{HOST}/app:2",
        f"{HOST}/app:1",
    )
    assert old_of(told)["outcome"] == "untagged"  # the other tag has it in the same repository


def test_back_after_an_apply_that_failed() -> None:
    """The image that a failed apply has left in the state is wanted again: it replaces the one of that apply."""
    plan = PlanFile()
    plan.image("app", stored("app:1", "good"), stored("app:1", "good"))
    plan.image("app", stored("app:1", "bad"), None)
    plan.read("app", "app:1", "good", "bad")
    told = plan.told()
    assert (told["kind"], told["before"], told["after"]) == ("moved", digest("bad"), digest("good"))
    assert (old_of(told)["outcome"], old_of(told)["digest"]) == ("deleted", digest("bad"))


def test_two_that_are_alike_are_not_paired() -> None:
    """Of two removed images and two new ones with one digest nobody can say which is which."""
    plan = PlanFile()
    for number in "12":
        plan.image(f"old{number}", stored(f"old:{number}", "same"), None)
        plan.image(f"new{number}", None, stored(f"new:{number}", "same"))
        plan.read(f"new{number}", f"new:{number}", "same", "")
    assert plan.explained()["counts"] == {"new": 2, "removed": 2}


@pytest.mark.parametrize(("module", "kind"), [("module.mirror", "respelled"), (OTHER, "handed over")])
def test_the_same_place(module: str, kind: str) -> None:
    """Another spelling of a key, or another call of the module, moves nothing and removes nothing."""
    plan = PlanFile()
    plan.image("app", stored("app:latest", "same"), None)
    plan.image("app:latest", None, stored("app", "same"), module=module)
    plan.read("app:latest", "app", "same", "same", module=module)
    told = plan.told()
    assert (told["kind"], old_of(told)["outcome"], told["bytes_to_copy"]) == (kind, "", 0)
    assert "its entry was app" in told["why"]


def test_handed_over_and_gone() -> None:
    """Whether an image is there is told first, and then that its entry was another one."""
    plan = PlanFile()
    plan.image("app", stored("app:1", "same"), None)
    plan.image("app", None, stored("app:1", "same"), module=OTHER)
    plan.read("app", "app:1", "same", "", module=OTHER)
    told = plan.told()
    assert told["kind"] == "missing"
    assert "its entry was app of module.mirror" in told["why"]


def test_another_place() -> None:
    """A key that goes to another prefix leaves its old image where it was, and that is said."""
    plan = PlanFile()
    plan.image("app", stored("old/app:1", "same"), stored("new/app:1", "same"))
    plan.read("app", "new/app:1", "same", "", copy=COPY)
    told = plan.told()
    assert (told["kind"], old_of(told)["outcome"]) == ("relocated", "kept")
    assert f"it was at {HOST}/old/app:1" in told["why"]


def test_a_place_that_is_known_only_at_apply() -> None:
    """Nothing is said of what such a destination has."""
    plan = PlanFile()
    later = {key: value for key, value in stored("app:1", "same").items() if key != "destination"}
    unknown = {"input": True}
    plan.image("app", stored("app:1", "same"), later, after_unknown=unknown)
    plan.image("two", None, {**later, "digest": digest("new")}, after_unknown=unknown)
    told = plan.explained()
    assert told["counts"] == {"new": 1, "undetermined": 1}
    assert all("the plan does not know" in each["why"] and not each["destination"] for each in told["changes"])
    assert told["notes"] == ["The plan does not know the present content of the destinations of module.mirror."]
    assert told["has_unknown_sizes"]
    assert "to copy" not in told["summary"]


def test_policies() -> None:
    """A policy that changes in place is told with what it was."""
    plan = PlanFile()
    before = stored("app:1", "same", on_replace="keep", on_destroy="delete")
    plan.image("app", before, stored("app:1", "same", on_destroy="refuse"))
    plan.read("app", "app:1", "same", "same")
    told = plan.told()
    assert (told["kind"], told["why"]) == (
        "policy",
        "on_replace was keep and is delete; on_destroy was delete and is refuse",
    )


def test_what_was_retag() -> None:
    """An object remembers keep for it, and how many old images stay."""
    call = {"expressions": {"on_replace": {"constant_value": "keep"}}}
    plan = PlanFile(configuration={"root_module": {"module_calls": {"mirror": call}}})
    before = stored("app:1", "same", on_replace="keep")
    before["delete"] += " --keep-as {tag}-{date}-{digest} --keep-last 2"
    plan.image("app", before, stored("app:1", "same", on_replace="keep"))
    plan.read("app", "app:1", "same", "same")
    told = plan.told()
    assert (told["kind"], told["why"]) == ("policy", "on_replace was retag and is keep")


@pytest.mark.parametrize(("keep_last", "kind"), [(2, None), (3, "settings"), (None, "settings")])
def test_a_policy_that_the_configuration_does_not_tell(keep_last: int | None, kind: str | None) -> None:
    """Where on_replace is an expression, no policy is said to change that may be the same."""
    plan = PlanFile(configuration=calling(on_replace={"references": ["var.other"]}))
    before, after = (stored("app:1", "same", on_replace="keep", keep_last=last) for last in (2, keep_last))
    plan.image("app", before, after)
    plan.read("app", "app:1", "same", "same")
    assert [change["kind"] for change in plan.explained()["changes"]] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("after", "kind"),
    [
        (stored("app:1", "same", claimant=False), "settings"),
        ({**stored("app:1", "same"), "destination": f"docker://{HOST}/app:1"}, "respelled"),
    ],
)
def test_in_place(after: dict[str, object], kind: str) -> None:
    """An object whose command or spelling changes touches no image."""
    plan = PlanFile()
    plan.image("app", stored("app:1", "same"), after)
    plan.read("app", "app:1", "same", "same")
    assert plan.told()["kind"] == kind


def test_in_another_form() -> None:
    """An object of an earlier module that remembers the same is nothing to tell of."""
    plan = PlanFile()
    image = plan.image("app", stored("app:1", "same"), stored("app:1", "same"))
    image["change"]["before"] = {"input": stored("app:1", "same")}
    plan.read("app", "app:1", "same", "same")
    assert plan.explained()["changes"] == []


@pytest.mark.parametrize(("reason", "words"), [("replace_by_request", "by request"), ("replace_because_tainted", "")])
def test_replaced(reason: str, words: str) -> None:
    """An object that is replaced as it is keeps its image."""
    plan = there("same")
    image = plan.document["resource_changes"][0]
    image["action_reason"] = reason
    image["change"]["actions"] = ["create", "delete"]
    told = plan.told()
    assert (told["kind"], old_of(told)["outcome"]) == ("replaced", "")
    assert words in told["why"]


def test_two_entries_for_one_destination() -> None:
    """Entries that overwrite each other are named: what the tag has in the end is chance."""
    plan = PlanFile()
    plan.image("app", None, stored("app:1", "new"))
    plan.image("app", None, stored("app:1", "other"), module=OTHER)
    assert plan.explained()["notes"][-1] == (
        "app of module.mirror and app of module.other name the same destination, but different images."
    )


def test_sizes_that_are_not_known() -> None:
    """What is known is added up, and the summary says that there is more; why one is not known stands in its line."""
    plan = new("", copy=COPY)
    plan.image("two", None, stored("two:1", "new", key="two"))
    plan.read("two", "two:1", "new", "", copy={"error": "looking up two: denied"})
    assert "; 200 B and more to copy" in plan.explained()["summary"]
    assert "how much to copy is not known: looking up two: denied" in plan.written()


def test_mounted() -> None:
    """Layers that come from another repository of the registry move no bytes."""
    assert "2 of 9 layers to mount" in new("", copy={**COPY, "bytes_to_copy": 0}).written()
    assert "nothing to copy" in new("", copy={**COPY, "layers_to_copy": 0, "bytes_to_copy": 0}).written()


@pytest.mark.parametrize(
    ("copy", "words"),
    [
        (COPY, "200 B and 2 referrers to copy, 2 of 9 layers"),
        ({**COPY, "layers_to_copy": 0, "bytes_to_copy": 0}, "2 referrers to copy"),
        ({**COPY, "bytes_to_copy": 0}, "2 of 9 layers to mount and 2 referrers to copy"),
    ],
)
def test_referrers_of_a_new_image(copy: dict[str, object], words: str) -> None:
    """Signatures and SBOMs are copied too, and how large they are is not known."""
    plan = new("", copy=copy, source={"attached": ["a", "b"]})
    told = plan.explained()
    assert (told["has_unknown_sizes"], told["changes"][0]["referrers_to_copy"]) == (True, 2)
    assert f"; {words}" in plan.written()


def test_of_earlier_modules() -> None:
    """An object of an image without the second object that earlier modules have counts as new."""
    plan = PlanFile()
    plan.image("app", stored("app:1", "same"), stored("app:1", "same"))
    plan.read("app", "app:1", "same", "same")
    settled = {"address": "module.mirror.terraform_data.settled", "module_address": "module.mirror", "mode": "managed"}
    settled |= {"type": "terraform_data", "name": "settled", "index": f"app@{digest('same')}"}
    plan.document["resource_changes"].append(
        {**settled, "change": {"actions": ["create"], "before": None, "after": {}}}
    )
    assert plan.told()["kind"] == "adopted"

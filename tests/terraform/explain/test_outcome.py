"""What becomes of an image whose entry goes: by the policy that its object remembers, and by who else has it."""

from __future__ import annotations

import pytest

from tests.terraform.explain.plans import HOST, MODULE, PlanFile, as_input, digest, old_of, stored

OTHER = "module.other"


def removed(form: str = "text", **more: object) -> PlanFile:
    """A plan in which one entry goes."""
    plan = PlanFile()
    plan.image("app", stored("app:1", "old", **more), None, form=form)  # type: ignore[arg-type]
    return plan


@pytest.mark.parametrize(
    ("on_destroy", "kind", "outcome"),
    [("delete", "removed", "deleted"), ("keep", "kept", "kept"), ("refuse", "not removed", "refused")],
)
@pytest.mark.parametrize("form", ["text", "object", "list"])
def test_by_the_remembered_policy(on_destroy: str, kind: str, outcome: str, form: str) -> None:
    """States of the present modules and of earlier ones remember it in different forms."""
    told = removed(form, on_destroy=on_destroy).told()
    assert (told["kind"], old_of(told)["outcome"], told["before"], told["after"]) == (kind, outcome, digest("old"), "")


def test_a_policy_that_the_plan_hides() -> None:
    """HCP Terraform leaves out what is sensitive: then nothing is promised."""
    plan = removed()
    change = plan.document["resource_changes"][0]["change"]
    change |= {"before": {"input": None}, "before_sensitive": {"input": True}}
    assert old_of(plan.told())["why"] == "is kept or removed by a policy that the plan does not tell"
    assert plan.outcome() == "undecided"


@pytest.mark.parametrize(
    ("reason", "kind", "why"),
    [
        ("delete_because_each_key", "removed", "no entry or rule names it any more"),
        ("delete_because_no_module", "removed", "its call of the module is gone"),
        ("delete_because_no_resource_config", "forgotten", "its module block is gone"),
    ],
)
def test_why_it_goes(reason: str, kind: str, why: str) -> None:
    """No command runs for a module block that was deleted: the image stays, and this is said."""
    plan = PlanFile()
    plan.image("app", stored("app:1", "old"), None, reason=reason)
    told = plan.told()
    assert (told["kind"], told["why"]) == (kind, why)
    assert ("stays" in old_of(told)["why"]) == (kind == "forgotten")


def test_a_destroy() -> None:
    """With terraform plan -destroy nothing has a reason but the destroy."""
    plan = removed()
    del plan.document["resource_changes"][0]["action_reason"]
    assert plan.told()["why"] == "this plan destroys it"


def test_forgotten() -> None:
    """A removed block without a destroy leaves the image."""
    plan = PlanFile()
    plan.image("app", stored("app:1", "old"), None, actions=["forget"])
    told = plan.told()
    assert (told["kind"], old_of(told)["outcome"]) == ("forgotten", "kept")


def test_tainted() -> None:
    """Terraform runs no command for an object that it has marked as tainted."""
    plan = removed()
    image = plan.document["resource_changes"][0]
    plan.state({"address": image["address"], "mode": "managed", "type": "terraform_data", "tainted": True})
    assert plan.outcome() == "kept"


def test_deposed() -> None:
    """Nor for what is left of an interrupted replacement: nothing happens to an image."""
    plan = removed()
    plan.document["resource_changes"][0]["deposed"] = "4dde7f7c"
    assert plan.explained()["changes"] == []


def test_taken_over() -> None:
    """An image that another entry names at the same tag stays, if the object's command knows of claims at all."""
    for claimant, outcome in ((True, "kept"), (False, "deleted")):
        plan = removed(claimant=claimant)
        plan.image("app", stored("app:1", "old"), stored("app:1", "old"), module=OTHER)
        plan.read("app", "app:1", "old", "old", module=OTHER)
        assert plan.outcome() == outcome
        assert plan.explained()["changes"][0]["why"] == "another entry has it too"


def test_in_the_same_repository() -> None:
    """What another tag has stays; only this tag goes."""
    plan = removed()
    plan.image("two", stored("app:2", "old", key="two"), stored("app:2", "old", key="two"))
    plan.read("two", "app:2", "old", "old")
    told = plan.told()
    assert (told["kind"], old_of(told)["outcome"]) == ("removed", "untagged")
    assert "as two of module.mirror has it too" in old_of(told)["why"]


@pytest.mark.parametrize(("module", "present"), [(OTHER, ""), (OTHER, "old"), ("module.mirror", "")])
def test_copied_from_in_the_same_apply(module: str, present: str) -> None:
    """Nothing orders the removal and the copies of another call; those of its own come first."""
    plan = removed()
    plan.image("two", None, stored("elsewhere:1", "old", key="two"), module=module)
    plan.read("two", "elsewhere:1", "old", present, reference=f"{HOST}/app:1", module=module)
    old = next(old for change in plan.explained()["changes"] for old in change["old"])
    undecided = module == OTHER and not present
    assert old["outcome"] == ("undecided" if undecided else "deleted")
    assert (old["why"] == f"stays if this comes before two of {OTHER} is copied from it") == undecided


def moved(on_replace: str, on_destroy: str, module: str = OTHER, **more: bool) -> PlanFile:
    """A plan in which an entry goes to another call and takes another image."""
    plan = PlanFile()
    plan.image("app", stored("app:1", "old", on_replace=on_replace, on_destroy=on_destroy), None)
    plan.image("two", None, stored("app:1", "new", key="two"), module=module, **more)  # type: ignore[arg-type]
    plan.read("two", "app:1", "new", "old", module=module)
    return plan


@pytest.mark.parametrize(
    ("on_replace", "on_destroy", "outcome"),
    [
        ("delete", "delete", "undecided"),
        ("keep", "keep", "kept"),
        ("keep", "delete", "kept"),
        ("delete", "refuse", "undecided"),
    ],
)
def test_between_calls(on_replace: str, on_destroy: str, outcome: str) -> None:
    """Nothing orders a copy and a removal of two calls: what depends on that is not promised."""
    told = moved(on_replace, on_destroy).told()
    assert (told["kind"], old_of(told)["outcome"]) == ("moved", outcome)


def test_within_a_call() -> None:
    """In one call the copy comes first, unless -target has left out what orders it."""
    assert moved("keep", "delete", "module.mirror").outcome() == "kept"
    plan = PlanFile()
    plan.image("app", stored("app:1", "old", on_replace="keep"), None, ordered=False)
    plan.image("app", None, stored("app:1", "new"), ordered=False)
    assert plan.outcome() == "undecided"


def test_an_old_image_that_another_tag_has() -> None:
    """An image that moves on is not deleted where another entry has it in the same repository."""
    plan = PlanFile()
    plan.image("app", stored("app:1", "old"), None)
    plan.image("app", None, stored("app:1", "new"))
    plan.image("two", stored("app:2", "old", key="two"), stored("app:2", "old", key="two"))
    plan.read("two", "app:2", "old", "old")
    plan.read("app", "app:1", "new", "old")
    told = plan.told()
    assert (told["kind"], old_of(told)["outcome"]) == ("moved", "kept")


def test_an_entry_that_goes_elsewhere() -> None:
    """The old place of an entry that has another place and another image now is left alone."""
    plan = PlanFile()
    plan.image("app", stored("old/app:1", "old"), None)
    plan.image("app", None, stored("new/app:1", "new"))
    plan.read("app", "new/app:1", "new", "")
    told = plan.told()
    assert (told["kind"], old_of(told)["outcome"], old_of(told)["destination"]) == (
        "moved",
        "kept",
        f"{HOST}/old/app:1",
    )


def test_an_entry_that_goes_somewhere() -> None:
    """Where the place is known only at apply, so is what becomes of the old one."""
    plan = PlanFile()
    plan.image("app", stored("app:1", "old"), None)
    later = {key: value for key, value in stored("app:1", "new").items() if key != "destination"}
    plan.image("app", None, later, after_unknown={"input": True})
    told = plan.told()
    assert (told["kind"], told["before"], old_of(told)["outcome"]) == ("moved", digest("old"), "undecided")


def test_an_entry_that_goes_nobody_knows_where() -> None:
    """An entry whose place is known only at apply may take an image over; what its place has now is not known."""
    plan = removed()
    later = {key: value for key, value in stored("app:1", "old", key="two").items() if key != "destination"}
    plan.image("two", None, later, module=OTHER, after_unknown={"input": True})
    told = plan.told()
    assert (told["kind"], told["before"], old_of(told)["outcome"]) == ("renamed", "", "undecided")


@pytest.mark.parametrize(
    ("present", "on_replace", "outcome"),
    [
        ("next", "delete", "deleted"),
        ("next", "keep", "kept"),
        ("foreign", "keep", "kept"),
        ("foreign", "delete", "kept"),
        ("old", "delete", "kept"),
    ],
)
def test_a_destroy_of_a_tag_that_has_moved(present: str, on_replace: str, outcome: str) -> None:
    """A destroy looks at the tag: where it has the next image, which came without an object, on_replace counts."""
    plan = removed(on_replace=on_replace, on_destroy="keep")
    plan.read("app", "app:1", "next", present)
    assert plan.outcome() == outcome


def test_left_out() -> None:
    """What -target leaves out may rely on an image, and nobody can say."""
    plan = removed()
    values = {"values": {"input": as_input(stored("app:1", "old"))}, "sensitive_values": {}}
    image = {"mode": "managed", "type": "terraform_data", "name": "image", "index": f"app@{digest('old')}", **values}
    plan.state({"address": f"{OTHER}.terraform_data.image", **image}, module=OTHER)
    told = plan.explained()
    assert old_of(told["changes"][0])["outcome"] == "undecided"
    assert told["notes"] == ["The plan leaves out module.other with 1 image."]
    assert told["images"] == 2


@pytest.mark.parametrize(
    ("actions", "before", "outcome"),
    [
        ([], {}, "undecided"),
        (["delete"], {"input": "ID ended by: imagesync forget"}, "deleted"),
        (["create", "delete"], {"input": "ID ended by: imagesync forget"}, "undecided"),
        (["delete"], {"input": None}, "undecided"),  # earlier modules ran nothing in the end
    ],
)
def test_what_a_destroy_has_read(actions: list[str], before: dict[str, str], outcome: str) -> None:
    """An entry that was never applied may hold an image that a destroy would take, unless its whole call goes."""
    plan = removed()
    plan.read("docker://app", "app:1", "old", "old")
    copies = {"type": "terraform_data", "name": "copies", "module_address": MODULE, "mode": "managed", "index": 0}
    address = f"{MODULE}.terraform_data.copies[0]"
    change = {"actions": actions, "before": before}
    plan.document["resource_changes"].append({"address": address, **copies, "change": change})
    assert plan.outcome() == outcome


def test_a_destroy_after_an_edit_of_the_prefix() -> None:
    """An entry whose new place was not applied keeps its image, and may hold what another entry has there."""
    plan = PlanFile()
    plan.image("app", stored("old/app:1", "old"), None)
    plan.image("app", stored("new/app:1", "old"), None, module=OTHER)
    plan.read("app", "new/app:1", "old", "")
    plan.read("app", "new/app:1", "old", "old", module=OTHER)
    outcomes = {old_of(told)["destination"]: old_of(told)["outcome"] for told in plan.explained()["changes"]}
    assert outcomes == {f"{HOST}/old/app:1": "kept", f"{HOST}/new/app:1": "undecided"}


def test_a_destroy_that_reads_no_places() -> None:
    """Where the prefix is known only at apply, a plan before this one may have named another place for the entry."""
    plan = removed()
    del plan.document["resource_changes"][0]["action_reason"]
    assert plan.outcome() == "undecided"


@pytest.mark.parametrize(("on_destroy", "is_told"), [("delete", True), ("keep", False)])
def test_another_entry_copies_from_it(on_destroy: str, is_told: bool) -> None:
    """A source that goes is named, with whoever copies from it: later plans do not find it."""
    plan = removed(on_destroy=on_destroy)
    plan.image("copy", stored("copy:1", "same"), stored("copy:1", "same"), module=OTHER)
    plan.read("copy", "copy:1", "same", "same", module=OTHER, reference=f"docker://{HOST}/app:1")
    note = f"copy of {OTHER} copies from docker://{HOST}/app:1, which goes: give it another source, or later plans"
    assert plan.explained()["notes"] == ([f"{note} miss it."] if is_told else [])


def test_left_from_failed_runs() -> None:
    """Of several old objects of one entry, the one that the tag has is followed; the others say why they go."""
    plan = PlanFile()
    for of in ("older", "old"):
        plan.image("app", stored("app:1", of), None)
    plan.image("app", None, stored("app:1", "new"))
    plan.read("app", "app:1", "new", "old")
    moved, removed = plan.explained()["changes"]
    assert (moved["kind"], old_of(moved)["digest"]) == ("moved", digest("old"))
    assert (removed["kind"], removed["before"], old_of(removed)["outcome"]) == ("removed", digest("older"), "deleted")
    assert removed["why"] == "the tag has another image of this plan"


@pytest.mark.parametrize(("on_replace", "outcome"), [("delete", "untagged"), ("retag", "retagged")])
def test_a_strange_image_in_the_way(on_replace: str, outcome: str) -> None:
    """An entry that leaves an image and displaces another one tells of both."""
    call = {"expressions": {"on_replace": {"constant_value": on_replace}}}
    plan = PlanFile(configuration={"root_module": {"module_calls": {"mirror": call}}})
    plan.image("app", stored("app:1", "same"), None)
    plan.image("two", None, stored("two:1", "same", key="two"))
    plan.read("two", "two:1", "same", "foreign")
    told = plan.told()
    assert told["kind"] == "renamed"
    assert [(each["outcome"], each["digest"]) for each in told["old"]] == [
        ("deleted", digest("same")),
        (outcome, digest("foreign")),
    ]


RETAG = {"root_module": {"module_calls": {"mirror": {"expressions": {"on_replace": {"constant_value": "retag"}}}}}}


@pytest.mark.parametrize(
    ("keep_last", "outcome", "why"),
    [
        (None, "retagged", "gets a tag of its own first"),
        (3, "retagged", "gets a tag of its own first, and of such tags the last 3 stay"),
        (0, "deleted", "gets a tag of its own first, and is deleted after the consumers, as keep_last is 0"),
    ],
)
@pytest.mark.parametrize("later", [None, 0, 5])
def test_how_many_old_images_are_kept(keep_last: int | None, outcome: str, why: str, later: int | None) -> None:
    """The keep_last of the last apply counts, whatever this plan changes it to: the object that goes has that."""
    plan = PlanFile(configuration=RETAG)
    plan.image("app", stored("app:1", "old", on_replace="keep", keep_last=keep_last), None)
    plan.image("app", None, stored("app:1", "new", on_replace="keep", keep_last=later))
    plan.read("app", "app:1", "new", "old")
    old = old_of(plan.told())
    assert (old["outcome"], old["why"]) == (outcome, why)


def test_no_old_image_is_kept_where_the_configuration_does_not_tell() -> None:
    """Where on_replace is an expression, objects remember that the old image gets a tag, and goes with it."""
    unknown = {
        "root_module": {"module_calls": {"mirror": {"expressions": {"on_replace": {"references": ["each.value"]}}}}}
    }
    plan = PlanFile(configuration=unknown)
    plan.image("app", stored("app:1", "old", on_replace="keep", keep_last=0), None)
    plan.image("app", None, stored("app:1", "new", on_replace="keep", keep_last=0))
    plan.read("app", "app:1", "new", "old")
    assert plan.outcome() == "deleted"


def test_a_strange_image_that_is_kept() -> None:
    """Where no object goes, no command removes what is too old: also with keep_last = 0 an overwritten image stays."""
    plan = PlanFile(configuration=RETAG)
    same = stored("app:1", "same", on_replace="keep", keep_last=0)
    plan.image("app", same, same)
    plan.read("app", "app:1", "same", "foreign")
    assert old_of(plan.told())["why"] == "gets a tag of its own first"


@pytest.mark.parametrize("on_replace", ["delete", "keep"])
def test_a_tag_that_may_have_moved(on_replace: str) -> None:
    """What on_destroy promises of an entry that goes holds wherever somebody else has moved its tag."""
    kept = removed(on_replace=on_replace, on_destroy="keep")
    assert old_of(kept.told())["why"] == "stays, as on_destroy is keep"


def test_an_image_that_another_entry_displaces() -> None:
    """What becomes of an image with an object is told of that object alone, also where it gets a tag of its own."""
    call = {"expressions": {"on_replace": {"constant_value": "retag"}}}
    plan = PlanFile(configuration={"root_module": {"module_calls": {"mirror": call}}})
    plan.image("app", stored("app:1", "old", on_replace="keep"), None)
    plan.image("two", stored("two:1", "new", key="two"), None)
    plan.image("two", None, stored("app:1", "next", key="two"))
    plan.read("two", "app:1", "next", "old")
    moved, kept = plan.explained()["changes"]
    assert (moved["kind"], [each["digest"] for each in moved["old"]]) == ("moved", [digest("new")])
    assert (kept["kind"], old_of(kept)["outcome"]) == ("kept", "retagged")


@pytest.mark.parametrize(
    ("copies", "ends"), [(True, "it over"), (False, "it over, if this is applied where it was planned")]
)
def test_another_call_has_had_it_for_long(copies: bool, ends: str) -> None:
    """If that call copies nothing in this apply, only the plan's notes tell the removal of it."""
    plan = removed()
    plan.image("app", stored("app:1", "old"), stored("app:1", "old"), module=OTHER)
    plan.read("app", "app:1", "old", "old", module=OTHER)
    if copies:
        plan.image("new", None, stored("new:1", "new"), module=OTHER)
    (kept,) = (each for each in plan.explained()["changes"] if each["kind"] == "kept")
    assert old_of(kept)["why"] == f"stays, as app of {OTHER} has taken {ends}"

"""What may stand on stdin: a plan of any kind, and all that is none."""

from __future__ import annotations

import codecs
import json

import pytest

from imagesync_cli.terraform.explain.reading import document as reading
from imagesync_cli.values.errors import UsageError
from tests.command import imagesync
from tests.terraform.explain.plans import PlanFile, digest, stored

EMPTY = PlanFile().document


@pytest.mark.parametrize(
    ("stdin", "words"),
    [
        (b"", "there is no plan on stdin"),
        (b" \n", "there is no plan on stdin"),
        (b"PK\x03\x04rest", "stdin is the plan file itself"),
        (b"[command]/opt/terraform-bin show -json plan.out\n{}", "set its terraform_wrapper to false"),
        (b"Terraform will perform the following actions:", "not a plan in JSON"),
        (b'{"format_version": "1.2", ', "not a plan in JSON: "),
        (b'{"format_version": "1.2", "format_version": "1.2", "configuration": {}}', "it has a key twice"),
        (b'{"format_version": "1.2"}{"format_version": "1.2"}', "one whole plan at a time"),
        (b'{"@level":"info","@message":"Terraform 1.11.4"}\n{"@level":"info"}', "the log of a run with -json"),
        (b'{"@level":"info","@message":"Terraform 1.11.4"}', "the log of a run with -json"),
        (b'{"version": 4, "serial": 1, "lineage": "5b"}', "a state, not a plan"),
        (b'{"format_version": "1.0", "values": {"root_module": {}}}', "a state, not a plan"),
        (b"[]", "JSON, but not a plan"),
        (b"null", "not a plan"),
        (b'{"format_version": 1, "configuration": {}}', "JSON, but not a plan"),
        (b'{"format_version": "1.0"}', "JSON, but not a plan"),
        (b'{"format_version": "2.0", "configuration": {}}', "the format '2.0', which this version of imagesync"),
        (b'{"a": ' + b"[" * 100_000, "not a plan in JSON"),
        (b"\xff\xfe\x00", "not a plan in JSON"),
    ],
)
def test_no_plan(stdin: bytes, words: str) -> None:
    """What is no plan is told apart by what it is, with what to run instead; the exit code is 2."""
    done = imagesync("explain", stdin=stdin)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert "terraform show -json plan.out | imagesync explain" in done.err


def test_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that would take all memory is refused, by its bytes and by its values."""
    text = json.dumps(EMPTY)
    monkeypatch.setattr("imagesync_cli.terraform.explain.reading.document._MOST_VALUES", 10)
    assert "more than 10 values" in imagesync("explain", stdin=text).err
    with pytest.raises(UsageError, match="longer than"):
        reading.read_plan_document(bytes(reading.MOST_BYTES + 1))


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")],
)
def test_from_powershell(mark: bytes, encoding: str) -> None:
    """PowerShell puts a mark before what a program prints, and may turn it into UTF-16."""
    done = imagesync("explain", stdin=mark + json.dumps(EMPTY).encode(encoding))
    assert (done.code, done.out) == (0, "imagesync: this plan has no images of imagesync's modules\n")


def test_a_plan_that_failed() -> None:
    """What was refused is told with the sentences of the plan; the rest is not, for nothing says what it would be."""
    plan = PlanFile(errored=True, applyable=False)
    plan.image("app", stored("app:1", "old"), None)
    plan.read("app", "app:1", "", "old")
    name = "module.mirror.terraform_data.image"
    fails = {"instance_key": "app@", "module": "module.mirror", "to_display": f'{name}["app@"]'}
    problems = [{"message": 'images["app"]: the source is missing'}]
    login = {"module": "module.mirror", "to_display": "module.mirror.terraform_data.login"}
    others = [{"address": {**fails, "instance_key": "two@"}, "status": "fail"}, {"address": 1, "status": "fail"}]
    others.append({"address": login, "status": "fail", "problems": [{"message": "registry.example.com wants a login"}]})
    warning = {"address": {"kind": "check"}, "instances": [{"address": login, "status": "fail"}]}
    passes = {"address": {"instance_key": "two@", "module": "module.mirror"}, "status": "pass"}
    instances = [{"address": fails, "status": "fail", "problems": problems}, passes, {"status": "fail"}, *others]
    strange = {"instance_key": "app@", "module": "module.x", "to_display": 'module.x.terraform_data.y["app@"]'}
    plan.document["checks"] = [
        {"instances": instances},
        {"instances": [{"address": strange, "status": "fail"}]},
        {},
        warning,
    ]
    told = plan.explained()
    assert told["summary"] == "imagesync: this plan failed and cannot be applied: 2 images refused"
    change, two = told["changes"]
    assert two["why"] == "the plan gives no reason"
    assert told["notes"][1] == "module.mirror: registry.example.com wants a login"
    assert (change["kind"], change["key"], change["why"]) == ("refused", "app", "the source is missing")
    assert not told["can_be_applied"]

    del plan.document["checks"]
    assert plan.explained()["summary"] == "imagesync: this plan failed and cannot be applied: no image was refused"


def test_what_one_object_refuses_for_all_images() -> None:
    """Its sentences name their entries, and each is told once, also where the reads tell it as well."""
    plan = PlanFile(errored=True, applyable=False)
    plan.image("two", None, stored("two:1", "new"))
    plan.read("two", "two:1", "new", "", there={"refused": ["it is too large"]})
    done = {"module": "module.mirror", "to_display": "module.mirror.terraform_data.done"}
    message = 'images["app"]: give the tag back to it.\n\nimages["two"]: it is too large\n\nimages[strange]: no'
    plan.document["checks"] = [{"instances": [{"address": done, "status": "fail", "problems": [{"message": message}]}]}]
    told = plan.explained()
    assert told["summary"] == "imagesync: this plan failed and cannot be applied: 2 images refused"
    assert [(each["key"], each["why"]) for each in told["changes"]] == [
        ("app", "give the tag back to it."),
        ("two", "it is too large"),
    ]


def test_refresh_only() -> None:
    """A plan without any of our objects, where the state has some, leaves them out."""
    plan = PlanFile(applyable=False)
    del plan.document["resource_changes"]
    values = {"values": {"input": stored("app:1", "same")}}
    image = {
        "mode": "managed",
        "type": "terraform_data",
        "name": "image",
        "index": f"app@{stored('a', 'same')['digest']}",
    }
    plan.state({**image, **values})
    assert plan.explained()["summary"] == "imagesync: this plan leaves out its 1 image (-refresh-only or -target)"


def test_a_plan_that_failed_with_terraform_1_5() -> None:
    """Such a plan is known by the condition that failed: it does not say that it cannot be applied."""
    plan = PlanFile()
    del plan.document["errored"]
    plan.image("app", None, stored("app:1", "new"))
    plan.document["checks"] = [{"address": {"kind": "check"}, "status": "fail"}]
    assert plan.explained()["counts"] == {"new": 1}
    plan.document["checks"].append({"address": {"kind": "resource"}, "status": "fail"})
    told = plan.explained()
    assert told["summary"].startswith("imagesync: this plan failed and cannot be applied")
    assert not told["can_be_applied"]


def test_what_many_have_in_common() -> None:
    """Terraform tells once what one cause keeps from many images, and each image has its line all the same."""
    plan = PlanFile(errored=True)
    denied = {"digest": "", "kind": "denied", "error": "it answers 401", "cause": "it answers 401"}
    for key in ("a", "b", "c"):
        plan.read(key, f"{key}:1", "", "", source=denied)
    plan.read("d", "d:1", "new", "", there={"refused": ["the destination is denied: it answers 403"]})
    plan.read("e", "e:1", "new", "")
    address = {
        "instance_key": "a@",
        "module": "module.mirror",
        "to_display": 'module.mirror.terraform_data.image["a@"]',
    }
    message = 'images["a"] and 2 more (b, c): the source is denied: it answers 401\n\nimages["a"]: something else'
    copies = {"module": "module.mirror", "to_display": "module.mirror.terraform_data.copies[0]"}
    others = [{"message": 'images["d"]: the destination is denied: it answers 403'}]
    plan.document["checks"] = [
        {"instances": [{"address": address, "status": "fail", "problems": [{"message": message}]}]},
        {"instances": [{"address": copies, "status": "fail", "problems": others}]},
    ]
    told = plan.explained()
    assert {each["key"]: each["why"] for each in told["changes"]} == {
        "a": "the source is denied: it answers 401; something else",
        **dict.fromkeys("bc", "the source is denied: it answers 401"),
        "d": "the destination is denied: it answers 403",
    }
    assert told["summary"].endswith("cannot be applied: 4 images refused")
    assert len(told["notes"]) == 1


def test_somebody_elses_failure() -> None:
    """A plan that failed for a resource of the same name that is not ours has no images of ours, and has failed."""
    plan = PlanFile(errored=True)
    address = {"instance_key": "app@1", "module": "module.x", "to_display": 'module.x.terraform_data.image["app@1"]'}
    plan.document["checks"] = [{"instances": [{"address": address, "status": "fail"}]}]
    failed = "imagesync: this plan failed and cannot be applied: no images of imagesync's modules"
    assert plan.explained()["summary"] == failed


def test_not_complete() -> None:
    """A plan that Terraform calls incomplete is not taken for all that there is to do."""
    plan = PlanFile(complete=False)
    plan.image("app", None, stored("app:1", "new"))
    plan.read("app", "app:1", "new", "")
    assert plan.explained()["notes"] == ["The plan is not complete: it leaves out or defers something."]


STRANGE = [
    {"destination": "registry.example.com/app:1", "digest": "sha256:1"},
    {"destination": "registry.example.com/app:1", "digest": digest("x")},
    {"destination": "registry.example.com/app:1", "digest": digest("x"), "delete": "all of it"},
    {"destination": "registry.example.com/app:1", "digest": digest("x"), "delete_command": 1},
    {"destination": None, "digest": digest("x"), "delete_command": ["imagesync", "delete", "--digest"]},
]


@pytest.mark.parametrize("given", [*STRANGE, "text", None, {}])
def test_somebody_elses_objects(given: object) -> None:
    """A resource of the same type and name is not taken for an image of ours."""
    plan = PlanFile()
    image = plan.image("app", None, stored("app:1", "x"))
    image["change"]["after"] = {"input": given}
    assert plan.explained()["summary"] == "imagesync: this plan has no images of imagesync's modules"


@pytest.mark.parametrize(
    "wrong",
    [
        {"resource_changes": 1},
        {"resource_changes": [1, {}, {"change": 1}, {"type": "terraform_data", "name": "image", "change": {}}]},
        {"resource_changes": [{"mode": "managed", "module_address": [], "index": {}, "address": {}, "change": {}}]},
        {"prior_state": []},
        {"prior_state": {"values": {"root_module": {"child_modules": [1, {"resources": [1, {"type": 1}]}]}}}},
        {"configuration": [], "planned_values": {}},
        {"variables": 1, "checks": [{"instances": [1, {"address": 1, "status": "fail"}]}]},
    ],
)
def test_strange_shapes(wrong: dict[str, object]) -> None:
    """A plan with parts that are not as they should be is read as far as it goes."""
    plan = PlanFile(**wrong)
    assert plan.explained()["changes"] == []


@pytest.mark.parametrize("answer", ["", "no JSON", "[]", "[" * 5000, '{"digest": 1, "copy": 2, "damage": []}'])
def test_strange_answers(answer: str) -> None:
    """What the reads have said is only believed where it has the form of an answer."""
    plan = PlanFile()
    plan.image("app", None, stored("app:1", "new"))
    plan.read("app", "app:1", "new", "")
    document = json.loads(plan.text())
    for data in document["prior_state"]["values"]["root_module"]["child_modules"][0]["resources"]:
        data["values"]["result"] = {"app": answer}
    plan.document = document
    told = plan.told()
    assert (told["kind"], told["bytes_to_copy"]) == ("new", None)
    for data in document["prior_state"]["values"]["root_module"]["child_modules"][0]["resources"]:
        data["values"] = {"result": 1}
    assert plan.told()["kind"] == "new"


def test_no_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal nobody waits for a plan to be typed."""

    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("imagesync_cli.commands.terraform._stdin", Terminal)
    assert "there is no plan on stdin" in imagesync("explain").err

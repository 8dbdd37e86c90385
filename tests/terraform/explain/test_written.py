"""How it is written: lines, Markdown that renders and that nothing escapes from, a line for a commit status."""

from __future__ import annotations

import json
import re

import pytest
from markdown_it import MarkdownIt

from imagesync_cli.terraform.explain.changes import KINDS
from imagesync_cli.terraform.explain.explanation import _LEAST
from tests.commands.test_json import matches
from tests.terraform.explain.plans import HOST, PlanFile, digest, stored

HOSTILE = [
    "a|b|c",
    "`code` and ``more``",
    "<script>alert(1)</script>",
    "[text](https://evil.example.com)",
    "![](https://evil.example.com/pixel.png)",
    "@everyone #1 :tada: https://evil.example.com",
    "line\n| break | more |",
    "\x1b[31mred\x07\u202egnp",
    "::error::now\n::set-output name=a::b",
    "##[command]x",
    "\\",
    "`",
    "*bold* _under_ ~~gone~~ &amp; &#96;",
]


def cells(markdown: str) -> list[list[str]]:
    """The cells of the only table as HTML, row by row."""
    html = MarkdownIt("commonmark").enable("table").render(markdown)
    assert html.count("<table>") == 1
    return [
        re.findall(r"<t[hd]>(.*?)</t[hd]>", row, re.DOTALL) for row in re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts(text: str) -> None:
    """Whatever a key, a signer, an error or an address is, it is code in one cell, and harmless on a line."""
    plan = PlanFile()
    plan.image(text, None, {**stored("app:1", "new"), "destination": text}, module=f'module.m["{text}"]')
    plan.read(text, "app:1", "new", "", module=f'module.m["{text}"]', copy={"error": text}, signed=f"signed by {text}")
    plan.consumer(f'x.y["{text}"]', None, {"digest": digest("new")})
    markdown = plan.written("--format", "markdown")
    first, *_ = markdown.splitlines()
    assert first == "imagesync: 1 new of 1 image; 1 consumer changes"
    head, row = cells(markdown)
    assert len(head) == len(row)
    for cell in row:
        rest = re.sub(r"<code>[^<]*</code>", "", cell)
        assert re.fullmatch(r"[\w ;,:-]*", rest), cell
    assert "\x1b" not in markdown + plan.written()
    assert not re.search(r"^(::|##\[)", markdown + plan.written(), re.MULTILINE)
    assert len(plan.written().splitlines()) == 2


def test_every_column() -> None:
    """The table has a column only where a row fills it, and its cells are what the lines say."""
    plan = PlanFile()
    plan.image("app", stored("app:1", "old"), None)
    plan.image("app", None, stored("app:1", "new"))
    plan.read("app", "app:1", "new", "old", copy={"layers": 1, "layers_to_copy": 1, "bytes": 7, "bytes_to_copy": 7})
    head, row = cells(plan.written("--format", "markdown"))
    assert dict(zip(head, row, strict=True)) == {
        "Change": "moved",
        "Image": f"<code>{HOST}/app:1</code> in <code>module.mirror</code>",
        "Digest": f"<code>{digest('old')[:19]}</code> -&gt; <code>{digest('new')[:19]}</code>",
        "Why": "its source gives another image now: <code>source.example.com/app</code>",
        "To copy": "7 B to copy, 1 layer",
        "Old image": "the old image is deleted, unless something else uses it",
    }


def many(count: int) -> PlanFile:
    plan = PlanFile()
    for number in range(count):
        plan.image(f"app-{number}", None, stored(f"app-{number}:1", "new"))
    return plan


def test_a_comment_has_an_end() -> None:
    """GitHub takes 65,536 characters: what does not fit is counted."""
    markdown = many(1000).written("--format", "markdown")
    assert len(markdown) < 62_000
    shown = len(cells(markdown)) - 1
    assert f"And {1000 - shown} more: see the text or the JSON of imagesync explain." in markdown
    assert many(1000).written().count("\n  new ") == 1000


def test_many_notes() -> None:
    """Notes have an end as well, and leave the table what room there is."""
    plan = many(20)
    for number in range(20):
        plan.image(f"app-{number}", None, stored(f"app-{number}:1", "other"), module=f"module.{'m' * 300}")
    notes = plan.explained()["notes"]
    assert (len(notes), notes[-1]) == (11, "And 11 more notes.")
    assert len(plan.written("--format", "markdown")) < 62_000


def test_a_table_without_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no row fits, the line and the count are what is left."""
    monkeypatch.setattr("imagesync_cli.terraform.explain.written._MOST_CHARACTERS", 200)
    first, _, more, *_ = many(3).written("--format", "markdown").splitlines()
    assert (first, more) == (
        "imagesync: 3 new of 3 images",
        "And 3 more: see the text or the JSON of imagesync explain.",
    )


def test_nothing_to_show() -> None:
    """Without changes Markdown is the line, and the notes are below it."""
    plan = PlanFile()
    plan.image("app", stored("app:1", "same"), stored("app:1", "same"))
    assert plan.written("--format", "markdown").splitlines() == [
        "imagesync: 1 image, no change",
        "",
        "The plan does not know the present content of the destinations of `module.mirror`.",
    ]


def test_several_modules() -> None:
    """Lines stand under their module where there are several; the root module may be one of them."""
    plan = PlanFile()
    for module in ("module.b", "module.a", ""):
        plan.image("app", None, stored(f"{module or 'root'}:1", "new"), module=module)
    lines = [line for line in plan.written().splitlines() if line]
    assert [line for line in lines if line.endswith(":")] == ["the root module:", "module.a:", "module.b:"]


def test_long_texts_are_cut() -> None:
    """A key of a thousand characters does not fill the screen; JSON has it whole."""
    plan = PlanFile()
    plan.image("k" * 1000, None, {**stored("app:1", "new"), "destination": "k" * 1000})
    assert max(map(len, plan.written().splitlines())) < 600
    assert plan.told()["key"] == "k" * 1000


def test_the_summary_fits_a_commit_status() -> None:
    """What matters least is added up first; removals and what was done outside stay."""
    plan = PlanFile()
    for number in range(1200):
        key = f"app-{number}"
        kind = number % 8
        if kind < 3:
            plan.image(key, None, stored(f"{key}:1", key))
            plan.read(key, f"{key}:1", key, ("", key, "foreign")[kind], copy={"layers": 1, "bytes_to_copy": 10**12})
            plan.consumer(f"x.y[{number}]", None, {"digest": digest(key)})
        elif kind < 6:
            policy = "keep" if kind == 5 else "delete"
            plan.image(key, stored(f"{key}:1", key), stored(f"{key}:1", key, on_destroy=policy))
            plan.read(key, f"{key}:1", key, ("", "foreign", key)[kind - 3])
        else:
            plan.image(key, stored(f"{key}:1", key, on_destroy=("delete", "keep")[kind - 6]), None)
    summary = plan.explained()["summary"]
    assert len(summary) <= 140
    for words in ("150 overwritten", "150 missing", "150 removed", "more of 1200 images", "450 consumers change"):
        assert words in summary


def test_all_kinds_but_those_that_matter_may_be_added_up() -> None:
    """The list of what gives way is of kinds that there are."""
    assert set(_LEAST) | {"refused", "overwritten", "missing", "removed"} == set(KINDS)


def test_json() -> None:
    """The document is what the schema says; --json and --format json are one."""
    plan = PlanFile()
    plan.image("app", stored("app:1", "old"), None)
    plan.image("app", None, stored("app:1", "new"))
    plan.image("two", stored("two:1", "old"), None)
    plan.read("app", "app:1", "new", "old", copy={"layers": 1, "layers_to_copy": 1, "bytes": 7, "bytes_to_copy": 7})
    text = plan.written("--json")
    assert matches(text, "explain")["counts"] == {"moved": 1, "removed": 1}
    assert plan.written("--format", "json") == text
    assert json.loads(PlanFile().written("--json"))["changes"] == []


SECRET = "secret.example.com/team"


def test_sensitive() -> None:
    """What the plan marks as sensitive is shown nowhere, in no form."""
    plan = PlanFile(
        variables={"prefix": {"value": SECRET}, "list": {"value": ["hidden-in-a-list"]}},
        configuration={
            "root_module": {
                "variables": {
                    "prefix": {"sensitive": True},
                    "list": {"sensitive": True},
                    "plain": {"default": "deleted"},
                }
            }
        },
    )
    marked = {"input": True}
    place = {"destination": f"{SECRET}/app:1"}
    plan.image("app", {**stored("app:1", "old"), **place}, None, before_sensitive=marked)
    plan.image("app", None, {**stored("app:1", "new"), **place}, after_sensitive=marked)
    plan.read("app", "app:1", "new", "old", copy={"error": "hidden-in-a-list: denied"}, signed=f"signed by {SECRET}")
    plan.image("gone", {**stored("x", "gone"), "destination": f"{SECRET}/gone:1"}, None)
    plan.consumer("x.y", None, {"image": f"{SECRET}/app@{digest('new')}"})
    told = plan.explained()
    assert told["consumers"] == ["x.y"]
    for form in ("text", "markdown", "json"):
        written = plan.written("--format", form)
        assert SECRET not in written
        assert "hidden-in-a-list" not in written
    lines = plan.written().splitlines()
    assert lines[1].startswith("  moved        app: sha256:")
    assert "the old image is deleted" in lines[1]
    assert "(sensitive)/gone:1" in lines[2]


def test_many_sensitive_places() -> None:
    """A prefix that is sensitive hides a thousand places as fast as one."""
    plan = PlanFile()
    for number in range(1000):
        place = {**stored("x", "new"), "destination": f"{SECRET}/app-{number}:1"}
        plan.image(f"app-{number}:1", None, place, after_sensitive={"input": True})
    assert SECRET not in plan.written()


def test_sensitive_sources() -> None:
    """A source that the plan hides is not named, and neither is what was said of it."""
    plan = PlanFile()
    plan.image("app", None, stored("app:1", "new"))
    plan.read("app", "app:1", "new", "", copy={"error": "looking up source.example.com/app: denied"})
    document = json.loads(plan.text())
    for data in document["prior_state"]["values"]["root_module"]["child_modules"][0]["resources"]:
        data["sensitive_values"] = {"query": {"images": True}}
    plan.document = document
    assert "source.example.com" not in plan.written()
    assert plan.told()["source"] == "(sensitive)"


def test_values_that_are_left_out() -> None:
    """HCP Terraform leaves out what is sensitive: such an image is told by its key."""
    plan = PlanFile()
    after = {name: value for name, value in stored("app:1", "new").items() if name != "destination"}
    plan.image("app", None, after, after_sensitive={"input": True})
    assert plan.written().splitlines()[1].startswith("  new          app: sha256:")

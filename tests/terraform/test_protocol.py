"""Terraform's question and its answer, and every question that is none; OCI layouts stand in for registries."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagesync_cli.look.inspect import Findings, Problem
from imagesync_cli.output.check import damage_text
from imagesync_cli.settings import Settings
from imagesync_cli.stores import Stores
from imagesync_cli.terraform import answer, read_query
from imagesync_cli.values.errors import UsageError
from tests.embedded_registry.images import OCI_MANIFEST, Image, image, index


def ask(query: object, deadline_s: float = 30) -> Any:
    text = query if isinstance(query, str) else json.dumps(query)
    settings = Settings(external_timeout_s=deadline_s)
    return json.loads(asyncio.run(answer(read_query(text), Stores(settings), settings)))


def ask_images(images: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = ask({"images": json.dumps(images)})
    assert all(isinstance(value, str) for value in found.values())
    return {key: json.loads(value) for key, value in found.items()}


@pytest.fixture
def layout(tmp_path: Path) -> str:
    return f"oci:{image().write_layout(tmp_path / 'layout', '1.0')}"


def test_images(layout: str) -> None:
    """Each key is answered with what its reference points at, and one that fails hides no other."""
    found = ask_images({"a": f"{layout}:1.0", "b": f"{layout}:2.0", "c": "Not A Reference", "d": f"{layout}:1.0"})
    here = {
        "reference": f"{layout}:1.0",
        "digest": image().digest,
        "source_digest": image().digest,
        "media_type": OCI_MANIFEST,
        "size": len(image().root.content),
        "error": "",
        "kind": "",
    }
    assert (found["a"], found["d"]) == (here, here)
    assert [found[key]["kind"] for key in "bc"] == ["missing", "invalid"]
    assert "no image '2.0' (it has: 1.0)" in found["b"]["error"]
    nothing = {
        "reference": f"{layout}:2.0",
        "digest": "",
        "source_digest": "",
        "media_type": "",
        "size": 0,
        "error": "",
        "kind": "missing",
    }
    assert found["b"] | {"error": ""} == nothing


def test_no_images() -> None:
    """An empty map is answered with an empty map."""
    assert ask_images({}) == {}


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("", "the query is not JSON"),
        ("{", "the query is not JSON"),
        ("null", "the query is not a JSON object"),
        ("[]", "the query is not a JSON object"),
        ('"images"', "the query is not a JSON object"),
        ("{}", "the query has the keys none"),
        ('{"images": null}', "the query: the value of 'images' is not a string"),
        ('{"images": {}}', "the query: the value of 'images' is not a string"),
        ('{"images": ""}', "images is not JSON"),
        ('{"images": "{"}', "images is not JSON"),
        ('{"images": "null"}', "images is not a JSON object"),
        ('{"images": "[]"}', "images is not a JSON object"),
        ('{"images": "{\\"a\\": 1}"}', "images: the value of 'a' is not a string"),
        ('{"images": "{\\"a\\": null}"}', "images: the value of 'a' is not a string"),
        ('{"images": "{}", "more": ""}', "the query has the keys images, more"),
        ('{"destination": "a"}', "the query has the keys destination"),
        ('{"images": "{}", "platforms": "linux/amd64"}', "the query has the keys images, platforms"),
        ('{"images": "{\\"a\\": []}"}', "images: the value of 'a' is not a string"),
        ('{"source": {"reference": "a"}}', "the query: the value of 'source' is not a string"),
        ('{"image": "a"}', "the query has the keys image"),
        ('{"images": "{}", "all": "[]"}', "all is not a JSON object"),
        ('{"images": "{}", "brief": "yes"}', 'brief is "true" or "false", not \'yes\''),
        ('{"images": "{}", "rules": "{\\"allowed_sources\\": null}"}', "rules are allowed_sources and require_digest"),
        ('{"images": "{}", "rules": "{\\"allowed_sources\\": \\"**\\"}"}', "rules are allowed_sources and"),
        ('{"images": "{}", "call": "c1", "trust": "{}"}', "a call's images are destinations, and trust is asked of"),
        ("[" * 100_000, "the query is not JSON"),
    ],
)
def test_wrong_question(query: str, why: str) -> None:
    """A question that is itself wrong is bad usage, with an example of a right one."""
    with pytest.raises(UsageError) as refused:
        ask(query)
    assert refused.value.message.startswith(why)
    assert '{"images":' in refused.value.hint


@settings(deadline=None)
@given(
    st.text()
    | st.dictionaries(st.sampled_from(["images", "x"]), st.text()).map(json.dumps)
    | st.dictionaries(st.sampled_from(["source", "destination"]), st.text().map("oci:{}".format)).map(json.dumps)
    | st.dictionaries(st.text(), st.text().map("oci:{}".format)).map(
        lambda asked: json.dumps({"images": json.dumps(asked)})
    )
)
def test_every_question(query: str) -> None:
    """Any text at all is answered with strings, or refused as bad usage."""
    try:
        found = ask(query)
    except UsageError:
        return
    assert all(isinstance(value, str) for value in found.values())


def test_source_and_destination_in_sync(layout: str) -> None:
    """The simple form compares two references, and names the id that the destination will have."""
    found = ask({"source": f"{layout}:1.0", "destination": layout})
    digest = image().digest
    assert found == {
        "digest": digest,
        "id": f"{layout}@{digest}",
        "destination_digest": digest,
        "in_sync": "true",
        "error": "",
        "kind": "",
    }


def test_destination_that_is_not_there_yet(layout: str, tmp_path: Path) -> None:
    """A destination without an image is no error: it is what a sync is for."""
    found = ask({"source": layout, "destination": f"oci:{tmp_path}/new:1"})
    assert (found["in_sync"], found["destination_digest"], found["error"]) == ("false", "", "")
    assert found["id"] == f"oci:{tmp_path}/new@{image().digest}"


@pytest.mark.parametrize(
    ("source", "destination", "kind"),
    [("oci:/nowhere:1", "oci:/nowhere:2", "missing"), ("No", "oci:/nowhere:2", "invalid"), ("LAYOUT", "No", "invalid")],
)
def test_comparison_that_fails(layout: str, source: str, destination: str, kind: str) -> None:
    """The simple form says what kept it from an answer."""
    found = ask({"source": source.replace("LAYOUT", layout), "destination": destination})
    assert (found["kind"], found["in_sync"], found["id"]) == (kind, "false", "")
    assert found["error"]


def test_source_alone(layout: str) -> None:
    """Without a destination the simple form looks the source up."""
    found = ask({"source": layout})
    assert (found["digest"], found["id"], found["in_sync"]) == (image().digest, "", "false")


@pytest.fixture
def made() -> Image:
    return index(attested=True)


@pytest.fixture
def whole(made: Image, tmp_path: Path) -> str:
    """A layout with an image of six platforms."""
    return f"oci:{made.write_layout(tmp_path / 'whole', '1.0')}:1.0"


def test_platforms(whole: str, made: Image) -> None:
    """Each key may choose platforms; its answer is what would arrive, and which image at the source that is of."""
    chosen = {
        "all": whole,
        "all, as an object": {"reference": whole},
        "none named": {"reference": whole, "platforms": []},
        "one": {"reference": whole, "platforms": ["linux/arm64"]},
        "one by two names": {"reference": whole, "platforms": ["linux/aarch64", "linux/arm64/v8"]},
        "two": {"reference": whole, "platforms": ["linux/arm64", "linux/amd64"]},
        "the same two": {"reference": whole, "platforms": ["linux/amd64", " linux/arm64"]},
    }
    found = ask_images(chosen)
    assert {answer["source_digest"] for answer in found.values()} == {made.digest}
    assert {found[key]["digest"] for key in ("all", "all, as an object", "none named")} == {made.digest}
    assert found["one"]["digest"] == found["one by two names"]["digest"] == made.children[1]
    assert found["two"] == found["the same two"]
    assert found["two"]["digest"] not in {made.digest, *made.children}
    assert (found["one"]["size"], found["one"]["media_type"]) == (
        len(made.manifests[made.children[1]].content),
        OCI_MANIFEST,
    )


def test_what_is_asked_of_all_images(whole: str, made: Image) -> None:
    """What the question says of all images holds for each that says nothing else, also within what is to be copied."""
    copy = {"source": whole, "digest": made.digest}
    images = {
        "as all": whole,
        "as all, as an object": {"reference": whole},
        "its own": {"reference": whole, "platforms": []},
        "to copy": {"reference": "oci:nowhere", "copy": copy},
        "to copy if small": {"reference": "oci:nowhere", "copy": copy | {"max_size_bytes": 1}},
        "not to copy": {"reference": "oci:nowhere", "copy": None},
    }
    every = {"platforms": ["linux/arm64"], "copy": {"source": whole, "digest": made.digest, "estimated": True}}
    told = ask({"images": json.dumps(images), "all": json.dumps(every)})
    found = {key: json.loads(text) for key, text in told.items()}
    assert {found[key]["digest"] for key in ("as all", "as all, as an object")} == {made.children[1]}
    assert found["its own"]["digest"] == made.digest
    assert found["to copy"]["copy"]["layers"] > 0
    assert (found["to copy"]["copy"]["refused"], len(found["to copy if small"]["copy"]["refused"])) == ([], 1)
    assert "copy" not in found["not to copy"]
    assert found == {key: json.loads(text) for key, text in ask({"images": json.dumps(_merged(images, every))}).items()}


def _merged(images: dict[str, Any], every: dict[str, Any]) -> dict[str, Any]:
    """The same, said of each image."""
    objects = {key: {"reference": one} if isinstance(one, str) else one for key, one in images.items()}
    copies: dict[str, Any] = {key: one.get("copy", {}) for key, one in objects.items()}
    return {
        key: every | one | {"copy": None if copies[key] is None else every["copy"] | copies[key]}
        for key, one in objects.items()
    }


def test_brief_answers(whole: str, made: Image, tmp_path: Path) -> None:
    """A brief answer has nothing that is empty, and nothing that the question says; all else stays as it is."""
    copy = {"source": whole, "digest": made.digest, "estimated": True}
    images = {
        "there": whole,
        "for one": {"reference": whole, "platforms": ["linux/arm64"]},
        "new": {"reference": f"oci:{tmp_path}/new", "copy": copy},
        "gone": f"oci:{tmp_path}/gone",
    }
    question = {"images": json.dumps(images), "rules": json.dumps({"allowed_sources": ["**"]})}
    told, brief = (
        {key: json.loads(text) for key, text in ask(question | more).items()} for more in ({}, {"brief": "true"})
    )
    assert brief["there"] == {"digest": made.digest}
    assert brief["for one"] == {"digest": made.children[1], "source_digest": made.digest}
    assert brief["gone"] == {key: told["gone"][key] for key in ("digest", "error", "kind")}
    assert brief["new"]["copy"] == {
        key: told["new"]["copy"][key] for key in ("layers", "layers_to_copy", "bytes", "bytes_to_copy", "summary")
    }
    assert brief["new"].keys() == {"digest", "error", "kind", "copy"}


def test_brief_answers_of_a_call(layout: str) -> None:
    """What keeps a destination from a module call is told by its refusals: a brief answer has no error beside them."""
    images = {"wrong": "No", "new": f"{layout}:2.0"}
    question = {"images": json.dumps(images), "call": "c1", "run": "20260101000000", "brief": "true"}
    found = {key: json.loads(text) for key, text in ask(question).items() if key != "@run_folder"}
    assert found["new"] == {"digest": ""}
    assert found["wrong"].keys() == {"digest", "refused"}


def test_a_call_that_is_no_id(layout: str, tmp_path: Path) -> None:
    """A call names files of the run folder: what would lead out of it is a wrong question, and nothing is written."""
    run_folder, destination = tmp_path / "run" / "imagesync", f"{layout}:1.0"
    copy = {"source": destination, "digest": image().digest}
    images = {"app": {"reference": destination, "copy": copy}}
    question = {"images": json.dumps(images), "call": "../../outside", "run": "20260101000000"}
    settings = Settings(run_folder=run_folder)
    with pytest.raises(UsageError, match="is not an ID"):
        asyncio.run(answer(read_query(json.dumps(question)), Stores(settings), settings))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["layout"]


@pytest.mark.parametrize(
    ("wrong", "kind", "why"),
    [
        ({"platforms": ["linux/sparc"]}, "unsuitable", "is not there for linux/sparc (it has linux/amd64, linux/arm64"),
        ({"platforms": ["linux"]}, "invalid", "'linux' is not a platform (a platform looks like linux/amd64"),
        ({"platforms": "linux/amd64"}, "invalid", "the 'platforms' of an image are a list of strings"),
        ({"platforms": [1]}, "invalid", "the 'platforms' of an image are a list of strings"),
        ({"platforms": None}, "invalid", "the 'platforms' of an image are a list of strings"),
        ({"platfroms": []}, "invalid", "an image has no 'platfroms' (like {\"reference\": "),
        ({"reference": 1}, "invalid", "the 'reference' of an image is a string"),
        ({"reference": "No"}, "invalid", "reference 'No'"),
    ],
)
def test_one_image_that_makes_no_sense(whole: str, made: Image, wrong: dict[str, Any], kind: str, why: str) -> None:
    """What is wrong with one image is that image's error, and hides no other."""
    found = ask_images({"wrong": {"reference": whole, **wrong}, "right": whole})
    assert (found["wrong"]["kind"], found["wrong"]["digest"], found["wrong"]["source_digest"]) == (kind, "", "")
    assert why in found["wrong"]["error"]
    assert found["right"]["digest"] == made.digest


def test_an_image_without_reference() -> None:
    """An image needs a reference, whatever else it has."""
    found = ask_images({"a": {"platforms": ["linux/amd64"]}})
    assert "the 'reference' of an image is a string" in found["a"]["error"]


def test_platforms_of_the_simple_form(whole: str, made: Image, tmp_path: Path) -> None:
    """The simple form takes platforms too, separated by commas; Terraform's null is "" and means all of them."""
    query = {"source": whole, "destination": f"oci:{tmp_path}/new:1", "platforms": "linux/arm64, linux/arm64/v8"}
    assert ask(query)["id"] == f"oci:{tmp_path}/new@{made.children[1]}"
    assert ask(query | {"platforms": ""})["digest"] == made.digest
    assert ask(query | {"destination": ""})["digest"] == made.children[1]
    wrong = ask(query | {"platforms": "linux/arm64,"})
    assert (wrong["kind"], wrong["digest"]) == ("invalid", "")
    assert "'' is not a platform" in wrong["error"]
    assert ask(query | {"platforms": "linux/sparc"})["kind"] == "unsuitable"


def test_a_deep_look(layout: str) -> None:
    """With verify = "deep" the answer says what is missing below the digest, "" for nothing; and only then."""
    lost = image().root.blobs[1]
    wanted = {"a": {"reference": f"{layout}:1.0", "verify": "deep"}, "b": {"reference": layout, "verify": "tag"}}
    sides = {"source": f"{layout}:1.0", "destination": layout, "verify": "deep"}
    found = ask_images(wanted)
    assert (found["a"]["damage"], "damage" in found["b"]) == ("", False)
    assert (ask(sides)["damage"], ask(sides)["in_sync"]) == ("", "true")
    (Path(layout.removeprefix("oci:")) / "blobs" / "sha256" / lost.removeprefix("sha256:")).unlink()
    damage = f"1 of 2 blobs is missing: {lost}"
    assert ask_images(wanted)["a"] == {**found["a"], "damage": damage}
    assert (ask(sides)["damage"], ask(sides)["in_sync"], ask(sides)["error"]) == (damage, "false", "")
    assert ask(sides | {"verify": "tag"})["in_sync"] == "true"


def test_a_deep_look_at_what_is_not_there(tmp_path: Path) -> None:
    """A reference without an image is missing, and has no damage."""
    found = ask_images({"a": {"reference": f"oci:{tmp_path}:1", "verify": "deep"}})
    assert (found["a"]["kind"], found["a"]["damage"]) == ("missing", "")


@pytest.mark.parametrize("verify", ["", "tag", "Deep", 1, None, ["deep"]])
def test_how_to_look(layout: str, verify: object) -> None:
    """Another word than tag and deep is an error of that key."""
    found = ask_images({"a": {"reference": layout, "verify": verify}})
    assert found["a"]["kind"] == ("" if verify in ("", "tag") else "invalid")
    assert verify in ("", "tag") or """'verify' of an image is "tag" or "deep\"""" in found["a"]["error"]


def test_damage_in_a_sentence() -> None:
    """Few are named, many are counted."""
    problems = [Problem("missing", "blob", f"sha256:{number}", "", "linux/arm64", "") for number in range(5)]
    problems.append(Problem("wrong", "manifest", "sha256:x", "", "", ""))
    assert damage_text(Findings(9, 20, tuple(problems))) == (
        "5 of 20 blobs are missing: sha256:0 of linux/arm64, sha256:1 of linux/arm64, sha256:2 of linux/arm64 "
        "and 2 more; 1 of 9 manifests is wrong: sha256:x"
    )

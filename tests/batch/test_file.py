"""The file of images: what may stand in it, and what is said of everything else, with its line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from imagesync_cli.batch.entries import read_entries
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.platforms import parse_platform
from tests.command import imagesync

SCHEMA = json.loads(resources.files("imagesync_cli.batch").joinpath("images.schema.json").read_text())
ONE = "images:\n  - source: busybox:1\n    destination: r.example.com/b:1\n"

GOOD = {
    "one image": ONE,
    "no image": "images: []\n",
    "JSON in YAML": '{"images": [{"source": "busybox:1", "destination": "r.example.com/b:1"}]}',
    "defaults": "defaults: {platforms: [linux/amd64], referrers: true, min_age_hours: 1.5}\n" + ONE,
    "rules": "images: [{source: busybox, destination: r.example.com/b, tags: {semver: '>=1 <2', latest: 3}}]",
    "a list of tags": "images: [{source: busybox, destination: r.example.com/b, tags: ['1.*', 1.10, 7], prune: true}]",
    "an anchor": "x-platforms: &p [linux/amd64]\nimages: [{source: a, destination: r.io/a, platforms: *p}]",
    "all rules": "images: [{source: a, destination: r.io/a,"
    " tags: {include: ['1.*', '/^v\\d+$/'], exclude: ['*-rc*'], semver: '1.x', latest: 5}}]",
    "a folder": "images: [{source: r.io/a/**, destination: [s.io, t.io/b], tags: ['*'], prune: true, mirrors: [m.io]}]",
    "trust of its own": ONE + "    trust: {default: accept}\n",
    "two destinations": "images: [{source: a, destination: [r.io/a, s.io/a], as: '{tag}-mirror'}]",
    "mirrors": "mirrors: {docker.io: [m.io, m.io/hub], localhost:5000/a: []}\n" + ONE + "    mirrors: [m.io:80]\n",
    "types of referrers": ONE + "    referrers: [application/spdx+json, application/vnd.a.b]\n",
    "trust": ONE
    + """
trust:
  default: accept
  rules:
    - sources: [quay.io/**]
      signers: [{identity: a@example.com, issuer: "https://issuer"}, {key: "-----BEGIN PUBLIC KEY-----"}]
      attestations: [{type: spdx, field: a, value: 1}]
""",
}
BAD = {
    "nothing": ("", 1, "nothing in it"),
    "a list": ("- a\n", 1, "mapping"),
    "no images": ("defaults: {}\n", 1, "no images"),
    "an unknown key": (ONE + "    platform: linux/amd64\n", 4, "'platform' is not known"),
    "an unknown default": ("defaults: {source: a}\n" + ONE, 1, "'source' is not known"),
    "no destination": ("images:\n  - source: a\n", 2, "no destination"),
    "a number for a source": ("images:\n  - source: [1]\n    destination: b\n", 2, "source is a text"),
    "an empty source": ("images:\n  - source: ''\n    destination: r.io/b\n", 2, "source is a text"),
    "prune is no word": (ONE + "    tags: ['*']\n    prune: sometimes\n", 5, "prune is true or false"),
    "latest is no number": (ONE.replace(":1", "") + "    tags: {latest: '2'}\n", 4, "at least 1, not the text '2'"),
    "latest is 0": (ONE.replace(":1", "") + "    tags: {latest: 0}\n", 4, "at least 1"),
    "rules that say nothing": (ONE.replace(":1", "") + "    tags: {}\n", 4, "tags has no rules"),
    "an unknown rule": (ONE.replace(":1", "") + "    tags: {includes: ['*']}\n", 4, "'includes' is not known"),
    "no destination in the list": ("images:\n  - source: a\n    destination: []\n", 3, "an empty list"),
    "a destination that is no text": ("images:\n  - source: a\n    destination: [{}]\n", 3, "destination is a text"),
    "mirrors of nobody": ("mirrors: [m.io]\n" + ONE, 1, "mirrors is a mapping"),
    "no types of referrers": (ONE + "    referrers: []\n", 4, "no artifact type"),
    "a type that is none": (ONE + "    referrers: [sbom]\n", 4, "'sbom' is not an artifact type"),
    "referrers that say neither": (ONE + "    referrers: all\n", 4, "or a list of artifact types"),
    "a negative age": ("defaults: {min_age_hours: -1}\n" + ONE, 1, "min_age_hours is a number"),
    "trust in nobody": (
        ONE + "trust: {rules: [{sources: ['**'], signers: []}]}\n",
        4,
        "trust.rules[0] has sources and",
    ),
    "an unknown rule of trust": (ONE + "trust: {rulez: []}\n", 4, "trust has no 'rulez'"),
    "a signer of two kinds": (
        ONE + "trust: {rules: [{sources: ['**'], signers: [{key: -----BEGIN, issuer: a}]}]}\n",
        4,
        "signers[0] is a key, or an identity",
    ),
    "platforms are no list": (ONE + "    platforms: linux/amd64\n", 4, "is a list, not the text 'linux/amd64'"),
    "a tag that YAML takes for a word": (
        ONE.replace(":1", "") + "    tags:\n      - 1.10\n      - no\n",
        6,
        "include is a text, not 'no': put it in quotes",
    ),
}
# What only the parser knows to be wrong: a schema has no word for it.
WRONG = {
    "a source that is none": ("images:\n  - source: r.io/UPPER\n    destination: r.io/a\n", 2, "lower case"),
    "a platform that is none": (ONE + "    platforms: [linux]\n", 4, "'linux' is not a platform"),
    "a range that is none": (ONE.replace(":1", "") + "    tags: {semver: abc}\n", 4, "not a range"),
    "a pattern that is none": (ONE.replace(":1", "") + "    tags:\n      - ok\n      - /(/\n", 6, "regular expression"),
    "tags of an image": (ONE + "    tags: ['*']\n", 2, "leave one of them out"),
    "prune without tags": (ONE + "    prune: true\n", 2, "prune needs tags"),
    "a key twice": (ONE + "    source: a\n", 4, "'source' stands here a second time, first in line 2"),
    "two documents": (ONE + "---\n" + ONE, 1, "more than one document"),
    "a tag that makes objects": ("images: !!python/object:os.system []\n", 1, "not understood"),
    "a tab": ("images:\n\t- source: a\n", 2, "a tab is not indentation: use spaces"),
    "no YAML": ("images: [\n  a: b: c\n", 2, ""),
    "a destination by digest": (f"images:\n  - source: a\n    destination: r.io/a@sha256:{'0' * 64}\n", 2, "digest"),
    "a destination twice": (
        "images:\n  - source: a\n    destination: [localhost:5000/a, '127.0.0.1:5000/a:latest']\n",
        2,
        "127.0.0.1:5000/a:latest is in the list twice",
    ),
    "a repository twice": (
        "images:\n  - source: a\n    destination: [r.io/a, 'R.io:443/a']\n    tags: ['*']\n",
        2,
        "destination R.io:443/a:latest is in the list twice",
    ),
    "a list with the source in it": (
        "images:\n  - source: localhost:5000/a\n    destination: [r.io/a, '[::1]:5000/a']\n    tags: ['*']\n",
        2,
        "destination [::1]:5000/a is its own source",
    ),
    "a folder without tags": ("images:\n  - source: r.io/a/**\n    destination: s.io/a\n", 2, "needs tags"),
    "a folder of nobody": (
        "images:\n  - source: team/**\n    destination: s.io/a\n    tags: ['*']\n",
        2,
        "is not a registry or a path in one",
    ),
    "a folder within a path": (
        "images:\n  - source: r.io/a/**/b\n    destination: s.io/a\n    tags: ['*']\n",
        2,
        "is not a repository",
    ),
    "a folder to a tag": (
        "images:\n  - source: r.io/a/**\n    destination: s.io/a:1\n    tags: ['*']\n",
        3,
        "is not a registry or a path in one",
    ),
    "a folder to a folder": (
        "images:\n  - source: r.io/a/**\n    destination: oci:b\n    tags: ['*']\n",
        3,
        "is not a registry or a path in one",
    ),
    "a folder to nowhere": (
        "images:\n  - source: r.io/a/**\n    destination: []\n    tags: ['*']\n",
        3,
        "an empty list",
    ),
    "a folder in itself": (
        "images:\n  - source: localhost:5000/a/**\n    destination: '127.0.0.1:5000/a/b'\n    tags: ['*']\n",
        2,
        "destination 127.0.0.1:5000/a/b is below its own source",
    ),
    "a folder to one place twice": (
        "images:\n  - source: r.io/a/**\n    destination: [s.io/a, 'S.io:443/a']\n    tags: ['*']\n",
        2,
        "destination S.io:443/a is in the list twice",
    ),
    "a new name without the tag": (ONE.replace("b:1", "b") + "    as: mirror\n", 4, "as 'mirror'"),
    "a new name with the tag twice": (ONE.replace("b:1", "b") + "    as: '{tag}{tag}'\n", 4, "as '{tag}{tag}'"),
    "two new names": (ONE + "    as: '{tag}-x'\n", 2, "names a tag, and so does as"),
    "a new name that is too long": (
        f"images:\n  - source: a:12\n    destination: r.io/a\n    as: '{{tag}}{'x' * 127}'\n",
        2,
        "shorter",
    ),
    "a new name for signatures": (
        f"images:\n  - source: a:{'0' * 64}\n    destination: r.io/a\n    as: 'sha256-{{tag}}'\n",
        2,
        "a name for referrers",
    ),
    "a mirror that is no host": ("mirrors: {docker.io: [mirror]}\n" + ONE, 1, "is not a registry or a path in one"),
    "a mirror of a tag": ("mirrors: {'docker.io/a:1': [m.io]}\n" + ONE, 1, "is not a registry or a path in one"),
    "a mirror with a scheme": (ONE + "    mirrors: ['https://m.io']\n", 4, "is not a registry or a path in one"),
    "an image that mirrors itself": (
        "images:\n  - source: localhost:5000/a\n    destination: r.io/a\n    mirrors: ['127.0.0.1:5000']\n",
        2,
        "is its own mirror",
    ),
    "mirrors of a folder": (
        "images:\n  - source: oci:a:1\n    destination: r.io/a\n    mirrors: [m.io]\n",
        2,
        "mirrors are for images of a registry",
    ),
    "a destination that is its source": (
        "images:\n  - source: busybox\n    destination: docker.io/library/busybox:latest\n",
        2,
        "is its own source",
    ),
    "a repository that is its own source": (
        "images:\n  - source: r.io/a\n    destination: R.io/a\n    tags: ['*']\n    prune: true\n",
        2,
        "destination R.io/a is its own source",
    ),
    "an archive that is pruned": (
        "images:\n  - source: a\n    destination: oci-archive:a.tar\n    tags: ['*']\n    prune: true\n",
        2,
        "destination oci-archive:a.tar takes no prune",
    ),
    "a variable that is not set": (
        "images:\n  - source: a:${NONE}\n    destination: r.io/a\n",
        2,
        "${NONE} is not set",
    ),
    "an age without a unit": (
        "images:\n  - source: a\n    destination: r.io/a\n    minimum_age: 3\n",
        4,
        "'3' is not a length of time",
    ),
    "half a variable": ("images:\n  - source: a:${V\n    destination: r.io/a\n", 2, "is not a variable"),
    "a variable with a default": ("images:\n  - source: a:${V:-1}\n    destination: r.io/a\n", 2, "is not a variable"),
}


def read(tmp_path: Path, text: str, name: str = "images.yaml", **environ: str) -> list[Any]:
    file = tmp_path / name
    file.write_text(text)
    return list(read_entries(file, environ))


@pytest.mark.parametrize(
    "entry",
    [
        "{source: '${V}', destination: r.io/a}",
        "{source: a, destination: '${V}'}",
        "{source: a, destination: [r.io/a, '${V}${V}']}",
        "{source: a, destination: r.io/a, tags: ['1.0', '${V}'], prune: true}",
        "{source: a, destination: r.io/a, tags: {include: ['*'], exclude: ['${V}']}}",
        "{source: a, destination: r.io/a, tags: {include: ['*'], semver: '${V}'}}",
        "{source: 'r.io/a/**', destination: '${V}', tags: ['*']}",
        "{source: a, destination: r.io/a, platforms: ['${V}']}",
        "{source: a, destination: r.io/a, referrers: ['${V}']}",
        "{source: a, destination: r.io/a, mirrors: ['${V}']}",
        "{source: a, destination: r.io/a, overwrite: '${V}'}",
        "{source: a, destination: r.io/a, as: '${V}'}",
        "{source: a, destination: r.io/a, minimum_age: '${V}'}",
        "{source: a, destination: r.io/a, minimum_age: 3d, ignore_age_for: ['${V}']}",
        "{source: a, destination: r.io/a, trust: {rules: [{sources: ['${V}'], signers: [{key: k}]}]}}",
    ],
)
def test_a_variable_that_is_empty_takes_nothing_away(tmp_path: Path, entry: str) -> None:
    """A text that its variables leave empty is wrong by its line: without it less would be wanted, or more allowed."""
    with pytest.raises(UsageError, match=r"images.yaml:2: .*\$\{V\} is empty in the environment"):
        read(tmp_path, f"images:\n  - {entry}\n", V="")


def test_trust_takes_variables(tmp_path: Path) -> None:
    """Texts in the rules about signatures take them from the environment, like all others."""
    rules = "trust: {rules: [{sources: ['${HOST}/**'], signers: [{identity: 'a@${HOST}', issuer: b}]}]}\n"
    (entry,) = read(tmp_path, ONE + rules, HOST="r.example.com")
    (rule,) = entry.trust.rules
    assert (rule.sources, rule.signers[0].identity) == (("r.example.com/**",), "a@r.example.com")
    with pytest.raises(UsageError, match=r"images.yaml:4: .*HOST.* is not set"):
        read(tmp_path, ONE + rules)


@pytest.mark.parametrize("name", GOOD)
def test_what_is_right_is_right_for_both(tmp_path: Path, name: str) -> None:
    """A file that imagesync takes is one that an editor with the schema does not complain about."""
    read(tmp_path, GOOD[name])
    jsonschema.validate(yaml.safe_load(GOOD[name]), SCHEMA)


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_wrong_for_both(tmp_path: Path, name: str) -> None:
    """What an editor marks with the schema, imagesync refuses, with the line and what it should be."""
    text, line, what = BAD[name]
    with pytest.raises(UsageError) as refused:
        read(tmp_path, text)
    assert f"images.yaml:{line}: " in refused.value.message
    assert what in refused.value.message
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), SCHEMA)


@pytest.mark.parametrize("name", WRONG)
def test_what_no_schema_can_tell_is_refused(tmp_path: Path, name: str) -> None:
    """Everything else that is wrong is refused with its line as well."""
    text, line, what = WRONG[name]
    with pytest.raises(UsageError) as refused:
        read(tmp_path, text, V="1")
    assert f"images.yaml:{line}: " in refused.value.message
    assert what in refused.value.message


FULL: dict[str, Any] = {
    "defaults": {
        "platforms": ["linux/amd64"],
        "referrers": True,
        "tags": {"include": ["1.*"], "exclude": [7], "semver": "1.x", "latest": 5},
        "prune": True,
        "min_age_hours": 1.5,
        "foreign_layers": True,
        "as": "{tag}-mirror",
    },
    "mirrors": {"r.io": ["m.io"]},
    "images": [{"source": "r.io/a", "destination": ["r.io/b"], "mirrors": ["m.io/r"]}],
}
FULL["images"][0] |= FULL["defaults"] | {"referrers": ["application/spdx+json"]}
# What may be put in each place of it: most of these are right in one and wrong in all others.
ANYTHING: list[Any] = [
    None,
    True,
    0,
    1,
    -1,
    2.5,
    5.0,
    10**12,
    "",
    "1.x",
    "r.io/c",
    [],
    [""],
    ["1.*"],
    [7],
    [2.5],
    [None],
    [True],
]
ANYTHING += [["linux/arm64", ""], {}, [{}], {"latest": 1}, {"a": 1}]


# Refused for what a text means, which a schema has no word for.
_BY_MEANING = "is not a (platform|range|repository|registry)|matches no tag|exclude removes every tag|as '"


def places(node: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """The way to each value in a document, and to one more in each mapping."""
    if isinstance(node, dict):
        node = node | {"another": None, "x-another": None}
    for key, child in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield (*path, key)
        yield from places(child, *path, key)


@pytest.mark.parametrize("path", list(places(FULL)), ids=lambda path: ".".join(map(str, path)))
def test_schema_and_parser_agree_about_anything_anywhere(tmp_path: Path, path: tuple[Any, ...]) -> None:
    """An editor with the schema marks what imagesync refuses and nothing else, whatever stands in whichever place."""
    said: dict[str, tuple[str, list[str]]] = {}
    for value in ANYTHING:
        if (path[-1], value) == ("latest", 5.0):
            continue  # for a schema 5.0 is a whole number
        document = deepcopy(FULL)
        inner = document
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        text = json.dumps(document)
        try:
            read(tmp_path, text)
            refused = ""
        except UsageError as error:
            refused = error.message
        marked = [each.message for each in jsonschema.Draft202012Validator(SCHEMA).iter_errors(document)]
        if (refused == "") != (marked == []) and not re.search(_BY_MEANING, refused):
            said[json.dumps(value)] = (refused, marked)
    assert said == {}


def test_the_schema_is_itself_right() -> None:
    """The published schema is one."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    """Two mistakes take one run to find."""
    with pytest.raises(UsageError) as refused:
        read(tmp_path, "images:\n  - source: a\n  - destination: b\n")
    assert "images.yaml:2: an image has no destination" in refused.value.message
    assert "images.yaml:3: an image has no source" in refused.value.message


def test_each_mistake_has_a_line_of_its_own(tmp_path: Path) -> None:
    """A log shows one mistake a line, and what a misspelled key was meant to be."""
    file = tmp_path / "images.yaml"
    file.write_text(
        "default: {}\nimages:\n- source: a\n  destination: b\n  Tag: [c]\n- {source: d, destination: e, x: 1}\n"
    )
    finished = imagesync("sync", "--file", str(file))
    one, two, three, *_ = finished.err.splitlines()
    assert one == f"imagesync: {file}:1: 'default' is not known in the file: did you mean defaults?"
    assert two == f"imagesync: {file}:5: 'Tag' is not known in an image: did you mean tags?"
    assert three.startswith(f"imagesync: {file}:6: 'x' is not known in an image: it takes as, destination")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("images:\n- source:a\n  destination: b\n", "a colon takes a space"),
        ("images:\n- source: a\n destination: b\n", "begin in the same column"),
        ("images:\n- source: 'a\n", "a text in quotes has no end"),
        ("images:\n- source: @a\n", "begins with @, % or ` needs quotes"),
        ("images:\n- source: a\n  tags: [*]\n", "a text that begins with * or & needs quotes"),
        ("images:\n- source: a\n  tags: [*-rc]\n", "a text that begins with * needs quotes"),
        ("images:\n- {source: a, destination: b\n", "same column"),
    ],
)
def test_what_is_no_yaml_says_what_to_look_for(tmp_path: Path, text: str, hint: str) -> None:
    """The parser's own words do not say what somebody has to change."""
    with pytest.raises(UsageError) as refused:
        read(tmp_path, text)
    assert hint in str(refused.value)


def test_variables_come_from_the_environment(tmp_path: Path) -> None:
    """${NAME} is replaced in every text, and $${ stands for ${."""
    text = "images: [{source: 'a:${TAG}', destination: '${HOST}/a:x'}, {source: b, destination: 'oci:folder/$${x}:1'}]"
    first, second = read(tmp_path, text, TAG="1.0", HOST="r.example.com")
    assert (str(first.source), str(first.destination)) == ("docker.io/library/a:1.0", "r.example.com/a:x")
    assert second.destination.path == "folder/${x}"


def test_defaults_hold_where_nothing_is_said(tmp_path: Path) -> None:
    """An entry's own word goes before that of defaults, also where it says none."""
    text = "defaults: {platforms: [linux/arm64], referrers: true}\nimages:\n"
    text += (
        "  - {source: a, destination: r.io/a}\n  - {source: b, destination: r.io/b, platforms: [], referrers: false}\n"
    )
    first, second = (entry.selection for entry in read(tmp_path, text))
    assert (first.platforms, first.referrers) == ((parse_platform("linux/arm64"),), True)
    assert (second.platforms, second.referrers) == ((), False)


def test_a_destination_takes_over_the_tag(tmp_path: Path) -> None:
    """A destination without a tag is not latest: it is what the source is."""
    (entry,) = read(tmp_path, "images: [{source: 'busybox:1.36', destination: r.io/b}]")
    assert str(entry.destination) == "r.io/b:1.36"


def test_a_version_is_not_a_number(tmp_path: Path) -> None:
    """1.10 without quotes is the tag 1.10, not 1.1."""
    (entry,) = read(tmp_path, "images: [{source: a, destination: r.io/a, tags: [1.10]}]")
    assert entry.tags.literals == ("1.10",)


@pytest.mark.parametrize(
    "text",
    [
        "x-a: &a [1,1,1,1,1,1,1,1,1,1]\n"
        + "".join(f"x-{n}: &{n} [{','.join([f'*{p}'] * 10)}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True))
        + "images: []\n",
        "images: &a [*a]\n",
        "images: " + "[" * 100_000,
        "images: " + "[" * 900 + "]" * 900,
    ],
    ids=["bomb", "itself", "deep", "deep and closed"],
)
def test_a_hostile_file_is_refused(tmp_path: Path, text: str) -> None:
    """A few lines can neither fill the memory nor break the reader."""
    with pytest.raises(UsageError, match=r"images\.yaml"):
        read(tmp_path, text)


def test_json_has_lines_too(tmp_path: Path) -> None:
    """A JSON file, with tabs as some tools write it, is read, and its errors name their lines."""
    text = '{\n\t"images": [\n\t\t{"source": "docker.io\\/library\\/a:1"}\n\t]\n}'
    with pytest.raises(UsageError, match=r"images\.json:3: an image has no destination"):
        read(tmp_path, text, "images.json")
    with pytest.raises(UsageError, match=r"images\.json:2: "):
        read(tmp_path, '{\n"images": [}', "images.json")


@pytest.mark.parametrize(("content", "what"), [(None, "No such file"), (b"\xff\xfe", "not UTF-8")])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, what: str) -> None:
    """A file that is not there, or no text, is an error of the call that names it."""
    file = tmp_path / "images.yaml"
    if content is not None:
        file.write_bytes(content)
    finished = imagesync("sync", "--file", str(file))
    assert finished.code == 2
    assert str(file) in finished.err
    assert what in finished.err


def test_an_entry_takes_what_an_anchor_says(tmp_path: Path) -> None:
    """<<: *anchor brings in what an entry does not say itself, from one mapping or the first of several."""
    text = """
x-arm: &arm {platforms: [linux/arm64], referrers: true}
x-all: &all {<<: *arm, platforms: [linux/amd64]}
images:
  - {source: a, destination: b, <<: *arm}
  - {<<: *all, source: c, destination: d}
  - {<<: [*arm, *all], source: e, destination: f, referrers: false}
"""
    entries = read(tmp_path, text)
    found = [([str(each) for each in entry.selection.platforms], entry.selection.referrers) for entry in entries]
    assert found == [(["linux/arm64"], True), (["linux/amd64"], True), (["linux/arm64"], False)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("images: [{<<: 1, source: a, destination: b}]", "images.yaml:1: << takes a mapping"),
        ("images:\n- {<<: [[1]], source: a, destination: b}", "images.yaml:2: << takes a mapping"),
        ("images: [{<<: *no, source: a, destination: b}]", "no anchor &no"),
        ("x-a: &a {b: *a}\nimages: []", "no anchor &a"),
        ("x-a: &a {sauce: 1}\nimages:\n- {<<: *a, source: a, destination: b}", "images.yaml:1: 'sauce' is not known"),
        ("images: [{source: a, source: b, destination: c}]", "second time"),
    ],
)
def test_an_anchor_that_is_wrong_is_told(tmp_path: Path, text: str, why: str) -> None:
    """What cannot be merged is an error with its line; what was merged is checked like all else."""
    with pytest.raises(UsageError, match=why):
        read(tmp_path, text)


def test_aliases_blow_nothing_up(tmp_path: Path) -> None:
    """Aliases of aliases, in lists or merged, are refused before they take memory or depth."""
    laughs = "x-0: &a0 [x, x]\n" + "".join(f"x-{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 25))
    deep = "x-0: &a0 [x]\n" + "".join(f"x-{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 40))
    for text, why in ((laughs, "much larger"), (deep, "too deep")):
        with pytest.raises(UsageError, match=why):
            read(tmp_path, f"{text}images: []\n")

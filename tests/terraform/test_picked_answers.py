"""What `imagesync external` answers to entries with rules: the images that they pick, or why there is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagesync_cli.settings import Settings
from imagesync_cli.stores.session import run
from imagesync_cli.terraform import answer, read_query
from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.faults import Fault, refusal
from tests.embedded_registry.images import image, index
from tests.embedded_registry.wire import json_response

SIGNATURE, FALLBACK = f"sha256-{'1' * 64}.sig", f"sha256-{'2' * 64}"
TAGS = ("1.25.0", "1.26.0", "1.27.0", "1.27.0-rc.1", "Odd_Tag-1", "latest", SIGNATURE, FALLBACK)


@pytest.fixture
def registry() -> Iterator[EmbeddedRegistry]:
    """A registry whose repository app has TAGS, all of one image."""
    with EmbeddedRegistry() as running:
        image().seed(running.repository("app"), *TAGS)
        yield running


def ask(images: dict[str, Any], deadline_s: float = 30, **more: str) -> dict[str, dict[str, Any]]:
    query = read_query(json.dumps({"images": json.dumps(images)} | more))
    settings = Settings(external_timeout_s=deadline_s)
    references = [image.reference for image in query.sound.values()]
    found = json.loads(run(settings, references, lambda stores: answer(query, stores, settings)))
    return {key: json.loads(value) for key, value in found.items()}


def picked(told: dict[str, dict[str, Any]], key: str = "mirror") -> list[str]:
    return [each["tag"] for each in told[key]["picked"]]


def ruled(registry: EmbeddedRegistry, **tags: object) -> dict[str, Any]:
    return {"reference": f"{registry.host}/app", "tags": tags}


def test_each_picked_tag_is_answered_under_its_own_key(registry: EmbeddedRegistry) -> None:
    """The entry says what is picked, the newest first, and each image has the answer of a plain entry."""
    told = ask({"mirror": ruled(registry, semver=">=1.26"), "mirror:plain": f"{registry.host}/app:1.27.0"})
    assert told["mirror"]["picked"] == [
        {"tag": tag, "key": f"mirror:{tag}", "source": f"{registry.host}/app:{tag}"} for tag in ("1.27.0", "1.26.0")
    ]
    assert told["mirror:1.27.0"] == told["mirror:plain"]
    assert set(told) == {"mirror", "mirror:plain", "mirror:1.27.0", "mirror:1.26.0"}
    methods = sorted(f"{each.method} {each.path}" for each in registry.requests)
    assert methods == ["GET /v2/app/tags/list", "HEAD /v2/app/manifests/1.26.0", "HEAD /v2/app/manifests/1.27.0"]


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        ({"include": ["*"]}, ["1.27.0", "1.27.0-rc.1", "1.26.0", "1.25.0", "Odd_Tag-1", "latest"]),
        ({"exclude": ["*rc*", "/^[a-z]/"]}, ["1.27.0", "1.26.0", "1.25.0", "Odd_Tag-1"]),
        ({"latest": 1, "exclude": ["*-rc*"]}, ["1.27.0"]),
        ({"latest": 1, "each_variant": True, "semver": "1.x"}, ["1.27.0"]),
        (
            {"include": ["/^Odd_/", "1.25.0"], "semver": None, "latest": None, "each_variant": None},
            ["1.25.0", "Odd_Tag-1"],
        ),
        ({"include": ["/_/"], "exclude": []}, ["Odd_Tag-1"]),
    ],
)
def test_rules_are_those_of_a_file_of_images(registry: EmbeddedRegistry, tags: Any, wanted: list[str]) -> None:
    """Signatures and lists of referrers are never picked; null is a rule that is not there."""
    assert picked(ask({"mirror": ruled(registry, **tags)})) == wanted


def test_tags_that_are_all_named_need_no_list(registry: EmbeddedRegistry) -> None:
    """They are asked for by name; one that is not there is that image's error, as an entry of its own would be."""
    told = ask({"mirror": ruled(registry, include=["1.26.0", "9.9"])})
    assert [told[f"mirror:{tag}"]["kind"] for tag in picked(told)] == ["", "missing"]
    assert {each.method for each in registry.requests} == {"HEAD"}


def test_one_list_for_all_rules_of_a_repository(registry: EmbeddedRegistry) -> None:
    """Two entries of one repository ask for its tags once."""
    ask({"a": ruled(registry, latest=1), "b": ruled(registry, latest=2), ":": ruled(registry, semver="1.25")})
    assert [each.path for each in registry.requests].count("/v2/app/tags/list") == 1


def test_the_prefix_itself(registry: EmbeddedRegistry) -> None:
    """The key ":" gives the keys of tags right below the prefix."""
    told = ask({":": ruled(registry, semver="1.25")})
    assert told[":"]["picked"][0]["key"] == ":1.25.0"
    assert told[":1.25.0"]["digest"] == image().digest


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({"semver": ">=9"}, "the rules pick none of the 8 tags of {}/app (imagesync tags --explain {}/app tells why"),
        ({"include": ["1.*", "no-such"]}, "{}/app has no tag no-such (it is named in tags)"),
    ],
)
def test_nothing_is_picked(registry: EmbeddedRegistry, tags: Any, why: str) -> None:
    """It is refused, and not missing: nothing that a policy for missing sources could go on with."""
    told = ask({"mirror": ruled(registry, **tags)})
    assert (told["mirror"]["kind"], told["mirror"]["error"], picked(told)) == ("", "", [])
    (refused,) = told["mirror"]["refused"]
    assert refused.startswith(why.format(registry.host, registry.host))


@pytest.mark.parametrize(
    ("image_", "why"),
    [
        ({"tags": {}}, 'tags: tags has no rules: ["*"] picks every tag'),
        ({"tags": {"include": [], "latest": None}}, "tags: tags has no rules"),
        ({"tags": {"latest": 0}}, "tags: latest is 0 (it takes a number of tags, at least 1)"),
        ({"tags": {"latest": -1}}, "tags: latest is -1"),
        ({"tags": {"latest": 1.5}}, "tags: latest is 1.5 (tags are like"),
        ({"tags": {"latest": True}}, "tags: latest is True (tags are like"),
        ({"tags": {"include": ["/(/"]}}, "tags: /(/ is not a regular expression"),
        ({"tags": {"include": ["/(a+)+$/"] * 2 + [1]}}, "tags: include is ["),
        ({"tags": {"semver": "newest"}}, "tags: 'newest' is not a range of versions"),
        ({"tags": {"include": ["a b"]}}, "tags: 'a b' matches no tag"),
        ({"tags": {"include": ["1"], "exclude": ["1"]}}, "tags: exclude removes every tag"),
        ({"tags": {"each_variant": True, "semver": "1"}}, "tags: each_variant goes with latest"),
        ({"tags": {"sem_ver": "1"}}, "tags take include, exclude, semver, latest, each_variant"),
        ({"tags": ["1.*"]}, "tags take include, exclude, semver, latest, each_variant"),
        ({"reference": "app:1", "tags": {"latest": 1}}, "app:1 names an image, and tags pick images"),
        ({"reference": f"app@{image().digest}", "tags": {"latest": 1}}, f"app@{image().digest} names an image"),
        ({"reference": "app:latest", "tags": {"latest": 1}}, "app:latest names an image"),
        ({"reference": "APP", "tags": {"latest": 1}}, "reference 'APP': repository 'library/APP' must be lower case"),
    ],
)
def test_rules_that_make_no_sense(image_: dict[str, Any], why: str) -> None:
    """Nobody is asked, and the entry says what is wrong."""
    told = ask({"mirror": {"reference": "app"} | image_})
    assert (told["mirror"]["kind"], "picked" in told["mirror"]) == ("invalid", False)
    assert told["mirror"]["error"].startswith(why)


@pytest.mark.parametrize(
    ("fault", "kind"), [(refusal(404, "NAME_UNKNOWN"), "missing"), (refusal(403, "DENIED"), "denied")]
)
def test_tags_that_cannot_be_listed(registry: EmbeddedRegistry, fault: Fault, kind: str) -> None:
    """Why is told by kind, for each entry of the repository, and other entries are answered."""
    registry.fault = lambda request: fault if request.path.endswith("/tags/list") else None
    told = ask({"mirror": ruled(registry, latest=1), "other": f"{registry.host}/app:1.25.0"})
    assert (told["mirror"]["kind"], told["mirror"]["digest"], picked(told)) == (kind, "", [])
    assert told["mirror"]["error"].startswith(f"listing the tags of {registry.host}/app")
    assert told["other"]["digest"] == image().digest


def test_a_list_that_takes_too_long(registry: EmbeddedRegistry) -> None:
    """The entry is unreachable in time, and the others are answered."""
    busy = refusal(503, "BUSY", {"Retry-After": "9"})
    registry.fault = lambda request: busy if request.path.endswith("/tags/list") else None
    told = ask({"mirror": ruled(registry, latest=1), "other": f"{registry.host}/app:1.25.0"}, deadline_s=0.3)
    assert told["mirror"]["kind"] == "unreachable"
    assert "no answer within 0." in told["mirror"]["error"]  # what is left of 0.3 s
    assert told["other"]["digest"] == image().digest


def test_lists_that_take_too_long_are_in_nobodys_way(registry: EmbeddedRegistry) -> None:
    """However many repositories do not answer, the one that does is listed."""
    busy = refusal(503, "BUSY", {"Retry-After": "9"})
    registry.fault = lambda request: busy if "/busy/" in request.path else None
    slow = {f"busy-{number}": {"reference": f"{registry.host}/busy/{number}"} for number in range(80)}
    told = ask(
        {key: each | {"tags": {"latest": 1}} for key, each in slow.items()} | {"mirror": ruled(registry, latest=1)}, 2
    )
    assert {told[key]["kind"] for key in slow} == {"unreachable"}
    assert picked(told) == ["1.27.0"], told["mirror"]


def test_an_image_that_is_an_entry_too(registry: EmbeddedRegistry) -> None:
    """Both keys are one object to Terraform, so neither is taken for the other: it is refused."""
    told = ask({"mirror": ruled(registry, latest=1, exclude=["*rc*"]), "mirror:1.27.0": f"{registry.host}/app:latest"})
    assert told["mirror:1.27.0"]["refused"] == [
        'the tags of images["mirror"] pick mirror:1.27.0 as well: let them exclude it, or remove this entry.'
    ]


def test_no_more_images_than_anybody_means(registry: EmbeddedRegistry) -> None:
    """A repository that has thousands of tags that match is refused before any of them is asked for."""
    tags = [f"1.{number}" for number in range(1001)]
    registry.fault = lambda _: Fault(answer=json_response(200, {"name": "app", "tags": tags}))
    told = ask({"mirror": ruled(registry, semver="1.x")})
    (refused,) = told["mirror"]["refused"]
    assert refused.startswith("its tags pick 1001 images, and an entry takes 1000 at most (narrow them by semver")
    assert len(registry.requests) == 1


@pytest.mark.parametrize(
    "evil", ["../../other:1", "1.0 --overwrite", "1.0\n2", "1.0@sha256:1", "a/b", "${x}", "-1", "ä"]
)
def test_tags_that_are_none_are_left_out(registry: EmbeddedRegistry, evil: str) -> None:
    """What a registry lists becomes a key and an argument only if it is a tag."""
    registry.fault = lambda request: (
        Fault(answer=json_response(200, {"name": "app", "tags": [evil, "1.0"]})) if request.method == "GET" else None
    )
    assert picked(ask({"mirror": ruled(registry, include=["*"])})) == ["1.0"]


def test_rules_for_sources_hold_for_each_tag(registry: EmbeddedRegistry) -> None:
    """A pattern with a tag allows some of the picked tags, and require_digest none of them."""
    rules = {"allowed_sources": [f"{registry.host}/app:1.27.*"], "require_digest": False}
    images = {"mirror": ruled(registry, semver=">=1.26")}
    found = ask(images, rules=json.dumps(rules))
    assert [found[f"mirror:{tag}"]["refused"] == [] for tag in ("1.27.0", "1.26.0")] == [True, False]


def test_platforms_are_those_of_the_entry(tmp_path: Path) -> None:
    """Each picked image is answered with what of it is wanted."""
    made = index("app", platforms=("linux/amd64", "linux/s390x"))
    layout = f"oci:{made.write_layout(tmp_path / 'layout', '1.0')}"
    images = {"mirror": {"reference": layout, "platforms": ["linux/s390x"], "tags": {"include": ["*"]}}}
    assert ask(images)["mirror:1.0"]["digest"] == made.children[1]


def test_a_lock_tells_the_tags(registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """With a lock nobody is asked: the rules pick from what is locked, at the digests that it has."""
    file = tmp_path / "images.json"
    entry = {"source": f"{registry.host}/app", "destination": "mirror.example/app", "tags": {"semver": ">=1.26"}}
    file.write_text(json.dumps({"images": [entry]}))
    assert imagesync("lock", "--file", str(file)).code == 0
    registry.clear_requests()

    def locked(lock: str) -> Any:
        return ask({"mirror": ruled(registry, semver=">=1.25", latest=1)}, lock_file=lock)

    told = locked(str(tmp_path / "images.lock.json"))
    assert picked(told) == ["1.27.0"]
    assert told["mirror:1.27.0"]["digest"] == image().digest
    assert registry.requests == []
    assert "there is no lock" in locked(str(tmp_path / "no.json"))["mirror"]["error"]

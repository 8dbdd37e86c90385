"""Names in layouts, archives and locks that are no tags: they become no part of a URL, whatever command reads them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from imagesync_cli.values.digest import digest_tag
from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import image
from tests.repo.checkout import PACKAGE
from tests.stores.files.tars import layout_members, write_tar

OURS, VICTIM, EVIL = image("ours"), image("victim"), image("evil")
ABOUT = digest_tag(OURS.digest)
HOSTILE = [
    "../../../victim/app/manifests/latest",
    "v1.0/../../../../victim/app/manifests/latest",
    "v1.0/../../../victim/app/manifests/latest",
    "v1.0%2f..%2f..%2f..%2fvictim%2fapp%2fmanifests%2flatest",
    "v1.0?x=/../../../victim/app/manifests/latest",
    "v1.0#/../../../victim/app/manifests/latest",
    "v1.0\\..\\..\\..\\victim\\app\\manifests\\latest",
    "v1.0\r\nX-Evil: 1",
    "v1.0 latest",
    "v1." + "0" * 126,
    "v1.ü",
    "v1.\u0660",
    f"{ABOUT}.x/../../../../victim/app/manifests/latest",
    f"{ABOUT}.sig/../../../victim/app/manifests/latest",
    f"v1.0@{EVIL.digest}",
]


@pytest.fixture
def victim(registry: EmbeddedRegistry) -> EmbeddedRegistry:
    """A registry with somebody else's image."""
    VICTIM.seed(registry.repository("victim/app"), "latest")
    return registry


def hostile(place: Path, form: str, names: list[str]) -> str:
    """A layout with our image as v1.1, and another one under each of these names."""
    members = layout_members({"v1.1": OURS, **dict.fromkeys(names, EVIL)})
    if form == "oci-archive":
        return f"oci-archive:{write_tar(place / 'images.tar', members)}"
    for name, content in members:
        (place / "layout" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "layout" / name).write_bytes(content)
    return f"oci:{place / 'layout'}"


def batch(place: Path, source: str, destination: str, **more: object) -> str:
    file = place / "images.json"
    file.write_text(json.dumps({"images": [{"source": source, "destination": destination, **more}]}))
    return str(file)


def tags(registry: EmbeddedRegistry, name: str) -> dict[str, str]:
    return dict(registry.repository(name).tags)


@pytest.mark.parametrize("form", ["oci", "oci-archive"])
@pytest.mark.parametrize("rules", [["*"], ["v1.*"], ["/.*/"], {"exclude": ["none"]}])
def test_rules_pick_tags_alone(victim: EmbeddedRegistry, tmp_path: Path, form: str, rules: object) -> None:
    """Rules that match anything pick what is a tag; the rest is named on stderr, and no request has it in its path."""
    source = hostile(tmp_path, form, HOSTILE)
    finished = imagesync(
        "sync", "--file", batch(tmp_path, source, f"{victim.host}/ours/app", tags=rules, referrers=True)
    )
    assert finished.code == 0, finished.err
    assert finished.err.count("is not a tag: left out") >= len(HOSTILE) - 1
    assert tags(victim, "ours/app") == {"v1.1": OURS.digest}
    assert tags(victim, "victim/app") == {"latest": VICTIM.digest}
    assert not [request for request in victim.requests if "victim" in request.path or "%" in request.path]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_companion_is_a_tag(victim: EmbeddedRegistry, tmp_path: Path, name: str) -> None:
    """What is said to be attached to an image by a name that is no tag is not attached to it."""
    source = hostile(tmp_path, "oci", [name])
    finished = imagesync("sync", "--referrers", f"{source}:v1.1", f"{victim.host}/ours/app:1")
    assert finished.code == 0, finished.err
    assert tags(victim, "ours/app") == {"1": OURS.digest}
    assert tags(victim, "victim/app") == {"latest": VICTIM.digest}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_lock_names_tags(victim: EmbeddedRegistry, tmp_path: Path, name: str) -> None:
    """A lock that somebody has changed picks nothing that is no tag."""
    source = hostile(tmp_path, "oci", [name])
    file = batch(tmp_path, source, f"{victim.host}/ours/app", tags=["*"])
    assert imagesync("lock", "--file", file).code == 0
    lock = tmp_path / "images.lock.json"
    document = json.loads(lock.read_text())
    (told,) = document["images"].values()
    document["images"][f"{source}:{name}"] = {**told, "digest": EVIL.digest}
    lock.write_text(json.dumps(document))
    finished = imagesync("sync", "--file", file, "--locked")
    assert "Traceback" not in finished.err
    assert tags(victim, "victim/app") == {"latest": VICTIM.digest}
    assert set(tags(victim, "ours/app")) <= {"v1.1"}


@pytest.mark.parametrize("form", ["oci", "oci-archive"])
def test_tags_lists_what_can_be_asked_for(tmp_path: Path, form: str) -> None:
    """``tags`` prints no name that a reference cannot have."""
    finished = imagesync("tags", hostile(tmp_path, form, HOSTILE))
    assert finished.code == 0, finished.err
    assert "v1.1" in finished.out.split()
    for name in finished.out.splitlines():
        assert re.fullmatch(r"[A-Za-z0-9_.:@/-]+", name), name


def test_prune_of_a_folder_with_strange_names(tmp_path: Path) -> None:
    """A name that is no tag is not removed, and what it names stays whole."""
    folder = hostile(tmp_path, "oci", HOSTILE[:2])
    source = OURS.write_layout(tmp_path / "source", "v1.1")
    finished = imagesync("sync", "--file", batch(tmp_path, f"oci:{source}", folder, tags=["*"], prune=True))
    assert finished.code == 0, finished.err
    entries = json.loads((tmp_path / "layout" / "index.json").read_text())["manifests"]
    assert len(entries) == 3
    assert imagesync("check", "--deep", f"{folder}@{EVIL.digest}", f"{folder}@{EVIL.digest}").code == 0


@pytest.mark.parametrize("name", HOSTILE)
def test_a_reference_takes_no_such_name(name: str) -> None:
    """A name that is no tag is refused where a reference is made of it."""
    from imagesync_cli.values.errors import UsageError
    from imagesync_cli.values.reference import parse_reference

    for reference in (parse_reference("registry.example.com/app:1"), parse_reference("oci:folder")):
        with pytest.raises(UsageError):
            reference.at(tag=name)
        with pytest.raises(UsageError):
            reference.at(digest=name)


def test_names_are_made_where_they_are_parsed() -> None:
    """Only the modules that hold the grammar make tags, digests and repositories of texts."""
    makers = re.compile(r"(?<![\w\"])(?:Tag|Digest|RepositoryName|ImageName)\(")
    found = {
        path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if makers.search(path.read_text("utf-8"))
    }
    assert found == {"values/digest.py", "values/names.py", "values/reference.py"}

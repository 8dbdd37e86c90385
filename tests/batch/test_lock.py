"""The lock: what it holds, what --locked makes of it, and how --check and min_age_hours tell what has moved."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from imagesync_cli.look import lockfile
from imagesync_cli.look.lockfile import read_lock
from imagesync_cli.stores import Store, Stores
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.reference import Reference, parse_reference
from tests.batch.conftest import Bench
from tests.embedded_registry.images import image, index


def locked(bench: Bench) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bench.lock_file.read_text())["images"]
    return found


def test_a_lock_says_what_is_there(bench: Bench) -> None:
    """Each reference is locked at its digest, with the bytes it is made of, its platforms and the date."""
    made = {"index": bench.seed("app", "index", index(layers=2)), "one": bench.seed("app", "one")}
    bench.write(bench.entry("app", "one"), bench.entry("app", "index"))
    finished = bench.lock()
    assert finished.code == 0, finished.err
    lock = locked(bench)
    assert list(lock) == sorted(lock)
    for tag, image_ in made.items():
        found = lock[f"{bench.up.host}/app:{tag}"]
        assert (found["digest"], found["size"]) == (image_.digest, image_.size_bytes)
        assert found["date"].endswith("Z")
    assert locked(bench)[f"{bench.up.host}/app:one"]["platforms"] == ["linux/amd64"]
    assert len(lock[f"{bench.up.host}/app:index"]["platforms"]) == 6


def test_locking_again_is_a_head_each(bench: Bench) -> None:
    """A lock that is still right costs one HEAD an image and stays as it is, byte for byte."""
    for number in range(5):
        bench.seed("app", str(number), index(number))
    bench.write(*(bench.entry("app", str(number)) for number in range(5)))
    bench.lock()
    before = bench.lock_file.read_bytes()
    bench.clear()
    assert bench.lock().code == 0
    assert bench.lock_file.read_bytes() == before
    assert sorted(bench.asked()) == [f"HEAD /v2/app/manifests/{number}" for number in range(5)]


def test_locked_copies_what_was_locked(bench: Bench) -> None:
    """A source that has moved since changes nothing: the locked digest arrives, and no tag list is asked for."""
    old = bench.seed("app", "1.0")
    bench.write(bench.entry("app", tags=["1.*"]))
    bench.lock()
    bench.seed("app", "1.0", image("new"))
    bench.seed("app", "1.1")
    bench.clear()
    finished = bench.sync("--locked")
    assert finished.code == 0, finished.err
    assert bench.tags("app") == {"1.0": old.digest}
    assert not [line for line in bench.asked() if "tags/list" in line]


def test_locked_asks_the_source_nothing_where_all_is_there(bench: Bench) -> None:
    """A second locked run is one HEAD at the destination for each image."""
    bench.seed("app", "1.0")
    bench.write(bench.entry("app", "1.0"))
    bench.lock()
    bench.sync("--locked")
    bench.clear()
    assert bench.sync("--locked").code == 0
    assert bench.asked() == ["HEAD /v2/app/manifests/1.0"]


def test_what_the_lock_lacks_stops_everything(bench: Bench) -> None:
    """An image that is in the file and not in the lock fails the run before anything is written."""
    bench.seed("a", "1")
    bench.write(bench.entry("a", "1"))
    bench.lock()
    bench.seed("b", "1")
    bench.write(bench.entry("a", "1"), bench.entry("b", "1"))
    finished = bench.sync("--locked")
    assert finished.code == 2
    assert f"the lock has no {bench.up.host}/b:1" in finished.err
    assert bench.tags("a") == {}


def test_check_tells_what_has_moved(bench: Bench) -> None:
    """--check exits with 0 while nothing has moved, and with 8 and the names when something has; it writes nothing."""
    bench.seed("app", "1")
    bench.write(bench.entry("app", "1"))
    bench.lock()
    before = bench.lock_file.read_bytes()
    assert bench.lock("--check").code == 0
    moved = bench.seed("app", "1", image("new"))
    finished = bench.lock("--check")
    assert finished.code == 8
    assert f"moved: {bench.up.host}/app:1" in finished.out
    assert moved.digest in finished.out
    assert bench.lock_file.read_bytes() == before


def test_check_sees_what_came_and_went(bench: Bench) -> None:
    """A new tag that a rule picks, and an entry that left the file, are differences too."""
    bench.seed("app", "1.0")
    bench.write(bench.entry("app", tags=["1.*"]))
    bench.lock()
    bench.seed("app", "1.1")
    finished = bench.lock("--check")
    assert (finished.code, "new: " in finished.out) == (8, True)
    bench.write()
    finished = bench.lock("--check")
    assert (finished.code, "gone: " in finished.out) == (8, True)


def test_a_young_digest_waits(bench: Bench) -> None:
    """With min_age_hours a moved tag keeps its old digest until the new one has been known that long."""
    old = bench.seed("app", "1")
    bench.write(bench.entry("app", "1", min_age_hours=24))
    bench.lock()
    new, name = bench.seed("app", "1", image("new")), f"{bench.up.host}/app:1"
    assert bench.lock("--check").code == 8
    assert bench.lock().code == 0
    assert (locked(bench)[name]["digest"], locked(bench)[name]["pending"]["digest"]) == (old.digest, new.digest)
    assert bench.lock("--check").code == 0
    bench.sync("--locked")
    assert bench.tags("app") == {"1": old.digest}
    text = bench.lock_file.read_text()
    seen = locked(bench)[name]["pending"]["first_seen"]
    bench.lock_file.write_text(text.replace(seen, "2020-01-01T00:00:00Z"))
    assert bench.lock("--check").code == 8
    assert bench.lock().code == 0
    assert (locked(bench)[name]["digest"], "pending" in locked(bench)[name]) == (new.digest, False)


def test_a_digest_of_the_future_says_so(bench: Bench) -> None:
    """What a clock that was ahead has written would wait for years: the log says what to do, and nothing is hurried."""
    bench.seed("app", "1")
    bench.write(bench.entry("app", "1", min_age_hours=24))
    bench.lock()
    new, name = bench.seed("app", "1", image("new")), f"{bench.up.host}/app:1"
    bench.lock()
    text = bench.lock_file.read_text()
    bench.lock_file.write_text(text.replace(locked(bench)[name]["pending"]["first_seen"], "2999-01-01T00:00:00Z"))
    finished = bench.lock()
    assert f"{new.digest} was first seen at 2999-01-01T00:00:00Z, says the lock" in finished.err
    assert "check the clock" in finished.err
    assert locked(bench)[name]["pending"]["first_seen"] == "2999-01-01T00:00:00Z"


def test_a_digest_that_moves_on_waits_anew(bench: Bench) -> None:
    """A tag that moves twice has to wait for its last digest, from when that one was seen."""
    bench.seed("app", "1")
    bench.write(bench.entry("app", "1", min_age_hours=24))
    bench.lock()
    bench.seed("app", "1", image("second"))
    bench.lock()
    text, name = bench.lock_file.read_text(), f"{bench.up.host}/app:1"
    bench.lock_file.write_text(text.replace(locked(bench)[name]["pending"]["first_seen"], "2020-01-01T00:00:00Z"))
    third = bench.seed("app", "1", image("third"))
    bench.lock()
    pending = locked(bench)[name]["pending"]
    assert pending["digest"] == third.digest
    assert pending["first_seen"] > "2020-01-02"


def test_what_cannot_be_read_keeps_its_place(bench: Bench) -> None:
    """An image that is unreachable while the rest is locked anew stays in the lock, and the exit code says so."""
    for name in ("a", "b"):
        bench.seed(name, "1")
    bench.write(bench.entry("a", "1"), bench.entry("b", "1"), bench.entry("c", tags=["*"]))
    bench.seed("c", "x")
    bench.lock()
    before = locked(bench)
    new = bench.seed("a", "1", image("new"))
    bench.up.repository("b").tags.clear()
    bench.up.repository("c").tags.clear()
    finished = bench.lock()
    assert finished.code == 3
    after = locked(bench)
    assert after[f"{bench.up.host}/a:1"]["digest"] == new.digest
    assert {name: after[name] for name in before if "/a:" not in name} == {
        name: found for name, found in before.items() if "/a:" not in name
    }


def test_platforms_are_locked(bench: Bench) -> None:
    """Where the file chooses platforms, the lock has the digest of what arrives, and counts its bytes alone."""
    bench.seed("app", "1", index(layers=3))
    bench.write(bench.entry("app", "1", platforms=["linux/arm64", "linux/amd64"]))
    bench.lock()
    (found,) = locked(bench).values()
    assert found["platforms"] == ["linux/amd64", "linux/arm64"]
    assert list(found["selected"]) == ["linux/amd64,linux/arm64"]
    assert bench.sync("--locked").code == 0
    assert bench.tags("app") == {"1": found["selected"]["linux/amd64,linux/arm64"]}
    bench.write(bench.entry("app", "1", platforms=["linux/amd64"]))
    assert bench.lock("--check").code == 8


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 2, "images": {}}', '{"version": 1, "images": {"a:1": {"digest": "x"}}}']
)
def test_what_is_no_lock_is_refused(bench: Bench, text: str) -> None:
    """A lock that is damaged, or of a later version, is an error that names it; nothing is written."""
    bench.seed("app", "1")
    bench.write(bench.entry("app", "1"))
    bench.lock_file.write_text(text)
    for finished in (bench.sync("--locked"), bench.lock()):
        assert finished.code == 2
        assert str(bench.lock_file) in finished.err
    assert bench.lock_file.read_text() == text
    assert bench.tags("app") == {}


def test_a_lock_that_is_not_there(bench: Bench) -> None:
    """--locked without a lock says how to make one."""
    bench.write(bench.entry("app", "1"))
    finished = bench.sync("--locked")
    assert finished.code == 2
    assert "imagesync lock writes it" in finished.err


def conflicting(ours: str, theirs: str, base: str | None = None) -> str:
    """What git leaves in a file that both sides have changed."""
    middle = f"||||||| base\n{base}" if base is not None else ""
    return f"<<<<<<< HEAD\n{ours}{middle}=======\n{theirs}>>>>>>> other\n"


@pytest.mark.parametrize("base", [None, '      "size": 1,\n'])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_lock_that_git_could_not_merge(bench: Bench, ending: str, base: str | None) -> None:
    """With both sides of a merge in it, a lock is refused where it decides; lock writes it anew, from our side."""
    bench.seed("app", "one")
    bench.write(bench.entry("app", "one"))
    assert bench.lock().code == 0
    right = bench.lock_file.read_text()
    size = next(line for line in right.splitlines(keepends=True) if '"size"' in line)
    conflict = right.replace(size, conflicting(size, '      "size": 2,\n', base)).replace("\n", ending)
    bench.lock_file.write_bytes(conflict.encode())
    refused = bench.sync("--locked")
    assert (refused.code, "imagesync lock repairs it" in refused.err) == (2, True)
    assert bench.lock().code == 0
    assert bench.lock_file.read_text() == right


@pytest.mark.parametrize("host", ["docker.io/", "", "index.docker.io/library/", "registry.hub.docker.com/"])
def test_a_lock_has_one_spelling(tmp_path: Path, host: str) -> None:
    """However a file or a lock spells an image or a platform, the other finds it."""
    digest = f"sha256:{'a' * 64}"
    path = tmp_path / "images.lock.json"
    told = {"digest": digest, "size": 1, "platforms": [], "date": "", "selected": {"linux/x86_64": digest}}
    path.write_text(json.dumps({"version": 1, "images": {f"{host}busybox:1.36": told}}))
    lock = read_lock(path)
    for spelled in ("busybox:1.36", "docker.io/library/busybox:1.36", "registry.hub.docker.com/library/busybox:1.36"):
        found = lock.find(parse_reference(spelled))
        assert found is not None
        assert found.selected == {"linux/amd64": digest}
    assert lock.tags(parse_reference("index.docker.io/busybox")) == ["1.36"]


@pytest.mark.parametrize(
    "changed",
    [
        {"images": {"docker.io/library/EVILHOST/app:2": {}}},
        {"images": {"oci:a:../x": {}}},
        {"images": {"h.example/a:1": {"digest": "sha256:../../x"}}},
        {"images": {"h.example/a:1": {"selected": {"linux/amd64": "../x"}}}},
        {"images": {"h.example/a:1": {"selected": {"../x": f"sha256:{'a' * 64}"}}}},
    ],
)
def test_a_lock_that_names_what_is_none(tmp_path: Path, changed: dict[str, Any]) -> None:
    """A lock whose references, digests or platforms are none is refused."""
    told = {"digest": f"sha256:{'a' * 64}", "size": 1, "platforms": [], "date": ""}
    images = {name: {**told, **image} for name, image in changed["images"].items()}
    (tmp_path / "lock.json").write_text(json.dumps({"version": 1, "images": images}))
    name = next(iter(images))
    if name == "oci:a:../x":  # a folder's name may hold a colon: no tag is read from it
        assert read_lock(tmp_path / "lock.json").tags(parse_reference("oci:a")) == []
        return
    with pytest.raises(UsageError, match="is not a lock"):
        read_lock(tmp_path / "lock.json")


def test_a_lock_is_searched_by_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each name in a lock is read once, however many entries and folders ask for their tags."""
    names, read = [f"r.example/team/{number}:1" for number in range(100)], list[str]()
    locked = lockfile.Locked("", 0, (), "")
    lock = lockfile.Lock(dict.fromkeys([*names, f"r.example/by/digest@sha256:{64 * '0'}"], locked))
    sources = list(map(parse_reference, names))

    def counted(text: str) -> Reference:
        read.append(text)
        return parse_reference(text)

    monkeypatch.setattr(lockfile, "parse_reference", counted)
    assert [lock.tags(source) for source in sources] == [["1"]] * len(sources)
    assert len(lock.repositories("r.example")) == len(sources) + 1
    assert len(read) == len(lock.images)


def test_a_lock_of_many_images_begins_few_at_a_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that is not looked at yet takes no memory but that of its entry."""
    image("app").seed(bench.up.repository("app"), *map(str, range(300)))
    bench.write(*(bench.entry("app", str(number)) for number in range(300)))
    tasks, open_store = list[int](), Stores.open

    def counted(self: Stores, *given: Any, **more: Any) -> Store:
        tasks.append(len(asyncio.all_tasks()))
        return open_store(self, *given, **more)

    monkeypatch.setattr(Stores, "open", counted)
    assert bench.lock().code == 0
    assert max(tasks) < 200

"""OCI layout folders as source and destination: complete files or none, no lost tag, and nothing hostile followed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.command import IMAGESYNC, Finished, environment, imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.faults import flip_bit
from tests.embedded_registry.images import OCI_INDEX, Image, image, index, index_of
from tests.stores.copying import always, blob

TAG = "org.opencontainers.image.ref.name"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "layout"


def sync(source: object, destination: object, *options: str) -> Finished:
    return imagesync("sync", f"{source}", f"{destination}", *options)


def tags(folder: Path) -> dict[str, str]:
    entries = json.loads((folder / "index.json").read_text())["manifests"]
    return {entry["annotations"][TAG]: entry["digest"] for entry in entries}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write(folder: Path, made: Image) -> Path:
    return made.write_layout(folder, "1")


@pytest.mark.parametrize("tag", ["", ":latest"])
def test_no_tag(folder: Path, tmp_path: Path, tag: str) -> None:
    """Without a tag the destination's is latest, and the source is its only image."""
    write(tmp_path / "source", image())
    assert sync(f"oci:{tmp_path / 'source'}", f"oci:{folder}{tag}").code == 0
    assert tags(folder) == {"latest": image().digest}


def test_tags_beside_each_other(folder: Path, tmp_path: Path) -> None:
    """A new tag leaves the others, and a tag that is written again moves."""
    for name, tag in (("a", "1"), ("b", "2"), ("c", "1")):
        write(tmp_path / name, index(name))
        assert sync(f"oci:{tmp_path / name}", f"oci:{folder}:{tag}").code == 0
    assert tags(folder) == {"2": index("b").digest, "1": index("c").digest}


def test_many_images_share_their_blobs(folder: Path, tmp_path: Path) -> None:
    """What two images have in common lies in the folder once, and the second one does not write it again."""
    common, other = image("common"), image("other")
    first, second = index_of({"linux/amd64": common, "linux/arm64": other}), index_of({"linux/amd64": common})
    write(tmp_path / "a", first)
    write(tmp_path / "b", second)
    assert sync(f"oci:{tmp_path / 'a'}", f"oci:{folder}:1").code == 0
    shared = [folder / "blobs" / digest.replace(":", "/") for digest in common.blobs]
    before, written = files(folder / "blobs").keys(), [path.stat().st_mtime_ns for path in shared]
    assert sync(f"oci:{tmp_path / 'b'}", f"oci:{folder}:2").code == 0
    assert files(folder / "blobs").keys() - before == {second.digest.replace(":", "/")}
    assert [path.stat().st_mtime_ns for path in shared] == written


def test_which_image(folder: Path, tmp_path: Path) -> None:
    """Of several images without a tag to choose, none is guessed; the message names the tags."""
    for tag in ("1", "2"):
        write(tmp_path / tag, image(tag))
        sync(f"oci:{tmp_path / tag}", f"oci:{folder}:{tag}")
    finished = sync(f"oci:{folder}", f"oci:{tmp_path / 'new'}")
    assert finished.code == 3
    assert "which image?" in finished.err
    assert "1, 2" in finished.err


@pytest.mark.parametrize(
    ("names", "code", "said"),
    [
        (["t", "t"], 0, ""),  # one image, named twice
        ([None, None], 0, ""),
        (["t", None], 0, ""),
        ([], 3, "it is empty, or not there"),
    ],
)
def test_the_only_image(folder: Path, tmp_path: Path, names: list[str | None], code: int, said: str) -> None:
    """One image is the only one however often index.json names it; of none it is said that there is none."""
    write(tmp_path / "a", image("a"))
    assert sync(f"oci:{tmp_path / 'a'}:1", f"oci:{folder}:t").code == 0
    listed = json.loads((folder / "index.json").read_text())
    entry = listed["manifests"][0]
    untagged = {name: value for name, value in entry.items() if name != "annotations"}
    listed["manifests"] = [entry if name else untagged for name in names]
    (folder / "index.json").write_text(json.dumps(listed))
    done = sync(f"oci:{folder}", f"oci:{tmp_path / 'new'}:1")
    assert (done.code, said in done.err) == (code, True)


def test_images_without_tags(folder: Path, tmp_path: Path) -> None:
    """Of several images without tags the digests are named, and each can be taken by its own."""
    made = [image("a"), image("b")]
    for tag, each in zip("ab", made, strict=True):
        write(tmp_path / tag, each)
        sync(f"oci:{tmp_path / tag}", f"oci:{folder}:{tag}")
    listed = json.loads((folder / "index.json").read_text())
    for entry in listed["manifests"]:
        del entry["annotations"]
    (folder / "index.json").write_text(json.dumps(listed))
    done = sync(f"oci:{folder}", f"oci:{tmp_path / 'new'}:1")
    assert (done.code, [f"@{each.digest}" in done.err for each in made]) == (3, [True, True])
    assert sync(f"oci:{folder}@{made[1].digest}", f"oci:{tmp_path / 'new'}:1").code == 0


def test_in_sync(folder: Path, tmp_path: Path) -> None:
    """What is there already is not written again."""
    write(tmp_path / "source", index())
    sync(f"oci:{tmp_path / 'source'}", f"oci:{folder}:1")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert "is in sync with" in sync(f"oci:{tmp_path / 'source'}", f"oci:{folder}:1").err
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_dry_run(folder: Path, tmp_path: Path) -> None:
    """--dry-run makes no folder."""
    write(tmp_path / "source", index())
    planned = json.loads(sync(f"oci:{tmp_path / 'source'}", f"oci:{folder}:1", "--dry-run", "--json").out)
    assert not folder.exists()
    done = json.loads(sync(f"oci:{tmp_path / 'source'}", f"oci:{folder}:1", "--json").out)
    assert planned == {**done, "dry_run": True}


def test_two_processes(folder: Path, tmp_path: Path) -> None:
    """Processes that write into one layout at the same time lose no tag."""
    names = [f"{number}" for number in range(4)]
    for name in names:
        write(tmp_path / name, index(name))
    commands = [[*IMAGESYNC, "sync", f"oci:{tmp_path / name}", f"oci:{folder}:{name}"] for name in names]
    running = [subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE) for command in commands]
    assert [process.communicate(timeout=60)[1].count(b"copied") for process in running] == [1] * 4
    assert tags(folder) == {name: index(name).digest for name in names}


def test_damaged_blob(registry: EmbeddedRegistry, folder: Path) -> None:
    """A blob that arrives damaged leaves neither tag nor half a file."""
    image().seed(registry.repository("a"), "1")
    registry.fault = always(blob("GET"), flip_bit(3))
    assert sync(f"{registry.host}/a:1", f"oci:{folder}:1").code == 6
    assert [name for name in files(folder) if not name.startswith(".")] == []


def test_truncated_blob(folder: Path, tmp_path: Path) -> None:
    """A layout whose blob is cut short is not copied from."""
    write(folder, image())
    layer = folder / "blobs" / "sha256" / image().root.blobs[1].removeprefix("sha256:")
    layer.write_bytes(layer.read_bytes()[:100])
    finished = sync(f"oci:{folder}:1", f"oci:{tmp_path / 'new'}:1")
    assert finished.code == 6
    assert "ended after 100 of" in finished.err
    assert f"oci:{folder}" in finished.err
    assert not (tmp_path / "new" / "index.json").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"schemaVersion": 2}',
        b'{"schemaVersion": 2, "manifests": [{"digest": "../x"}]}',
        b"\xff",
    ],
)
def test_index_that_cannot_be_read(folder: Path, tmp_path: Path, content: bytes) -> None:
    """An index.json that makes no sense is an error, and never replaced."""
    write(tmp_path / "source", image())
    folder.mkdir()
    (folder / "index.json").write_bytes(content)
    finished = sync(f"oci:{tmp_path / 'source'}", f"oci:{folder}:1")
    assert finished.code == 6
    assert "index.json is not an index" in finished.err
    assert files(folder) == {"index.json": content}


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_blob_that_is_no_file(folder: Path, tmp_path: Path, kind: str) -> None:
    """A blob that is a link, a pipe or a folder is not followed, not waited for and not read."""
    write(folder, image())
    layer = folder / "blobs" / "sha256" / image().root.blobs[1].removeprefix("sha256:")
    content = layer.read_bytes()
    layer.unlink()
    if kind == "link":
        (tmp_path / "elsewhere").write_bytes(content)
        layer.symlink_to(tmp_path / "elsewhere")
    elif kind == "pipe":
        os.mkfifo(layer)
    else:
        layer.mkdir()
    finished = sync(f"oci:{folder}:1", f"oci:{tmp_path / 'new'}:1")
    assert finished.code == 6
    assert "is not a regular file" in finished.err


def test_huge_manifest(folder: Path) -> None:
    """A manifest or index of more than 4 MiB is not read into memory."""
    folder.mkdir()
    with (folder / "index.json").open("wb") as file:
        file.truncate(10 * 1024**3)
    finished = imagesync("resolve", f"oci:{folder}:1")
    assert finished.code == 6
    assert "longer than the 4194304 bytes" in finished.err


def test_no_layout(tmp_path: Path) -> None:
    """A folder that is not there, or holds no layout, has no image."""
    for folder in (tmp_path / "nowhere", tmp_path):
        finished = imagesync("resolve", f"oci:{folder}:1")
        assert finished.code == 3
        assert "no image '1'" in finished.err


def test_file_in_the_way(tmp_path: Path) -> None:
    """A destination that is a file is bad usage, and the file stays."""
    write(tmp_path / "source", image())
    (tmp_path / "file").write_text("mine")
    finished = sync(f"oci:{tmp_path / 'source'}", f"oci:{tmp_path / 'file'}:1")
    assert finished.code == 2
    assert "Not a directory" in finished.err
    assert (tmp_path / "file").read_text() == "mine"


def test_other_entries_stay(folder: Path, tmp_path: Path) -> None:
    """Entries and annotations that imagesync does not know stay in index.json."""
    write(folder, image())
    document = json.loads((folder / "index.json").read_text())
    document["manifests"][0]["annotations"]["org.example"] = "kept"
    document["annotations"] = {"org.example.index": "kept"}
    (folder / "index.json").write_text(json.dumps(document))
    write(tmp_path / "source", image("new"))
    assert sync(f"oci:{tmp_path / 'source'}", f"oci:{folder}:2").code == 0
    after = json.loads((folder / "index.json").read_text())
    assert after["manifests"][0] == document["manifests"][0]
    assert after["annotations"] == {"org.example.index": "kept"}
    assert after.get("mediaType", OCI_INDEX) == OCI_INDEX


def test_another_tag(folder: Path, tmp_path: Path) -> None:
    """A tag is moved within a layout by its index alone."""
    write(folder, index())
    before = files(folder / "blobs")
    assert sync(f"oci:{folder}:1", f"oci:{folder}:2").code == 0
    assert tags(folder) == {"1": index().digest, "2": index().digest}
    assert files(folder / "blobs") == before

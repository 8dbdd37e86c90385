"""OCI archives as source and destination: whole images, nothing lost, nothing half-written, and no link followed."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from imagesync_cli.stores.files.lock import try_lock
from imagesync_cli.stores.files.new_file import PREFIX
from tests.command import IMAGESYNC, Finished, environment, imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.faults import flip_bit
from tests.embedded_registry.images import Image, describe, image, index, index_of, referrer, to_json
from tests.embedded_registry.state import Manifest, digest_of
from tests.referrers.artifacts import ATTESTED, about, cosign
from tests.stores.copying import always, blob
from tests.stores.files.tars import blobs, files, layout_members, link, tags, whole, write_tar

INDEX = index(attested=True)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "images.tar"


def sync(source: object, destination: object, *options: str) -> Finished:
    return imagesync("sync", f"{source}", f"{destination}", *options)


def written(path: Path, **images: Image) -> Path:
    return write_tar(path, layout_members(images))


def test_there_and_back(registry: EmbeddedRegistry, archive: Path) -> None:
    """An image goes through an archive, all platforms, without a byte changed."""
    INDEX.seed(registry.repository("up"), "1")
    there = sync(f"{registry.host}/up:1", f"oci-archive:{archive}:1")
    assert there.out == f"oci-archive:{archive}@{INDEX.digest}\n", there.err
    assert imagesync("resolve", f"oci-archive:{archive}:1").out == there.out
    assert blobs(archive) == whole(INDEX)
    with EmbeddedRegistry() as other:
        back = sync(f"oci-archive:{archive}", f"{other.host}/down:1")
        assert back.code == 0, back.err
        down = other.repository("down")
        assert (down.tags, down.manifests, down.blobs) == ({"1": INDEX.digest}, INDEX.manifests, INDEX.blobs)


def test_referrers_there_and_back(registry: EmbeddedRegistry, archive: Path) -> None:
    """What is attached to an image goes through an archive that was not there before, by subject and by tag."""
    artifacts = [referrer(ATTESTED, "signed"), cosign(ATTESTED)]
    up = registry.repository("up")
    ATTESTED.seed(up, "1")
    artifacts[0].seed(up)
    artifacts[1].seed(up, about(ATTESTED, ".sig"))
    there = sync(f"{registry.host}/up:1", f"oci-archive:{archive}:1", "--referrers")
    assert there.code == 0, there.err
    with EmbeddedRegistry() as other:
        back = sync(f"oci-archive:{archive}:1", f"{other.host}/down:1", "--referrers")
        assert back.code == 0, back.err
        down = other.repository("down")
        assert down.tags.items() >= {("1", ATTESTED.digest), (about(ATTESTED, ".sig"), artifacts[1].digest)}
        assert {artifact.digest for artifact in artifacts} <= down.manifests.keys()


def test_nothing_but_the_archive_remains(archive: Path, tmp_path: Path) -> None:
    """Beside a new archive there is no temporary file and no lock; its members have no time and no owner."""
    INDEX.write_layout(tmp_path / "source", "1")
    assert sync(f"oci:{tmp_path / 'source'}", f"oci-archive:{archive}:1").code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images.tar", "source"]
    with tarfile.open(archive) as opened:
        assert {(each.mtime, each.uid, each.gid, each.uname, each.mode) for each in opened} == {(0, 0, 0, "", 0o644)}


def test_many_images_share_their_blobs(archive: Path, tmp_path: Path) -> None:
    """An archive holds many images; what two of them have in common is in it once, and what none has is not."""
    common = image("common", platform="linux/amd64")
    first, second = index_of({"linux/amd64": common, "linux/arm64": image("a")}), index_of({"linux/amd64": common})
    for name, made in (("1", first), ("2", second), ("3", image("c"))):
        made.write_layout(tmp_path / name, "x")
        assert sync(f"oci:{tmp_path / name}", f"oci-archive:{archive}:{name}").code == 0
    assert tags(archive) == {"1": first.digest, "2": second.digest, "3": image("c").digest}
    assert blobs(archive) == whole(first, second, image("c"))
    assert sync(f"oci:{tmp_path / '3'}", f"oci-archive:{archive}:1").code == 0
    assert tags(archive) == {"1": image("c").digest, "2": second.digest, "3": image("c").digest}
    assert blobs(archive) == whole(second, image("c"))


def test_in_sync(archive: Path, tmp_path: Path) -> None:
    """Where the tag points at the digest already, the file is not written again."""
    INDEX.write_layout(tmp_path / "source", "1")
    sync(f"oci:{tmp_path / 'source'}", f"oci-archive:{archive}:1")
    before = (archive.stat().st_ino, archive.stat().st_mtime_ns)
    assert "is in sync with" in sync(f"oci:{tmp_path / 'source'}", f"oci-archive:{archive}:1").err
    assert (archive.stat().st_ino, archive.stat().st_mtime_ns) == before


def test_dry_run(archive: Path, tmp_path: Path) -> None:
    """--dry-run says what would be copied, and makes no file."""
    INDEX.write_layout(tmp_path / "source", "1")
    planned = json.loads(sync(f"oci:{tmp_path / 'source'}", f"oci-archive:{archive}:1", "--dry-run", "--json").out)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
    done = json.loads(sync(f"oci:{tmp_path / 'source'}", f"oci-archive:{archive}:1", "--json").out)
    assert planned == {**done, "dry_run": True}


def test_another_tag(archive: Path) -> None:
    """A tag is added within an archive; everything else in it stays, with what others noted in its index."""
    members = dict(layout_members({"1": INDEX}))
    index_json = json.loads(members["index.json"])
    index_json["annotations"] = {"org.example": "kept"}
    write_tar(archive, (members | {"index.json": to_json(index_json)}).items())
    assert sync(f"oci-archive:{archive}:1", f"oci-archive:{archive}:2").code == 0
    assert tags(archive) == {"1": INDEX.digest, "2": INDEX.digest}
    assert blobs(archive) == whole(INDEX)
    assert json.loads(files(archive)["index.json"])["annotations"] == {"org.example": "kept"}


def test_processes_at_the_same_time(archive: Path, tmp_path: Path) -> None:
    """Processes that write into one archive at the same time lose no tag and no blob."""
    names = [f"{number}" for number in range(4)]
    for name in names:
        index(name).write_layout(tmp_path / name, "x")
    commands = [[*IMAGESYNC, "sync", f"oci:{tmp_path / name}", f"oci-archive:{archive}:{name}"] for name in names]
    running = [subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE) for command in commands]
    assert [process.communicate(timeout=120)[1].count(b"copied") for process in running] == [1] * 4
    assert tags(archive) == {name: index(name).digest for name in names}
    assert blobs(archive) == whole(*map(index, names))
    assert sorted(path.name for path in tmp_path.iterdir()) == [*names, "images.tar"]


@pytest.mark.parametrize("exists", [False, True])
def test_damaged_blob(registry: EmbeddedRegistry, archive: Path, exists: bool) -> None:
    """A blob that arrives damaged leaves the archive as it was, and nothing beside it."""
    image("new").seed(registry.repository("a"), "1")
    registry.fault = always(blob("GET"), flip_bit(3))
    before = written(archive, old=INDEX).read_bytes() if exists else b""
    assert sync(f"{registry.host}/a:1", f"oci-archive:{archive}:1").code == 6
    assert [path.read_bytes() for path in archive.parent.iterdir()] == ([before] if exists else [])


@pytest.mark.parametrize("size", [2**63 - 1, 2**62])
def test_a_size_that_no_file_has(registry: EmbeddedRegistry, archive: Path, size: int) -> None:
    """A layer that claims to be larger than a file may be is an error of the image, and nothing is written."""
    app, repository = image(layers=3), registry.repository("app")
    app.seed(repository)
    document = json.loads(app.root.content)
    document["layers"][0]["size"] = size
    repository.add_manifest(app.root.media_type, to_json(document), "1")
    done = sync(f"{registry.host}/app:1", f"oci-archive:{archive}:1")
    assert done.code == 6, done.err
    assert not archive.exists()


def test_archive_of_a_layout_folder(archive: Path, tmp_path: Path) -> None:
    """What tar makes of a layout folder, with ./ before each name, is an archive."""
    folder = INDEX.write_layout(tmp_path / "layout", "1")
    subprocess.run(["tar", "-cf", archive, "-C", folder, "."], check=True)
    assert sync(f"oci-archive:{archive}:1", f"oci:{tmp_path / 'new'}:1").code == 0
    assert imagesync("resolve", f"oci:{tmp_path / 'new'}:1").out.strip().endswith(INDEX.digest)


def test_linked_archive(archive: Path, tmp_path: Path) -> None:
    """An archive that is reached by a link is written where it lies; the link stays, and so do its permissions."""
    written(tmp_path / "real.tar", old=image("old")).chmod(0o600)
    archive.symlink_to(tmp_path / "real.tar")
    INDEX.write_layout(tmp_path / "source", "1")
    assert sync(f"oci:{tmp_path / 'source'}", f"oci-archive:{archive}:1").code == 0
    assert archive.is_symlink()
    assert tags(tmp_path / "real.tar") == {"old": image("old").digest, "1": INDEX.digest}
    assert (tmp_path / "real.tar").stat().st_mode & 0o777 == 0o600


def test_what_killed_processes_left(archive: Path, tmp_path: Path) -> None:
    """The next write removes the temporary file of one that was killed, and not that of one that still runs."""
    INDEX.write_layout(tmp_path / "source", "1")
    (tmp_path / f"{PREFIX}killed").write_bytes(b"half")
    (tmp_path / ".images.tar.lock").touch()
    with (tmp_path / f"{PREFIX}running").open("wb") as running:
        assert try_lock(running.fileno())
        assert sync(f"oci:{tmp_path / 'source'}", f"oci-archive:{archive}:1").code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{PREFIX}running", "images.tar", "source"]


@pytest.mark.parametrize("name", ["1", "busybox:1.36", "localhost/team/app:1.0"])
def test_names(archive: Path, tmp_path: Path, name: str) -> None:
    """Entries are called as their writer called them: a tag, or like podman a whole name."""
    write_tar(archive, layout_members({name: INDEX, "other": image()}))
    finished = sync(f"oci-archive:{archive}:{name}", f"oci:{tmp_path / 'new'}:1")
    assert finished.out == f"oci:{tmp_path / 'new'}@{INDEX.digest}\n", finished.err


def test_which_image(archive: Path, tmp_path: Path) -> None:
    """Of several images without a tag to choose, none is guessed; the message names the tags."""
    written(archive, a=image("a"), b=image("b"))
    finished = sync(f"oci-archive:{archive}", f"oci:{tmp_path / 'new'}")
    assert (finished.code, "which image?" in finished.err, "a, b" in finished.err) == (3, True, True)


def test_by_digest(archive: Path) -> None:
    """A digest finds its manifest, with or without a tag of its own."""
    written(archive, a=INDEX, b=image("b"))
    child = INDEX.children[0]
    assert imagesync("resolve", f"oci-archive:{archive}@{child}").out == f"oci-archive:{archive}@{child}\n"


def hostile_layer(kind: str) -> list[object]:
    """An archive's members, the layer of its image being something else than one file."""
    layer = image().root.blobs[1]
    name, members = f"blobs/{layer.replace(':', '/')}", layout_members({"1": image()})
    others: list[object] = [member for member in members if member[0] != name]
    content = dict(members)[name]
    device = tarfile.TarInfo(name)
    device.type = tarfile.CHRTYPE
    instead: dict[str, list[object]] = {
        "symbolic link": [("elsewhere", content), link(name, "../../elsewhere")],
        "link out": [link(name, "/etc/passwd")],
        "hard link": [("elsewhere", content), link(name, "elsewhere", tarfile.LNKTYPE)],
        "device": [device],
        "absolute": [("/" + name, content)],
        "from above": [("../" + name, content), (f"x/../{name}", content)],
        "twice": [(name, content), (name, content)],
        "missing": [],
    }
    return [*others, *instead[kind]]


@pytest.mark.parametrize(
    "kind", ["symbolic link", "link out", "hard link", "device", "absolute", "from above", "twice", "missing"]
)
def test_member_that_is_no_file(archive: Path, tmp_path: Path, kind: str) -> None:
    """A link, a device, a name from elsewhere, or one that is there twice is not taken for a blob."""
    write_tar(archive, hostile_layer(kind))  # type: ignore[arg-type]
    finished = sync(f"oci-archive:{archive}:1", f"oci:{tmp_path / 'new'}:1")
    assert finished.code == (3 if kind in ("absolute", "from above", "missing") else 6)
    assert image().root.blobs[1].rpartition(":")[2] in finished.err
    assert not (tmp_path / "new" / "index.json").exists()
    assert "Traceback" not in finished.err


def test_index_twice(archive: Path) -> None:
    """Of two index.json neither is believed: another program might read the other one."""
    write_tar(archive, [*layout_members({"1": image()}), *layout_members({"1": INDEX})[-1:]])
    finished = imagesync("resolve", f"oci-archive:{archive}:1")
    assert (finished.code, "index.json is there twice" in finished.err) == (6, True)


def test_a_layout_of_another_version(archive: Path, tmp_path: Path) -> None:
    """What its files mean is not known: it is neither read nor replaced."""
    members = [(name, content) for name, content in layout_members({"1": image()}) if name != "oci-layout"]
    write_tar(archive, [("oci-layout", b'{"imageLayoutVersion": "2.0.0"}'), *members])
    before = archive.read_bytes()
    image("other").write_layout(tmp_path / "source", "1")
    for finished in (
        imagesync("resolve", f"oci-archive:{archive}:1"),
        sync(f"oci:{tmp_path / 'source'}:1", f"oci-archive:{archive}:2"),
    ):
        assert (finished.code, "has the layout's version '2.0.0'" in finished.err) == (7, True), finished.err
    assert archive.read_bytes() == before


def test_cut_short(archive: Path) -> None:
    """A file that ends in the middle, wherever, is an error, and as a destination stays as it is."""
    content = written(archive, a=image()).read_bytes()
    for size in range(100, len(content) - 11_000, 700):
        archive.write_bytes(content[:size])
        finished = imagesync("resolve", f"oci-archive:{archive}:a")
        assert finished.code in (3, 6), finished.err
        assert sync(f"oci-archive:{archive}:a", f"oci-archive:{archive}:b").code != 0
        assert archive.read_bytes() == content[:size]


CONTENTS = {
    "no tar": (b"plain text " * 100, 6, "is not a tar file"),
    "empty": (b"", 6, "is not a tar file"),
    "gzip": (gzip.compress(b"x"), 2, "gunzip"),
    "zeros": (bytes(10240), 6, "not an OCI archive"),
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_files_that_are_no_archive(archive: Path, tmp_path: Path, kind: str) -> None:
    """What is no OCI archive is neither read nor written over; the message says what it is."""
    content, code, said = CONTENTS[kind]
    archive.write_bytes(content)
    image().write_layout(tmp_path / "source", "1")
    for finished in (
        sync(f"oci-archive:{archive}:1", f"oci:{tmp_path / 'new'}:1"),
        sync(f"oci:{tmp_path / 'source'}:1", f"oci-archive:{archive}:1"),
    ):
        assert (finished.code, said in finished.err) == (code, True), finished.err
        assert str(archive) in finished.err
    assert archive.read_bytes() == content


def test_somebody_elses_tar(archive: Path, tmp_path: Path) -> None:
    """A tar file that holds other things is not replaced."""
    before = write_tar(archive, [("letters/mine", b"dear")]).read_bytes()
    image().write_layout(tmp_path / "source", "1")
    finished = sync(f"oci:{tmp_path / 'source'}:1", f"oci-archive:{archive}:1")
    assert (finished.code, archive.read_bytes()) == (6, before)
    assert "not an OCI archive" in finished.err


@pytest.mark.parametrize(("where", "code"), [("nothing.tar", 3), (".", 2), ("no/folder/x.tar", 3)])
def test_no_file(tmp_path: Path, where: str, code: int) -> None:
    """A file that is not there has no image; a folder is no file."""
    finished = imagesync("resolve", f"oci-archive:{tmp_path / where}:1")
    assert finished.code == code
    assert str(tmp_path) in finished.err


def test_headers_that_would_fill_the_memory(archive: Path) -> None:
    """A header that calls itself gigabytes long is not read, whatever the file's size."""
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 8 * 1024**3 - 1
    archive.write_bytes(header.tobuf(tarfile.USTAR_FORMAT))
    with archive.open("r+b") as file:
        file.truncate(9 * 1024**3)
    finished = imagesync("resolve", f"oci-archive:{archive}:1")
    assert (finished.code, "a header of" in finished.err) == (6, True)


def test_checked(archive: Path, tmp_path: Path) -> None:
    """A check looks into an archive and names what it lacks; a repair in place is refused, and it stays as it is."""
    INDEX.write_layout(tmp_path / "source", "1")
    there = f"oci-archive:{archive}:1"
    assert sync(f"oci:{tmp_path / 'source'}:1", there).code == 0
    assert imagesync("check", f"oci:{tmp_path / 'source'}:1", there, "--deep", "--read").code == 0
    lost = image(platform="linux/arm64").root.blobs[1]
    kept = [member for member in files(archive).items() if lost[7:] not in member[0]]
    before = write_tar(archive, kept).read_bytes()
    checked = imagesync("check", f"oci:{tmp_path / 'source'}:1", there, "--deep")
    assert (checked.code, lost in checked.out + checked.err) == (8, True), checked.err
    finished = sync(f"oci:{tmp_path / 'source'}:1", there, "--verify")
    assert (finished.code, "not repaired in place" in finished.err) == (2, True)
    assert archive.read_bytes() == before


def test_nothing_is_deleted(archive: Path) -> None:
    """A delete in an archive is refused, and the file stays as it is."""
    before = written(archive, a=image()).read_bytes()
    finished = imagesync("delete", f"oci-archive:{archive}:a")
    assert (finished.code, archive.read_bytes()) == (7, before)
    assert "nothing is deleted from an archive" in finished.err


def test_digests_of_other_algorithms(registry: EmbeddedRegistry, archive: Path, tmp_path: Path) -> None:
    """A blob by sha512, whose name is too long for a plain tar header, comes and goes like any other."""
    layer = b"layer"
    digest = f"sha512:{hashlib.sha512(layer).hexdigest()}"
    document = {
        "schemaVersion": 2,
        "config": describe("application/vnd.oci.empty.v1+json", b"{}"),
        "layers": [{"mediaType": "text/plain", "digest": digest, "size": 5}],
    }
    root = Manifest("application/vnd.oci.image.manifest.v1+json", to_json(document))
    made = Image(root, {root.digest: root}, {digest_of(b"{}"): b"{}", digest: layer})
    made.seed(registry.repository("a"), "1")
    assert sync(f"{registry.host}/a:1", f"oci-archive:{archive}:1").code == 0
    assert blobs(archive) == whole(made)
    assert sync(f"oci-archive:{archive}:1", f"oci:{tmp_path / 'new'}:1").code == 0


def test_unwritable_folder(tmp_path: Path) -> None:
    """A place that cannot be written to is bad usage, named, and nothing is lost."""
    image().write_layout(tmp_path / "source", "1")
    (tmp_path / "file").write_text("mine")
    finished = sync(f"oci:{tmp_path / 'source'}", f"oci-archive:{tmp_path / 'file' / 'x.tar'}:1")
    assert finished.code == 2
    assert "Not a directory" in finished.err
    assert (tmp_path / "file").read_text() == "mine"

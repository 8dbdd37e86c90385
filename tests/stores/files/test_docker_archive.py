"""What docker save, skopeo and podman write, as a source."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagesync_cli.stores.files.tar import Tar
from imagesync_cli.stores.files.tar_headers import Member as TarMember
from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import Image, image, index, random_bytes, tar, to_json
from tests.embedded_registry.state import digest_of
from tests.peers import program
from tests.stores.files.tars import Member, layout_members, link, write_tar

LAYERS = [tar({"a": (0o644, random_bytes("a", 3000))}), tar({"b": (0o644, b"b")})]
DIFF_IDS = [digest_of(each) for each in LAYERS]
CONFIG = to_json({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": DIFF_IDS}})
LAYER, CONFIG_TYPE = "application/vnd.docker.image.rootfs.diff.tar", "application/vnd.docker.container.image.v1+json"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "saved.tar"


def listed(*names: str, layers: list[str] | None = None, config: str = "config.json") -> dict[str, Any]:
    return {
        "Config": config,
        "RepoTags": list(names),
        "Layers": ["0/layer.tar", "1/layer.tar"] if layers is None else layers,
    }


def saved(path: Path, *items: dict[str, Any], layers: list[bytes] | None = None) -> Path:
    """An archive as docker save wrote it before version 25; made here, there is no Docker."""
    contents = [(f"{number}/layer.tar", layer) for number, layer in enumerate(LAYERS if layers is None else layers)]
    return write_tar(path, [*contents, ("config.json", CONFIG), ("manifest.json", to_json(list(items)))])


def arrived(archive: str) -> tuple[dict[str, Any], dict[str, bytes], str]:
    """The manifest, the blobs and the digest that reach a registry."""
    with EmbeddedRegistry() as registry:
        finished = imagesync("sync", archive, f"{registry.host}/app:1")
        assert finished.code == 0, finished.err
        repository = registry.repository("app")
        digest = repository.tags["1"]
        assert imagesync("resolve", archive).out.strip().endswith(f"@{digest}")
        manifest = repository.manifests[digest]
        assert manifest.media_type == manifest.document["mediaType"]
        return manifest.document, dict(repository.blobs), digest


def test_an_image_without_a_manifest(archive: Path) -> None:
    """Config and layers arrive as they are, under a Docker manifest that says what they are."""
    document, blobs, _ = arrived(f"docker-archive:{saved(archive, listed('busybox:1.36'))}")
    assert set(blobs.values()) == {CONFIG, *LAYERS}
    assert document["config"] == {"mediaType": CONFIG_TYPE, "size": len(CONFIG), "digest": digest_of(CONFIG)}
    assert document["layers"] == [
        {"mediaType": LAYER, "size": len(layer), "digest": digest_of(layer)} for layer in LAYERS
    ]


def test_the_digest_depends_on_the_content_alone(archive: Path, tmp_path: Path) -> None:
    """The same image saved twice, under other names and in another order, has the same digest."""
    first = arrived(f"docker-archive:{saved(archive, listed('busybox:1.36'))}")[2]
    other = write_tar(
        tmp_path / "other.tar",
        [
            ("manifest.json", to_json([listed("other:2", layers=["x.tar", "y.tar"], config="c")])),
            *[("c", CONFIG), ("y.tar", LAYERS[1]), ("x.tar", LAYERS[0])],
        ],
    )
    assert arrived(f"docker-archive:{other}")[2] == first


@pytest.mark.parametrize(
    "name", ["busybox:1.36", "docker.io/library/busybox:1.36", "index.docker.io/busybox:1.36", "@0"]
)
def test_names(archive: Path, name: str) -> None:
    """An image is found by each way to spell its name, or by its number."""
    other = {**listed("registry.example.com:5000/team/app:latest"), "Layers": []}
    saved(archive, listed("busybox:1.36", "busybox:latest"))
    single = imagesync("resolve", f"docker-archive:{archive}").out
    with tarfile.open(archive) as opened:
        members = [(each.name, opened.extractfile(each).read()) for each in opened]  # type: ignore[union-attr]
    empty = to_json({"rootfs": {"type": "layers", "diff_ids": []}})
    items = to_json([listed("busybox:1.36", "busybox:latest"), {**other, "Config": "e"}])
    write_tar(archive, [*members[:-1], ("e", empty), ("manifest.json", items)])
    assert imagesync("resolve", f"docker-archive:{archive}:{name}").out == single
    digest = single.strip().rpartition("@")[2]
    assert imagesync("resolve", f"docker-archive:{archive}@{digest}").out == single
    assert imagesync("resolve", f"docker-archive:{archive}:registry.example.com:5000/team/app").code == 0
    for absent in ("", ":nginx", ":busybox:1.37", ":@2"):
        finished = imagesync("resolve", f"docker-archive:{archive}{absent}")
        assert finished.code == 3
        assert "docker.io/library/busybox:1.36, docker.io/library/busybox:latest, registry.example.com" in finished.err


def test_compressed_layers(archive: Path) -> None:
    """A layer that is compressed in the archive arrives so, under the digest and the type that it has."""
    packed = [gzip.compress(LAYERS[0], mtime=0), LAYERS[1]]
    document, blobs, _ = arrived(f"docker-archive:{saved(archive, listed('a'), layers=packed)}")
    assert set(blobs.values()) == {CONFIG, *packed}
    assert [layer["mediaType"] for layer in document["layers"]] == [f"{LAYER}.gzip", LAYER]
    assert [layer["digest"] for layer in document["layers"]] == list(map(digest_of, packed))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_layers_that_are_links(archive: Path, kind: bytes) -> None:
    """A layer that older Dockers saved once for two images is found where the link leads, inside the archive."""
    target = "../1/layer.tar" if kind == tarfile.SYMTYPE else "1/layer.tar"
    write_tar(
        archive,
        [
            ("0/layer.tar", LAYERS[0]),
            ("1/layer.tar", LAYERS[1]),
            link("2/layer.tar", target, kind),
            ("config.json", CONFIG),
            ("manifest.json", to_json([listed("a", layers=["0/layer.tar", "2/layer.tar"])])),
        ],
    )
    assert set(arrived(f"docker-archive:{archive}")[1].values()) == {CONFIG, *LAYERS}


@pytest.mark.parametrize("target", ["/etc/passwd", "../../etc/passwd", "../2/layer.tar", "nowhere"])
def test_links_that_lead_nowhere(archive: Path, target: str) -> None:
    """A link out of the archive, or round in a circle, is an error; nothing outside is read."""
    write_tar(
        archive,
        [
            ("0/layer.tar", LAYERS[0]),
            link("2/layer.tar", target),
            ("config.json", CONFIG),
            ("manifest.json", to_json([listed("a", layers=["0/layer.tar", "2/layer.tar"])])),
        ],
    )
    finished = imagesync("resolve", f"docker-archive:{archive}")
    assert (finished.code, str(archive) in finished.err) == (6, True), finished.err


def test_a_layer_that_is_not_the_configs(archive: Path, tmp_path: Path) -> None:
    """A layer that has not the digest its config names is damaged, and no tag is written."""
    damaged = bytearray(LAYERS[1])
    damaged[600] ^= 1
    saved(archive, listed("a"), layers=[LAYERS[0], bytes(damaged)])
    finished = imagesync("sync", f"docker-archive:{archive}", f"oci:{tmp_path / 'new'}:1")
    assert (finished.code, "arrived as" in finished.err) == (6, True)
    assert not (tmp_path / "new" / "index.json").exists()


BROKEN: dict[str, list[Member]] = {
    "not JSON": [("manifest.json", b"{")],
    "no list": [("manifest.json", b"{}")],
    "no config": [("manifest.json", to_json([{"Layers": []}]))],
    "config is missing": [("manifest.json", to_json([listed("a")]))],
    "config is no config": [("config.json", b"[]"), ("manifest.json", to_json([listed("a")]))],
    "too few layers": [("config.json", CONFIG), ("manifest.json", to_json([listed("a", layers=["x"])]))],
    "layer is missing": [("config.json", CONFIG), ("manifest.json", to_json([listed("a")]))],
    "not saved": [("letter", b"dear")],
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken(archive: Path, kind: str) -> None:
    """An archive that contradicts itself is an error that names the file."""
    finished = imagesync("resolve", f"docker-archive:{write_tar(archive, BROKEN[kind])}")
    assert (finished.code, str(archive) in finished.err) == (6, True), finished.err
    assert "Traceback" not in finished.err


def newer(path: Path, images: dict[str, Image]) -> Path:
    """What docker save writes from version 25 on, both forms in one; made here, there is no Docker."""
    members = layout_members(images, key="io.containerd.image.name")
    items = [listed(name, layers=[], config="blobs/sha256/x") for name in images]
    return write_tar(path, [*members, ("manifest.json", to_json(items))])


def test_newer_archives(archive: Path) -> None:
    """An archive that is an OCI layout too is copied as that is: manifests and digests unchanged."""
    made = index("a")
    newer(
        archive,
        {"docker.io/library/busybox:1.36": made, "docker.io/library/busybox:1": made, "docker.io/x/y:1": image()},
    )
    _, blobs, digest = arrived(f"docker-archive:{archive}:busybox:1.36")
    assert (digest, blobs) == (made.digest, made.blobs)
    assert imagesync("resolve", f"docker-archive:{archive}:x/y:1").out.strip().endswith(image().digest)


def test_newer_archive_of_one_platform(archive: Path, tmp_path: Path) -> None:
    """Where Docker saved the index and one platform alone, the error says so, and no half index is written."""
    made = index("a")
    child = made.manifests[made.children[1]].digest
    members = layout_members({"docker.io/x/y:1": made}, key="io.containerd.image.name")
    write_tar(archive, [each for each in members if child[7:] not in each[0]])
    finished = imagesync("sync", f"docker-archive:{archive}", f"oci:{tmp_path / 'new'}:1")
    assert finished.code == 3
    assert child in finished.err
    assert "--platform" in finished.err
    assert not (tmp_path / "new" / "index.json").exists()
    there = f"oci:{tmp_path / 'new'}:1"
    chosen = imagesync("sync", f"docker-archive:{archive}", there, "--platform", "linux/amd64")
    assert chosen.out.strip().endswith(f"@{made.children[0]}"), chosen.err


def test_never_a_destination(archive: Path, tmp_path: Path) -> None:
    """docker-archive: as a destination is bad usage that names what can be one; an existing file stays."""
    image().write_layout(tmp_path / "source", "1")
    for there in (saved(archive, listed("a")), tmp_path / "new.tar"):
        before = there.read_bytes() if there.exists() else None
        for options in ((), ("--dry-run",)):
            finished = imagesync("sync", f"oci:{tmp_path / 'source'}:1", f"docker-archive:{there}", *options)
            assert (finished.code, "oci-archive:" in finished.err) == (2, True)
        assert imagesync("delete", f"docker-archive:{there}:a").code == 2
        assert (there.read_bytes() if there.exists() else None) == before


@pytest.mark.parametrize("names", [["busybox:1.36"], ["busybox:1.36", "registry.example.com/team/app:2"]])
def test_skopeo_wrote_it(archive: Path, tmp_path: Path, names: list[str]) -> None:
    """What skopeo makes of an image has, in our copy as in skopeo's own, the image's config and layers."""
    made = image("real", layers=3)
    made.write_layout(tmp_path / "source", "1")
    skopeo(
        f"copy oci:{tmp_path}/source:1 docker-archive:{archive}:{names[0]}",
        *(f"--additional-tag={name}" for name in names[1:]),
    )
    expected = json.loads(next(blob for blob in made.blobs.values() if blob.startswith(b"{")))["rootfs"]["diff_ids"]
    document, blobs, _ = arrived(f"docker-archive:{archive}:{names[-1]}")
    assert [layer["digest"] for layer in document["layers"]] == expected
    skopeo(f"copy docker-archive:{archive}:{names[-1]} oci:{tmp_path}/theirs:1")
    theirs = tmp_path / "theirs"
    root = json.loads((theirs / "index.json").read_bytes())["manifests"][0]["digest"]
    manifest = json.loads((theirs / "blobs" / root.replace(":", "/")).read_bytes())
    config = json.loads((theirs / "blobs" / manifest["config"]["digest"].replace(":", "/")).read_bytes())
    ours = json.loads(blobs[document["config"]["digest"]])
    assert (ours["rootfs"], config["rootfs"]["diff_ids"]) == (config["rootfs"], expected)


def skopeo(arguments: str, *more: str) -> None:
    command = [program("skopeo"), "--insecure-policy", *arguments.split(), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_newer_archive_of_a_digest(archive: Path) -> None:
    """Docker 25 lists no image in its index that it saves by digest: manifest.json names what there is."""
    empty = to_json({"schemaVersion": 2, "manifests": None})
    named = {**listed("busybox:1"), "RepoTags": None}
    saved(archive, named)
    with tarfile.open(archive, "a") as added:
        for name, content in (("index.json", empty), ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')):
            header = tarfile.TarInfo(name)
            header.size = len(content)
            added.addfile(header, io.BytesIO(content))
    _, blobs, _ = arrived(f"docker-archive:{archive}")
    assert set(blobs.values()) >= {CONFIG}


def test_what_images_share_is_read_once(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compressed layer, and a config, that three hundred images name are read once."""
    layer = gzip.compress(os.urandom(100_000))
    config = to_json({"rootfs": {"type": "layers", "diff_ids": [f"sha256:{'0' * 64}"]}})
    items = [listed(f"app:{number}", layers=["layer"], config="c") for number in range(300)]
    write_tar(archive, [("layer", layer), ("c", config), ("manifest.json", to_json(items))])
    read = list[int]()
    chunks = Tar.chunks

    def counted(tar: Tar, member: TarMember) -> Iterator[bytes]:
        read.append(member.size)
        return chunks(tar, member)

    monkeypatch.setattr(Tar, "chunks", counted)
    assert imagesync("tags", f"docker-archive:{archive}").code == 0
    assert (read.count(len(layer)), read.count(len(config))) == (1, 1)

"""Deleting from an OCI layout folder, where nobody else collects garbage."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from imagesync_cli.copy.sync import sync
from imagesync_cli.delete.delete import Policy, delete
from imagesync_cli.settings import Settings
from imagesync_cli.stores import Stores
from imagesync_cli.stores.files.layout import Layout
from imagesync_cli.values.reference import parse_reference
from tests.command import imagesync
from tests.embedded_registry.images import Image, image, index_of

X, Y, Z = image("x"), image("y"), image("z")
XY = index_of({"linux/amd64": X, "linux/arm64": Y})
XZ = index_of({"linux/amd64": X, "linux/s390x": Z})


def folder_with(path: Path, **tagged: Image) -> Path:
    """A layout with these images."""
    for tag, pushed in tagged.items():
        source = pushed.write_layout(path / f"source-{tag}", tag)
        assert imagesync("sync", f"oci:{source}:{tag}", f"oci:{path / 'layout'}:{tag}").code == 0
    return path / "layout"


def files(folder: Path) -> set[str]:
    """The digests that there are files for."""
    return {f"sha256:{file.name}" for file in (folder / "blobs" / "sha256").iterdir()}


def test_the_space_comes_back(tmp_path: Path) -> None:
    """Layers and manifests that no other image uses are gone at once, and nothing else is."""
    folder = folder_with(tmp_path, one=XY, two=XZ)
    done = imagesync("delete", f"oci:{folder}:one")
    assert (done.code, done.err) == (0, "")
    assert "come free at once" in done.out
    assert files(folder) == {*XZ.manifests, *XZ.blobs}
    assert imagesync("delete", f"oci:{folder}:two").code == 0
    assert files(folder) == set()
    assert "already gone" in imagesync("delete", f"oci:{folder}:two").out


def test_two_tags_on_one_image(tmp_path: Path) -> None:
    """The image stays until its last tag goes."""
    folder = folder_with(tmp_path, one=XY, two=XY)
    assert imagesync("delete", f"oci:{folder}:one").code == 0
    assert files(folder) == {*XY.manifests, *XY.blobs}


def test_an_image_without_a_tag(tmp_path: Path) -> None:
    """An image that the folder keeps without a tag goes by its digest, and not because a tag on it goes."""
    folder = folder_with(tmp_path, one=XY)
    index = json.loads((folder / "index.json").read_text())
    index["manifests"] += [{**entry, "annotations": {}} for entry in index["manifests"]]
    (folder / "index.json").write_text(json.dumps(index))
    assert imagesync("delete", f"oci:{folder}:one").code == 0
    assert files(folder) == {*XY.manifests, *XY.blobs}
    done = imagesync("delete", f"oci:{folder}@{XY.digest}")
    assert (done.code, done.err) == (0, "")
    assert files(folder) == set()


def test_keep_manifests_keeps_the_files(tmp_path: Path) -> None:
    """With --keep-manifests the entry goes and every file stays."""
    folder = folder_with(tmp_path, one=XY)
    assert imagesync("delete", "--keep-manifests", f"oci:{folder}:one").code == 0
    assert files(folder) == {*XY.manifests, *XY.blobs}


def test_a_sync_that_was_overtaken_sends_again(tmp_path: Path) -> None:
    """A sync that found layers there, which a delete then removed, writes them again before its tag appears."""
    folder = folder_with(tmp_path, old=XY)
    source = XZ.write_layout(tmp_path / "source", "new")

    async def overtake() -> None:
        stores = Stores(Settings())
        put, deleted = Layout.put_manifest, asyncio.Event()

        async def put_after_delete(layout: Layout, manifest: object, tag: str = "") -> None:
            if tag and not deleted.is_set():
                deleted.set()
                await delete(stores, [parse_reference(f"oci:{folder}:old")], Policy())
            await put(layout, manifest, tag)  # type: ignore[arg-type]

        Layout.put_manifest = put_after_delete  # type: ignore[method-assign, assignment]
        try:
            await sync(stores, parse_reference(f"oci:{source}:new"), parse_reference(f"oci:{folder}:new"))
        finally:
            Layout.put_manifest = put  # type: ignore[method-assign]

    asyncio.run(overtake())
    assert files(folder) == {*XZ.manifests, *XZ.blobs}


def test_an_unreadable_image_keeps_everything(tmp_path: Path) -> None:
    """If another image's index cannot be read, what it uses is unknown: the tag goes, the files stay."""
    folder = folder_with(tmp_path, one=XY, two=XZ)
    (folder / "blobs" / "sha256" / XZ.digest.removeprefix("sha256:")).write_bytes(b"not what it was")
    before = files(folder)
    done = imagesync("delete", f"oci:{folder}:one")
    assert done.code == 0
    assert "is unknown" in done.out
    assert files(folder) == before

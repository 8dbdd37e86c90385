"""Layout folders that others may write into: nothing outside is read, written, removed or waited for."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from imagesync_cli.stores.files.lock import try_lock
from tests.command import IMAGESYNC, environment, imagesync
from tests.embedded_registry.images import image

OLD, NEW = image("old"), image("new")
REPLACED = ("index.json", "blobs", "blobs/sha256", "oci-layout", ".imagesync.lock")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return OLD.write_layout(tmp_path / "layout", "1")


@pytest.fixture
def source(tmp_path: Path) -> str:
    return f"oci:{NEW.write_layout(tmp_path / 'source', '1')}:1"


def moved_out(folder: Path, name: str) -> Path:
    """Move something out of the layout, and leave a link to it in its place."""
    there = folder.parent / "elsewhere"
    if (folder / name).exists():
        shutil.move(folder / name, there)
    (folder / name).symlink_to(there)
    return there


def contents(path: Path) -> dict[str, bytes]:
    """Every file at or below a path."""
    paths = [path, *path.rglob("*")] if path.exists() else []
    return {str(each): each.read_bytes() for each in paths if each.is_file()}


@pytest.mark.parametrize("name", REPLACED[:4])
def test_a_link_is_not_read_through(folder: Path, tmp_path: Path, name: str) -> None:
    """What a link in a layout leads to is no part of the layout, wherever in it the link is."""
    moved_out(folder, name)
    finished = imagesync("sync", f"oci:{folder}:1", f"oci:{tmp_path / 'new'}:1")
    assert finished.code == 6
    assert "is a link" in finished.err or "is not a regular file" in finished.err


@pytest.mark.parametrize("name", REPLACED)
def test_a_link_is_not_written_through(folder: Path, source: str, name: str) -> None:
    """A copy changes nothing outside the folder, whatever in it is a link."""
    there = moved_out(folder, name)
    before = contents(there)
    finished = imagesync("sync", source, f"oci:{folder}:2")
    assert contents(there) == before
    assert finished.code == 6, finished.err


@pytest.mark.parametrize("name", REPLACED)
def test_a_link_is_not_deleted_through(folder: Path, name: str) -> None:
    """A delete removes nothing outside the folder."""
    there = moved_out(folder, name)
    before = contents(there)
    imagesync("delete", f"oci:{folder}:1")
    assert contents(there) == before


@pytest.mark.parametrize("name", ["index.json", "oci-layout", ".imagesync.lock"])
def test_a_dangling_link_makes_nothing(folder: Path, source: str, name: str) -> None:
    """Nothing comes to be where a link leads that leads nowhere."""
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(folder.parent / "nowhere")
    imagesync("sync", source, f"oci:{folder}:2")
    assert not (folder.parent / "nowhere").exists()


def test_the_folder_itself_may_be_a_link(folder: Path, source: str, tmp_path: Path) -> None:
    """Whoever names a folder by a link means the folder that it leads to."""
    (tmp_path / "link").symlink_to(folder)
    assert imagesync("sync", source, f"oci:{tmp_path / 'link'}:2").code == 0
    assert imagesync("resolve", f"oci:{folder}:2").out.strip().endswith(NEW.digest)


@pytest.mark.parametrize("name", ["index.json", ".imagesync.lock", f"blobs/{NEW.digest.replace(':', '/')}"])
@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_nothing_is_waited_for(folder: Path, source: str, name: str, kind: str) -> None:
    """A pipe, a socket or a device in place of a file ends a copy with an error, at once."""
    (folder / name).unlink(missing_ok=True)
    if kind == "device":
        os.mknod(folder / name, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # like /dev/zero, which has no end
    else:
        os.mknod(folder / name, (stat.S_IFIFO if kind == "pipe" else stat.S_IFSOCK) | 0o666)
    finished = imagesync("sync", source, f"oci:{folder}:2")
    if name.startswith("blobs"):
        assert (finished.code, (folder / name).is_file()) == (0, True), finished.err  # replaced by the manifest
    else:
        assert finished.code == 6
        assert "is not a regular file" in finished.err


@pytest.mark.parametrize("name", ["oci-layout", "index.json", f"blobs/{OLD.digest.replace(':', '/')}", "blobs"])
def test_a_link_is_named_once(folder: Path, tmp_path: Path, name: str) -> None:
    """The message has the whole path of what is no file, so that it can be found, and has it once."""
    moved_out(folder, name)
    finished = imagesync("sync", f"oci:{folder}:1", f"oci:{tmp_path / 'copy'}:1")
    assert finished.code == 6
    assert finished.err.count(f"{folder}/blobs" if name == "blobs" else f"{folder / name}") == (name != "blobs")
    assert finished.err.count(Path(name).name) == 1


VERSIONS = ('{"imageLayoutVersion": "2.0.0"}', '{"imageLayoutVersion": 1}', "{}", "[]", "", "1.0.0")


@pytest.mark.parametrize("text", VERSIONS)
@pytest.mark.parametrize("indexed", [True, False])
def test_a_layout_of_another_version(folder: Path, source: str, text: str, indexed: bool) -> None:
    """Nothing is read from it, written to it or removed from it: what its files mean is not known."""
    (folder / "oci-layout").write_text(text)
    if not indexed:
        (folder / "index.json").unlink()
    before = {name: content for name, content in contents(folder).items() if "/blobs/" not in name}
    for command in (
        ("sync", f"oci:{folder}:1", f"oci:{folder.parent / 'new'}:1"),
        ("sync", source, f"oci:{folder}:2"),
        ("delete", f"oci:{folder}:1"),
        ("tags", f"oci:{folder}"),
    ):
        finished = imagesync(*command)
        assert finished.code in (6, 7), command
        assert f"{folder / 'oci-layout'} " in finished.err
    after = {name: content for name, content in contents(folder).items() if "/blobs/" not in name}
    assert {name: after[name] for name in before} == before
    assert not (folder.parent / "new" / "index.json").exists()
    assert (folder / "index.json").exists() == indexed


@pytest.mark.parametrize("umask", [0o077, 0o022, 0o002])
@pytest.mark.parametrize("form", ["oci", "oci-archive"])
def test_the_umask_decides(tmp_path: Path, source: str, form: str, umask: int) -> None:
    """Files are for those whom the user lets read new files, and for nobody else."""
    place = tmp_path / "new"
    done = subprocess.run(
        [*IMAGESYNC, "sync", source, f"{form}:{place / 'images'}:1"], env=environment(), umask=umask, check=False
    )
    assert done.returncode == 0
    modes = {path.stat().st_mode & 0o777 for path in place.rglob("*") if path.is_file()}
    assert modes == {0o666 & ~umask}


@pytest.mark.parametrize("umask", [0o077, 0o022])
def test_the_umask_decides_of_reports(tmp_path: Path, source: str, umask: int) -> None:
    """A lock and a report are new files like any other; one that is there keeps its mode."""
    (tmp_path / "images.yaml").write_text(f"images: [{{source: '{source}', destination: 'oci:{tmp_path}/to:1'}}]")
    (tmp_path / "kept.json").touch(0o640)
    (tmp_path / "kept.json").chmod(0o640)
    for command in ("lock", "sync --report new.json", "sync --report kept.json"):
        done = subprocess.run(
            [*IMAGESYNC, *command.split(), "--file", "images.yaml"],
            env=environment(),
            umask=umask,
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == 0
    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("images.lock.json", "new.json", "kept.json")}
    assert modes == {"images.lock.json": 0o666 & ~umask, "new.json": 0o666 & ~umask, "kept.json": 0o640}


def test_waiting_for_a_lock_is_said(folder: Path, source: str) -> None:
    """Whoever waits because another process writes there is told so, and can leave."""
    held = os.open(folder / ".imagesync.lock", os.O_RDWR | os.O_CREAT)
    assert try_lock(held)
    with subprocess.Popen(
        [*IMAGESYNC, "sync", source, f"oci:{folder}:2"], env=environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert "waiting for oci:" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 143
    os.close(held)

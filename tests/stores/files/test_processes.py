"""The command as a process that writes or reads an archive: signals end it cleanly, and memory stays flat."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import environment, imagesync
from tests.copy.test_processes import _MEASURED, MEMORY_KIB, Stalled, large
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import image
from tests.embedded_registry.state import digest_of
from tests.stores.files.tars import layout_members, tags, write_tar

SIZE_BYTES = 300 * 1024 * 1024


@pytest.fixture
def source() -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry() as running:
        image(layer_size_bytes=2 * 1024 * 1024).seed(running.repository("up/app"), "1")
        yield running


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("exists", [False, True])
def test_signal(source: EmbeddedRegistry, tmp_path: Path, number: signal.Signals, exists: bool) -> None:
    """A signal in the middle of a blob leaves the archive as it was, and nothing beside it."""
    archive = tmp_path / "images.tar"
    before = write_tar(archive, layout_members({"old": image("old")})).read_bytes() if exists else b""
    code, out, err = Stalled(source, f"oci-archive:{archive}:1", "blob").end(number)
    assert (code, out) == (128 + number, "")
    assert "Traceback" not in err
    assert [path.read_bytes() for path in tmp_path.iterdir()] == ([before] if exists else [])


def test_kill(source: EmbeddedRegistry, tmp_path: Path) -> None:
    """A kill in the middle of a blob leaves the archive as it was; the next run makes it whole and clears up."""
    archive = tmp_path / "images.tar"
    before = write_tar(archive, layout_members({"old": image("old")})).read_bytes()
    assert Stalled(source, f"oci-archive:{archive}:1", "blob").end(signal.SIGKILL)[0] == -signal.SIGKILL
    assert archive.read_bytes() == before
    source.fault = None
    finished = imagesync("sync", f"{source.host}/up/app:1", f"oci-archive:{archive}:1")
    assert finished.code == 0, finished.err
    assert [path.name for path in tmp_path.iterdir()] == ["images.tar"]
    assert tags(archive).keys() == {"old", "1"}


def peak_kib(*arguments: str) -> int:
    command = [sys.executable, "-c", _MEASURED, "sync", *arguments]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return int(done.stderr.rpartition("peak ")[2])


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_memory(source: EmbeddedRegistry, docker_registry: str, repository_name: str, tmp_path: Path) -> None:
    """A layer of 300 MiB goes into an archive, is carried over in it and comes out in less than 90 MiB of memory."""
    made = large(SIZE_BYTES)
    made.seed(source.repository("up/app"), "large")
    archive = f"oci-archive:{tmp_path / 'images.tar'}"
    assert peak_kib(f"{source.host}/up/app:large", f"{archive}:large") < MEMORY_KIB
    assert peak_kib(f"{source.host}/up/app:1", f"{archive}:1") < MEMORY_KIB
    assert peak_kib(f"{archive}:large", f"{docker_registry}/{repository_name}:1") < MEMORY_KIB
    assert tags(tmp_path / "images.tar").keys() == {"large", "1"}
    (tmp_path / "images.tar").unlink()


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_memory_for_docker_save(docker_registry: str, repository_name: str, tmp_path: Path) -> None:
    """A layer of 300 MiB that docker save wrote is read in less than 90 MiB of memory."""
    layer = bytes(SIZE_BYTES)
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]}}).encode()
    items = json.dumps([{"Config": "c", "RepoTags": None, "Layers": ["l"]}]).encode()
    archive = write_tar(tmp_path / "saved.tar", [("l", layer), ("c", config), ("manifest.json", items)])
    assert peak_kib(f"docker-archive:{archive}", f"{docker_registry}/{repository_name}:1") < MEMORY_KIB
    archive.unlink()

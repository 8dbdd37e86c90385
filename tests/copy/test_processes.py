"""The command as a process: signals end it cleanly, a kill is mended by the next run, and memory stays flat."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagesync_cli.stores.files.new_file import PREFIX
from tests.command import IMAGESYNC, environment, imagesync
from tests.embedded_registry import EmbeddedRegistry, Fault, Request
from tests.embedded_registry.images import Image, describe, image, to_json
from tests.embedded_registry.state import Manifest, digest_of
from tests.peers import unavailable
from tests.stores.copying import blob, manifest, sent, upload

END_WITHIN_S = 15  # 5, on a machine that does nothing else
START_WITHIN_S = 60
MEMORY_KIB = 90 * 1024
_MEASURED = """
import atexit, re, sys
from pathlib import Path
peak = lambda: re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
atexit.register(lambda: print("peak", peak(), file=sys.stderr))
from imagesync_cli.cli import main
main()
"""


@pytest.fixture
def source() -> Iterator[EmbeddedRegistry]:
    """A registry with an image of 2 MiB that stops sending in the middle of a layer until it is released."""
    with EmbeddedRegistry() as running:
        image(layer_size_bytes=2 * 1024 * 1024).seed(running.repository("up/app"), "1")
        yield running


class Stalled:
    """A copy that runs as a process and has come to a certain request, which is not answered."""

    def __init__(self, source: EmbeddedRegistry, destination: str, phase: str) -> None:
        reached, self.released = threading.Event(), threading.Event()
        matches = {"manifest": manifest("GET"), "blob": blob("GET")}[phase]

        def stall(request: Request) -> Fault | None:
            if not matches(request):
                return None
            reached.set()
            return Fault(stall=self.released, cut_answer_after=700_000 if phase == "blob" else None)

        source.fault = stall
        command = [*IMAGESYNC, "sync", f"{source.host}/up/app:1", destination]
        self.process = subprocess.Popen(
            command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert reached.wait(START_WITHIN_S)

    def end(self, number: int) -> tuple[int, str, str]:
        """Send the signal and wait for the end."""
        self.process.send_signal(number)
        started = time.monotonic()
        out, err = self.process.communicate(timeout=START_WITHIN_S)
        assert time.monotonic() - started < END_WITHIN_S
        self.released.set()
        return self.process.returncode, out, err


@pytest.mark.parametrize("phase", ["manifest", "blob"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal(source: EmbeddedRegistry, registry: EmbeddedRegistry, number: signal.Signals, phase: str) -> None:
    """A signal ends a copy within 5 s: its exit code tells which, its uploads are cancelled, and no tag is written."""
    stalled = Stalled(source, f"{registry.host}/team/app:1", phase)
    code, out, err = stalled.end(number)
    assert (code, out) == (128 + number, "")
    assert "Traceback" not in err
    assert registry.state.uploads == {}
    first = err.splitlines()[0]
    assert first.startswith("imagesync: interrupted: "), err
    assert f"{registry.host}/team/app by now, and its tag moves last" in first
    assert first.endswith("Run the same command again: it goes on from there")
    assert bool(sent(registry, upload("DELETE"))) == (phase == "blob")
    assert not registry.repository("team/app").tags


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_while_writing_a_layout(source: EmbeddedRegistry, tmp_path: Path, number: signal.Signals) -> None:
    """A signal leaves no half-written file in a layout."""
    stalled = Stalled(source, f"oci:{tmp_path / 'layout'}:1", "blob")
    code, _, err = stalled.end(number)
    assert code == 128 + number
    assert "Traceback" not in err
    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(name.startswith(PREFIX) for name in left)
    assert "index.json" not in left


@pytest.mark.parametrize("layout", [False, True])
def test_kill(source: EmbeddedRegistry, registry: EmbeddedRegistry, tmp_path: Path, layout: bool) -> None:
    """After a kill the tag is as it was, and the next run makes it whole."""
    folder = tmp_path / "layout"
    destination = f"oci:{folder}:1" if layout else f"{registry.host}/team/app:1"
    stalled = Stalled(source, destination, "blob")
    assert stalled.end(signal.SIGKILL)[0] == -signal.SIGKILL
    assert not registry.repository("team/app").tags
    assert not (folder / "index.json").exists()
    source.fault = None
    finished = imagesync("sync", f"{source.host}/up/app:1", destination)
    assert finished.code == 0, finished.err
    assert imagesync("resolve", destination).out == finished.out


def large(size_bytes: int) -> Image:
    layer = bytes(size_bytes)
    document = {
        "schemaVersion": 2,
        "config": describe("application/vnd.oci.empty.v1+json", b"{}"),
        "layers": [describe("application/octet-stream", layer)],
    }
    root = Manifest("application/vnd.oci.image.manifest.v1+json", to_json(document))
    return Image(root, {root.digest: root}, {digest_of(b"{}"): b"{}", digest_of(layer): layer})


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("layout", [False, True])
def test_memory(
    source: EmbeddedRegistry, docker_registry: str, repository_name: str, tmp_path: Path, layout: bool
) -> None:
    """A layer of 300 MiB goes through less than 90 MiB of memory."""
    large(300 * 1024 * 1024).seed(source.repository("up/app"), "large")
    destination = f"oci:{tmp_path / 'layout'}:1" if layout else f"{docker_registry}/{repository_name}:1"
    command = [sys.executable, "-c", _MEASURED, "sync", f"{source.host}/up/app:large", destination]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    peak_kib = int(done.stderr.rpartition("peak ")[2])
    assert peak_kib < MEMORY_KIB
    if layout:
        (tmp_path / "layout" / "blobs" / "sha256" / digest_of(bytes(300 * 1024 * 1024))[7:]).unlink()


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo terminal")
@pytest.mark.parametrize("quiet", [False, True])
def test_live_display(source: EmbeddedRegistry, registry: EmbeddedRegistry, quiet: bool) -> None:
    """On a terminal a long copy shows on one line how far it is, and takes the line away; with --quiet it does not."""
    master, slave = pseudo_terminal()
    released = threading.Event()
    source.fault = lambda request: Fault(stall=released, cut_answer_after=700_000) if blob("GET")(request) else None
    options = ["--quiet"] if quiet else []
    command = [*IMAGESYNC, "sync", f"{source.host}/up/app:1", f"{registry.host}/team/app:1", *options]
    running = subprocess.Popen(command, env=environment(TERM="xterm"), stdout=subprocess.PIPE, stderr=slave)
    os.close(slave)
    seen = b""
    if quiet:
        threading.Timer(1.0, released.set).start()  # longer than the display would take to come up
    while chunk := _read(master):
        seen += chunk
        if b"copying" in seen and b"blobs" in seen:
            released.set()
    os.close(master)
    out, _ = running.communicate(timeout=START_WITHIN_S)
    assert (running.returncode, out.count(b"@sha256:")) == (0, 1)
    if quiet:
        assert seen == b""
    else:
        assert b"of 2 blobs" in seen
        assert b"\x1b[2K" in seen
        assert seen.rstrip().endswith(b"sent")


def pseudo_terminal() -> tuple[int, int]:
    """Its two ends; a bare chroot may have none."""
    try:
        return os.openpty()
    except OSError:
        unavailable("a pseudo terminal")
        raise


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other side is closed
        return b""

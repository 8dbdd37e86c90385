"""What a process may lack: memory, files, disk, somewhere to write, a home, a name, a language; and how it is ended."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from imagesync_cli.stores.files.lock import try_lock
from imagesync_cli.stores.files.new_file import PREFIX
from tests.command import CHECKOUT, IMAGESYNC, environment
from tests.copy.test_processes import large
from tests.embedded_registry import EmbeddedRegistry, Fault, Request
from tests.embedded_registry.images import image
from tests.embedded_registry.plan import Census, name_of
from tests.embedded_registry.state import digest_of
from tests.faults.mirror import OLD, UP, Mirror, mirror

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits and signals of POSIX")

MIB = 1024 * 1024
END_WITHIN_S = 15  # 5, on a machine that does nothing else
START_WITHIN_S = 60
# A user that no list of users has, who owns what we own and may do no more with it than an owner may.
AS_NOBODY = ("unshare", "--user", "--map-user=54321")


@pytest.fixture
def source() -> Iterator[EmbeddedRegistry]:
    """A registry with an image whose layer is 3 MiB."""
    with EmbeddedRegistry() as running:
        image(layer_size_bytes=3 * MIB).seed(running.repository(UP), "1")
        yield running


def limited(kind: int, amount: int) -> Callable[[], None]:
    """Give a process so much of it, and no more."""
    return lambda: resource.setrlimit(kind, (amount, amount))


def run(
    *arguments: str, before: Callable[[], None] | None = None, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command as a process of its own, with what it is denied."""
    return subprocess.run(
        [*IMAGESYNC, *arguments],
        env=environment(**(environ or {})),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=before,
        cwd="/",
    )


def failed(done: subprocess.CompletedProcess[str], code: int, said: str) -> None:
    """Check that it ended like this, and said so in a way that a user understands."""
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr


def test_little_memory(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """A layer of 300 MiB goes through a process that may have 256 MiB of addresses in all."""
    large(300 * MIB).seed(source.repository(UP), "large")
    limit = limited(resource.RLIMIT_AS, 256 * MIB)
    done = run("sync", f"{source.host}/{UP}:large", f"{registry.host}/team/app:1", before=limit)
    assert done.returncode == 0, done.stderr
    assert registry.repository("team/app").tags


@pytest.mark.parametrize("files", [8, 10, 12, 16])
def test_few_files(source: EmbeddedRegistry, registry: EmbeddedRegistry, files: int) -> None:
    """A process that may open hardly any files copies, or says what it lacks and how to have more of it."""
    limit = limited(resource.RLIMIT_NOFILE, files)
    done = run("sync", f"{source.host}/{UP}:1", f"{registry.host}/team/app:1", before=limit)
    if done.returncode != 0:
        failed(done, 2, "too many open files")
        assert "ulimit -n" in done.stderr
        assert not registry.repository("team/app").tags
    assert done.returncode == 0 or files < 16


def test_file_that_grows_too_large(source: EmbeddedRegistry, tmp_path: Path) -> None:
    """A layer that may not be written is told so; nothing half-written is left, and the old image stays."""
    limit = limited(resource.RLIMIT_FSIZE, MIB)
    no_room(source, tmp_path / "layout", "File too large", limit)


def test_full_disk(source: EmbeddedRegistry, tmp_path: Path) -> None:
    """A disk that is full is told so; nothing half-written is left, and the old image stays."""
    (tmp_path / "disk").mkdir()
    with Mounted(tmp_path / "disk", "size=1m"):
        no_room(source, tmp_path / "disk" / "layout", "No space left on device")


def no_room(source: EmbeddedRegistry, folder: Path, said: str, before: Callable[[], None] | None = None) -> None:
    OLD.write_layout(folder, "1")
    there = files(folder)
    failed(run("sync", f"{source.host}/{UP}:1", f"oci:{folder}:1", before=before), 2, said)
    left = files(folder)
    assert left.items() >= there.items()
    # What is there whole serves the next run.
    assert all(digest_of(left[path]).endswith(Path(path).name) for path in left.keys() - there.keys())


class Mounted:
    """A file system of its own in a folder, where this machine allows that."""

    def __init__(self, folder: Path, options: str) -> None:
        self._folder = folder
        self._command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]

    def __enter__(self) -> None:
        if os.geteuid() != 0 or subprocess.run(self._command, capture_output=True, check=False).returncode:
            pytest.skip("nothing can be mounted here")

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", str(self._folder)], check=True)


def files(folder: Path) -> dict[str, bytes]:
    """What is there, but for the lock."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


def run_as_nobody(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user that is not known here."""
    if shutil.which("unshare") is None or subprocess.run([*AS_NOBODY, "true"], check=False).returncode:
        pytest.skip("this machine lends nobody another name")
    command = [*AS_NOBODY, *IMAGESYNC, *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def test_read_only_folder(source: EmbeddedRegistry, tmp_path: Path) -> None:
    """A folder that may not be written is told so, and stays as it is."""
    folder = tmp_path / "layout"
    OLD.write_layout(folder, "1")
    there = files(folder)
    folder.chmod(0o555)
    done = run_as_nobody(environment(), "sync", f"{source.host}/{UP}:1", f"oci:{folder}:1")
    folder.chmod(0o755)
    failed(done, 2, f"cannot write oci:{folder}: Permission denied")
    assert files(folder).items() >= there.items()
    assert list(folder.rglob(f"{PREFIX}*")) == []


def test_nobody_at_home(source: EmbeddedRegistry, tmp_path: Path) -> None:
    """A user without a home and without a name, as containers have them, copies like any other."""
    homeless = {name: value for name, value in environment().items() if name != "HOME"}
    done = run_as_nobody(homeless, "sync", f"{source.host}/{UP}:1", f"oci:{tmp_path / 'layout'}:1")
    assert done.returncode == 0, done.stderr


def test_plain_language(source: EmbeddedRegistry, tmp_path: Path) -> None:
    """Where the language is C and nothing but ASCII can be printed, a folder may have any name all the same."""
    folder = tmp_path / "päckchen"
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = run("sync", f"{source.host}/{UP}:1", f"oci:{folder}:1", environ=plain)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert (folder / "index.json").is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_full_stdout(source: EmbeddedRegistry, registry: EmbeddedRegistry, options: tuple[str, ...]) -> None:
    """A result that cannot be written is an error, in a way that a user understands; what was copied stays."""
    command = [*IMAGESYNC, "sync", f"{source.host}/{UP}:1", f"{registry.host}/team/app:1", *options]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, env=environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert registry.repository("team/app").tags


@dataclass
class Run:
    """A copy as a process that has come to the request of a name; that request waits."""

    process: subprocess.Popen[str]
    released: threading.Event

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send the signal; gives the exit code and what was said."""
        started = time.monotonic()
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=START_WITHIN_S)
        assert time.monotonic() - started < END_WITHIN_S
        self.released.set()
        return self.process.returncode, err


def start(mirror: Mirror, wanted: str, fault: Callable[[threading.Event], Fault]) -> Run:
    """Start a copy and wait until it has come to its first request of this name."""
    reached, released = threading.Event(), threading.Event()

    def hook(side: str) -> Callable[[Request], Fault | None]:
        def arrived(request: Request) -> Fault | None:
            if f"{side} {name_of(request)}" != wanted:
                return None
            reached.set()
            return fault(released)

        return arrived

    mirror.source.fault, mirror.destination.fault = hook("source"), hook("destination")
    process = subprocess.Popen(
        [*IMAGESYNC, *mirror.arguments],
        env=environment(**mirror.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert reached.wait(START_WITHIN_S), wanted
    return Run(process, released)


# Every kind of request that a copy over an old image makes; "in the answer" is after its head.
PHASES = [
    "destination HEAD manifest",
    "destination GET token",
    "source HEAD manifest",
    "source GET manifest",
    "source GET blob",
    "destination POST upload",
    "destination PUT upload",
    "destination PUT manifest",
]


def phase_of(name: str) -> str:
    """Which of the phases a request belongs to."""
    side, method, target = name.split(" ")
    kinds = {"/token": "token", "/manifests/": "manifest", "/uploads/": "upload", "/blobs/": "blob"}
    return f"{side} {method} {next(kind for part, kind in kinds.items() if part in target)}"


def request_of(mirror: Mirror, phase: str) -> str:
    """The name of the first request of a phase, from a copy that is made for this; everything is as before."""
    census = Census()
    assert mirror.run(census).code == 0
    mirror.reset()
    names = [name.rpartition(" #")[0] for name in census.named]
    return next(name for name in names if phase_of(name) == phase)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Mirror]:
    """A small image over an old one."""
    with mirror("image", tmp_path) as made:
        yield made


@pytest.mark.parametrize("phase", PHASES)
def test_signal_at_every_phase(app: Mirror, phase: str) -> None:
    """Wherever a copy is, a signal ends it in 5 s with its own exit code, and neither tag nor session is lost."""
    number = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP][PHASES.index(phase) % 3]
    name = request_of(app, phase)
    running = start(app, name, lambda released: Fault(stall=released))
    code, err = running.end(number)
    assert code == 128 + number, err
    assert "Traceback" not in err
    assert app.broken() == []
    assert phase == "destination PUT manifest" or app.repository.tags["1"] == OLD.digest
    app.watch(None)
    assert app.run().code == 0
    # A session that the registry opened when nobody listened any more is the registry's to forget.
    assert not app.destination.state.uploads or phase == "destination POST upload"


def test_impatient(app: Mirror) -> None:
    """A second Ctrl-C does not keep the first one from cleaning up."""
    running = start(app, request_of(app, "destination PUT upload"), lambda released: Fault(stall=released))
    running.process.send_signal(signal.SIGINT)
    code, err = running.end(signal.SIGINT)
    assert (code, "Traceback" in err) == (130, False)
    assert not app.destination.state.uploads


def test_signal_while_another_holds_the_lock(source: EmbeddedRegistry, tmp_path: Path) -> None:
    """A copy that waits for a layout that somebody else has locked can be ended; nothing of it is left."""
    folder = tmp_path / "layout"
    OLD.write_layout(folder, "1")
    held = os.open(folder / ".imagesync.lock", os.O_RDWR | os.O_CREAT)
    assert try_lock(held)
    process = subprocess.Popen(
        [*IMAGESYNC, "sync", f"{source.host}/{UP}:1", f"oci:{folder}:1"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    manifest = folder / "blobs" / image(layer_size_bytes=3 * MIB).digest.replace(":", "/")
    deadline = time.monotonic() + START_WITHIN_S
    while not manifest.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert manifest.exists()
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=START_WITHIN_S)
    os.close(held)
    assert time.monotonic() - started < END_WITHIN_S
    assert (process.returncode, "Traceback" in err) == (143, False)
    assert list(folder.rglob(f"{PREFIX}*")) == []
    assert json.loads((folder / "index.json").read_text())["manifests"][0]["digest"] == OLD.digest


def test_signal_before_anything_has_begun(tmp_path: Path) -> None:
    """A signal while the program is still being loaded ends it without a word."""
    blocked = tmp_path / "imagesync_cli"
    shutil.copytree(CHECKOUT / "imagesync_cli", blocked)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    cli = blocked / "cli.py"
    cli.write_text(
        f"open({str(pipe)!r}).read()\n" + cli.read_text().replace("from __future__ import annotations\n", "")
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "imagesync_cli", "--version"],
        env=environment(PYTHONPATH=str(tmp_path)),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    with pipe.open("w"):  # opens when it is being read
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=START_WITHIN_S)
    assert (process.returncode, err) == (130, "")


HELD_UP = """
import asyncio, os, sys
from imagesync_cli.settings import Settings
from imagesync_cli.stores.session import run

async def work(stores):
    try:
        print("begun", flush=True)
        {step}
    finally:
        await asyncio.sleep(0)
        print("cleaned up", flush=True)

run(Settings(), [], work)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("step", ["open(sys.argv[1])", "while True: pass", "os.read(os.pipe()[0], 1)"])
def test_signal_while_a_step_does_not_end(tmp_path: Path, step: str, number: signal.Signals) -> None:
    """Whatever a file or its content holds up, a signal ends the run within 5 s, and what was begun is cleaned up."""
    os.mkfifo(tmp_path / "fifo")
    command = [sys.executable, "-c", HELD_UP.format(step=step), str(tmp_path / "fifo")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        sent_at = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=START_WITHIN_S)
    assert time.monotonic() - sent_at < END_WITHIN_S
    assert (process.returncode, out, err) == (128 + number, "cleaned up\n", "")


def test_signal_while_the_cleaning_up_does_not_end(tmp_path: Path) -> None:
    """A cleaning up that hangs is left after 5 s as well."""
    code = HELD_UP.format(step="await asyncio.sleep(60)").replace("await asyncio.sleep(0)", "await asyncio.sleep(60)")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        sent_at = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(START_WITHIN_S) == 128 + signal.SIGTERM
    assert time.monotonic() - sent_at < END_WITHIN_S

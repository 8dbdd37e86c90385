"""A run with a terminal for its stderr: results go where stdout goes, and the terminal is left clean."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from pathlib import Path

import pytest

from tests.command import IMAGESYNC, environment
from tests.copy.test_processes import pseudo_terminal
from tests.embedded_registry import EmbeddedRegistry, Fault
from tests.embedded_registry.images import image
from tests.stores.copying import blob

END_WITHIN_S = 30
CURSOR_SHOWN = "\x1b[?25h"
NAMES = [f"team/app-{number}" for number in range(5)]

pytestmark = pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo terminal")


def _sync_all(
    registry: EmbeddedRegistry, folder: Path, *options: str, until: bytes, **environ: str
) -> tuple[int, str, str]:
    """Copy five images that all wait until ``until`` is seen on the terminal; gives code, stdout, the terminal."""
    for name in NAMES:
        image(name).seed(registry.repository(f"up/{name}"), "1")
    entries = [{"source": f"{registry.host}/up/{name}:1", "destination": f"oci:{folder}/{name}:1"} for name in NAMES]
    images = folder / "images.json"
    images.write_text(json.dumps({"images": entries}))
    released = threading.Event()
    registry.fault = lambda request: Fault(stall=released) if blob("GET")(request) else None
    master, slave = pseudo_terminal()
    command = [*IMAGESYNC, "sync", "--file", str(images), *options]
    running = subprocess.Popen(command, env=environment(**environ), stdout=subprocess.PIPE, stderr=slave, text=True)
    os.close(slave)
    seen = b""
    if not until:
        threading.Timer(1.0, released.set).start()  # longer than a display would take to come up
    while chunk := _read(master):
        seen += chunk
        if until and until in seen:
            released.set()
    os.close(master)
    out, _ = running.communicate(timeout=END_WITHIN_S)
    return running.returncode, out, seen.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other side is closed
        return b""


@pytest.mark.parametrize("form", ["text", "json"])
def test_results_are_on_stdout(registry: EmbeddedRegistry, tmp_path: Path, form: str) -> None:
    """What is redirected to a file arrives there, all of it, also while progress is drawn on the terminal."""
    options = ["--json"] if form == "json" else []
    code, out, seen = _sync_all(registry, tmp_path, *options, until=b"of 5 images", TERM="xterm")
    assert code == 0
    lines = out.splitlines()
    if form == "json":
        assert [json.loads(line)["event"] for line in lines] == ["image"] * 5 + ["end"]
    else:
        assert {line.split()[1] for line in lines} == {f"oci:{tmp_path}/{name}:1" for name in NAMES}
    assert "sha256:" not in seen


def test_the_terminal_is_left_clean(registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """After a run with a display, its modes are as before and what is left of it is the summary."""
    _, _, seen = _sync_all(registry, tmp_path, until=b"of 5 images", TERM="xterm")
    assert set(re.findall(r"\x1b\[\?25l(.{0,6})", seen, re.DOTALL)) == {CURSOR_SHOWN}  # while lines are drawn as well
    assert "\x1b[?" not in seen.replace("\x1b[?25l", "").replace(CURSOR_SHOWN, "")
    assert seen.rpartition("\x1b[2K")[2].startswith("imagesync: 5 copied, 0 there already; ")


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {"TERM": "xterm", "CI": "true"}], ids=["dumb", "ci"])
def test_terminals_that_nothing_is_drawn_on(
    registry: EmbeddedRegistry, tmp_path: Path, environ: dict[str, str]
) -> None:
    """A dumb terminal, and one that a CI system keeps as a log, get lines and nothing else."""
    code, out, seen = _sync_all(registry, tmp_path, until=b"", **environ)
    assert (code, len(out.splitlines())) == (0, 5)
    assert "\x1b" not in seen
    assert seen.startswith("imagesync: 5 copied, ")

"""Several processes that write into one layout and delete from it, all the time: no tag is lost, none comes back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from imagesync_cli.stores.files.new_file import PREFIX
from tests.command import CHECKOUT, environment
from tests.embedded_registry.images import image, index
from tests.embedded_registry.state import digest_of
from tests.faults.test_killed import TAG

# They share layers, children and whole images.
_IMAGES = [
    image("a"),
    index("b", platforms=("linux/amd64", "linux/arm64")),
    index("b", platforms=("linux/arm64", "linux/s390x")),
]


@pytest.mark.parametrize(
    ("processes", "rounds"),
    [(4, 9), pytest.param(8, 200, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])],
)
def test_crowd(tmp_path: Path, processes: int, rounds: int) -> None:
    """After all of them are done the layout has every tag that was to stay, whole, and no other."""
    sources = [str(made.write_layout(tmp_path / f"source-{number}", "1")) for number, made in enumerate(_IMAGES)]
    folder = tmp_path / "layout"
    command = [sys.executable, "-m", "tests.faults.layout_worker", str(folder)]
    workers = [
        subprocess.Popen(
            [*command, f"w{number}", str(rounds), *sources[number % 3 :], *sources[: number % 3]],
            cwd=CHECKOUT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    outcomes = [(*worker.communicate(), worker.returncode) for worker in workers]
    assert [(err, code) for _, err, code in outcomes] == [("", 0)] * processes
    expected = {tag: digest for out, _, _ in outcomes for tag, digest in json.loads(out).items()}
    entries = json.loads((folder / "index.json").read_text())["manifests"]
    assert {entry["annotations"][TAG]: entry["digest"] for entry in entries} == expected
    whole = {made.digest: {**made.manifests, **made.blobs} for made in _IMAGES}
    for named in {named for digest in expected.values() for named in whole[digest]}:
        assert digest_of((folder / "blobs" / named.replace(":", "/")).read_bytes()) == named
    assert list(folder.rglob(f"{PREFIX}*")) == []

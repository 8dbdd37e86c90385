"""The README's two commands work as pasted.

Runs the first one here; the second one is what runs these tests, see .ci/run. On a bare machine: test_bare_debian.py.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.peers import PROGRAMS, how_to_install
from tests.repo.checkout import ROOT, copy_checkout, readme_block
from tests.terraform import tutorial

BLOCKS = ("Try it", "Run the tests")


@pytest.mark.parametrize("heading", BLOCKS)
def test_a_block_is_there_to_be_pasted(heading: str) -> None:
    """Each of the two blocks is plain shell, without prompts to take away."""
    pasted = readme_block(heading)
    assert ".venv/bin/" in pasted
    assert not [line for line in pasted.splitlines() if line.startswith(("$", "#"))]
    subprocess.run(["sh", "-n", "-c", pasted], check=True)


def test_a_heading_that_is_gone_is_an_error() -> None:
    """A renamed heading fails the checks instead of running nothing."""
    with pytest.raises(subprocess.CalledProcessError) as failed:
        readme_block("No such heading")
    assert "No such heading" in failed.value.stderr


@pytest.mark.skipif(os.environ.get("IMAGESYNC_REQUIRE_PEERS") != "1", reason="needs the package index")
def test_trying_it_works_as_pasted(tmp_path: Path) -> None:
    """Whoever pastes the first block into a fresh checkout has an image copied, digest and all."""
    checkout = tmp_path / "imagesync"
    copy_checkout(checkout)
    pasted = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", readme_block("Try it")],
        cwd=checkout,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    )
    assert pasted.returncode == 0, pasted.stdout + pasted.stderr
    shipped = {path.name for path in (checkout / "examples/hello-image/blobs/sha256").iterdir()}
    written = [
        path.parent
        for path in checkout.rglob("index.json")
        if {blob.name for blob in path.parent.glob("blobs/sha256/*")} == shipped
    ]
    assert len(written) == 2, "the shipped layout and its copy"


def test_how_to_install_what_is_missing() -> None:
    """Whoever is told that tests were skipped is told what installs what they need, as `.ci/run` does it."""
    assert how_to_install({"crane", "skopeo", "nginx", "terraform"}) == [
        "apt-get install -y --no-install-recommends nginx-light skopeo",
        "go install github.com/google/go-containerregistry/cmd/crane@v0.22.1",
    ]
    told = " ".join(how_to_install(PROGRAMS))
    assert {"docker-registry", "postgresql", "kubernetes-client"} <= set(told.split())


def test_the_warning_is_one_that_terraform_shows() -> None:
    """What the README shows of a plan has the form of what the tutorial shows, which is held against real runs."""

    def form(line: str) -> str:
        return re.sub(r"\d+(\.\d+ [kMG]?B)?", "N", re.sub(r"sha256:\w+|^\S+(?= has)", "X", line.strip()))

    readme = (ROOT / "README.md").read_text("utf-8")
    (shown,) = re.findall(r"^```\n(Warning: .*?)^```$", readme, re.MULTILINE | re.DOTALL)
    first, _, how_many, _, moved, how_much = (form(line) for line in shown.splitlines())
    new, later = (map(form, tutorial.shown(step)) for step in ("Mirror it", "The source moves"))
    assert {first, how_many.partition("images in ")[0]} <= {line.partition("image:")[0] for line in new}
    assert moved in {*later}
    assert how_much.partition(";")[0] == "N layers, N to copy"

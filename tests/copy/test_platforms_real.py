"""Chosen platforms on real registries: whole, under the digest that was told, and other tools read them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.command import imagesync
from tests.embedded_registry.images import DOCKER_LIST, OCI_INDEX, Image, index
from tests.peers import program
from tests.real_image import TAG

RUN_WITHIN_S = 120
REGISTRIES = ["docker_registry", "distribution_v3", "crane_registry"]
WANTED = ("--platform", "linux/arm64", "--platform", "linux/arm")
THREE = ("linux/amd64", "linux/arm64", "linux/arm/v7")
# An image, the type of its index, and the places in it of what is wanted.
KINDS = {
    "attested": (index("attested", platforms=THREE, attested=True), OCI_INDEX, (1, 2, 4, 5)),
    "Docker": (index("Docker", platforms=THREE, docker=True), DOCKER_LIST, (1, 2)),
}


@pytest.fixture(params=REGISTRIES)
def name(request: pytest.FixtureRequest, repository_name: str) -> str:
    """HOST/REPOSITORY of each kind of registry, empty."""
    return f"{request.getfixturevalue(request.param)}/{repository_name}"


def run(folder: Path, tool: str, *arguments: str) -> bytes:
    """What a tool of the field prints that knows of no login of this machine."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "DOCKER_CONFIG": str(folder)}
    command = [program(tool), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=RUN_WITHIN_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def synced(*arguments: str) -> str:
    finished = imagesync("sync", *arguments)
    assert finished.code == 0, finished.err
    return finished.out.strip().partition("@")[2]


def told(reference: str, *options: str) -> str:
    finished = imagesync("resolve", reference, *options)
    assert finished.code == 0, finished.err
    return finished.out.strip().partition("@")[2]


@pytest.mark.parametrize("kind", KINDS)
def test_chosen_and_read_by_others(name: str, kind: str, tmp_path: Path) -> None:
    """Two of three platforms arrive under the digest that was told; crane, regctl and skopeo see the same."""
    made, media_type, kept = KINDS[kind]
    host = name.partition("/")[0]
    layout = f"oci:{made.write_layout(tmp_path / 'layout', '1')}:1"
    whole, some = f"{name}:all", f"{name}:some"
    assert synced(layout, whole) == made.digest
    digest = told(whole, *WANTED)
    assert digest == told(layout, *WANTED)
    assert synced(whole, some, *WANTED) == synced(layout, some, *WANTED) == told(some) == digest

    content = run(tmp_path, "skopeo", "inspect", "--tls-verify=false", "--raw", f"docker://{some}")
    assert content == run(tmp_path, "crane", "manifest", "--insecure", some)
    plain = ("--host", f"reg={host},tls=disabled")
    assert content == run(tmp_path, "regctl", *plain, "manifest", "get", "--format", "raw-body", some)
    assert run(tmp_path, "crane", "digest", "--insecure", some).decode().strip() == digest
    document = json.loads(content)
    assert document["mediaType"] == media_type
    assert [entry["digest"] for entry in document["manifests"]] == [made.children[place] for place in kept]
    for platform in ("linux/arm64", "linux/arm/v7"):
        run(tmp_path, "crane", "validate", "--insecure", "--remote", some, "--platform", platform)


def test_one_platform_of_a_real_image(name: str, busybox: Image, busybox_layout: Path, tmp_path: Path) -> None:
    """One platform of a real image is that platform's manifest to every tool, also by way of a layout."""
    digest = synced(f"oci:{busybox_layout}:{TAG}", f"{name}:{TAG}", "--platform", "linux/arm/v7")
    assert digest == busybox.children[2]
    run(tmp_path, "crane", "validate", "--insecure", "--remote", f"{name}:{TAG}")
    config = json.loads(run(tmp_path, "skopeo", "inspect", "--tls-verify=false", "--config", f"docker://{name}:{TAG}"))
    assert (config["architecture"], config["variant"]) == ("arm", "v7")
    layout = f"oci:{tmp_path / 'layout'}:{TAG}"
    assert synced(f"{name}:{TAG}", layout, "--platform", "linux/arm") == digest
    assert "is in sync with" in imagesync("sync", layout, f"{name}:{TAG}", "--platform", "linux/arm").err


def test_the_same_as_crane(name: str, tmp_path: Path) -> None:
    """One platform comes to the same manifest as with `crane copy --platform`."""
    made, *_ = KINDS["attested"]
    synced(f"oci:{made.write_layout(tmp_path / 'layout', '1')}:1", f"{name}:all")
    for platform in THREE:
        run(tmp_path, "crane", "copy", "--insecure", "--platform", platform, f"{name}:all", f"{name}:crane")
        assert told(f"{name}:crane") == synced(f"{name}:all", f"{name}:ours", "--platform", platform)


def test_platforms_leave_with_their_index(name: str, tmp_path: Path) -> None:
    """A chosen index is deleted like any other: what only it used goes, what the whole image uses stays."""
    made, *_ = KINDS["attested"]
    layout = f"oci:{made.write_layout(tmp_path / 'layout', '1')}:1"
    digest = synced(layout, f"{name}:some", *WANTED)
    synced(layout, f"{name}:all")
    assert imagesync("delete", f"{name}:some").code == 0
    assert imagesync("resolve", f"{name}@{digest}").code == 3
    for child in made.children:
        assert told(f"{name}@{child}") == child

"""A real multi-platform image arrives whole on real registries, runs from there, and other tools read it."""

from __future__ import annotations

import os
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import httpx
import pytest

from tests.command import imagesync
from tests.embedded_registry.images import OCI_INDEX, OCI_MANIFEST, Image
from tests.embedded_registry.state import digest_of
from tests.peers import program
from tests.real_image import TAG

ACCEPT = {"Accept": f"{OCI_INDEX}, {OCI_MANIFEST}"}
RUN_WITHIN_S = 120


@pytest.fixture(params=["docker_registry", "distribution_v3", "crane_registry"])
def copied(request: pytest.FixtureRequest, busybox: Image, busybox_layout: Path, repository_name: str) -> str:
    """HOST/REPOSITORY of a copy from a layout into each kind of registry."""
    name = f"{request.getfixturevalue(request.param)}/{repository_name}"
    finished = imagesync("sync", f"oci:{busybox_layout}:{TAG}", f"{name}:{TAG}")
    assert finished.code == 0, finished.err
    assert finished.out == f"{name}@{busybox.digest}\n"
    return name


def read(name: str, kind: str, digest: str) -> bytes:
    host, _, repository = name.partition("/")
    answer = httpx.get(f"http://{host}/v2/{repository}/{kind}/{digest}", headers=ACCEPT, trust_env=False, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.content


def test_every_byte(copied: str, busybox: Image) -> None:
    """Every manifest of every platform, and every blob, is there byte for byte."""
    assert digest_of(read(copied, "manifests", TAG)) == busybox.digest
    for digest, manifest in busybox.manifests.items():
        assert read(copied, "manifests", digest) == manifest.content
    for digest, content in busybox.blobs.items():
        assert read(copied, "blobs", digest) == content


def test_it_runs(copied: str, busybox: Image, tmp_path: Path) -> None:
    """The amd64 program, unpacked from the destination, runs here."""
    if os.uname().machine != "x86_64":
        pytest.skip("this is no amd64 machine")
    layer = busybox.manifests[busybox.children[0]].blobs[1]
    with tarfile.open(fileobj=BytesIO(read(copied, "blobs", layer))) as archive:
        binary = archive.extractfile("bin/busybox")
        assert binary is not None
        (tmp_path / "busybox").write_bytes(binary.read())
    (tmp_path / "busybox").chmod(0o755)
    said = subprocess.run([tmp_path / "busybox", "echo", "mirrored"], capture_output=True, check=True)
    assert said.stdout == b"mirrored\n"


@pytest.mark.parametrize(
    "command",
    [
        "crane validate --platform linux/arm64 --remote {name}:{tag}",
        "crane digest {name}:{tag}",
        "regctl --host reg={host},tls=disabled image digest {name}:{tag}",
        "skopeo inspect --tls-verify=false --raw docker://{name}:{tag}",
        "skopeo copy --all --preserve-digests --src-tls-verify=false docker://{name}:{tag} oci:{folder}:{tag}",
    ],
)
def test_other_tools_read_it(copied: str, busybox: Image, tmp_path: Path, command: str) -> None:
    """crane, regctl and skopeo find the same image."""
    text = command.format(name=copied, host=copied.partition("/")[0], tag=TAG, folder=tmp_path / "copy")
    tool, *arguments = text.split()
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path)}
    done = subprocess.run(
        [program(tool), *arguments], env=environment, capture_output=True, check=False, timeout=RUN_WITHIN_S
    )
    assert done.returncode == 0, done.stderr
    if "digest" in arguments:
        assert done.stdout.decode().strip() == busybox.digest
    if "--raw" in arguments:
        assert done.stdout == busybox.root.content


def test_back_into_a_layout(copied: str, busybox: Image, tmp_path: Path) -> None:
    """From the registry into a new layout, and from that into the registry again, nothing changes."""
    layout = f"oci:{tmp_path / 'layout'}:{TAG}"
    finished = imagesync("sync", f"{copied}:{TAG}", layout)
    assert finished.code == 0, finished.err
    blobs = tmp_path / "layout" / "blobs" / "sha256"
    contents = busybox.blobs | {digest: manifest.content for digest, manifest in busybox.manifests.items()}
    assert {file.name: file.read_bytes() for file in blobs.iterdir()} == {
        digest.removeprefix("sha256:"): content for digest, content in contents.items()
    }
    again = imagesync("sync", layout, f"{copied}:{TAG}")
    assert "is in sync with" in again.err


def test_skopeo_reads_the_layout(busybox_layout: Path, busybox: Image, tmp_path: Path) -> None:
    """A layout that imagesync wrote is one to other tools."""
    folder = tmp_path / "layout"
    assert imagesync("sync", f"oci:{busybox_layout}:{TAG}", f"oci:{folder}:{TAG}").code == 0
    command = [program("skopeo"), "inspect", "--raw", f"oci:{folder}:{TAG}"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == busybox.root.content

"""Real clients copy a real image into the embedded registry, and find it whole."""

from __future__ import annotations

import os
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from tests.embedded_registry import MANNERS, EmbeddedRegistry
from tests.embedded_registry.images import Image
from tests.peers import program
from tests.real_image import TAG

# {layout} and {target} are filled in; each copies the whole image with its digest unchanged.
PUSHES = {
    "crane": "push {layout} {target}",
    "regctl": "--host reg={host},tls=disabled image copy ocidir://{layout}:{tag} {target}",
    "skopeo": "copy --all --preserve-digests --dest-tls-verify=false oci:{layout}:{tag} docker://{target}",
}


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a tool that knows of no login of this machine."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "DOCKER_CONFIG": str(folder)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("tool", PUSHES)
@pytest.mark.parametrize("manner", ["oci-1.1", "distribution-2.8", "distribution-3", "harbor", "ecr", "ggcr"])
def test_push_by_a_real_client(tool: str, manner: str, busybox: Image, busybox_layout: Path, tmp_path: Path) -> None:
    """What a client of the field pushes arrives byte for byte, and crane finds nothing wrong with it."""
    with EmbeddedRegistry(MANNERS[manner]) as registry:
        repository = registry.repository("tests/busybox")
        target = f"{registry.host}/tests/busybox:{TAG}"
        arguments = PUSHES[tool].format(layout=busybox_layout, tag=TAG, target=target, host=registry.host)
        pushed = _run([program(tool), *arguments.split()], tmp_path)
        assert pushed.returncode == 0, pushed.stderr
        assert repository.tags == {TAG: busybox.digest}
        assert repository.manifests == busybox.manifests
        assert repository.blobs == busybox.blobs
        for platform in ("linux/amd64", "linux/arm/v7"):
            command = [program("crane"), "validate", "--platform", platform, "--remote", target]
            valid = _run(command, tmp_path)
            assert valid.returncode == 0, valid.stderr


def test_busybox_runs(busybox: Image, tmp_path: Path) -> None:
    """The amd64 layer holds a program that runs here."""
    if os.uname().machine != "x86_64":
        pytest.skip("this is no amd64 machine")
    amd64 = busybox.manifests[busybox.children[0]]
    layer = busybox.blobs[amd64.blobs[1]]
    with tarfile.open(fileobj=BytesIO(layer)) as archive:
        binary = archive.extractfile("bin/busybox")
        assert binary is not None
        (tmp_path / "busybox").write_bytes(binary.read())
    (tmp_path / "busybox").chmod(0o755)
    said = subprocess.run([tmp_path / "busybox", "echo", "hello"], capture_output=True, check=True)
    assert said.stdout == b"hello\n"

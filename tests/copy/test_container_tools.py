"""podman and buildah, from Debian, pull what we wrote into real registries, and we read what they push."""

from __future__ import annotations

import itertools
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import imagesync
from tests.embedded_registry.images import Image
from tests.peers import program
from tests.real_image import TAG
from tests.served import Served

RUN_WITHIN_S = 120
# Pulp once: these two wait 10 s a command for it to speak TLS before they try without, and share the library that does.
PAIRS = [
    *itertools.product(
        ("buildah", "podman"), ("docker_registry", "crane_registry", "nginx_registry", "token_registry")
    ),
    ("buildah", "pulp_registry"),
]


class Tool:
    """One of the two, with a storage and logins of its own."""

    def __init__(self, name: str, folder: Path, served: Served) -> None:
        self.name, self.served = name, served
        self._command = [program(name), "--root", f"{folder}/storage", "--runroot", f"{folder}/run"]
        self._command += ["--storage-driver", "vfs"]
        self._folder = folder
        self._options = ["--creds", ":".join(served.login)] if served.login else []
        if served.ca_file:
            (folder / "certificates").mkdir()
            (folder / "certificates/ca.crt").write_bytes(served.ca_file.read_bytes())
            self._options += ["--cert-dir", f"{folder}/certificates"]
        else:
            self._options += ["--tls-verify=false"]

    def __call__(self, verb: str, *arguments: str) -> str:
        """Run a command that talks to the registry."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._folder), "TMPDIR": str(self._folder)}
        command = [*self._command, verb, *self._options, *arguments]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=RUN_WITHIN_S
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(params=PAIRS, ids="-".join)
def tool(request: pytest.FixtureRequest) -> Iterator[Tool]:
    """Each of the two at the real registries, with a storage of its own; podman allows no long path for that."""
    name, registry = request.param
    running = request.getfixturevalue(registry)
    with tempfile.TemporaryDirectory(prefix="tool.") as folder:
        yield Tool(name, Path(folder), running if isinstance(running, Served) else Served(running))


def test_there_and_back(tool: Tool, busybox: Image, busybox_layout: Path, repository_name: str) -> None:
    """A platform's image is pulled as we wrote it and pushed again; what was pushed passes our check."""
    served = tool.served
    mirror = f"{served.host}/{repository_name}"
    copied = imagesync("sync", f"oci:{busybox_layout}:{TAG}", f"{mirror}:{TAG}", environ=served.environ)
    assert copied.code == 0, copied.err
    pulled = tool("pull", "--quiet", "--arch=arm64", f"{mirror}:{TAG}")
    config = busybox.manifests[busybox.children[1]].blobs[0]
    assert f"sha256:{pulled}" == config  # both tools name an image by its config's digest
    tool("push", "--quiet", pulled, f"docker://{mirror}:{tool.name}")
    checked = imagesync("check", "--read", f"{mirror}:{tool.name}", environ=served.environ)
    assert checked.code == 0, checked.err

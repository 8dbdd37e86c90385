"""The container images, built with buildah and run: not as root, on a read-only root, with a mounted Docker login.

Their base is a plain Debian made here, with Python and the user of an agent's image, since real ones would have to come
from a registry.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests import peers
from tests.embedded_registry import Authentication, EmbeddedRegistry, Manner
from tests.repo.bare_debian import LENT_FILES, lent_variables, plain_debian
from tests.repo.checkout import ROOT

COMMIT = "0123456789ab"

pytestmark = pytest.mark.timeout(900)

# What a container engine does with --read-only and two volumes.
RUN = """
root=$1 user=$2 volumes=$3; shift 3
mkdir -p "$root/docker" "$root/images"
mount --bind "$root" "$root"
mount --bind -o ro "$volumes/docker" "$root/docker"
mount --bind -o ro "$volumes/images" "$root/images"
mount -o remount,bind,ro "$root"
exec chroot --userspec="$user" "$root" "$@"
"""


@dataclass(frozen=True)
class Buildah:
    """buildah with a storage of its own."""

    folder: Path

    def __call__(self, *arguments: str) -> str:
        storage = ["--root", str(self.folder / "storage"), "--runroot", str(self.folder / "run")]
        environment = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
        return succeeding([peers.program("buildah"), *storage, *arguments], environment)

    def build(self, *options: str) -> str:
        """Build the Dockerfile, lending it what it takes to reach the package index; return the image's id."""
        lent = [f"--volume={file}:{file}:ro" for file in LENT_FILES if Path(file).exists() and "/etc/h" not in file]
        lent += [f"--env={name}={value}" for name, value in lent_variables().items()]
        arguments = {"PYTHON_IMAGE": "localhost/debian", "AGENT_IMAGE": "localhost/debian", "SOURCE_COMMIT": COMMIT}
        lent += [f"--build-arg={name}={value}" for name, value in arguments.items()]
        return self("build", "--quiet", "--layers", "--network=host", *lent, *options, str(ROOT)).splitlines()[-1]


@dataclass(frozen=True)
class Container:
    """A container of an image, and how it is run."""

    buildah: Buildah
    image: str
    volumes: Path

    @cached_property
    def config(self) -> dict[str, Any]:
        """Its image's configuration (image-spec v1.1.1, config.md)."""
        config: dict[str, Any] = json.loads(self.buildah("inspect", "--type", "image", self.image))["OCIv1"]["config"]
        return config

    @cached_property
    def root(self) -> str:
        return self.buildah("mount", self.buildah("from", self.image))

    def run(self, *command: str) -> str:
        """Run a command in it, as the user and in the environment that its image says."""
        enter = ["unshare", "--mount", "--fork", "bash", "-euc", RUN, "enter", self.root, self.config["User"]]
        environment = dict(entry.split("=", maxsplit=1) for entry in self.config["Env"])
        return succeeding([*enter, str(self.volumes), *command], environment)


def succeeding(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, capture_output=True, check=False, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def buildah() -> Iterator[Buildah]:
    """A storage with what the Dockerfile takes as its base."""
    debian = plain_debian()
    with tempfile.TemporaryDirectory(prefix="images.") as folder:
        made = Buildah(Path(folder))
        container = made("from", "scratch")
        subprocess.run(["cp", "-a", f"{debian}/.", made("mount", container)], check=True)
        made("run", container, "useradd", "tfc-agent")
        made("commit", "--quiet", "--rm", container, "localhost/debian")
        try:
            yield made
        finally:
            made("rm", "--all")
            subprocess.run(["umount", "--recursive", "--quiet", f"{folder}/storage/overlay"], check=False)


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    """What is mounted: images, and the folder of a Docker configuration."""
    shutil.copytree(ROOT / "examples/hello-image", tmp_path / "images/hello")
    (tmp_path / "docker").mkdir()
    return tmp_path


def test_the_images_run(buildah: Buildah, volumes: Path) -> None:
    """The image copies as a user that is not root, on a read-only root, with a login that only this user can read; an
    agent's image has the command."""
    image = Container(buildah, buildah.build(), volumes)
    user = image.config["User"]
    assert re.fullmatch("[1-9][0-9]*:[1-9][0-9]*", user)
    said = image.run("sh", "-c", "echo $(id -u):$(id -g); touch /new 2>/dev/null || echo read-only")
    assert said == f"{user}\nread-only"
    assert image.run(*image.config["Entrypoint"], "--version").endswith(f"({COMMIT})")

    account = Authentication(scheme="basic", accounts={"user": "password"})
    with EmbeddedRegistry(Manner(authentication=account)) as registry:
        login = volumes / "docker/config.json"
        login.write_text(json.dumps({"auths": {registry.host: {"auth": "dXNlcjpwYXNzd29yZA=="}}}))
        os.chown(login, *map(int, user.split(":")))
        login.chmod(0o400)
        destination = f"{registry.host}/hello:1.0"
        printed = image.run(*image.config["Entrypoint"], "sync", "--quiet", "oci:/images/hello:1.0", destination)
        assert printed.startswith(f"{registry.host}/hello@sha256:")
        assert registry.state.repositories["hello"].tags["1.0"] == printed.partition("@")[2]

    agent = Container(buildah, buildah.build("--target=terraform-agent"), volumes)
    assert agent.config["User"] == "tfc-agent"
    assert agent.run("imagesync", "--version").endswith(f"({COMMIT})")

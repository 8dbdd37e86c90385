"""The commands of docs/air-gap.md work as written, on real registries of this machine."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import peers
from tests.command import environment, imagesync
from tests.copy.artifacts import windows_of
from tests.embedded_registry.images import Image, compose, image, index, random_bytes, tar, to_json
from tests.embedded_registry.state import digest_of
from tests.repo.checkout import ROOT
from tests.stores.files.tars import write_tar

PAGE = (ROOT / "docs" / "air-gap.md").read_text(encoding="utf-8")
HEADINGS = {"One file": 2, "Many images, often": 1, "Files of docker save": 1, "Windows images": 1}
APP, WEB = index("app", attested=True), index("web")
LAYER = tar({"bin/sh": (0o755, random_bytes("sh", 2000))})


def blocks(heading: str) -> list[str]:
    """The commands under a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


class Desk:
    """A machine with a registry on either side of the gap, and a medium."""

    def __init__(self, folder: Path, here: str, there: str) -> None:
        self.folder, self.here, self.there = folder, here, there
        self.usb = folder / "usb"
        self.usb.mkdir()
        (folder / "bin").mkdir()
        command = folder / "bin" / "imagesync"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m imagesync_cli "$@"\n')
        command.chmod(0o755)

    def run(self, commands: str) -> str:
        """Run commands as written, but for the names of this machine's registries and folders."""
        for name, own in (
            ("registry.example.com", self.here),
            ("registry.inside.example", self.there),
            ("/media/usb", f"{self.usb}"),
        ):
            commands = commands.replace(name, own)
        ours = environment()
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.folder,
            env={**ours, "PATH": f"{self.folder / 'bin'}:{ours['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def arrived(self, name: str) -> str:
        """The digest that a name has behind the gap."""
        return imagesync("resolve", f"{self.there}/{name}").out.strip().rpartition("@")[2]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with (
        peers.docker_registry(tmp_path / "a", more=peers.ALLOWS_FOREIGN_LAYERS) as here,
        peers.distribution_v3(tmp_path / "b", more=peers.ALLOWS_FOREIGN_LAYERS) as there,
    ):
        yield Desk(tmp_path, here, there)


def provide(desk: Desk, made: Image, name: str) -> None:
    folder = made.write_layout(desk.folder / "provided" / name.replace(":", "/"), "1")
    options = ("--foreign-layers",) if "windows" in name else ()
    done = imagesync("sync", f"oci:{folder}:1", f"{desk.here}/team/{name}", *options)
    assert done.code == 0, done.err


def test_every_command_is_tried() -> None:
    """No block of commands stands on the page that is not run below."""
    assert {heading: len(blocks(heading)) for heading in HEADINGS} == HEADINGS
    assert PAGE.count("```sh\n") == sum(HEADINGS.values())


@pytest.mark.parametrize("heading", ["One file", "Many images, often"])
def test_images_in_a_file(desk: Desk, heading: str) -> None:
    """Two images go into a file, are carried, and arrive whole with the digests they had."""
    provide(desk, APP, "app:1.0")
    provide(desk, WEB, "web:2.1")
    desk.run(blocks(heading)[0])
    assert [path.suffix for path in desk.usb.iterdir() if path.suffix != ".sha256"] == [".tar"]
    other_side = blocks("One file")[1]
    if heading != "One file":
        other_side = other_side.partition("\n")[2]  # there is no checksum
    printed = desk.run(other_side).splitlines()
    assert [line.rpartition("@")[2] for line in printed[-2:]] == [APP.digest] * 2
    assert (desk.arrived("team/app:1.0"), desk.arrived("team/web:2.1")) == (APP.digest, WEB.digest)
    for digest in (*APP.children, *WEB.children):
        name = "app" if digest in APP.children else "web"
        assert desk.arrived(f"team/{name}@{digest}") == digest


def test_what_docker_save_wrote(desk: Desk) -> None:
    """A file of docker save's form arrives; it is made here, there is no Docker."""
    made = compose("linux/amd64", [LAYER])
    config = next(blob for blob in made.blobs.values() if blob.startswith(b"{"))
    items = [{"Config": "config.json", "RepoTags": ["busybox:1.36"], "Layers": ["0/layer.tar"]}]
    members = [("0/layer.tar", LAYER), ("config.json", config), ("manifest.json", to_json(items))]
    write_tar(desk.usb / "busybox.tar", members)
    printed = desk.run(blocks("Files of docker save")[0])
    assert printed.strip().rpartition("@")[2] == desk.arrived("team/busybox:1.36")
    foretold = imagesync("resolve", f"docker-archive:{desk.usb / 'busybox.tar'}").out
    assert printed.strip().rpartition("@")[2] == foretold.strip().rpartition("@")[2]


def test_windows_images(desk: Desk) -> None:
    """A foreign layer that the source registry holds goes along."""
    base = random_bytes("base", 5000)
    made = windows_of(image("windows", docker=True), base)
    provide(desk, Image(made.root, made.manifests, {**made.blobs, digest_of(base): base}), "windows:1")
    desk.run(blocks("Windows images")[0])
    assert desk.arrived("team/windows:1") == made.digest
    blob = desk.folder / "b/storage/docker/registry/v2/repositories/team/windows/_layers/sha256" / digest_of(base)[7:]
    assert blob.exists()

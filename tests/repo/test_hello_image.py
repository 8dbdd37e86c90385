"""The example image: what is shipped is what its script writes, and it is a real image.

Does not copy it anywhere; that is for the operations' and the contract's tests.
"""

from __future__ import annotations

import importlib.util
import io
import json
import platform
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

IMAGE = Path(__file__).parents[2] / "examples" / "hello-image"
BESIDE_THE_LAYOUT = {"build.py", ".gitattributes"}
NATIVE = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "riscv64": "riscv64"}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hello_image_build", IMAGE / "build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def files_under(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def blob(descriptor: dict[str, Any]) -> bytes:
    algorithm, _, encoded = str(descriptor["digest"]).partition(":")
    return (IMAGE / "blobs" / algorithm / encoded).read_bytes()


def unpacked(layer: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(blob(layer))) as archive:
        for member in archive:
            content = archive.extractfile(member)
            assert content
            yield member.name, content.read()


def manifests() -> list[dict[str, Any]]:
    (root,) = json.loads((IMAGE / "index.json").read_bytes())["manifests"]
    found: list[dict[str, Any]] = json.loads(blob(root))["manifests"]
    return found


def test_building_again_writes_the_bytes_that_are_shipped(script: ModuleType) -> None:
    """Whoever rebuilds the example gets the digests that the documentation shows."""
    files = files_under(IMAGE)
    assert script.build() == {name: files[name] for name in files.keys() - BESIDE_THE_LAYOUT}


def test_a_build_into_a_folder_leaves_nothing_of_an_older_one(script: ModuleType, tmp_path: Path) -> None:
    """A folder that held another build holds exactly this one afterwards."""
    stale = tmp_path / "blobs" / "sha256" / ("0" * 64)
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"an older build")
    script.main(tmp_path)
    assert files_under(tmp_path) == script.build()


def test_the_index_lists_each_platform_once() -> None:
    """The example is one image for four platforms."""
    listed = ["/".join(manifest["platform"].values()) for manifest in manifests()]
    assert listed == ["amd64/linux", "arm64/linux", "arm/linux/v7", "riscv64/linux"]


def test_each_configuration_names_its_platform_and_its_layers() -> None:
    """A container engine finds the same platform and the same layers wherever it looks."""
    for entry in manifests():
        manifest = json.loads(blob(entry))
        config = json.loads(blob(manifest["config"]))
        assert {key: config[key] for key in entry["platform"]} == entry["platform"]
        assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]
        assert config["config"]["Entrypoint"] == ["/hello"]


@pytest.mark.skipif(sys.platform != "linux" or platform.machine() not in NATIVE, reason="no program for this machine")
def test_the_program_for_this_machine_runs(tmp_path: Path) -> None:
    """The image is no mock-up: its program greets from the platform it was built for."""
    architecture = NATIVE[platform.machine()]
    (entry,) = (each for each in manifests() if each["platform"]["architecture"] == architecture)
    files = {name: content for layer in json.loads(blob(entry))["layers"] for name, content in unpacked(layer)}
    program = tmp_path / "hello"
    program.write_bytes(files["hello"])
    program.chmod(0o755)
    ran = subprocess.run([program], capture_output=True, check=True, text=True)
    assert ran.stdout.startswith(f"Hello! I am the linux/{architecture}")
    assert b"imagesync" in files["about.txt"]

"""A real multi-platform image: Debian's busybox-static for three architectures under one OCI index.

The packages come from Debian's archive by apt with folders of its own, so the machine's apt knows nothing of
foreign architectures before or after. They are kept in a cache folder for the next run.
"""

from __future__ import annotations

import lzma
import os
import shutil
import subprocess
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

from tests.embedded_registry.images import Image, compose, index_of, tar
from tests.peers import unavailable

TAG = "1.35"
PLATFORMS = {"linux/amd64": "amd64", "linux/arm64": "arm64", "linux/arm/v7": "armhf"}
APT_WITHIN_S = 240


def busybox_image() -> Image:
    """Build the image; skips the test where Debian's archive is out of reach."""
    binaries = {platform: _busybox(architecture) for platform, architecture in PLATFORMS.items()}
    layer_of = {platform: tar({"bin/busybox": (0o755, binary)}) for platform, binary in binaries.items()}
    return index_of({platform: compose(platform, [layer], compression=6) for platform, layer in layer_of.items()})


def cache_folder() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "imagesync-tests" / "busybox"


def _busybox(architecture: str) -> bytes:
    packages = list(cache_folder().glob(f"busybox-static_*_{architecture}.deb"))
    package = packages[0] if packages else _download(architecture)
    return file_in_package(package.read_bytes(), "./bin/busybox")


def _download(architecture: str) -> Path:
    if shutil.which("apt-get") is None:
        unavailable("apt-get, for busybox-static")
    cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_folder()) as name:  # its own, for test processes side by side
        folder = Path(name)
        for part in ("lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True)
        (folder / "status").touch()
        apt = ["apt-get", "-qq", *_private(folder, architecture)]
        _run([*apt, "update"], folder)  # may fail for one of several sources; the download tells if it matters
        if failure := _run([*apt, "download", f"busybox-static:{architecture}"], folder):
            unavailable(f"busybox-static:{architecture} from Debian's archive ({failure})")
        package = next(folder.glob("*.deb"))
        return package.replace(cache_folder() / package.name)


def _run(command: list[str], folder: Path) -> str:
    """Run to the end; returns what went wrong, or nothing."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=APT_WITHIN_S)
    return done.stderr.strip() or "no reason given" if done.returncode else ""


def _private(folder: Path, architecture: str) -> list[str]:
    """Make options that keep apt's state in our folder; of the machine's it reads sources and keys only."""
    options = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
    }
    return [f"-o{name}={value}" for name, value in options.items()]


def file_in_package(package: bytes, path: str) -> bytes:
    """Take one file out of a Debian package: an ar archive with a data.tar.xz in it (deb(5))."""
    with tarfile.open(fileobj=BytesIO(lzma.decompress(_ar_member(package, "data.tar.xz")))) as archive:
        member = archive.extractfile(path)
        if member is None:
            raise FileNotFoundError(path)
        return member.read()


def _ar_member(archive: bytes, wanted: str) -> bytes:
    position = len(b"!<arch>\n")
    while position < len(archive):
        header = archive[position : position + 60]
        name, size = header[:16].decode().strip().rstrip("/"), int(header[48:58])
        position += 60
        if name == wanted:
            return archive[position : position + size]
        position += size + size % 2
    raise FileNotFoundError(wanted)

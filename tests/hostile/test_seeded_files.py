"""Layout folders and archives that a seed bends, against every command that reads or writes them.

More seeds: ``pytest -m soak tests/hostile/test_seeded_files.py``; IMAGESYNC_SOAK_RUNS says how many.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import Image, image, index
from tests.hostile.lies import NAMES, Bent
from tests.hostile.seeds import SEEDS, SEEDS_A_PROCESS, Runner, run_for_a_night, run_seeds, wrong_ends

ONE, TWO = index("one", platforms=("linux/amd64", "linux/arm64")), image("two")


class Vandal:
    """Bends what a layout folder, or a tar file of one, says and is."""

    def __init__(self, seed: int, folder: Path, outside: Path) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self._bent = Bent(self._random, [ONE.digest, TWO.digest, *ONE.children])
        self._folder = folder
        self._outside = outside

    def bend_folder(self) -> None:
        """Up to three things in the folder are not what they were."""
        for _ in range(self._random.randint(1, 3)):
            bend = self._random.choice((self._index, self._index, self._name, self._blob, self._kind))
            with contextlib.suppress(ValueError, LookupError, TypeError, OSError):  # bent too much already
                bend()

    def bend_archive(self, archive: Path) -> None:
        """A few bytes in headers are other ones, or the end is missing."""
        content = bytearray(archive.read_bytes())
        for _ in range(self._random.randint(0, 8)):
            header = self._random.randrange(len(content) // 512) * 512
            content[header + self._random.randrange(512)] = self._random.randrange(256)
        if self._random.random() < 0.2:
            del content[self._random.randrange(len(content)) :]
        archive.write_bytes(content)

    def _some_file(self) -> Path:
        return self._random.choice(sorted(path for path in self._folder.rglob("*") if path.is_file()))

    def _read_index(self) -> tuple[Path, Any]:
        path = self._folder / "index.json"
        if not path.is_file():  # a FIFO by now, say, which nobody writes to
            raise FileNotFoundError(path)
        return path, json.loads(path.read_text())

    def _index(self) -> None:
        path, document = self._read_index()
        path.write_text(json.dumps(self._bent(document)))

    def _name(self) -> None:
        path, document = self._read_index()
        entry = self._random.choice(document["manifests"])
        entry["annotations"] = {"org.opencontainers.image.ref.name": self._random.choice(NAMES)}
        path.write_text(json.dumps(document))

    def _blob(self) -> None:
        path = self._some_file()
        content = bytearray(path.read_bytes()) or bytearray(b"x")
        content[self._random.randrange(len(content))] ^= 1
        path.write_bytes(content * self._random.choice((1, 1, 1, 50)))

    def _kind(self) -> None:
        """Something that is no regular file of the folder's stands in a file's place, or a folder's."""
        path = self._random.choice((self._some_file(), self._folder / "blobs/sha256", self._folder / "index.json"))
        kind = self._random.choice(("gone", "fifo", "folder", "link", "dangling"))
        if path.is_dir() and not path.is_symlink():
            path = path.rename(path.with_name("was"))
            path = path.with_name("sha256")
        else:
            path.unlink(missing_ok=True)
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        elif kind == "link":
            path.symlink_to(self._outside / self._random.choice(("index.json", "blobs/sha256")))
        elif kind == "dangling":
            path.symlink_to(self._outside / "made")


def commands(folder: Path, archive: Path, host: str) -> dict[str, list[str]]:
    """Every command that reads or writes them."""
    files = {
        "file": f"oci:{folder}",
        "archive": f"oci-archive:{archive}",
        "saved": f"docker-archive:{archive}",
    }
    made = {
        f"{command[0]} {name}": [*command, f"{source}:1"]
        for name, source in files.items()
        for command in (["resolve"], ["check", "--deep"])
    }
    for name, source in files.items():
        made[f"sync {name}"] = ["sync", "--referrers", f"{source}:1", f"{host}/mirror:1"]
        made[f"batch {name}"] = ["sync", "--file", str(folder.parent / f"{name}.yaml"), "--max-removals", "9"]
        made[f"tags {name}"] = ["tags", source]
    made["sync into file"] = ["sync", f"{host}/good:1", f"{files['file']}:1"]
    made["sync into archive"] = ["sync", f"{host}/good:1", f"{files['archive']}:1"]
    made["delete file"] = ["delete", "--referrers", f"{files['file']}:1"]
    rules = {"tags": {"include": ["*"]}, "prune": True, "referrers": True}
    for name, source in files.items():
        entry = {"source": source, "destination": f"{host}/mirror", **rules}
        (folder.parent / f"{name}.yaml").write_text(json.dumps({"images": [entry]}))
    return made


def write_layout(folder: Path, *images: tuple[Image, str]) -> None:
    """All of the images in one layout folder."""
    entries = []
    for number, (each, tag) in enumerate(images):
        part = each.write_layout(folder.with_name(f"{folder.name}.{number}"), tag)
        entries += json.loads((part / "index.json").read_text())["manifests"]
        shutil.copytree(part, folder, dirs_exist_ok=True)
        shutil.rmtree(part)
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))


def state(folder: Path) -> dict[str, bytes]:
    """Every file below the folder."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def wrongs(seed: int, here: Path, runner: Runner) -> list[str]:
    """Run the seed's command on what the seed bends; what it did that nobody asked for."""
    folder, outside, archive = here / "layout", here / "outside", here / "images.tar"
    write_layout(folder, (ONE, "1"), (TWO, "2"))
    write_layout(outside, (TWO, "1"))
    vandal = Vandal(seed, folder, outside)
    vandal.bend_folder()
    with tarfile.open(archive, "w") as tar:
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or path.is_file():
                tar.add(path, str(path.relative_to(folder)), recursive=False)
    vandal.bend_archive(archive)
    with EmbeddedRegistry() as registry:
        for name in ("good", "mirror", "victim/app"):
            TWO.seed(registry.repository(name), "1", "latest")
        before, kept = registry.dump(), state(outside)
        made = commands(folder, archive, registry.host)
        name = random.Random(seed).choice(sorted(made))  # noqa: S311
        report = runner(*made[name])
        after = registry.dump()
        found = [f"{each} of the registry changed" for each in ("good", "victim/app") if after[each] != before[each]]
        found += ["a repository appeared"] * (after.keys() != before.keys())
        found += ["what lies outside changed"] * (state(outside) != kept)
        return [f"seed {seed}, {name}: {wrong}" for wrong in found + wrong_ends(report)]


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_A_PROCESS))
def test_no_layout_and_no_archive_makes_a_command_do_what_it_was_not_told(first: int, tmp_path: Path) -> None:
    """Whatever a folder or a file holds: nothing outside of it is touched, memory stays flat, and it ends."""
    assert run_seeds(wrongs, range(first, first + SEEDS_A_PROCESS), tmp_path) == []


@pytest.mark.soak
@pytest.mark.timeout(8 * 3600)
def test_many_seeds(tmp_path: Path) -> None:
    """The same, for a night."""
    assert run_for_a_night(wrongs, tmp_path) == []

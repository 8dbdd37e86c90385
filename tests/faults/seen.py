"""What is at a place, as one sees it without imagesync: in a registry, in a layout folder, in an archive."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.faults import FaultHook
from tests.embedded_registry.images import Image
from tests.embedded_registry.state import Manifest, Repository, digest_of
from tests.faults.generated import IMAGES
from tests.remote_repository import RemoteRepository

NAME = "org.opencontainers.image.ref.name"


class Down(Protocol):
    """A registry to copy to."""

    @property
    def host(self) -> str:
        """Its HOST:PORT."""

    def repository(self, name: str) -> Repository:
        """What is there now."""

    def push(self, name: str, tag: str, made: Image) -> None:
        """Push as somebody else does."""

    def collect_garbage(self) -> None:
        """Remove what no tag leads to, as registries do it at night."""

    def watch(self, hook: FaultHook | None) -> None:
        """Let this see each request, where that is possible."""


class Embedded:
    """The tests' own registry."""

    def __init__(self, registry: EmbeddedRegistry) -> None:
        self._registry, self.host = registry, registry.host

    def repository(self, name: str) -> Repository:
        with self._registry.state.lock:
            there = self._registry.repository(name)
            return Repository(dict(there.manifests), dict(there.tags), dict(there.blobs))

    def push(self, name: str, tag: str, made: Image) -> None:
        with self._registry.state.lock:
            made.seed(self._registry.repository(name), tag)

    def collect_garbage(self) -> None:
        with self._registry.state.lock:
            for there in self._registry.state.repositories.values():
                used = {*below(there, there.tags.values())}
                while more := {d for d, found in there.manifests.items() if found.subject in used} - used:
                    used |= {*below(there, more)}
                blobs = {blob for digest in used for blob in there.manifests[digest].blobs}
                there.manifests = {digest: there.manifests[digest] for digest in used}
                there.blobs = {digest: blob for digest, blob in there.blobs.items() if digest in blobs}

    def watch(self, hook: FaultHook | None) -> None:
        self._registry.fault = hook


@dataclass(frozen=True)
class Distribution:
    """The real program, whose storage is in the folder."""

    host: str
    folder: Path

    def repository(self, name: str) -> Repository:
        there, at = Repository(), self.folder / "docker" / "registry" / "v2"
        own = at / "repositories" / name
        for link in own.glob("_manifests/revisions/sha256/*/link"):
            content = self._blob(at, link.read_text())
            there.manifests[digest_of(content)] = Manifest(json.loads(content).get("mediaType", ""), content)
        for link in own.glob("_layers/sha256/*/link"):
            there.blobs[link.read_text()] = self._blob(at, link.read_text())
        for link in own.glob("_manifests/tags/*/current/link"):
            there.tags[link.parts[-3]] = link.read_text()
        return there

    def push(self, name: str, tag: str, made: Image) -> None:
        RemoteRepository(self.host, name).push(made, tag)

    def collect_garbage(self) -> None:
        """Its own collection wants it stopped."""

    def watch(self, hook: FaultHook | None) -> None:
        """What it is asked goes past us."""

    def _blob(self, at: Path, digest: str) -> bytes:
        encoded = digest.removeprefix("sha256:")
        return (at / "blobs" / "sha256" / encoded[:2] / encoded / "data").read_bytes()


def layout(folder: Path) -> Repository:
    """What is in a layout folder; nothing where there is none."""
    files = {path.name: path.read_bytes() for path in folder.glob("blobs/sha256/*")}
    index = folder / "index.json"
    return _of_files(files, json.loads(index.read_text())) if index.exists() else Repository()


def archive(file: Path) -> Repository:
    """What is in an archive of a layout; nothing where there is none."""
    if not file.exists():
        return Repository()
    with tarfile.open(file) as opened:
        members = {member.name: opened.extractfile(member) for member in opened if member.isfile()}
        files = {name: found.read() for name, found in members.items() if found}
    blobs = {name.rpartition("/")[2]: content for name, content in files.items() if name.startswith("blobs/")}
    return _of_files(blobs, json.loads(files["index.json"]))


def _of_files(files: dict[str, bytes], index: dict[str, Any]) -> Repository:
    there = Repository()
    for name, content in files.items():
        there.blobs[f"sha256:{name}"] = content
        manifest = Manifest("", content)
        if "schemaVersion" in manifest.document and manifest.digest == f"sha256:{name}":
            there.manifests[manifest.digest] = manifest
    for entry in index["manifests"]:
        if name := entry.get("annotations", {}).get(NAME):
            there.tags[name] = entry["digest"]
    return there


def below(there: Repository, digests: Iterable[str]) -> Iterator[str]:
    """These and all that they list, as far as it is there, each once."""
    waiting, seen = list(digests), set[str]()
    while waiting:
        digest = waiting.pop()
        if digest not in seen and digest in there.manifests:
            seen.add(digest)
            yield digest
            waiting += there.manifests[digest].children


def original(there: Repository, digest: str) -> str:
    """The image of these tests that this is: a delete on distribution 2.x that is killed leaves it with annotations."""
    found = there.manifests.get(digest)
    if found is None or digest in IMAGES:
        return digest
    said = {**found.document, "annotations": None}
    return next((name for name, made in IMAGES.items() if {**made.root.document, "annotations": None} == said), digest)

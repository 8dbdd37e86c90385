"""A repository may have as many tags and indexes as it likes: who uses what is told, and memory stays small."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.command import environment, imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import OCI_INDEX, describe, image, to_json
from tests.embedded_registry.state import Manifest
from tests.repo.checkout import ROOT

MOST_MIB = 80
# What the connections of a real run take beside what is measured here.
_CONNECTIONS_MIB = 14


def _size_mib(tags: int) -> float:
    environ = {name: value for name, value in environment().items() if not name.startswith("COVERAGE")}
    command = [sys.executable, "-m", "tests.delete.many_tags", str(tags)]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout) / 1024


def test_twenty_thousand_tags() -> None:
    """Each with an index of ten images of its own: what nobody else uses goes, in little memory for each tag."""
    few, many = _size_mib(500), _size_mib(20_000)
    assert many - few < (MOST_MIB - _CONNECTIONS_MIB - few) / 5


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_hundred_thousand_tags() -> None:
    """As many tags as there may be are told within the memory that there is."""
    assert _size_mib(100_000) < MOST_MIB - _CONNECTIONS_MIB


def test_large_indexes_are_no_reason_to_keep(registry: EmbeddedRegistry) -> None:
    """Indexes of more than 16 MiB together are looked into like any others, each once, and what is unused goes."""
    repository = registry.repository("app")
    gone = image("gone")
    gone.seed(repository, "gone")
    for number in range(300):
        entries = [describe(gone.root.media_type, f"{number} {n}".encode()) for n in range(10)]
        padding = {"x": "y" * 60_000}
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries, "annotations": padding}
        index = Manifest(OCI_INDEX, to_json(document))
        repository.manifests[index.digest] = index
        repository.tags[f"v{number}"] = index.digest
    assert sum(len(manifest.content) for manifest in repository.manifests.values()) > 16 * 1024 * 1024
    done = imagesync("delete", f"{registry.host}/app:gone")
    assert (done.code, done.err) == (0, "")
    assert gone.digest not in repository.manifests
    reads = [request.path for request in registry.requests if request.method == "GET" and "/manifests/" in request.path]
    assert len(reads) == len(set(reads)) == 301

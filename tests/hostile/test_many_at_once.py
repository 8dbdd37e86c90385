"""Memory stays flat over many images at once, each of which is as large as it may be or larger."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import OCI_INDEX, image
from tests.embedded_registry.state import Manifest
from tests.hostile.test_memory import MIB, MOST_MIB, run

_IMAGES = 30


@pytest.mark.parametrize("command", ["sync", "lock"])
def test_too_long(registry: EmbeddedRegistry, tmp_path: Path, command: str) -> None:
    """A file of images whose manifests are all too long costs no more memory than one such image."""
    repository, entries = registry.repository("app"), []
    image().seed(repository, "0")
    for number in range(_IMAGES):
        long = Manifest(OCI_INDEX, b"%d" % number * (5 * MIB))
        repository.manifests[long.digest] = long
        repository.tags[f"t{number}"] = long.digest
        entries.append({"source": f"{registry.host}/app:t{number}", "destination": f"{registry.host}/to{number}:1"})
    file = tmp_path / "images.yaml"
    file.write_text(json.dumps({"images": entries}))
    code, size_mib, said = run(command, "--file", str(file))
    assert code == 6, said
    assert size_mib < MOST_MIB

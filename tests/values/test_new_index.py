"""The one form in which a new index is written: what is decided here must never change."""

from __future__ import annotations

from pathlib import Path

from tests.command import imagesync
from tests.embedded_registry.images import OCI_INDEX, Image
from tests.embedded_registry.state import Manifest

SOURCE_INDEX = """{
  "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
  "manifests": [
    {"size": 7, "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:%064x",
     "platform": {"os": "linux", "architecture": "amd64"},
     "annotations": {"ß": "\\u007f \\"\\\\\\/\\b\\u2028🙂", "": ""}},
    {"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 8, "digest": "sha256:%064x",
     "platform": {"variant": "v8", "os": "linux", "architecture": "arm64"}},
    {"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 9, "digest": "sha256:%064x",
     "platform": {"os": "linux", "architecture": "s390x"}}
  ],
  "more": [1, 1.50, -0.0, 1e100, true, null, {"z": [], "a": {}}]
}"""


def test_digest_of_a_new_index(tmp_path: Path) -> None:
    """The digest of a new index is the same on every machine, on every version of Python, for ever."""
    root = Manifest(OCI_INDEX, (SOURCE_INDEX % (1, 2, 3)).encode())
    name = f"oci:{Image(root, {root.digest: root}, {}).write_layout(tmp_path / 'layout', '1')}"
    finished = imagesync("resolve", f"{name}:1", "--platform", "linux/amd64", "--platform", "linux/arm64")
    assert finished.out == f"{name}@sha256:e8708c40cd081cd349cb2a82207e691e0f85a49315824c61dc1a3bb6cceb77b6\n"

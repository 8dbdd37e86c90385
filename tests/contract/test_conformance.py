"""The conformance suite of the distribution specification, the specification's own program, against the double."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.embedded_registry import EmbeddedRegistry, Manner
from tests.embedded_registry.faults import flip_bit
from tests.peers import program
from tests.stores.copying import blob

# The suite has more than 800 cases; a handful would mean that most were left out.
_MANY = 800


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the suite writes its results."""
    return tmp_path / "results"


def conformance(registry: EmbeddedRegistry, folder: Path) -> tuple[int, dict[str, int]]:
    """Run the suite; gives its exit code and how many cases there were, failed or were left out."""
    settings = {
        "OCI_REGISTRY": registry.host,
        "OCI_TLS": "disabled",
        "OCI_RESULTS_DIR": str(folder),
        "OCI_LOG": "error",
        # What the specification leaves open and the double does all the same.
        "OCI_API_BLOBS_UPLOAD_CANCEL": "true",
        "OCI_API_BLOBS_DIGEST_HEADER": "true",
        "OCI_API_MANIFESTS_DIGEST_HEADER": "true",
    }
    environment = {"PATH": os.environ["PATH"], **settings}
    command = [program("conformance")]
    done = subprocess.run(command, env=environment, cwd=folder.parent, capture_output=True, check=False, timeout=120)
    suite = ElementTree.parse(folder / "junit.xml").getroot()  # noqa: S314  (written by the line above)
    return done.returncode, {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}


def test_the_double_conforms(registry: EmbeddedRegistry, folder: Path) -> None:
    """The embedded registry passes the whole suite, but for the mount without a source, which is optional."""
    code, counts = conformance(registry, folder)
    assert code == 0
    assert counts["tests"] > _MANY
    assert (counts["failures"], counts["errors"]) == (0, 0)
    assert counts["skipped"] <= 2


def test_the_suite_notices(folder: Path) -> None:
    """A registry whose blobs arrive damaged does not pass: the suite is one that can fail."""
    with EmbeddedRegistry(Manner()) as registry:
        registry.fault = lambda request: flip_bit(0) if blob("GET")(request) else None
        code, counts = conformance(registry, folder)
    assert code == 1
    assert counts["failures"] + counts["errors"] > 0

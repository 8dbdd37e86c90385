"""Names in a layout or an archive that would lead elsewhere if they became part of a request."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import image

NAMES = (
    "%2e%2e/%2e%2e/victim/app/manifests/latest",
    "1%2F..%2F..%2F..%2Fvictim%2Fapp%2Fmanifests%2Flatest",
    "1/../../../victim/app/manifests/latest",
    "1\\..\\..\\..\\victim\\app\\manifests\\latest",
    "1?x=/../../../victim/app/manifests/latest",
    "1#latest",
    "1;latest",
    "1\r\nHost: victim",
    "1 HTTP/1.1",
    "\uff11",
    "la\u0442est",
    ".latest",
    "-latest",
    "sha256:" + "0" * 64,
    "victim/app:latest",
    "//victim/app:latest",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["oci", "oci-archive"])
def test_a_name_leads_nowhere_but_to_its_repository(
    name: str, form: str, registry: EmbeddedRegistry, tmp_path: Path
) -> None:
    """Whatever an image is called there: other repositories' tags stay, and no repository comes into being."""
    kept = image("kept")
    kept.seed(registry.repository("victim/app"), "latest", "1")
    kept.seed(registry.repository("mirror"), "1")
    layout = image("evil").write_layout(tmp_path / "layout", "1")
    index = json.loads((layout / "index.json").read_text())
    index["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": name}
    (layout / "index.json").write_text(json.dumps(index))
    source = f"oci:{layout}"
    if form == "oci-archive":
        with tarfile.open(tmp_path / "images.tar", "w") as tar:
            tar.add(layout, ".")
        source = f"oci-archive:{tmp_path / 'images.tar'}"
    entry = {"source": source, "destination": f"{registry.host}/mirror", "tags": ["*"], "referrers": True}
    (tmp_path / "images.yaml").write_text(json.dumps({"images": [entry]}))
    victim = registry.dump()["victim/app"]
    done = imagesync("sync", "--file", str(tmp_path / "images.yaml"))
    assert registry.dump()["victim/app"] == victim
    assert registry.dump().keys() == {"victim/app", "mirror"}
    assert registry.repository("mirror").tags == {"1": kept.digest}
    assert done.code != 0
    assert "Traceback" not in done.err

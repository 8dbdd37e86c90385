"""A layer is mounted from another repository only where the image's own source has it: its digest alone is no right."""

from __future__ import annotations

import json

import pytest

from tests.batch.conftest import Bench, bench
from tests.embedded_registry.images import Image, compose, image, listing, tar, to_json
from tests.embedded_registry.state import Manifest

__all__ = ["bench"]

SECRET = tar({"secret": (0o644, b"not for everybody" * 100)})


def private() -> Image:
    return compose("linux/amd64", [SECRET])


def naming(other: Image, *, as_config: bool = False) -> Image:
    """An image whose manifest names a blob of another, which it does not bring."""
    own = image("public")
    digest = other.root.document["config" if as_config else "layers"]
    stolen = digest if as_config else digest[0]
    document = {**own.root.document, "layers": [*own.root.document["layers"], stolen]}
    root = Manifest(own.root.media_type, to_json(document))
    return Image(root, {root.digest: root}, own.blobs)


@pytest.mark.parametrize("as_config", [False, True])
@pytest.mark.parametrize("nested", [False, True])
def test_a_digest_is_no_right_to_a_blob(bench: Bench, as_config: bool, nested: bool) -> None:
    """A public image that names a layer of a private one is not given it by a mount, whichever is copied first."""
    hidden = private()
    bench.seed("private/app", "1", hidden)
    hostile = naming(hidden, as_config=as_config)
    bench.seed("public/app", "1", listing([(hostile, {})]) if nested else hostile)
    bench.write(bench.entry("private/app", "1"), bench.entry("public/app", "1"))
    finished = bench.sync("--jobs", "1")
    assert finished.code != 0
    assert not set(hidden.blobs) & set(bench.there("public/app").blobs)
    assert bench.tags("public/app") == {}
    assert bench.tags("private/app") == {"1": hidden.digest}


def test_what_the_source_has_is_mounted(bench: Bench) -> None:
    """A layer that two sources have is read from one of them; the other is asked whether it has it, no more."""
    made = image("same", layers=3)
    for name in ("a/app", "b/app"):
        bench.seed(name, "1", made)
    bench.write(bench.entry("a/app", "1"), bench.entry("b/app", "1"))
    assert bench.sync("--jobs", "1", "--report", str(bench.folder / "report.json")).code == 0
    report = json.loads((bench.folder / "report.json").read_text())
    assert report["totals"]["mounted_bytes"] == sum(map(len, made.blobs.values()))
    blobs = [line for line in bench.asked() if "/v2/b/app/blobs/" in line and "uploads" not in line]
    assert {line.partition(" ")[0] for line in blobs} == {"HEAD"}


def test_one_source_is_not_asked_again(bench: Bench) -> None:
    """Two tags of one source, into two repositories: what it has given once it need not be asked for."""
    made = image("same", layers=3)
    made.seed(bench.up.repository("app"), "1", "2")
    entry = {"source": f"{bench.up.host}/app:1", "destination": f"{bench.down.host}/one:1"}
    other = {"source": f"{bench.up.host}/app:2", "destination": f"{bench.down.host}/two:2"}
    bench.write(entry, other)
    assert bench.sync("--jobs", "1").code == 0
    assert not [request for request in bench.up.requests if request.method == "HEAD" and "/blobs/" in request.path]

"""Manifests that a registry does not take: what it misses is found by a look, and sent again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry, Fault, Request
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.images import image, index
from tests.embedded_registry.wire import json_response
from tests.stores.copying import NAME, Copying, always, manifest, sent

# What registries answer to an index of which a child is missing: distribution, zot, Harbor, go-containerregistry.
SAY = [
    (400, "MANIFEST_BLOB_UNKNOWN"),
    (400, "MANIFEST_INVALID"),
    (404, "NOT_FOUND"),
    (404, "MANIFEST_UNKNOWN"),
    (422, ""),
]


@pytest.mark.parametrize(("status", "code"), SAY)
@pytest.mark.parametrize("lost", ["child", "blob"])
def test_something_went_missing(copying: Copying, status: int, code: str, lost: str) -> None:
    """What goes between our look and the manifest is sent again, however the registry says that it misses something."""
    made = copying.seed(index(platforms=("linux/amd64", "linux/arm64")) if lost == "child" else image(layers=2))
    there = copying.destination.repository(NAME)
    gone: list[str] = []

    def collect(request: Request) -> Fault | None:
        if not (manifest("PUT")(request) and request.path.endswith("/1")):
            return None
        if not gone:
            kept = there.manifests if lost == "child" else there.blobs
            gone.append(next(iter(kept)))
            del kept[gone[0]]
            return refusal(status, code)
        return None

    copying.destination.fault = collect
    done = copying.run()
    assert done.code == 0, done.err
    assert gone
    assert copying.arrived(made)


@pytest.mark.parametrize(("status", "code", "exit_code"), [(400, "TAG_INVALID", 7), (404, "NOT_FOUND", 3)])
def test_a_refusal_for_another_reason(copying: Copying, status: int, code: str, exit_code: int) -> None:
    """Where nothing is missing the registry's reason stands, after one try."""
    copying.seed(index())
    copying.destination.fault = always(
        lambda request: manifest("PUT")(request) and request.path.endswith("/1"), refusal(status, code)
    )
    done = copying.run()
    assert done.code == exit_code
    assert code in done.err
    assert len(sent(copying.destination, lambda request: request.path.endswith("/1") and request.method == "PUT")) == 1


def test_a_registry_that_failed_to_look(copying: Copying) -> None:
    """distribution 2.8.2 under ten parallel pushes says that what it has is missing: it is asked again, with waits."""
    made = copying.seed(index())
    codes = [{"code": "DIGEST_INVALID", "message": ""}, {"code": "MANIFEST_BLOB_UNKNOWN", "message": ""}]
    wrong = Fault(answer=json_response(400, {"errors": codes}))
    left = [wrong, wrong]
    copying.destination.fault = lambda request: left.pop() if left and manifest("PUT")(request) else None
    assert copying.run().code == 0
    assert copying.arrived(made)
    assert len(copying.pauses) == 2


def test_a_tag_that_is_denied_until_it_is_there(copying: Copying) -> None:
    """Where a destination says 403 of a tag that is not there yet, whether we may write decides."""
    made = copying.seed(image())
    there = copying.destination.repository(NAME)
    copying.destination.fault = lambda request: (
        refusal(403, "DENIED") if not there.tags and (manifest("HEAD")(request) or manifest("GET")(request)) else None
    )
    done = copying.run()
    assert done.code == 0, done.err
    assert copying.arrived(made)


def test_a_destination_that_is_denied(copying: Copying) -> None:
    """Who may neither look nor write is told so, also by a dry run."""
    copying.seed(image())
    copying.destination.fault = lambda _: refusal(403, "DENIED")
    for options in ((), ("--dry-run",)):
        assert copying.run(*options).code == 4
    assert copying.untouched()


def test_a_digest_that_no_tag_can_have(registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """An image under sha512 is refused by a registry, before the tag moves off the old image; a folder takes it."""
    old, new = image("old"), image("new")
    old.seed(registry.repository("app"), "1")
    layout, content = new.write_layout(tmp_path / "layout", "1"), new.root.content
    digest = hashlib.sha512(content).hexdigest()
    (layout / "blobs" / "sha512").mkdir()
    (layout / "blobs" / "sha512" / digest).write_bytes(content)
    index = (layout / "index.json").read_text().replace(new.digest, f"sha512:{digest}")
    (layout / "index.json").write_text(index)
    done = imagesync("sync", f"oci:{layout}:1", f"{registry.host}/app:1")
    assert (done.code, done.out) == (7, "")
    assert f"{registry.host}/app: a registry's tag is on a sha256 digest" in done.err
    assert registry.repository("app").tags == {"1": old.digest}
    assert imagesync("sync", f"oci:{layout}:1", f"oci:{tmp_path / 'copy'}:1").code == 0

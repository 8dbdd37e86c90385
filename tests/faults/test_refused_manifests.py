"""A registry that refuses a manifest because of what it names: looked at, and sent again where that helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import imagesync
from tests.embedded_registry import Fault, Request
from tests.embedded_registry.images import image, index
from tests.embedded_registry.wire import json_response
from tests.stores.copying import NAME, Copying, always, manifest, sent, times


def refused(status: int, *codes: str) -> Fault:
    errors = [{"code": code, "message": "a fault on purpose"} for code in codes]
    return Fault(answer=json_response(status, {"errors": errors}))


OVERWHELMED = refused(400, "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN")  # distribution 2.8.2 under ten parallel pushes


SEEN_LATER = [  # where each of several machines knows the newest a little later
    OVERWHELMED,
    refused(400, "MANIFEST_BLOB_UNKNOWN"),
    refused(404, "MANIFEST_UNKNOWN"),
    refused(404, "BLOB_UNKNOWN"),
]


@pytest.mark.parametrize("says", SEEN_LATER)
@pytest.mark.parametrize("count", [1, 4])
def test_what_is_there_after_all(copying: Copying, count: int, says: Fault) -> None:
    """A registry that misses blobs which it has is asked again, after waits, and nothing is sent a second time."""
    made = copying.seed(image())
    copying.destination.fault = times(count, manifest("PUT"), says)
    finished = copying.run()
    assert finished.code == 0, finished.err
    assert copying.arrived(made)
    assert len(copying.pauses) == count


@pytest.mark.parametrize("says", SEEN_LATER)
def test_what_it_misses_for_ever(copying: Copying, says: Fault) -> None:
    """One that goes on missing what it has is an error that may pass, and the tag is as it was."""
    copying.seed(image())
    copying.destination.fault = always(manifest("PUT"), says)
    finished = copying.run()
    assert finished.code == 5
    assert "_UNKNOWN" in finished.err
    assert copying.untouched()
    assert len(sent(copying.destination, manifest("PUT"))) <= 10


@pytest.mark.parametrize(
    "says",
    [
        refused(400, "MANIFEST_INVALID"),  # zot
        refused(404, "NOT_FOUND"),  # Harbor
        refused(400, "MANIFEST_BLOB_UNKNOWN"),
        refused(404, "MANIFEST_UNKNOWN"),  # go-containerregistry
        refused(422, "SOMETHING_ELSE"),
    ],
)
@pytest.mark.parametrize("lost", ["child", "blob"])
def test_what_went_missing(copying: Copying, says: Fault, lost: str) -> None:
    """What went missing between our look and the manifest is sent again, however the registry says so."""
    made = copying.seed(index(platforms=("linux/amd64", "linux/arm64")))
    there = copying.destination.repository(NAME)
    child = made.children[0]
    plan = [child if lost == "child" else next(iter(made.blobs))]

    def lose(request: Request) -> Fault | None:
        if manifest("PUT")(request) and request.path.endswith("/1") and plan:
            gone = plan.pop()
            there.manifests.pop(gone, None)
            there.blobs.pop(gone, None)
            return says
        return None

    copying.destination.fault = lose
    finished = copying.run()
    assert plan == []
    if lost == "child":
        assert finished.code == 0, finished.err
        assert copying.arrived(made)


def test_what_is_simply_refused(copying: Copying) -> None:
    """A manifest that is refused although all that it names is there is an error at once."""
    copying.seed(image())
    copying.destination.fault = always(manifest("PUT"), refused(400, "MANIFEST_INVALID"))
    finished = copying.run()
    assert finished.code == 7
    assert copying.pauses == []
    assert len(sent(copying.destination, manifest("PUT"))) == 1


def test_many_at_once_into_one_repository(docker_registry: str, repository_name: str, tmp_path: Path) -> None:
    """Sixteen images at once into one repository of distribution 2.8.2 all arrive."""
    entries = []
    for number in range(16):
        folder = image(f"crowd-{number}", layers=2).write_layout(tmp_path / f"{number}", "1")
        entries.append(f"  - source: oci:{folder}:1\n    destination: {docker_registry}/{repository_name}:{number}\n")
    (tmp_path / "images.yaml").write_text("images:\n" + "".join(entries))
    finished = imagesync("sync", "--file", str(tmp_path / "images.yaml"))
    assert finished.code == 0, finished.err

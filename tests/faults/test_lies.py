"""Registries that say one thing and do another, and damage on the way to them: found out, mended once, or an error."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.embedded_registry import Authentication, EmbeddedRegistry, Fault, Manner, Request, Response
from tests.embedded_registry.faults import drop_answer, refusal, reset_before_handling, with_header
from tests.embedded_registry.images import Image, image
from tests.stores.copying import NAME, Copying, always, blob, manifest, once, sent, times, upload

OTHER = f"sha256:{'0' * 64}"


@pytest.fixture
def app(copying: Copying) -> Image:
    """An image at the source."""
    return copying.seed(image())


def without_digest(response: Response) -> Response:
    """An answer that does not say what was stored."""
    return replace(response, headers={n: v for n, v in response.headers.items() if n != "Docker-Content-Digest"})


def test_nothing_said_of_the_tag(copying: Copying, app: Image) -> None:
    """A registry that does not say what it has stored is asked, and believed if it has our image."""
    copying.destination.fault = always(manifest("PUT"), Fault(change=without_digest))
    finished = copying.run()
    assert finished.code == 0, finished.err
    assert copying.arrived(app)
    methods = [r.method for r in copying.destination.requests if r.path.endswith("/manifests/1")]
    assert methods == ["HEAD", "PUT", "HEAD"]


@pytest.mark.usefixtures("app")
def test_nothing_stored(copying: Copying) -> None:
    """A registry that says 201 and stores nothing is found out."""
    copying.destination.fault = always(manifest("PUT"), Fault(answer=Response(201)))
    finished = copying.run()
    assert (finished.code, finished.out) == (6, "")
    assert (
        f"writing manifest {copying.destination.host}/{NAME}:1: the registry stored nothing instead of" in finished.err
    )


@pytest.mark.parametrize("checks", [True, False])
def test_a_mount_that_is_said_to_be_done(source: EmbeddedRegistry, *, checks: bool) -> None:
    """A 201 that names no blob is none: the blob is looked for, and sent, also where no registry checks that."""
    manner = Manner() if checks else Manner(missing_blob=None)
    with EmbeddedRegistry(manner) as destination:
        copying = Copying(source, destination, [])
        app = copying.seed(image())
        destination.fault = lambda request: Fault(answer=Response(201)) if "mount" in request.query else None
        finished = copying.run()
        assert finished.code == 0, finished.err
        assert copying.arrived(app)


@pytest.mark.usefixtures("pauses")
def test_an_upload_that_is_said_to_be_done(source: EmbeddedRegistry) -> None:
    """The same at an upload's end: what is not there then is sent again, and in the end it is an error."""
    with EmbeddedRegistry(Manner(missing_blob=None)) as destination:
        copying = Copying(source, destination, [])
        app = copying.seed(image())
        destination.fault = times(3, upload("PUT"), Fault(answer=Response(201)))
        finished = copying.run()
        assert finished.code == 0, finished.err
        assert copying.arrived(app)
        destination.state.repositories.clear()
        destination.fault = always(upload("PUT"), Fault(answer=Response(201)))
        finished = copying.run()
        assert (finished.code, copying.untouched()) == (5, True)
        assert f"to {destination.host}/{NAME}: the registry took it, and does not have it" in finished.err


def test_a_tag_that_is_said_to_be_written(copying: Copying, app: Image) -> None:
    """With --verify the tag is looked at as well, whatever the registry says that it has stored."""
    told = Fault(answer=Response(201, {"Docker-Content-Digest": app.digest}))
    copying.destination.fault = always(lambda r: manifest("PUT")(r) and r.path.endswith("/1"), told)
    finished = copying.run("--verify")
    assert (finished.code, copying.untouched()) == (5, True), finished
    assert f"{copying.destination.host}/{NAME}:1 is not on {app.digest}, though it was stored there" in finished.err


@pytest.mark.usefixtures("app")
def test_something_else_under_the_tag(copying: Copying) -> None:
    """A tag that leads to another image afterwards is an error, although the registry said 201."""
    other = image("other")
    other.seed(copying.destination.repository(NAME))

    def divert(request: Request) -> Fault | None:
        if manifest("PUT")(request):
            copying.destination.repository(NAME).tags["1"] = other.digest
            return Fault(answer=Response(201))
        return None

    copying.destination.fault = divert
    finished = copying.run()
    assert finished.code == 6
    assert f"stored {other.digest} instead of {image().digest}" in finished.err


def test_manifest_damaged_on_the_way(copying: Copying, app: Image) -> None:
    """A manifest of which the registry says another digest is written once more: the tag does not stay on that."""
    copying.destination.fault = once(manifest("PUT"), with_header("Docker-Content-Digest", OTHER))
    finished = copying.run()
    assert finished.code == 0, finished.err
    assert copying.arrived(app)
    assert len(sent(copying.destination, manifest("PUT"))) == 2
    assert "1 retry" in finished.err


@pytest.mark.parametrize("answer", [refusal(400, "DIGEST_INVALID"), with_header("Docker-Content-Digest", OTHER)])
def test_blob_damaged_on_the_way(copying: Copying, app: Image, answer: Fault) -> None:
    """A blob that did not arrive as it was sent, says the registry, is sent or asked for once more."""
    copying.destination.fault = once(upload("PUT"), answer)
    finished = copying.run()
    assert finished.code == 0, finished.err
    assert copying.arrived(app)
    assert "1 retry" in finished.err


@pytest.mark.usefixtures("app")
def test_blob_always_damaged_on_the_way(copying: Copying) -> None:
    """A blob that never arrives as it was sent is an error of content; no tag is written, no session stays open."""
    copying.destination.fault = always(upload("PUT"), refusal(400, "DIGEST_INVALID"))
    finished = copying.run()
    assert finished.code == 6
    assert "writing blob sha256:" in finished.err
    assert copying.untouched()
    assert not copying.destination.state.uploads
    assert len(sent(copying.destination, upload("PUT"))) <= 4


@pytest.mark.parametrize("status", [400, 403, 405, 501])
def test_blobs_that_cannot_be_asked_for(pauses: list[float], status: int) -> None:
    """A registry without mounts that does not tell which blobs it has gets them sent."""
    with EmbeddedRegistry() as source, EmbeddedRegistry(Manner(mount="refused")) as destination:
        copying = Copying(source, destination, pauses)
        app = copying.seed(image())
        destination.fault = always(blob("HEAD"), refusal(status))
        finished = copying.run()
        assert finished.code == 0, finished.err
        assert copying.arrived(app)


@pytest.mark.parametrize("size", [0, 7])
def test_a_blob_that_is_there_in_part(pauses: list[float], size: int) -> None:
    """A blob of which the destination has another length is sent: it is not there."""
    with EmbeddedRegistry() as source, EmbeddedRegistry(Manner(mount="refused")) as destination:
        copying = Copying(source, destination, pauses)
        app = copying.seed(image())
        layer = app.root.blobs[1]
        destination.repository(NAME).blobs[layer] = app.blobs[layer][:size]
        finished = copying.run()
        assert finished.code == 0, finished.err
        assert copying.arrived(app)


@pytest.mark.parametrize("status", [405, 409, 418, 451])
def test_token_server_that_refuses(pauses: list[float], status: int) -> None:
    """What a token server refuses for good is not asked for again."""
    login = Authentication(scheme="bearer", anonymous_pull=True)
    with EmbeddedRegistry(Manner(authentication=login)) as source, EmbeddedRegistry() as destination:
        copying = Copying(source, destination, pauses)
        copying.seed(image())
        source.fault = always(lambda request: request.path == "/token", refusal(status))
        finished = copying.run()
        assert finished.code == 5
        assert f"the token server of {source.host} answers {status}" in finished.err
        assert (pauses, len(sent(source, lambda request: request.path == "/token"))) == ([], 1)


def test_what_it_took(copying: Copying, app: Image) -> None:
    """The report counts what was tried again and which downloads were continued; without trouble it says nothing."""
    layer = app.root.blobs[1]
    plan = [times(2, manifest("GET"), reset_before_handling()), once(blob("GET", layer), Fault(cut_answer_after=100))]
    copying.source.fault = lambda request: next(filter(None, (hook(request) for hook in plan)), None)
    copying.destination.fault = once(manifest("PUT"), drop_answer())
    report = json.loads(copying.run("--json").out)
    assert report["retries"] in (3, 4)  # a connection that was used before is not worth a count
    assert report["resumed"] == 1
    copying.source.fault = copying.destination.fault = None
    again = copying.run()
    assert "retr" not in again.err
    assert "resumed" not in again.err

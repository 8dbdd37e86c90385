"""Blobs on their way from the source: cut, slowed, changed or sent in odd ways, they arrive whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from tests.command import Finished
from tests.embedded_registry import Authentication, EmbeddedRegistry, Fault, Manner, Response
from tests.embedded_registry.faults import flip_bit, with_header
from tests.embedded_registry.images import Image, image
from tests.embedded_registry.wire import compressed
from tests.stores.copying import Copying, always, blob, manifest, once, sent

MIB = 1024 * 1024


@pytest.fixture
def app(copying: Copying) -> Image:
    """An image with a config and one layer of 300 KiB, at the source."""
    return copying.seed(image(layer_size_bytes=300 * 1024))


def layer_of(app: Image) -> str:
    return app.root.blobs[1]


def failed(finished: Finished, code: int, copying: Copying) -> str:
    """Check that a copy failed in this way and wrote no tag; returns what it said."""
    assert (finished.code, finished.out) == (code, ""), finished.err
    assert copying.untouched()
    assert not copying.destination.state.uploads, "an upload was left open"
    return finished.err


@pytest.mark.parametrize("ending", ["reset", "close"])
@pytest.mark.parametrize("part", [0, 1, 150 * 1024, -1])
def test_cut(copying: Copying, app: Image, part: int, ending: Literal["reset", "close"]) -> None:
    """A body that breaks off anywhere is continued from where it broke, not fetched anew."""
    layer = layer_of(app)
    size = len(app.blobs[layer])
    cut = part % size if part < 0 else part
    copying.source.fault = once(blob("GET", layer), Fault(cut_answer_after=cut, ending=ending))
    assert copying.run().code == 0
    assert copying.arrived(app)
    first, second = sent(copying.source, blob("GET", layer))
    assert "range" not in first.headers
    if ending == "close" and cut:  # a reset may overtake the bytes before it
        assert second.headers["range"] == f"bytes={cut}-{size - 1}"


@pytest.mark.parametrize("ending", ["reset", "close"])
def test_cut_without_ranges(pauses: list[float], ending: Literal["reset", "close"]) -> None:
    """A server that ignores Range and sends all of it again: nothing is doubled or mixed."""
    with EmbeddedRegistry(Manner(ranges="none")) as source, EmbeddedRegistry() as destination:
        copying = Copying(source, destination, pauses)
        app = copying.seed(image(layer_size_bytes=300 * 1024))
        source.fault = once(blob("GET", layer_of(app)), Fault(cut_answer_after=200_000, ending=ending))
        assert copying.run().code == 0
        assert copying.arrived(app)


def test_resumed_at_another_byte(copying: Copying, app: Image) -> None:
    """A server that goes on at another place than asked is not believed."""
    plan = [Fault(cut_answer_after=100_000, ending="close"), with_header("Content-Range", "bytes 5-9/10")]
    of_layer = blob("GET", layer_of(app))
    copying.source.fault = lambda request: plan.pop(0) if plan and of_layer(request) else None
    assert copying.run().code == 0
    assert copying.arrived(app)
    assert [request.headers.get("range", "")[:12] for request in sent(copying.source, of_layer)] == [
        "",
        "bytes=100000",
        "bytes=100000",
    ]


def test_cut_again_and_again(copying: Copying) -> None:
    """A connection that breaks every 256 KiB, for ever, still brings the blob."""
    app = copying.seed(image(layer_size_bytes=2 * MIB))
    copying.source.fault = always(blob("GET", layer_of(app)), Fault(cut_answer_after=256 * 1024, ending="close"))
    assert copying.run().code == 0
    assert copying.arrived(app)


def test_cut_without_end(copying: Copying, app: Image) -> None:
    """A server that never gets further is given up, and the tag is as it was."""
    copying.source.fault = always(blob("GET", layer_of(app)), Fault(cut_answer_after=0, ending="close"))
    said = failed(copying.run(), 5, copying)
    assert f"reading blob {layer_of(app)} from {copying.source.host}/team/app" in said
    assert len(sent(copying.source, blob("GET", layer_of(app)))) < 10


@pytest.mark.parametrize("position", [0, 150 * 1024, -1])
def test_flipped_bit_once(copying: Copying, app: Image, position: int) -> None:
    """A blob that arrives damaged is fetched once more."""
    copying.source.fault = once(blob("GET", layer_of(app)), flip_bit(position))
    assert copying.run().code == 0
    assert copying.arrived(app)


def test_flipped_bit_always(copying: Copying, app: Image) -> None:
    """A blob that is damaged at the source is an error of content, and no tag is written."""
    copying.source.fault = always(blob("GET", layer_of(app)), flip_bit(7))
    said = failed(copying.run(), 6, copying)
    assert f"{layer_of(app)} arrived as sha256:" in said
    assert f"from {copying.source.host}/team/app" in said
    assert len(sent(copying.source, blob("GET", layer_of(app)))) == 2


@pytest.mark.parametrize("length", ["900000", "1", ""])
def test_wrong_length_once(copying: Copying, app: Image, length: str) -> None:
    """A Content-Length that is too long, too short or missing does not change what arrives."""
    lie = Fault(change=lambda answer: replace(answer, length=length, close=True))
    copying.source.fault = once(blob("GET", layer_of(app)), lie)
    assert copying.run().code == 0
    assert copying.arrived(app)


def test_longer_than_promised(copying: Copying, app: Image) -> None:
    """A blob that goes on after its size is given up, whatever it is."""
    longer = Fault(change=lambda answer: replace(answer, body=bytes(answer.body) * 3))
    copying.source.fault = always(blob("GET", layer_of(app)), longer)
    assert "is longer than the" in failed(copying.run(), 6, copying)


def test_longer_than_it_is(copying: Copying, app: Image) -> None:
    """A blob that is announced as longer is given up before its end, which would be waited for in vain."""
    lie = Fault(change=lambda answer: replace(answer, length="900000"))
    copying.source.fault = always(blob("GET", layer_of(app)), lie)
    assert "is longer than the" in failed(copying.run(), 6, copying)


def test_compressed_on_the_way(copying: Copying, app: Image) -> None:
    """A proxy that compresses although nobody asked is told apart from the blob itself."""
    copying.source.fault = always(blob("GET", layer_of(app)), Fault(change=compressed))
    assert "encodes the answer as gzip" in failed(copying.run(), 6, copying)
    assert all(request.headers["accept-encoding"] == "identity" for request in copying.source.requests)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "aws-chunked", "utf-8", "", "a, b"])
def test_right_bytes_with_a_wrong_label(copying: Copying, app: Image, encoding: str) -> None:
    """Bytes that match their digest are right, whatever a server says that they were encoded as."""
    labelled = with_header("Content-Encoding", encoding)
    copying.source.fault = always(lambda request: request.method == "GET", labelled)
    copying.destination.fault = always(lambda request: request.method == "GET", labelled)
    finished = copying.run()
    assert finished.code == 0, finished.err
    assert copying.arrived(app)


def test_compressed_manifest(copying: Copying, app: Image) -> None:
    """A manifest that a proxy compressed is told so as well."""
    assert app.digest
    copying.source.fault = always(manifest("GET"), Fault(change=compressed))
    assert "encodes the answer as gzip" in failed(copying.run(), 6, copying)


def test_blob_that_is_gone(copying: Copying, app: Image) -> None:
    """A layer that the source has lost is "not there", said of the source and not tried again."""
    del copying.source.repository("team/app").blobs[layer_of(app)]
    said = failed(copying.run(), 3, copying)
    assert said.startswith(
        f"imagesync: reading blob {layer_of(app)} from {copying.source.host}/team/app: not found (404)"
    )
    assert len(sent(copying.source, blob("GET", layer_of(app)))) == 1


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_redirected_without_credentials(pauses: list[float], scheme: Literal["basic", "bearer"]) -> None:
    """Blobs that come from another host come without our login being shown there."""
    login = Authentication(scheme=scheme, accounts={"me": "secret"}, anonymous_pull=True)
    manner = Manner(redirects_blobs=True, authentication=login)
    with EmbeddedRegistry(manner) as source, EmbeddedRegistry() as destination:
        copying = Copying(source, destination, pauses)
        app = copying.seed(image())
        if scheme == "basic":
            source.fault = lambda request: request.headers.update(authorization="Basic bWU6c2VjcmV0") or None
        assert copying.run().code == 0
        assert copying.arrived(app)
        assert len(source.storage.requests) == 2
        assert not any("authorization" in request.headers for request in source.storage.requests)


@pytest.mark.parametrize(("status", "code"), [(403, 4), (404, 3)])
def test_refused_where_it_is_redirected_to(pauses: list[float], status: int, code: int) -> None:
    """What a storage host refuses is said of that host, which a firewall may keep from us, and of no login."""
    with EmbeddedRegistry(Manner(redirects_blobs=True)) as source, EmbeddedRegistry() as destination:
        copying = Copying(source, destination, pauses)
        copying.seed(image())
        source.storage.fault = lambda _: Fault(
            answer=Response(status, {"Content-Type": "application/xml"}, b"<Error/>")
        )
        finished = copying.run()
        assert finished.code == code
        assert f"{source.storage.host}, to which the registry sends on, answers {status}" in finished.err
        assert ("a firewall may be in the way" in finished.err) == (status == 403)


@pytest.mark.parametrize(
    ("location", "code", "why"),
    [
        ("", 5, "more than 5 redirects"),
        ("file:///etc/passwd", 7, "points at file://, which is not a safe place"),
        ("http://169.254.169.254/latest", 7, "a cloud's metadata address"),
        ("https://2852039166/latest", 7, "a cloud's metadata address"),
        ("https://[::ffff:169.254.169.254]/latest", 7, "a cloud's metadata address"),
        ("http://host:99999/", 6, "not a URL"),
    ],
)
def test_redirected_nowhere(copying: Copying, app: Image, location: str, code: int, why: str) -> None:
    """A redirect that goes round in circles or leaves HTTP is an error that names it."""
    layer = layer_of(app)
    answer = Response(307, {"Location": location or f"/v2/team/app/blobs/{layer}"})
    copying.source.fault = always(blob("GET", layer), Fault(answer=answer))
    assert why in failed(copying.run(), code, copying)

"""Uploads over a line that breaks again and again: they get through as long as they get further."""

from __future__ import annotations

import contextlib
import socket
from collections import Counter
from pathlib import Path

import pytest

from imagesync_cli.stores.registry.blobs import upload as uploads
from tests import peers
from tests.command import Finished, imagesync
from tests.embedded_registry import EmbeddedRegistry, Fault, Request, Response
from tests.embedded_registry.faults import drop_answer, refusal
from tests.embedded_registry.images import image
from tests.embedded_registry.server import LoopbackServer
from tests.security.relay import Relay
from tests.stores.copying import Copying, always, blob, once, sent, times, upload

MIB = 1024 * 1024


class Cutting(Relay):
    """A line to a server that is reset, in both directions, after so many bytes of each connection."""

    def __init__(self, upstream: str, after_bytes: int) -> None:
        super().__init__()
        self._upstream, self._after_bytes = upstream, after_bytes
        self.resets = 0

    def serve(self, client: socket.socket) -> None:
        self.join(client, self._upstream)

    def pass_on(self, source: socket.socket, target: socket.socket, hear: object = None) -> None:
        left = self._after_bytes
        with contextlib.suppress(OSError):
            while left and (data := source.recv(min(left, 64 * 1024))):
                left -= len(data)
                target.sendall(data)
        self.resets += not left
        for opened in (source, target):
            with contextlib.suppress(OSError):
                if not left:
                    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                opened.shutdown(socket.SHUT_RDWR)
                opened.close()


def upload_over(host: str, repository: str, folder: Path) -> tuple[Finished, Cutting, str]:
    """Copy an image with a layer of 12 MiB into a registry, over a line that breaks every 2 MiB."""
    made = image("upload", layer_size_bytes=12 * MIB)
    made.write_layout(folder / "source", "1")
    with Cutting(host, 2 * MIB) as line:
        finished = imagesync("sync", f"oci:{folder / 'source'}:1", f"{line.host}/{repository}:1")
    return finished, line, made.digest


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize("kind", ["registry", "distribution_v3"])
def test_upload_over_a_line_that_breaks(
    request: pytest.FixtureRequest, kind: str, repository_name: str, tmp_path: Path
) -> None:
    """A blob gets through a line that breaks again and again, where the registry says how far it has come."""
    found = request.getfixturevalue(kind)
    host = found.host if isinstance(found, EmbeddedRegistry) else found
    finished, line, digest = upload_over(host, repository_name, tmp_path)
    assert finished.code == 0, finished.err
    assert line.resets > 6
    assert "retries" in finished.err
    assert imagesync("resolve", f"{host}/{repository_name}:1").out.strip().endswith(digest)


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize("kind", ["docker_registry", "crane_registry"])
def test_upload_that_cannot_be_continued(
    request: pytest.FixtureRequest, kind: str, repository_name: str, tmp_path: Path
) -> None:
    """A registry that loses an upload with its connection (distribution 2.x, go-containerregistry's) is given up."""
    host = request.getfixturevalue(kind)
    finished, _, _ = upload_over(host, repository_name, tmp_path)
    assert finished.code == 5
    assert "writing blob sha256:" in finished.err
    assert "Traceback" not in finished.err
    assert imagesync("resolve", f"{host}/{repository_name}:1").code == 3


@pytest.mark.usefixtures("pauses")
def test_download_over_a_line_that_breaks(registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """The same the other way: what came stays, and little more than the blob is fetched."""
    made = image("download", layer_size_bytes=24 * MIB)
    made.seed(registry.repository("up/app"), "1")
    with Cutting(registry.host, 2 * MIB) as line:
        finished = imagesync("sync", f"{line.host}/up/app:1", f"oci:{tmp_path / 'layout'}:1")
    assert finished.code == 0, finished.err
    assert line.resets > 10
    assert "1 resumed download" in finished.err


@pytest.fixture
def chunked(copying: Copying, monkeypatch: pytest.MonkeyPatch) -> Copying:
    """A copy that has to be sent in chunks of 100,000 bytes."""
    monkeypatch.setattr(uploads, "CHUNK_BYTES", 100_000)
    return copying


@pytest.mark.parametrize("fault", ["lost answer", "reset", "416", "500"])
def test_chunk_that_breaks_off(chunked: Copying, fault: str) -> None:
    """Of an upload in chunks only the chunk that broke off is sent again, at most."""
    made = chunked.seed(image(layer_size_bytes=300 * 1024))
    wrong = {"lost answer": drop_answer(), "reset": Fault(drop_request_after=500)}.get(fault) or refusal(int(fault))
    at_once = always(lambda r: upload("PUT")(r) and int(r.headers["content-length"]) > 100_000, refusal(413))
    broken = once(lambda r: upload("PATCH")(r) and r.headers["content-range"].startswith("100000-"), wrong)
    chunked.destination.fault = lambda request: at_once(request) or broken(request)
    finished = chunked.run()
    assert finished.code == 0, finished.err
    assert chunked.arrived(made)
    starts = Counter(r.headers["content-range"].partition("-")[0] for r in sent(chunked.destination, upload("PATCH")))
    assert starts["100000"] <= 2
    assert (starts["200000"], starts["300000"]) == (1, 1)


def test_chunk_that_never_arrives(chunked: Copying) -> None:
    """A chunk that fails without end is an error in the end, and no session stays open."""
    chunked.seed(image(layer_size_bytes=300 * 1024))
    at_once = always(lambda r: upload("PUT")(r) and int(r.headers["content-length"]) > 100_000, refusal(413))
    broken = times(1000, upload("PATCH"), refusal(503))
    chunked.destination.fault = lambda request: at_once(request) or broken(request)
    finished = chunked.run()
    assert finished.code == 5
    assert "the registry answers 503" in finished.err
    assert chunked.untouched()
    assert not chunked.destination.state.uploads
    assert len(sent(chunked.destination, upload("PATCH"))) <= 10


@pytest.mark.parametrize("advance_bytes", [1, 500, 4096])
def test_upload_that_advances_by_drops(chunked: Copying, advance_bytes: int) -> None:
    """A registry that keeps a few bytes of each try is given up: getting there would take for ever."""
    chunked.seed(image(layer_size_bytes=300 * 1024))

    def drop(request: Request) -> Fault | None:
        if upload("PUT")(request) and int(request.headers["content-length"]) > 100_000:
            return refusal(413)
        session = chunked.destination.state.uploads.get(request.path.rpartition("/")[2])
        if upload("PATCH")(request) and session is not None:
            session.content += bytes(request.body[:advance_bytes])
            return Fault(drop_request_after=0)
        return None

    chunked.destination.fault = drop
    finished = chunked.run()
    assert finished.code == 5, finished.err
    assert chunked.untouched()
    assert len(sent(chunked.destination, upload("PATCH"))) <= 5 * 2 + 1  # an idle connection may have been closed


@pytest.mark.parametrize("advance_bytes", [1, 500, 4096])
def test_download_that_advances_by_drops(copying: Copying, advance_bytes: int) -> None:
    """The same the other way: a source that gives a few bytes a try is given up."""
    copying.seed(image(layer_size_bytes=300 * 1024))
    copying.source.fault = always(blob("GET"), Fault(cut_answer_after=advance_bytes))
    finished = copying.run()
    assert finished.code == 5, finished.err
    assert copying.untouched()
    assert len(sent(copying.source, blob("GET"))) <= 10  # a config and a layer


def test_download_that_gets_on(copying: Copying) -> None:
    """A source whose every answer breaks off after something worth its request is read to the end."""
    made = copying.seed(image(layer_size_bytes=2 * MIB))
    copying.source.fault = always(blob("GET"), Fault(cut_answer_after=32 * 1024))
    assert copying.run().code == 0
    assert copying.arrived(made)
    assert len(sent(copying.source, blob("GET"))) > 60


def test_a_cancelled_upload_is_gone(copying: Copying, tmp_path: Path) -> None:
    """What breaks off for good leaves no session at distribution 3.1, which knows it by its newest address alone."""
    copying.seed(image(layer_size_bytes=2 * MIB))
    copying.source.fault = always(blob("GET"), Fault(cut_answer_after=1000, ending="close"))
    with peers.distribution_v3(tmp_path) as host:
        finished = imagesync("sync", f"{copying.source.host}/team/app:1", f"{host}/team/app:1")
        assert finished.code == 5, finished.err
        assert not list(tmp_path.glob("storage/**/_uploads/*/data"))


def test_only_the_own_registry_is_asked_to_cancel(copying: Copying) -> None:
    """A session that is said to be at another server is left alone there: only the bytes of the blob go to it."""
    copying.seed(image(layer_size_bytes=300 * 1024))
    with LoopbackServer(lambda _: Response(503)) as other:
        opened = Response(202, {"Location": f"http://{other.host}/v2/prod/app/blobs/uploads/1"})
        copying.destination.fault = always(upload("POST"), Fault(answer=opened))
        assert copying.run().code == 5
        assert {request.method for request in other.requests} == {"PUT"}

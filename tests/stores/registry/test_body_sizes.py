"""Registries, and proxies before them, that take no large bodies get pieces of a size that they take."""

from __future__ import annotations

import asyncio

import pytest

from imagesync_cli.copy.sync import sync
from imagesync_cli.settings import Settings
from imagesync_cli.stores import Stores
from imagesync_cli.stores.registry.blobs import upload as uploads
from imagesync_cli.values.progress import Progress
from imagesync_cli.values.reference import parse_reference
from tests.embedded_registry import Fault, Request
from tests.embedded_registry.faults import FaultHook, refusal, with_header
from tests.embedded_registry.images import image
from tests.stores.copying import NAME, Copying, always, sent, upload

KIB, MIB = 1024, 1024 * 1024


def limited(most_bytes: int) -> FaultHook:
    """What a proxy does that lets no larger body through."""

    def fault(request: Request) -> Fault | None:
        return refusal(413) if int(request.headers.get("content-length") or 0) > most_bytes else None

    return fault


def sizes(copying: Copying) -> list[int]:
    """How large the pieces were that the destination was sent."""
    return [int(request.headers["content-length"]) for request in sent(copying.destination, upload("PATCH"))]


@pytest.mark.parametrize("most_bytes", [4 * MIB, MIB, MIB - 1, 300 * KIB])
def test_pieces_that_a_proxy_lets_through(copying: Copying, most_bytes: int) -> None:
    """A blob that is larger than a proxy lets through arrives in pieces that it does let through."""
    made = copying.seed(image(layers=2, layer_size_bytes=9 * MIB))
    copying.destination.fault = limited(most_bytes)
    finished = copying.run()
    assert finished.code == 0, finished.err
    assert copying.arrived(made)
    refused = [size for size in sizes(copying) if size > most_bytes]
    assert len(refused) <= 2 * 5  # the two layers find out at the same time, and nobody after them
    assert not copying.destination.state.uploads


def test_small_blobs_stay_whole(copying: Copying) -> None:
    """What is small enough is still sent in one piece: one request less."""
    made = copying.seed(image(layer_size_bytes=9 * MIB))
    copying.destination.fault = limited(MIB)
    assert copying.run().code == 0
    assert copying.arrived(made)
    sessions = {request.path for request in sent(copying.destination, upload("PATCH"))}
    assert len(sessions) <= 2  # the layer's; the one in which the limit was met, and the one after it


def test_pieces_that_are_not_too_small(copying: Copying, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that says how small a piece may be gets none that is smaller, but for the last."""
    monkeypatch.setattr(uploads, "CHUNK_BYTES", 100 * KIB)
    made = copying.seed(image(layer_size_bytes=MIB))
    least = with_header("OCI-Chunk-Min-Length", f"{150 * KIB}")
    copying.destination.fault = lambda request: least if upload("POST")(request) else limited(200 * KIB)(request)
    assert copying.run().code == 0
    assert copying.arrived(made)
    assert set(sizes(copying)[:-1]) == {150 * KIB}


@pytest.mark.parametrize("told", ["", "-1", "9" * 30, "many", f"{10**15}"])
def test_a_least_size_that_makes_no_sense(copying: Copying, told: str) -> None:
    """Whatever a registry says about the size of pieces, none takes more memory than there is."""
    made = copying.seed(image(layer_size_bytes=20 * MIB))
    least = with_header("OCI-Chunk-Min-Length", told)
    copying.destination.fault = lambda request: least if upload("POST")(request) else limited(16 * MIB)(request)
    assert copying.run().code == 0
    assert copying.arrived(made)
    assert max(sizes(copying)) <= 8 * MIB


def test_nothing_is_small_enough(copying: Copying) -> None:
    """A registry that takes no piece, however small, is an error soon."""
    copying.seed(image(layer_size_bytes=MIB))
    copying.destination.fault = always(upload("PATCH"), refusal(413))
    whole = limited(300 * KIB)
    in_pieces = copying.destination.fault
    copying.destination.fault = lambda request: in_pieces(request) or whole(request)
    finished = copying.run()
    assert finished.code == 7
    assert "413" in finished.err
    assert copying.untouched()
    assert len(sizes(copying)) <= 12
    assert not copying.destination.state.uploads


def test_progress_adds_up(copying: Copying) -> None:
    """However often bytes are sent again, what is moved is never more than what there is to move."""
    copying.seed(image(layers=2, layer_size_bytes=9 * MIB))
    progress, seen = Progress(), []

    def limit(request: Request) -> Fault | None:
        seen.append((progress.moved_bytes, progress.total_bytes))
        return limited(MIB)(request)

    copying.destination.fault = limit
    references = [parse_reference(f"{host}/{NAME}:1") for host in (copying.source.host, copying.destination.host)]

    async def work() -> None:
        stores = Stores(Settings())
        try:
            await sync(stores, references[0], references[1], progress=progress)
        finally:
            await stores.aclose()

    asyncio.run(work())
    assert progress.moved_bytes == progress.total_bytes > 18 * MIB
    assert all(moved <= total for moved, total in seen)

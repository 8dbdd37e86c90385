"""Servers that say nothing, or speak by drops: each is given up in time, and what can be resumed is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from imagesync_cli.stores.registry.blobs import upload as uploads
from imagesync_cli.stores.transport import http1, patience
from tests.command import imagesync
from tests.embedded_registry import Fault, Response
from tests.embedded_registry.images import image
from tests.embedded_registry.server import LoopbackServer
from tests.stores.copying import NAME, Copying, Matches, always, blob, manifest, once, sent, upload

# How many seconds a second of these tests stands for.
_SCALE = 20


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence lasts 1.5 s where it would last 30 s."""
    monkeypatch.setattr(http1, "SILENCE_S", patience.SILENCE_S / _SCALE)
    for name in ("SILENCE_S", "_WINDOW_S", "_FIRST_ANSWER_S", "_LAST_TRY_S"):
        monkeypatch.setattr(patience, name, getattr(patience, name) / _SCALE)


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """What a stalled answer waits for."""
    event = threading.Event()
    yield event
    event.set()


@contextmanager
def silent() -> Iterator[str]:
    """A server that takes connections and whatever is sent, and never says a word."""
    forever = threading.Event()
    with LoopbackServer(lambda _: Response()) as server:
        server.fault = lambda _: Fault(stall=forever)
        yield server.host


def dead(copying: Copying, side: str) -> tuple[int, str, float]:
    """Copy with one side dead: exit code, what was said and how long it took."""
    with silent() as host:
        copying.seed(image())
        source, destination = f"{copying.source.host}/{NAME}:1", f"{copying.destination.host}/{NAME}:1"
        names = (f"{host}/{NAME}:1", destination) if side == "source" else (source, f"{host}/{NAME}:1")
        started = time.monotonic()
        finished = imagesync("sync", *names)
        return finished.code, finished.err.replace(host, "HOST"), time.monotonic() - started


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize("side", ["source", "destination"])
def test_dead(copying: Copying, side: str) -> None:
    """A host that never says anything is tried twice and given up after 30 s in all, whichever side it is."""
    code, said, took_s = dead(copying, side)
    assert code == 5
    assert f"looking up HOST/{NAME}:1: HOST did not" in said or f"reading manifest HOST/{NAME}:1: HOST did not" in said
    assert "HOST did not answer for half a minute" in said
    assert len(copying.pauses) == 1
    assert took_s < 20  # 1.5, and what a busy machine adds


@pytest.mark.soak
@pytest.mark.parametrize("side", ["source", "destination"])
def test_dead_in_earnest(copying: Copying, side: str) -> None:
    """The same, without the clock being pushed."""
    code, _, took_s = dead(copying, side)
    assert (code, took_s < 35) == (5, True)


KINDS: dict[str, tuple[str, Matches]] = {
    "first answer of the source": ("source", manifest("GET")),
    "reading a blob": ("source", blob("GET")),
    "first answer of the destination": ("destination", manifest("HEAD")),
    "opening an upload": ("destination", upload("POST")),
    "finishing an upload": ("destination", upload("PUT")),
    "writing a manifest": ("destination", manifest("PUT")),
}


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize("kind", KINDS)
def test_no_answer_once(copying: Copying, never: threading.Event, kind: str) -> None:
    """One request that is never answered is given up and sent again, and the copy is whole."""
    side, matches = KINDS[kind]
    made = copying.seed(image())
    registry = copying.source if side == "source" else copying.destination
    registry.fault = once(matches, Fault(stall=never))
    started = time.monotonic()
    finished = copying.run()
    assert finished.code == 0, finished.err
    assert copying.arrived(made)
    assert len(copying.pauses) == 1
    assert time.monotonic() - started < 20
    assert "1 retry" in finished.err


@pytest.mark.usefixtures("quickly")
def test_body_stops(copying: Copying, never: threading.Event) -> None:
    """A blob that stops in the middle is resumed where it stopped, and the summary says so."""
    made = copying.seed(image(layer_size_bytes=300 * 1024))
    layer = made.root.blobs[1]
    copying.source.fault = once(blob("GET", layer), Fault(stall=never, cut_answer_after=100_000))
    finished = copying.run()
    assert finished.code == 0, finished.err
    assert copying.arrived(made)
    assert [request.headers.get("range", "")[:13] for request in sent(copying.source, blob("GET", layer))] == [
        "",
        "bytes=100000-",
    ]
    assert "1 retry, 1 resumed download" in finished.err


@pytest.mark.usefixtures("quickly")
def test_body_stops_always(copying: Copying, never: threading.Event) -> None:
    """A blob that never gets further is an error in the end, and the tag is not written."""
    made = copying.seed(image(layer_size_bytes=300 * 1024))
    stuck = Fault(stall=never, cut_answer_after=0)
    copying.source.fault = always(blob("GET", made.root.blobs[1]), stuck)
    finished = copying.run()
    assert finished.code == 5
    assert "did not answer" in finished.err
    assert copying.untouched()
    assert not copying.destination.state.uploads


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize("kind", ["manifest", "blob"])
def test_drops(copying: Copying, kind: str) -> None:
    """A body that comes by drops is given up and asked for again, be it a blob or a manifest."""
    made = copying.seed(image(layer_size_bytes=300 * 1024))
    matches = manifest("GET") if kind == "manifest" else blob("GET", made.root.blobs[1])
    copying.source.fault = once(matches, Fault(drops_every_s=0.05))
    finished = copying.run()
    assert finished.code == 0, finished.err
    assert copying.arrived(made)
    assert len(sent(copying.source, matches)) == 2


@pytest.mark.usefixtures("quickly")
def test_slow_commit(copying: Copying, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry may take longer to commit a blob the larger it is: it is not asked again before."""
    monkeypatch.setattr(uploads, "_COMMITTED_BYTES_A_SECOND", 100 * 1024)
    made = copying.seed(image(layer_size_bytes=300 * 1024))
    later = threading.Event()
    of_layer = once(lambda r: upload("PUT")(r) and int(r.headers["content-length"]) > 300 * 1024, Fault(stall=later))
    threading.Timer(2 * patience.SILENCE_S, later.set).start()
    copying.destination.fault = of_layer
    finished = copying.run()
    assert finished.code == 0, finished.err
    assert copying.arrived(made)
    assert copying.pauses == []

"""The embedded registry goes wrong exactly as it is told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from tests.embedded_registry import EmbeddedRegistry, Fault, Manner
from tests.embedded_registry.faults import drop_answer, flip_bit, refusal, reset_before_handling, with_header

CONTENT = b"0123456789"


@pytest.fixture
def blob(registry: EmbeddedRegistry) -> str:
    """The path of a blob that is there."""
    return f"/v2/a/b/blobs/{registry.repository('a/b').add_blob(CONTENT)}"


@pytest.fixture
def client(registry: EmbeddedRegistry) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{registry.host}", timeout=60, trust_env=False) as opened:
        yield opened


def test_refusal(registry: EmbeddedRegistry, client: httpx.Client, blob: str) -> None:
    """A status, headers and body of choice, and the connection goes on."""
    registry.fault = lambda _: refusal(503, headers={"Retry-After": "1"})
    answer = client.get(blob)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    registry.fault = None
    assert client.get(blob).content == CONTENT
    assert [request.status for request in registry.requests] == [503, 200]
    assert registry.connections_opened == 1


def test_reset(registry: EmbeddedRegistry, client: httpx.Client, blob: str) -> None:
    """The connection is reset before anything is answered."""
    registry.fault = lambda _: reset_before_handling()
    with pytest.raises(httpx.ReadError):
        client.get(blob)
    assert registry.requests[0].status == 0


def test_upload_is_done_and_nobody_hears(registry: EmbeddedRegistry, client: httpx.Client) -> None:
    """A request is handled and its answer lost."""
    registry.fault = lambda _: drop_answer()
    with pytest.raises(httpx.ReadError):
        client.post("/v2/a/b/blobs/uploads/")
    assert len(registry.state.uploads) == 1


@pytest.mark.parametrize("ending", ["reset", "close"])
def test_cut_body(registry: EmbeddedRegistry, client: httpx.Client, blob: str, ending: str) -> None:
    """The body breaks off after so many bytes."""
    fault = Fault(cut_answer_after=4, ending="reset" if ending == "reset" else "close")
    registry.fault = lambda _: fault
    received: list[bytes] = []
    with client.stream("GET", blob) as answer, pytest.raises(httpx.TransportError):
        received.extend(answer.iter_raw())
    assert b"".join(received) in {b"", CONTENT[:4]}  # a reset may overtake the bytes before it


def test_stall_in_the_middle(registry: EmbeddedRegistry, client: httpx.Client, blob: str) -> None:
    """The body stops until the test lets it go on."""
    released = threading.Event()
    registry.fault = lambda _: Fault(cut_answer_after=4, stall=released)
    with client.stream("GET", blob) as answer:
        parts = answer.iter_raw()
        assert next(parts) == CONTENT[:4]
        released.set()
        assert b"".join(parts) == CONTENT[4:]


def test_flipped_bit(registry: EmbeddedRegistry, client: httpx.Client, blob: str) -> None:
    """One bit of the answer is wrong."""
    registry.fault = lambda _: flip_bit(3)
    assert client.get(blob).content == b"0122456789"


def test_lying_header(registry: EmbeddedRegistry, client: httpx.Client, blob: str) -> None:
    """A header says something else than the body."""
    registry.fault = lambda _: with_header("Docker-Content-Digest", "sha256:wrong")
    assert client.get(blob).headers["Docker-Content-Digest"] == "sha256:wrong"


def test_bad_framing(registry: EmbeddedRegistry, client: httpx.Client, blob: str) -> None:
    """A Content-Length that promises more than comes."""
    registry.fault = lambda _: Fault(change=lambda answer: replace(answer, length="11", close=True))
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(blob)


def test_redirect_to_storage() -> None:
    """Blobs come from another port, which refuses a credential that was sent along."""
    with EmbeddedRegistry(Manner(redirects_blobs=True)) as registry:
        digest = registry.repository("a/b").add_blob(CONTENT)
        answer = httpx.get(f"http://{registry.host}/v2/a/b/blobs/{digest}")
        assert answer.status_code == 307
        location = answer.headers["Location"]
        assert location.startswith(f"http://{registry.storage.host}/")
        assert httpx.get(location).content == CONTENT
        assert httpx.get(location, headers={"Authorization": "Bearer leaked"}).status_code == 400


def test_compression_only_when_asked() -> None:
    """A proxy's gzip comes to clients that take it, and to no other."""
    with EmbeddedRegistry(Manner(compresses=True)) as registry:
        url = f"http://{registry.host}/v2/a/b/blobs/{registry.repository('a/b').add_blob(CONTENT)}"
        asked = httpx.get(url, headers={"Accept-Encoding": "gzip"})
        plain = httpx.get(url, headers={"Accept-Encoding": "identity"})
    assert asked.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert asked.content == plain.content == CONTENT

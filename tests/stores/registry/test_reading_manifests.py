"""Manifests on their way here: refused, lying, too large or damaged, and what is believed of them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.command import Finished, imagesync
from tests.embedded_registry import Authentication, EmbeddedRegistry, Fault, Manner, Response
from tests.embedded_registry.faults import flip_bit, refusal, with_header
from tests.embedded_registry.images import OCI_INDEX, OCI_MANIFEST, image
from tests.embedded_registry.wire import compressed
from tests.stores.copying import NAME, Copying, always, manifest, once, sent, times

OTHER = f"sha256:{'0' * 64}"


def resolve(registry: EmbeddedRegistry, wanted: str = ":1") -> Finished:
    return imagesync("resolve", f"{registry.host}/{NAME}{wanted}")


@pytest.fixture
def app(registry: EmbeddedRegistry, pauses: list[float]) -> str:
    """The digest of an image in the registry."""
    assert pauses == []
    return image().seed(registry.repository(NAME), "1")


def test_one_head_request(registry: EmbeddedRegistry, app: str) -> None:
    """Looking a tag up takes one HEAD request, which no registry counts as a pull."""
    assert resolve(registry).out == f"{registry.host}/{NAME}@{app}\n"
    assert [request.method for request in registry.requests] == ["HEAD"]


@pytest.mark.parametrize("head", ["refused", "no-digest"])
def test_head_without_use(head: str) -> None:
    """Where HEAD is refused or names no digest, the manifest is read and hashed."""
    with EmbeddedRegistry(Manner(head="refused" if head == "refused" else "no-digest")) as registry:
        digest = image().seed(registry.repository(NAME), "1")
        assert resolve(registry).out == f"{registry.host}/{NAME}@{digest}\n"
        assert [request.method for request in registry.requests] == ["HEAD", "GET"]


@pytest.mark.parametrize("status", [400, 403, 405, 501])
def test_head_refused(registry: EmbeddedRegistry, app: str, status: int) -> None:
    """A HEAD that is refused for whatever reason is asked again as GET."""
    registry.fault = always(manifest("HEAD"), refusal(status))
    assert resolve(registry).out == f"{registry.host}/{NAME}@{app}\n"


def test_digest_in_the_header_is_wrong(copying: Copying) -> None:
    """A registry that names another digest than its bytes have is not believed, and nothing is written."""
    copying.seed(image())
    copying.source.fault = always(manifest("GET"), with_header("Docker-Content-Digest", OTHER))
    finished = copying.run()
    assert finished.code == 6
    assert f"reading manifest {copying.source.host}/{NAME}:1: {OTHER} arrived as {image().digest}" in finished.err
    assert copying.untouched()


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_another_digest_than_asked_for(registry: EmbeddedRegistry, app: str, method: str) -> None:
    """What is asked for by digest is that digest or an error."""
    registry.fault = always(manifest("GET"), refusal(500)) if method == "HEAD" else None
    other = image("other")
    lie = Response(200, {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": other.digest}, other.root.content)
    registry.fault = always(manifest(method), Fault(answer=lie))
    if method == "GET":
        registry.fault = lambda request: refusal(405) if request.method == "HEAD" else Fault(answer=lie)
    finished = resolve(registry, f"@{app}")
    assert finished.code == 6
    assert other.digest in finished.err


def test_flipped_bit_once(copying: Copying) -> None:
    """A manifest that arrives damaged is read once more."""
    app = copying.seed(image())
    copying.source.fault = once(manifest("GET"), flip_bit(20))
    assert copying.run().code == 0
    assert copying.arrived(app)


def test_flipped_bit_always(copying: Copying) -> None:
    """A manifest that is damaged every time is an error of content."""
    copying.seed(image())
    copying.source.fault = always(manifest("GET"), flip_bit(20))
    assert copying.run().code == 6
    assert copying.untouched()
    assert len(sent(copying.source, manifest("GET"))) == 2


@pytest.mark.parametrize("cut", [0, 1, 200])
def test_cut(copying: Copying, cut: int) -> None:
    """A manifest whose connection breaks off is read again."""
    app = copying.seed(image())
    copying.source.fault = times(3, manifest("GET"), Fault(cut_answer_after=cut))
    assert copying.run().code == 0
    assert copying.arrived(app)


def test_too_large(registry: EmbeddedRegistry) -> None:
    """A manifest of more than 4 MiB is given up before it fills the memory."""
    registry.repository(NAME).add_manifest(OCI_MANIFEST, b" " * (5 * 1024 * 1024), "1")
    registry.fault = lambda request: refusal(405) if request.method == "HEAD" else None
    finished = resolve(registry)
    assert finished.code == 6
    assert f"reading manifest {registry.host}/{NAME}:1: 127.0.0.1 answers with more than 4194304 bytes" in finished.err


def test_type_in_the_header_is_wrong(copying: Copying) -> None:
    """A registry that calls an image an index is not believed."""
    copying.seed(image())
    copying.source.fault = always(manifest("GET"), with_header("Content-Type", OCI_INDEX))
    finished = copying.run()
    assert finished.code == 6
    assert "the registry calls it" in finished.err
    assert copying.untouched()


@pytest.mark.parametrize(("status", "code"), [(404, 3), (403, 4), (503, 5)])
@pytest.mark.parametrize("how", ["long", "compressed", "cut", "no JSON", "odd JSON"])
def test_error_that_cannot_be_read(
    registry: EmbeddedRegistry, pauses: list[float], status: int, code: int, how: str
) -> None:
    """An error whose body is no use is still the error that its status says."""
    body = {"long": b"<p>" * 100_000, "odd JSON": b'{"errors": [1, {"code": {}}]}'}.get(how, b"<html>")
    answer = Response(status, {"Content-Type": "text/html"}, body)
    fault = Fault(answer=compressed(answer) if how == "compressed" else answer)
    if how == "cut":
        fault = replace(fault, cut_answer_after=2, ending="close")
    registry.fault = lambda request: refusal(405) if request.method == "HEAD" else fault
    finished = resolve(registry)
    assert (finished.code, len(pauses)) == (code, 4 if status == 503 else 0), finished.err
    assert str(status) in finished.err


def test_error_that_speaks_to_the_terminal(registry: EmbeddedRegistry) -> None:
    """Escape sequences in a registry's message do not reach the terminal."""
    body = json.dumps({"errors": [{"code": "X\x1b[2J", "message": "\x1b]0;owned\x07" + "y" * 10_000}]}).encode()
    registry.fault = lambda request: Fault(answer=Response(405 if request.method == "HEAD" else 418, {}, body))
    said = resolve(registry).err
    assert "owned" in said
    assert len(said) < 1000
    assert all(line.isprintable() for line in said.splitlines())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"x" * 100_000, 6),
        (b"not JSON", 6),
        (b"[]", 6),
        (b"{}", 6),
        (b'{"token": 7}', 6),
        (b'{"token": "a\\nb"}', 6),
        (b'{"token": "a", "expires_in": "soon"}', 6),
    ],
)
def test_token_that_is_none(pauses: list[float], body: bytes, code: int) -> None:
    """A token server's answer is read up to 64 KiB and must be a token that fits into a header."""
    login = Authentication(scheme="bearer", anonymous_pull=True)
    with EmbeddedRegistry(Manner(authentication=login)) as registry:
        image().seed(registry.repository(NAME), "1")
        registry.fault = always(lambda request: request.path == "/token", Fault(answer=Response(200, {}, body)))
        finished = resolve(registry)
        assert finished.code == code, finished.err
        assert "Traceback" not in finished.err
        assert pauses == []

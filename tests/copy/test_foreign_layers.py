"""Foreign layers: left where they are, or with --foreign-layers fetched from wherever they are to be had."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import Finished, imagesync
from tests.embedded_registry import Authentication, EmbeddedRegistry, Manner, Request
from tests.embedded_registry.faults import Fault, refusal
from tests.embedded_registry.images import Image, describe, image, index_of, listing, random_bytes, to_json
from tests.embedded_registry.server import LoopbackServer
from tests.embedded_registry.state import Manifest, digest_of
from tests.embedded_registry.wire import Response
from tests.logins import CANARY, variables
from tests.security.authority import Authority
from tests.security.relay import TlsFront

FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
LAYER = random_bytes("windows", 300_000)


@pytest.fixture(autouse=True)
def no_pauses(pauses: list[float]) -> None:
    """Try again at once."""
    assert pauses == []


@pytest.fixture
def web() -> Iterator[LoopbackServer]:
    """A server that has the layer at every address, and records who asks."""
    with LoopbackServer(lambda _: Response(200, body=LAYER)) as server:
        yield server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def windows(*urls: str) -> Image:
    """An index with an image for Windows, whose base layer lives elsewhere, and one for Linux."""
    base = image("windows", docker=True)
    entry = {**describe(FOREIGN, LAYER), "urls": list(urls)}
    document = {**base.root.document, "layers": [entry, *base.root.document["layers"]]}
    root = Manifest(base.root.media_type, to_json(document))
    made = Image(root, {root.digest: root}, base.blobs)
    return index_of({"windows/amd64": made, "linux/amd64": image(docker=True)}, docker=True)


def sync(source: EmbeddedRegistry, registry: EmbeddedRegistry, made: Image, *options: str) -> Finished:
    made.seed(source.repository("app"), "1")
    return imagesync("sync", f"{source.host}/app:1", f"{registry.host}/copy:1", *options)


def arrived(registry: EmbeddedRegistry, made: Image) -> bool:
    """Whether the whole image is there, manifests byte for byte, and the foreign layer with it."""
    there = registry.repository("copy")
    assert LAYER not in made.blobs.values()
    blobs = {**made.blobs, digest_of(LAYER): LAYER}
    return (there.tags, there.manifests, there.blobs) == ({"1": made.digest}, made.manifests, blobs)


def test_from_the_source(source: EmbeddedRegistry, registry: EmbeddedRegistry, web: LoopbackServer) -> None:
    """A layer that the source registry holds comes from there, and its URLs are not opened."""
    source.repository("app").blobs[digest_of(LAYER)] = LAYER
    made = windows(f"http://{web.host}/layer")
    finished = sync(source, registry, made, "--foreign-layers", "--plain-http", web.host)
    assert finished.code == 0, finished.err
    assert "1 foreign layer among them" in finished.err
    assert arrived(registry, made)
    assert web.connections_opened == 0


def test_from_a_url(source: EmbeddedRegistry, registry: EmbeddedRegistry, web: LoopbackServer) -> None:
    """A layer that the source does not hold comes from the first URL that has it; the report tells."""
    made = windows("ftp://example.com/layer", f"http://{source.host}/nothing", f"http://{web.host}/layer?signed=1")
    options = ("--foreign-layers", "--plain-http", web.host, "--plain-http", source.host, "--json")
    finished = sync(source, registry, made, *options)
    assert finished.code == 0, finished.err
    report = json.loads(finished.out)
    assert (report["foreign"], report["foreign_copied"]) == (0, 1)
    assert arrived(registry, made)
    assert [request.method for request in web.requests] == ["GET"]


def test_over_tls(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, web: LoopbackServer, authority: Authority
) -> None:
    """A URL of https is fetched, and may redirect to another of https."""
    with TlsFront(web.host, authority.server_context("127.0.0.1")) as front:
        redirect = Response(307, {"Location": f"https://{front.host}/elsewhere"})
        web.fault = lambda request: Fault(answer=redirect) if request.path == "/layer" else None
        made = windows(f"https://{front.host}/layer")
        options = ("--foreign-layers", "--plain-http", front.host, "--ca-file", str(authority.ca_file))
        finished = sync(source, registry, made, *options)
        assert finished.code == 0, finished.err
        assert arrived(registry, made)
        assert [request.path for request in web.requests] == ["/layer", "/elsewhere"]


def test_without_the_option(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """Layers are left; naming the option later brings those of an image that is there already, and only once."""
    source.repository("app").blobs[digest_of(LAYER)] = LAYER
    made = windows("https://example.com/layer")
    assert "1 foreign layer left where it is" in sync(source, registry, made).err
    assert not arrived(registry, made)
    planned = sync(source, registry, made, "--foreign-layers", "--dry-run")
    assert "with 1 more foreign layer" in planned.err
    assert not arrived(registry, made)
    finished = sync(source, registry, made, "--foreign-layers")
    assert "is in sync with" in finished.err
    assert "with 1 more foreign layer" in finished.err
    assert arrived(registry, made)
    assert "foreign" not in sync(source, registry, made, "--foreign-layers").err


def test_an_entry_of_a_file(source: EmbeddedRegistry, registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """With foreign_layers in a file of images they are copied to each of its destinations."""
    made = windows("http://127.0.0.1:1/layer")
    made.seed(source.repository("app"), "1")
    source.repository("app").blobs[digest_of(LAYER)] = LAYER
    file = tmp_path / "images.json"
    places = [f"{registry.host}/{name}" for name in ("app", "copy")]
    entry = {"source": f"{source.host}/app:1", "destination": places, "foreign_layers": True}
    file.write_text(json.dumps({"images": [entry]}))
    finished = imagesync("sync", "--file", str(file))
    assert finished.code == 0, finished.err
    assert all(registry.repository(name).blobs[digest_of(LAYER)] == LAYER for name in ("app", "copy"))


def test_into_an_archive_and_out(source: EmbeddedRegistry, registry: EmbeddedRegistry, tmp_path: object) -> None:
    """An archive carries foreign layers to where their URLs cannot be reached."""
    source.repository("app").blobs[digest_of(LAYER)] = LAYER
    made = windows()
    made.seed(source.repository("app"), "1")
    archive = f"oci-archive:{tmp_path}/images.tar:1"
    assert imagesync("sync", f"{source.host}/app:1", archive, "--foreign-layers").code == 0
    assert imagesync("sync", archive, f"{registry.host}/copy:1", "--foreign-layers").code == 0
    assert arrived(registry, made)


REFUSED = {
    "plain HTTP": ("http://{web}/layer", (), 7, "--plain-http"),
    "this machine": ("https://{web}/layer", (), 7, "not public"),
    "this machine by name": ("https://localhost/layer", (), 7, "not public"),
    "this machine in disguise": ("https://0x7f.1/layer", (), 7, "not public"),
    "an inner network": ("https://10.0.0.1/layer", (), 7, "not public"),
    "a login in it": ("https://ann:secret@example.com/layer", (), 7, "not one of https"),
    "no URL": ("https://example.com:port/layer", (), 7, "not a URL"),
    "a file": ("file:///etc/passwd", (), 7, "not one of https"),
    "redirect": ("http://{web}/redirect", ("--plain-http", "{web}"), 7, "not https"),
    "not there": ("http://{web}/404", ("--plain-http", "{web}"), 3, "not found"),
    "wants a login": ("http://{web}/401", ("--plain-http", "{web}"), 3, "401"),
    "other bytes": ("http://{web}/other", ("--plain-http", "{web}"), 6, "arrived as"),
    "too long": ("http://{web}/long", ("--plain-http", "{web}"), 6, "longer than"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(source: EmbeddedRegistry, registry: EmbeddedRegistry, kind: str) -> None:
    """What is not safe, not there or not the layer is an error that names it, and no tag is written."""
    answers = {
        "/redirect": Response(307, {"Location": f"http://{registry.host}/elsewhere"}),
        "/404": Response(404),
        "/401": Response(401, {"WWW-Authenticate": 'Basic realm="x"'}),
        "/other": Response(200, body=LAYER[::-1]),
        "/long": Response(200, body=LAYER + b"more"),
    }
    with LoopbackServer(lambda request: answers.get(request.path, Response(200, body=LAYER))) as web:
        url, options, code, said = REFUSED[kind]
        made = windows(url.format(web=web.host))
        finished = sync(source, registry, made, "--foreign-layers", *(each.format(web=web.host) for each in options))
        assert (finished.code, said in finished.err) == (code, True), finished.err
        assert "secret" not in finished.err
        assert not registry.repository("copy").tags
        assert bool(web.connections_opened) == bool(options)
        assert [request for request in registry.requests if request.path == "/elsewhere"] == []


def test_no_login_leaves(registry: EmbeddedRegistry, web: LoopbackServer) -> None:
    """The host of a URL gets no login, although there is one for it, and it asks for one."""

    def ask(request: Request) -> Fault:
        return Fault(answer=Response(401, {"WWW-Authenticate": 'Basic realm="x"'}))

    web.fault = ask
    with EmbeddedRegistry(Manner(authentication=Authentication("basic", {"ann": CANARY}))) as source:
        windows(f"http://{web.host}/layer").seed(source.repository("app"), "1")
        logins = variables(source.host, "ann", CANARY) | variables(web.host, "ann", CANARY)
        options = ("--foreign-layers", "--plain-http", web.host)
        finished = imagesync("sync", f"{source.host}/app:1", f"{registry.host}/copy:1", *options, environ=logins)
    assert finished.code == 3, finished.err
    assert web.requests
    assert [request for request in web.requests if "authorization" in request.headers] == []


def test_resumed(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """A download that breaks off goes on where it was."""

    def serve(request: Request) -> Response:
        start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        span = f"bytes {start}-{len(LAYER) - 1}/{len(LAYER)}"
        return Response(206 if start else 200, {"Content-Range": span} if start else {}, LAYER[start:])

    with LoopbackServer(serve) as web:
        cuts = [100_000]
        web.fault = lambda _: Fault(cut_answer_after=cuts.pop()) if cuts else None
        made = windows(f"http://{web.host}/layer")
        finished = sync(source, registry, made, "--foreign-layers", "--plain-http", web.host)
        assert finished.code == 0, finished.err
        assert arrived(registry, made)
        assert [request.headers.get("range", "") == "" for request in web.requests] == [True, False]


def test_a_destination_that_wants_them(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """Where the destination refuses an image without its foreign layers, the error names the option."""
    source.repository("app").blobs[digest_of(LAYER)] = LAYER
    made = windows()
    for_windows = made.children[0]

    def strict(request: Request) -> Fault | None:
        has = digest_of(LAYER) in registry.repository("copy").blobs
        misses = not has and request.method == "PUT" and request.path.endswith(for_windows)
        return refusal(400, "MANIFEST_BLOB_UNKNOWN") if misses else None

    registry.fault = strict
    finished = sync(source, registry, made)
    assert finished.code == 7
    assert "--foreign-layers" in finished.err
    assert sync(source, registry, windows(), "--foreign-layers").code == 0


def test_nothing_more_to_ask(source: EmbeddedRegistry, registry: EmbeddedRegistry) -> None:
    """An image without foreign layers takes the same requests with the option as without."""
    counts = []
    for options in ((), ("--foreign-layers",)):
        source.state.repositories.clear()
        registry.state.repositories.clear()
        source.clear_requests()
        registry.clear_requests()
        assert sync(source, registry, image(), *options).code == 0
        counts.append((len(source.requests), len(registry.requests)))
    assert counts[0] == counts[1]


def test_again_over_indexes_that_share_children(
    source: EmbeddedRegistry, registry: EmbeddedRegistry, web: LoopbackServer
) -> None:
    """Looking for foreign layers of what is there asks for each manifest once, however many ways lead to it."""
    level = [windows(f"http://{web.host}/layer")]
    for depth in range(6):
        level = [listing(((part, {}) for part in level), annotations={"at": f"{depth} {n}"}) for n in range(4)]
    made = listing((part, {}) for part in level)
    options = ("--foreign-layers", "--plain-http", web.host)
    assert sync(source, registry, made).code == 0
    registry.clear_requests()
    finished = sync(source, registry, made, *options)
    assert finished.code == 0, finished.err
    assert arrived(registry, made)
    read = [request.path for request in registry.requests if request.method == "GET"]
    assert len(read) == len(set(read)) == len(made.manifests)

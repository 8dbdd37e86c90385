"""Blobs on their way into the destination: mounted, in one piece or in many, once each, and never half."""

from __future__ import annotations

import itertools
import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from imagesync_cli.stores.registry.blobs import upload as uploads
from tests.command import imagesync
from tests.embedded_registry import MANNERS, Authentication, EmbeddedRegistry, Fault, Manner, Request, Response
from tests.embedded_registry.faults import drop_answer, refusal, with_header
from tests.embedded_registry.images import Image, image, index
from tests.embedded_registry.server import LoopbackServer
from tests.stores.copying import NAME, Copying, always, blob, manifest, once, sent, upload

LAYER_BYTES = 300 * 1024


@pytest.fixture
def app(copying: Copying) -> Image:
    """An image with a config and one layer of 300 KiB, at the source."""
    return copying.seed(image(layer_size_bytes=LAYER_BYTES))


def of_layer(request: Request) -> bool:
    return upload("PUT")(request) and int(request.headers.get("content-length", "0")) > LAYER_BYTES


@pytest.mark.parametrize("sent_bytes", [0, 1, 100_000])
def test_reset_in_the_middle(copying: Copying, app: Image, sent_bytes: int) -> None:
    """An upload whose connection is reset is cancelled and sent anew."""
    copying.destination.fault = once(of_layer, Fault(drop_request_after=sent_bytes))
    assert copying.run().code == 0
    assert copying.arrived(app)
    assert not copying.destination.state.uploads


def test_reset_after_the_commit(copying: Copying, app: Image) -> None:
    """A blob that is there, though its answer got lost, is not sent a second time."""
    copying.destination.fault = once(of_layer, drop_answer())
    assert copying.run().code == 0
    assert copying.arrived(app)
    assert len(sent(copying.destination, of_layer)) == 1


@pytest.mark.parametrize("status", [404, 416])
def test_lost_session(copying: Copying, app: Image, status: int) -> None:
    """A session that the registry has forgotten is replaced by a new one."""
    copying.destination.fault = once(of_layer, refusal(status, "BLOB_UPLOAD_UNKNOWN"))
    assert copying.run().code == 0
    assert copying.arrived(app)


@pytest.mark.parametrize("status", [405, 411, 413, 501])
@pytest.mark.parametrize("manner", ["oci-1.1", "distribution-2.8", "distribution-3", "ggcr", "ecr"])
def test_in_chunks(monkeypatch: pytest.MonkeyPatch, pauses: list[float], manner: str, status: int) -> None:
    """A registry that takes no large body gets chunks, one after the other and each where it says."""
    monkeypatch.setattr(uploads, "CHUNK_BYTES", 100_000)
    with EmbeddedRegistry() as source, EmbeddedRegistry(MANNERS[manner]) as destination:
        destination.repository(NAME)
        copying = Copying(source, destination, pauses)
        app = copying.seed(image(layer_size_bytes=LAYER_BYTES))
        destination.fault = always(of_layer, refusal(status, "SIZE_INVALID"))
        finished = copying.run()
        assert finished.code == 0, finished.err
        assert copying.arrived(app)
        ranges = [request.headers["content-range"] for request in sent(destination, upload("PATCH"))]
        assert {"0-99999", "100000-199999", "200000-299999"} <= set(ranges)


@pytest.mark.parametrize("status", [404, 416])
def test_lost_session_between_chunks(
    copying: Copying, app: Image, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """A session that gets lost between chunks is begun again."""
    monkeypatch.setattr(uploads, "CHUNK_BYTES", 100_000)
    lost = once(lambda r: upload("PATCH")(r) and r.headers["content-range"].startswith("200000"), refusal(status))
    copying.destination.fault = lambda request: refusal(413) if of_layer(request) else lost(request)
    assert copying.run().code == 0
    assert copying.arrived(app)


@pytest.mark.parametrize("location", ["absolute", "relative"])
@pytest.mark.parametrize("query", [False, True])
def test_location(pauses: list[float], location: str, query: bool) -> None:
    """Uploads go where the registry says, however it says it."""
    manner = Manner(location="absolute" if location == "absolute" else "relative", location_query=query)
    with EmbeddedRegistry() as source, EmbeddedRegistry(manner) as destination:
        copying = Copying(source, destination, pauses)
        app = copying.seed(image())
        assert copying.run().code == 0
        assert copying.arrived(app)


def test_location_on_another_host(pauses: list[float]) -> None:
    """An upload that is sent to another host goes there without our login."""
    login = Authentication(scheme="bearer", accounts={"": ""}, anonymous_pull=True)
    storage = LoopbackServer(lambda _: Response(201))
    with EmbeddedRegistry() as source, EmbeddedRegistry(Manner(authentication=login)) as destination, storage:
        destination.authenticator.rules.accounts.clear()
        copying = Copying(source, destination, pauses)
        copying.seed(image())
        opened = Response(202, {"Location": f"http://{storage.host}/upload?signature=x"})
        destination.fault = always(upload("POST"), Fault(answer=opened))
        copying.run()
        assert any(request.method == "PUT" for request in storage.requests)
        assert not any("authorization" in request.headers for request in storage.requests)


def test_early_401(pauses: list[float], tmp_path: Path) -> None:
    """A token that dies while a blob is sent is renewed once, and the blob sent again from its start."""
    login = Authentication(scheme="bearer", accounts={"me": "secret"})
    with EmbeddedRegistry() as source, EmbeddedRegistry(Manner(authentication=login)) as destination:
        copying = Copying(source, destination, pauses)
        app = copying.seed(image(layer_size_bytes=2_000_000))
        auths = {destination.host: {"username": "me", "password": "secret"}}
        (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
        challenge = (
            f'Bearer realm="http://{destination.host}/token",service="embedded",scope="repository:{NAME}:pull,push"'
        )
        early = replace(refusal(401, "UNAUTHORIZED", {"WWW-Authenticate": challenge}), unread=True)
        plan = [early]

        def dying(request: Request) -> Fault | None:
            if upload("PUT")(request) and int(request.headers["content-length"]) > 1_000_000 and plan:
                destination.authenticator.revoke_tokens()
                return plan.pop()
            return None

        destination.fault = dying
        finished = imagesync(
            "sync",
            f"{source.host}/{NAME}:1",
            f"{destination.host}/{NAME}:1",
            environ={"DOCKER_CONFIG": str(tmp_path)},
        )
        assert finished.code == 0, finished.err
        assert copying.arrived(app)


def test_mount_from_a_sibling(registry: EmbeddedRegistry) -> None:
    """Within one registry blobs are mounted from the source's repository: none is read, none is sent."""
    app = image(layers=3)
    app.seed(registry.repository("up/app"), "1")
    assert imagesync("sync", f"{registry.host}/up/app:1", f"{registry.host}/team/app:1").code == 0
    assert registry.repository("team/app").blobs == app.blobs
    assert registry.repository("team/app").tags == {"1": app.digest}
    assert not sent(registry, blob("GET"))
    assert not sent(registry, upload("PUT"))


@pytest.mark.parametrize("mount", ["session", "refused"])
def test_mount_that_is_not_offered(mount: str) -> None:
    """A registry that mounts nothing gets the blobs sent, but not those that it has."""
    manner = Manner(mount="session" if mount == "session" else "refused")
    with EmbeddedRegistry(manner) as registry:
        app = image(layers=3)
        app.seed(registry.repository("up/app"), "1")
        assert imagesync("sync", f"{registry.host}/up/app:1", f"{registry.host}/team/app:1").code == 0
        assert registry.repository("team/app").blobs == app.blobs
        assert not registry.state.uploads


def test_collected_blob(copying: Copying, app: Image) -> None:
    """A blob that garbage collection takes between our question and the manifest is sent again."""
    layer = app.root.blobs[1]
    there = copying.destination.repository(NAME)
    there.blobs[layer] = app.blobs[layer]
    plan = [layer]

    def collect(request: Request) -> None:
        if manifest("PUT")(request) and plan:
            del there.blobs[plan.pop()]

    copying.destination.fault = collect
    assert copying.run().code == 0
    assert copying.arrived(app)
    assert len(sent(copying.destination, manifest("PUT"))) == 2


@pytest.mark.usefixtures("app")
def test_blob_that_is_never_there(copying: Copying) -> None:
    """A registry that goes on losing a blob which it took is an error, after one more try."""
    there = copying.destination.repository(NAME)

    def lose(request: Request) -> None:
        if manifest("PUT")(request):
            there.blobs.clear()

    copying.destination.fault = lose
    finished = copying.run()
    assert finished.code == 7
    assert "MANIFEST_BLOB_UNKNOWN" in finished.err
    assert copying.untouched()
    assert len(sent(copying.destination, manifest("PUT"))) == 2


def test_another_digest_stored(copying: Copying, app: Image) -> None:
    """A registry that says it stored something else than was sent has not stored our image."""
    other = f"sha256:{'0' * 64}"
    copying.destination.fault = always(manifest("PUT"), with_header("Docker-Content-Digest", other))
    finished = copying.run()
    assert finished.code == 6
    assert f"stored {other} instead of {app.digest}" in finished.err


@pytest.mark.parametrize("spelled", ['"{}"', "SHA256:X", "stored", "; {}"])
def test_a_digest_that_is_none_tells_nothing(copying: Copying, app: Image, spelled: str) -> None:
    """A registry that answers a PUT with something else in place of a digest is asked what it has stored."""
    header = with_header("Docker-Content-Digest", spelled.format(app.digest))
    copying.destination.fault = always(manifest("PUT"), header)
    finished = copying.run()
    assert finished.code == 0, finished.err
    assert copying.arrived(app)


@pytest.mark.usefixtures("app")
def test_cancelled_when_the_source_fails(copying: Copying) -> None:
    """An upload whose source breaks down is cancelled: nothing half-sent stays at the registry."""
    copying.source.fault = always(blob("GET"), Fault(cut_answer_after=10, ending="close"))
    assert copying.run().code == 5
    assert copying.untouched()
    assert not copying.destination.state.uploads
    assert sent(copying.destination, upload("DELETE"))


def test_cancelled_while_being_opened(copying: Copying) -> None:
    """An upload that is just being opened when something else fails is cancelled as soon as its session is known."""
    made = copying.seed(index(platforms=("linux/amd64", "linux/arm64")))
    opening, failed = threading.Event(), threading.Event()

    def lose(answer: Response) -> Response:
        assert opening.wait(10)
        threading.Timer(0.3, failed.set).start()
        return replace(answer, status=404, body=b"")

    copying.source.fault = once(lambda r: r.path.endswith(made.children[1]), Fault(change=lose))

    def stall(request: Request) -> Fault | None:
        if upload("POST")(request):
            opening.set()
            return Fault(stall=failed)
        return None

    copying.destination.fault = stall
    assert copying.run().code == 3
    assert sent(copying.destination, upload("POST"))
    assert not copying.destination.state.uploads
    assert copying.untouched()


@pytest.mark.parametrize("status", [401, 403])
def test_mount_that_is_denied(registry: EmbeddedRegistry, status: int) -> None:
    """Where the source's repository may not be mounted from, its blobs are sent; nobody asks a second time."""
    app = image(layers=3)
    app.seed(registry.repository("up/app"), "1")
    denied = refusal(status, "DENIED", {"WWW-Authenticate": 'Basic realm="x"'} if status == 401 else {})
    registry.fault = always(lambda r: "from=up/app" in r.target.replace("%2F", "/"), denied)
    finished = imagesync("sync", f"{registry.host}/up/app:1", f"{registry.host}/team/app:1")
    assert finished.code == 0, finished.err
    assert registry.repository("team/app").blobs == app.blobs


def test_a_denied_upload_is_denied(registry: EmbeddedRegistry) -> None:
    """A login that may not write is an error, and not taken for a mount that is not offered."""
    image().seed(registry.repository("up/app"), "1")
    registry.fault = always(upload("POST"), refusal(403, "DENIED"))
    finished = imagesync("sync", f"{registry.host}/up/app:1", f"{registry.host}/team/app:1")
    assert (finished.code, "DENIED" in finished.err) == (4, True)


def test_within_a_registry_that_waits_for_itself(crane_registry: str, repository_name: str) -> None:
    """Between two repositories of crane's registry, which is locked while it reads an upload, a copy ends."""
    made = image("crane", layers=3, layer_size_bytes=2_000_000)
    with EmbeddedRegistry() as source:
        made.seed(source.repository("up/app"), "1")
        port = crane_registry.rpartition(":")[2]
        hosts = {"a": crane_registry, "b": crane_registry, "c": f"localhost:{port}", "d": crane_registry}
        places = [
            f"{source.host}/up/app:1",
            *(f"{host}/{repository_name}/{end}:1" for end, host in hosts.items()),
        ]
        for one, other in itertools.pairwise(places):
            finished = imagesync("sync", one, other)
            assert finished.code == 0, finished.err
    assert imagesync("check", "--deep", "--read", places[1], places[2]).code == 0

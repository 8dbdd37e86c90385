"""No login reaches a host that it is not meant for, whatever a registry says: a second server records what it gets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import httpx
import pytest

from imagesync_cli.settings import Settings
from imagesync_cli.stores.registry.client import Client
from imagesync_cli.stores.transport import addresses
from imagesync_cli.stores.transport.http import Http
from imagesync_cli.values.secret import Secret
from tests.command import Finished, imagesync
from tests.embedded_registry import Authentication, EmbeddedRegistry, Manner
from tests.embedded_registry.faults import Fault, with_header
from tests.embedded_registry.images import Image, image, random_bytes, to_json
from tests.embedded_registry.server import LoopbackServer
from tests.embedded_registry.state import Manifest, digest_of
from tests.embedded_registry.wire import Request, Response
from tests.logins import CANARY, auth, variables, write_auths

SCHEMES = ("basic", "bearer")


@pytest.fixture(params=SCHEMES)
def registry(request: pytest.FixtureRequest) -> Iterator[EmbeddedRegistry]:
    """A registry that wants a login, and keeps its blobs elsewhere."""
    rules = Authentication(request.param, {"ann": CANARY})
    with EmbeddedRegistry(Manner(authentication=rules, redirects_blobs=True)) as embedded:
        image().seed(embedded.repository("app"), "1")
        yield embedded


@pytest.fixture
def stranger() -> Iterator[LoopbackServer]:
    """A host that takes everything and records what it was sent."""
    with LoopbackServer(lambda _: Response(201)) as server:
        yield server


def run(registry: EmbeddedRegistry, *arguments: str) -> Finished:
    return imagesync(*arguments, environ=variables(registry.host, "ann", CANARY))


def authorized(requests: list[Request]) -> list[Request]:
    return [request for request in requests if "authorization" in request.headers]


def signed_in_with(header: str, value: str) -> Callable[[Request], Fault | None]:
    """Change a header of the answers to requests that are signed in; others get the registry's 401."""
    return lambda request: with_header(header, value) if "authorization" in request.headers else None


def test_blob_redirects(registry: EmbeddedRegistry, tmp_path: Path) -> None:
    """A blob that is kept elsewhere is fetched there without the registry's login."""
    done = run(registry, "sync", f"{registry.host}/app:1", f"oci:{tmp_path}/copy:1")
    assert done.code == 0, done.err
    assert authorized(registry.requests)
    assert registry.storage.requests
    assert authorized(registry.storage.requests) == []


def test_upload_location(registry: EmbeddedRegistry, stranger: LoopbackServer) -> None:
    """An upload address on another host gets the bytes and no login."""
    hook = signed_in_with("Location", f"http://{stranger.host}/session")
    registry.manner = replace(registry.manner, mount="session")
    registry.fault = lambda request: hook(request) if request.method == "POST" else None
    run(registry, "sync", f"{registry.host}/app:1", f"{registry.host}/copy:1")
    assert any(request.method == "PUT" for request in stranger.requests)
    assert authorized(stranger.requests) == []


def test_tag_pages(registry: EmbeddedRegistry, stranger: LoopbackServer) -> None:
    """A list of tags that goes on at another host is an error; that host is not asked."""
    image().seed(registry.repository("app"), "2")
    hook = signed_in_with("Link", f'<http://{stranger.host}/v2/app/tags/list>; rel="next"')
    registry.fault = lambda request: hook(request) if "tags/list" in request.path else None
    done = run(registry, "delete", f"{registry.host}/app:1", "--digest", image().digest)
    assert "on another host" in done.out + done.err
    assert stranger.requests == []
    assert registry.repository("app").manifests


def test_foreign_layers(registry: EmbeddedRegistry, stranger: LoopbackServer) -> None:
    """A layer that lives at some URL is left there: the URL is not opened."""
    base = image()
    layer = random_bytes("foreign", 100)
    entry = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": digest_of(layer),
        "size": len(layer),
        "urls": [f"http://{stranger.host}/layer"],
    }
    document = {**base.root.document, "layers": [*base.root.document["layers"], entry]}
    root = Manifest(base.root.media_type, to_json(document))
    Image(root, {root.digest: root}, base.blobs).seed(registry.repository("app"), "foreign")
    done = run(registry, "sync", f"{registry.host}/app:foreign", f"{registry.host}/copy:1")
    assert done.code == 0, done.err
    assert stranger.connections_opened == 0


def test_redirected_manifest(registry: EmbeddedRegistry, stranger: LoopbackServer) -> None:
    """A manifest that is redirected to another host is asked for there without a login."""
    hook = signed_in_with("Location", f"http://{stranger.host}/manifest")

    def redirect(request: Request) -> Fault | None:
        fault = hook(request) if "manifests" in request.path else None
        if fault is None or fault.change is None:
            return None
        change = fault.change
        return Fault(change=lambda response: replace(change(response), status=307))

    registry.fault = redirect
    done = run(registry, "resolve", f"{registry.host}/app:1")
    assert done.code != 0
    assert stranger.requests
    assert authorized(stranger.requests) == []


def test_cookies(registry: EmbeddedRegistry) -> None:
    """Cookies are not kept: they would go to every port of a host."""
    registry.fault = lambda _: with_header("Set-Cookie", "session=1; Path=/")
    done = run(registry, "sync", f"{registry.host}/app:1", f"{registry.host}/copy:1")
    assert done.code == 0, done.err
    assert [each for each in registry.requests + registry.storage.requests if "cookie" in each.headers] == []


@pytest.mark.parametrize(
    "spelled",
    ["127.0.0.1", "127.0.0.1:1", "xHOST", "HOST.example.com", "example.com/HOST", "127.0.0.1:PORT0", "0.0.0.0:PORT"],
)
def test_logins_of_other_hosts(registry: EmbeddedRegistry, spelled: str, tmp_path: Path) -> None:
    """A login for another port, a longer name or a name that only contains this one is not sent here."""
    key = spelled.replace("HOST", registry.host).replace("PORT", registry.host.rpartition(":")[2])
    file = write_auths(tmp_path / "auth.json", {key: auth("ann", CANARY)})
    done = imagesync("resolve", f"{registry.host}/app:1", environ={"IMAGESYNC_AUTH_FILE": str(file)})
    assert done.code == 4
    assert "imagesync login" in done.err
    basic = [each for each in authorized(registry.requests) if each.headers["authorization"].startswith("Basic")]
    assert basic == []


def test_another_scheme() -> None:
    """A redirect to the same host and port under another scheme is another place: the login stays behind."""
    seen: list[httpx.Request] = []

    class Recorder(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            seen.append(request)
            status, headers = 200, {}
            if "authorization" not in request.headers and request.url.scheme == "http":
                status, headers = 401, {"WWW-Authenticate": "Basic realm=x"}
            elif request.url.scheme == "http":
                status, headers = 307, {"Location": "https://registry.lan:5000/elsewhere"}
            return httpx.Response(status, headers=headers, stream=httpx.ByteStream(b""), request=request)

    host = "registry.lan:5000"
    logins = {name: Secret(text) for name, text in variables(host, "ann", CANARY).items()}
    client = Client(host, cast(Http, Recorder()), Settings(plain_http=frozenset({host}), logins=logins))
    response = asyncio.run(client.send("GET", "/v2/app/manifests/1", doing="", scopes=()))
    assert response.status_code == 200
    assert [("authorization" in request.headers, request.url.scheme) for request in seen] == [
        (False, "http"),
        (True, "http"),
        (False, "https"),
    ]


@pytest.fixture
def machines(stranger: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """A host whose name leads to a metadata address: that is loopback here, not a link-local address."""
    resolve = socket.getaddrinfo

    def resolver(host: str | None, *rest: object, **options: int) -> object:
        return resolve("127.0.0.1" if host == "metadata.test" else host, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    monkeypatch.setattr(addresses, "_OF_MACHINES", ("127.0.0.0/8",))
    return stranger.host.replace("127.0.0.1", "metadata.test")


@pytest.mark.parametrize("named_by", ["redirect", "upload", "realm"])
def test_a_name_that_leads_to_metadata(stranger: LoopbackServer, machines: str, named_by: str) -> None:
    """A name that a registry sends us to is looked at where it leads: such an address is told nothing.

    The registry itself has an address of the same kind: a user has named it, so it is asked.
    """
    answers = {
        "redirect": ("GET", "/blobs/", Response(307, {"Location": f"http://{machines}/blob"})),
        "upload": ("POST", "/blobs/uploads/", Response(202, {"Location": f"http://{machines}/session"})),
        "realm": ("GET", "/manifests/", Response(401, {"WWW-Authenticate": f'Bearer realm="http://{machines}/token"'})),
    }
    method, path, answer = answers[named_by]
    with EmbeddedRegistry() as registry:
        image().seed(registry.repository("app"), "1")
        copy = ("sync", f"{registry.host}/app:1", f"{registry.host}/copy:1")
        plan = [answer]  # once: asyncio may lose the socket of a second connection that is given up meanwhile

        def mislead(request: Request) -> Fault | None:
            is_meant = (request.method, path in request.path) == (method, True)
            return Fault(answer=plan.pop()) if is_meant and plan else None

        registry.fault = mislead
        registry.manner = replace(registry.manner, mount="session")
        done = imagesync(*copy)
        assert (done.code, stranger.requests, plan) == (7, [], [])
        assert "metadata.test is at 127.0.0.1, a cloud's metadata address" in done.err
        assert registry.repository("copy").tags == {}
        registry.fault = None
        assert imagesync(*copy).code == 0

"""Every parser of what others wrote, as a function of one text, with right texts to begin from.

Each gives a value or raises ImagesyncError; what else it raises is a traceback on somebody's screen.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h11
import httpx

from imagesync_cli.credentials import Wanted
from imagesync_cli.credentials.docker_config import account, from_files
from imagesync_cli.credentials.helpers import _credential as read_helper
from imagesync_cli.output.escape import printable
from imagesync_cli.settings import Settings, _parse_config, read_settings
from imagesync_cli.stores.files.layout import Layout
from imagesync_cli.stores.registry.blobs.reader import _is_rest
from imagesync_cli.stores.registry.client import Client
from imagesync_cli.stores.registry.lists import _told
from imagesync_cli.stores.registry.login.challenge import check_realm, parse_challenge
from imagesync_cli.stores.registry.login.tokens import Tokens, claimed_actions
from imagesync_cli.stores.registry.pages import next_link, read_page
from imagesync_cli.stores.registry.pulls import LONGEST_WINDOW_S, read_pull_limit
from imagesync_cli.stores.registry.refusals import read_errors
from imagesync_cli.stores.transport.http import Http, retry_after_s
from imagesync_cli.stores.transport.http1 import Connection
from imagesync_cli.stores.transport.proxy import proxy_for
from imagesync_cli.stores.transport.wire import Wire
from imagesync_cli.terraform import read_query
from imagesync_cli.values.digest import is_digest, parse_digest
from imagesync_cli.values.hosts import is_loopback
from imagesync_cli.values.manifest import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, parse_manifest
from imagesync_cli.values.platforms import parse_platform
from imagesync_cli.values.reference import LayoutReference, RegistryReference, parse_reference
from imagesync_cli.values.secret import Secret

_MEMORY = Path("/dev/shm")  # noqa: S108  (where fsync costs nothing)
_DIGEST = f"sha256:{'ab' * 32}"
_LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": _DIGEST, "size": 7}
_IMAGE = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": _LAYER, "layers": [_LAYER]})
_CHILD = {**_LAYER, "mediaType": OCI_MANIFEST, "annotations": {"org.opencontainers.image.ref.name": "1"}}
_INDEX = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [_CHILD], "subject": _CHILD})
_CLAIMS = (
    "eyJhY2Nlc3MiOlt7Im5hbWUiOiJhL2IiLCJhY3Rpb25zIjpbInB1bGwiXX1dfQ"  # {"access":[{"name":"a/b","actions":["pull"]}]}
)
_ANSWER = (
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nRetry-After: 5\r\n"
    'Link: </v2/a/tags/list?last=b>; rel="next"\r\nDocker-Content-Digest: ' + _DIGEST + "\r\n\r\n{}"
)
_CHUNKED = (
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n"
)


@dataclass(frozen=True)
class Parser:
    """What reads a text, and right texts that it may meet; ``of_bytes`` is one that decodes what it reads."""

    name: str
    read: Callable[[Any], Any]
    texts: tuple[str, ...]
    of_bytes: bool = False


_loop = asyncio.new_event_loop()


def _wait(work: Coroutine[Any, Any, Any]) -> Any:
    return _loop.run_until_complete(work)


def _client() -> Client:
    return Client("registry.example.com", Http(Settings()), Settings())


def _reference(text: str) -> None:
    reference = parse_reference(text)
    assert parse_reference(str(reference)) == reference
    if isinstance(reference, RegistryReference):
        is_loopback(reference.registry)
        Settings().address(reference.registry)
        Client(reference.registry, Http(Settings()), Settings())


def _digest(text: str) -> None:
    assert parse_digest(text) == text
    assert text.isascii()


def _manifest(content: bytes) -> None:
    for media_type in ("", OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST):
        with contextlib.suppress(AssertionError):
            manifest = parse_manifest(content, media_type)
            assert all(
                is_digest(each.digest) and 0 <= each.size < 2**63 for each in manifest.manifests + manifest.blobs
            )


def _challenge(header: str) -> None:
    # A long one as many, as it comes over the wire.
    if challenge := parse_challenge(header[at : at + 4096] for at in range(0, len(header), 4096)):
        check_realm(challenge, httpx.URL("https://registry.example.com/v2/"))


def _location(text: str) -> None:
    found = _client().resolve_location(httpx.URL("https://registry.example.com/v2/"), text)
    assert found.scheme == "https"
    found.copy_with(query=b"digest=" + _DIGEST.encode())


def _response(name: str, value: str, content: bytes = b"") -> httpx.Response:
    request = httpx.Request("GET", "https://registry.example.com/v2/")
    headers = [(name.encode(), value.encode("utf-8", "replace"))] if name else []
    return httpx.Response(403, headers=headers, stream=httpx.ByteStream(content), request=request)


def _link(text: str) -> None:
    following = None
    with contextlib.suppress(ValueError):  # it may name a next page, and cannot be read
        following = next_link([text])
    if following:
        _client().resolve_location(httpx.URL("https://registry.example.com/v2/"), following)


def _errors(content: bytes) -> None:
    for code, text in _wait(read_errors(_response("", "", content))):
        assert (code + text).isprintable()


def _token(content: bytes) -> None:
    from imagesync_cli.credentials import Anonymous

    realm = httpx.URL("https://registry.example.com/token")
    token = Tokens("registry.example.com", Http(Settings()))._read(content, 0.0, Anonymous(""), realm)
    h11.Request(method="GET", target="/", headers=[("Host", "a"), ("Authorization", f"Bearer {token.value.reveal()}")])


def _wanted(file: Path) -> Wanted:
    async def post(_: str, __: Any) -> tuple[int, bytes]:
        raise AssertionError

    return Wanted("registry.example.com", "a/b", (file,), Settings(), post, {})


def _config(content: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        wanted = _wanted(Path(file.name))
        account(wanted)
        login = _wait(from_files(wanted))
    if login is not None:
        _carry(login)


def _helper(content: bytes) -> None:
    _carry(read_helper(content, "docker-credential-x", "registry.example.com"))


def _carry(login: Any) -> None:
    """What is known as a login can be sent as one."""
    for secret in (login.basic, Secret(f"Bearer {login.registry_token.reveal()}x")):
        h11.Request(method="GET", target="/", headers=[("Host", "a"), ("Authorization", secret.reveal())])
    httpx.Request("POST", "https://registry.example.com/", data={"refresh_token": login.identity_token.reveal()})


def _layout(content: bytes) -> None:
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        (Path(folder) / "index.json").write_bytes(content)
        layout = Layout(LayoutReference(folder), 1 << 20)
        _wait(layout.tags())
        before = layout.index()
        layout._write_index(before)
        assert layout.index().entries == before.entries


def _query(text: str) -> None:
    # As external decodes what it was sent.
    query = read_query(text.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
    for image in query.sound.values():
        assert str(image.reference)
        assert all(map(str, image.selection.platforms))


def _environment(text: str) -> None:
    names = ("IMAGESYNC_PLAIN_HTTP", "IMAGESYNC_TIMEOUT", "HTTPS_PROXY", "NO_PROXY", "IMAGESYNC_USERNAME_A")
    for name in names:
        settings = read_settings(environ={name: text})
        assert 0 < settings.external_timeout_s < float("inf")
        proxy_for(settings, httpx.URL("https://registry.example.com/"), 443)


def _limits(text: str) -> None:
    limits = read_settings(environ={"IMAGESYNC_REQUESTS_PER_SECOND": text}).limits
    assert all(0 < number < float("inf") for number in limits["requests_per_second"].values())


def _pull_limit(text: str) -> None:
    limit, _, left = text.partition(" ")
    most, remaining, window_s = read_pull_limit({"ratelimit-limit": limit, "ratelimit-remaining": left}) or (1, 1, 1)
    assert 0 <= remaining <= most
    assert 0 < window_s <= LONGEST_WINDOW_S


def _settings_file(content: bytes) -> None:
    limits = _parse_config(content, "config.json")
    assert all(0 < number < 1000 for number in limits["connections"].values())


class _Recorded(Wire):
    """A connection on which everything that will come has come."""

    unsent_bytes = 0

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._chunks.extend(filter(None, (content[:40], content[40:])))
        self._ended = True

    def write(self, data: bytes) -> None:
        """Nobody listens."""


def _http(content: bytes) -> None:
    async def exchange() -> None:
        request = httpx.Request("GET", "https://registry.example.com/v2/")
        answer = await Connection(_Recorded(content)).exchange(request, b"/v2/")
        response = httpx.Response(answer.status, headers=answer.headers, request=request)
        parse_challenge(response.headers.get_list("www-authenticate"))
        async for _ in answer:
            pass
        await answer.aclose()

    with contextlib.suppress(OSError, h11.ProtocolError):  # what http.py takes for "no answer"
        _wait(exchange())


def _plain_text(text: str) -> None:
    assert printable(text).isprintable()
    printable(text).encode()


_BEARER = 'Bearer realm="https://auth.example.com/token",service="s",scope="repository:a/b:pull,push"'
PARSERS = [
    Parser("reference", _reference, ("registry.example.com:5000/team/app:1.2", "app", f"[::1]:5/a/b@{_DIGEST}")),
    Parser("layout reference", _reference, ("oci:/srv/images:1.0", f"oci:a@{_DIGEST}")),
    Parser("platform", parse_platform, ("linux/arm/v7", "windows(10.0.17763)/amd64")),
    Parser("digest", _digest, (_DIGEST, f"sha512:{'0' * 128}")),
    Parser("manifest", _manifest, (_IMAGE, _INDEX), of_bytes=True),
    Parser("challenge", _challenge, (_BEARER, f'Basic realm="x", {_BEARER}', "Bearer realm=https://10.0.0.1/")),
    Parser("link", _link, ('</v2/a/tags/list?n=1&last=b>; rel="next"', '<https://b/>; rel="prev", <c>; rel=next')),
    Parser("location", _location, ("/v2/a/blobs/uploads/1?_state=x", "https://bücher.example/upload?a=b", "//h/x")),
    Parser("retry-after", retry_after_s, ("120", "Wed, 21 Oct 2026 07:28:00 GMT", "Mon, 01 Jan 0001 00:00:00 +0100")),
    Parser("content-range", lambda text: _is_rest(_response("Content-Range", text), 5, 10), ("bytes 5-9/10",)),
    Parser(
        "tag list",
        lambda content: read_page(content, "tags", "", _told),
        ('{"name":"a","tags":["1.0","latest"],"manifest":{}}',),
        of_bytes=True,
    ),
    Parser("error body", _errors, ('{"errors":[{"code":"DENIED","message":"no","detail":{}}]}',), of_bytes=True),
    Parser("token", _token, ('{"token":"a.b.c","expires_in":300,"refresh_token":"r"}',), of_bytes=True),
    Parser("claims", lambda text: claimed_actions(Secret(text), "a/b"), (f"e30.{_CLAIMS}.c", "a.e30.c", "a.W10.b")),
    Parser(
        "docker config",
        _config,
        (
            '{"auths":{"registry.example.com":{"auth":"YTpi"}},"credHelpers":{"x":"y"}}',
            '{"auths":{"https://registry.example.com/v1/":{"username":"a","password":"b","registrytoken":"t"}}}',
        ),
        of_bytes=True,
    ),
    Parser(
        "helper",
        _helper,
        ('{"ServerURL":"x","Username":"a","Secret":"b"}', '{"Username":"<token>","Secret":"b"}'),
        of_bytes=True,
    ),
    Parser("layout index", _layout, (_INDEX,), of_bytes=True),
    Parser(
        "query",
        _query,
        (
            '{"images":"{\\"a\\":{\\"reference\\":\\"b:1\\",\\"platforms\\":[\\"linux/arm\\"]}}"}',
            '{"source":"a/b:1","destination":"oci:x:1"}',
        ),
    ),
    Parser("limits", _limits, ("docker.io=10", "a.lan:5000=0.5,b.lan=3")),
    Parser("pull limit", _pull_limit, ("100;w=21600 61;w=21600", "1;w=1 0")),
    Parser("settings file", _settings_file, ('{"connections":{"a.lan":4},"requests_per_second":{}}',), of_bytes=True),
    Parser("environment", _environment, ("30", "registry.lan:5000, other.lan", "http://ann:pw@proxy.example.com:3128")),
    Parser("http", _http, (_ANSWER, _CHUNKED), of_bytes=True),
    Parser("output", _plain_text, ("registry.example.com/app:1",)),
]

"""Proxies from the environment: which requests take them, and what they are told."""

from __future__ import annotations

import base64
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from imagesync_cli.settings import Settings
from imagesync_cli.stores.transport.proxy import proxy_for
from tests.command import Finished, imagesync
from tests.embedded_registry import EmbeddedRegistry
from tests.embedded_registry.images import image
from tests.peers import program
from tests.stores.copying import NAME
from tests.stores.transport.proxy import Proxy

HOST = "registry.invalid"
PLAIN = {"IMAGESYNC_PLAIN_HTTP": HOST}


@pytest.fixture
def proxy(registry: EmbeddedRegistry, pauses: list[float]) -> Iterator[Proxy]:
    """A proxy behind which every host is the embedded registry."""
    assert pauses == []
    with Proxy(registry.host) as running:
        yield running


def resolve(host: str = HOST, **environ: str) -> Finished:
    return imagesync("resolve", f"{host}/{NAME}:1", environ=environ)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_forwarded(registry: EmbeddedRegistry, proxy: Proxy, name: str) -> None:
    """Plain HTTP goes to the proxy with the whole address."""
    digest = image().seed(registry.repository(NAME), "1")
    finished = resolve(**PLAIN, **{name: proxy.url})
    assert finished.out == f"{HOST}/{NAME}@{digest}\n", finished.err
    assert proxy.asked == [("HEAD", f"http://{HOST}/v2/{NAME}/manifests/1")]


def test_copy_through_a_proxy(registry: EmbeddedRegistry, proxy: Proxy) -> None:
    """A whole copy, uploads and all, goes through the proxy."""
    app = image(layers=3)
    app.seed(registry.repository("up/app"), "1")
    source, destination = f"{HOST}/up/app:1", f"other.invalid/{NAME}:1"
    plain = {"IMAGESYNC_PLAIN_HTTP": f"{HOST},other.invalid"}
    finished = imagesync("sync", source, destination, environ={"http_proxy": proxy.url, **plain})
    assert finished.code == 0, finished.err
    assert registry.repository(NAME).tags == {"1": app.digest}
    assert len(proxy.asked) == len(registry.requests)


def test_login_for_the_proxy(registry: EmbeddedRegistry, proxy: Proxy) -> None:
    """The proxy's own login goes to the proxy, and nowhere else."""
    image().seed(registry.repository(NAME), "1")
    assert resolve(**PLAIN, http_proxy=proxy.url.replace("//", "//me:pass@")).code == 0
    assert proxy.logins == [f"Basic {base64.b64encode(b'me:pass').decode()}"]
    assert "authorization" not in registry.requests[0].headers


@pytest.mark.parametrize("entry", [HOST, f"a.example, {HOST}", ".invalid", "invalid", "*.invalid", f"{HOST}:80", "*"])
def test_no_proxy(proxy: Proxy, entry: str) -> None:
    """What NO_PROXY names is asked directly; this name does not exist, and that is what is said."""
    finished = resolve(**PLAIN, http_proxy=proxy.url, NO_PROXY=entry)
    assert (finished.code, proxy.asked) == (5, [])
    assert f"there is no host {HOST}" in finished.err


@pytest.mark.parametrize("entry", ["", "registry", "gistry.invalid", f"{HOST}:443", "example.com", ","])
def test_no_proxy_for_others(registry: EmbeddedRegistry, proxy: Proxy, entry: str) -> None:
    """What NO_PROXY does not name goes to the proxy."""
    image().seed(registry.repository(NAME), "1")
    assert resolve(**PLAIN, http_proxy=proxy.url, NO_PROXY=entry).code == 0
    assert len(proxy.asked) == 1


def test_this_machine_needs_no_proxy(registry: EmbeddedRegistry, proxy: Proxy) -> None:
    """A registry on this machine is never asked through a proxy, which would look for it on its own."""
    image().seed(registry.repository(NAME), "1")
    assert resolve(registry.host, http_proxy=proxy.url, https_proxy=proxy.url).code == 0
    assert proxy.asked == []


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for the registry's name, and a server's context with it."""
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    command = [
        program("openssl"),
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        f"/CN={HOST}",
    ]
    command += ["-addext", f"subjectAltName=DNS:{HOST}", "-keyout", str(key), "-out", str(chain)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return chain, context


def test_tunnel(registry: EmbeddedRegistry, pauses: list[float], certificate: tuple[Path, ssl.SSLContext]) -> None:
    """https goes through a tunnel that the proxy is asked for, and the certificate is checked at its far end."""
    digest = image().seed(registry.repository(NAME), "1")
    with Proxy(registry.host, certificate[1]) as proxy:
        trusted = resolve(https_proxy=proxy.url, SSL_CERT_FILE=str(certificate[0]))
        assert trusted.out == f"{HOST}/{NAME}@{digest}\n", trusted.err
        assert proxy.asked == [("CONNECT", f"{HOST}:443"), ("HEAD", f"/v2/{NAME}/manifests/1")]
        unknown = resolve(https_proxy=proxy.url)
    assert unknown.code == 5
    assert f"the certificate of {HOST} is not trusted" in unknown.err
    assert pauses == []


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (403, 4, "name the host in NO_PROXY"),
        (404, 4, "name the host in NO_PROXY"),
        (407, 4, "the proxy wants a login (407)"),
        (502, 5, f"the proxy 127.0.0.1 answers 502 and opens no tunnel to {HOST}:443"),
    ],
)
def test_tunnel_that_is_refused(proxy: Proxy, pauses: list[float], status: int, code: int, says: str) -> None:
    """A proxy that opens no tunnel is named with its answer, and asked again only where that may pass."""
    proxy.refuses = status
    finished = resolve(https_proxy=proxy.url)
    assert finished.code == code, finished.err
    assert says in finished.err
    assert "client certificate" not in finished.err
    assert len(pauses) == (4 if code == 5 else 0)


def test_proxy_that_speaks_no_tls(proxy: Proxy, pauses: list[float]) -> None:
    """A proxy that is named with https and speaks plain HTTP is named, not the registry behind it."""
    finished = resolve(https_proxy=proxy.url.replace("http:", "https:"))
    code, says = (5, "the proxy 127.0.0.1:") if sys.version_info >= (3, 11) else (2, "needs Python 3.11")
    assert finished.code == code
    assert says in finished.err
    assert "--plain-http" not in finished.err
    assert pauses == []


@pytest.mark.parametrize(("proxy", "why"), [("proxy.invalid:3128", ""), ("127.0.0.1:1", "Connection refused\n")])
def test_proxy_that_is_gone(proxy: str, why: str, pauses: list[float]) -> None:
    """A proxy that is not reachable is named, so that nobody looks for the fault at the registry."""
    finished = resolve(https_proxy=f"http://{proxy}")
    assert finished.code == 5
    assert f"no answer from {HOST}: the proxy {proxy} is not reachable: {why}" in finished.err
    assert "check host and port, the firewall, and the proxy (HTTPS_PROXY" in finished.err
    assert len(pauses) == 4


@pytest.mark.parametrize(
    ("value", "why"), [("socks4://a:1", "kind socks4 is not supported"), ("http://a:b:c", "not a URL")]
)
def test_proxy_that_is_none(value: str, why: str) -> None:
    """A proxy of another kind is bad configuration, told without the password that may stand in it."""
    finished = resolve(https_proxy=value)
    assert finished.code == 2
    assert why in finished.err
    assert "http://proxy.example.com:3128" in finished.err


@pytest.mark.parametrize(
    ("host", "entry"),
    [
        ("10.1.2.3", "10.0.0.0/8"),
        ("10.1.2.3", "a.example, 10.1.2.3"),
        ("10.1.2.3:5000", "10.1.2.3:5000"),
        ("10.1.2.3:5000", "10.0.0.0/8"),
        ("[fd00::1]", "fd00::/8"),
        ("[fd00::1]", "fd00::1"),
        ("[fd00::1]", "FD00:0::1"),
        ("[fd00::1]", "[fd00::1]"),
        ("[fd00::1]:5000", "[fd00::1]:5000"),
        ("[fd00::1]:5000", "[fd00::1]"),
        ("registry.lan:5000", "registry.lan:5000"),
        ("a.registry.lan:5000", "registry.lan:5000"),
    ],
)
def test_addresses_without_a_proxy(host: str, entry: str) -> None:
    """NO_PROXY names addresses and networks of both kinds, with a port or without, as for Go's clients."""
    assert proxied(host, entry) is None


@pytest.mark.parametrize(
    ("host", "entry"),
    [
        ("11.1.2.3", "10.0.0.0/8"),
        ("10.1.2.3", "10.0.0.0/99"),
        ("10.1.2.3:5000", "10.1.2.3:443"),
        ("10.1.2.3", "1.2.3"),
        ("10.1.2.3", "2.3"),
        ("[fd00::1]", "[fd00::1]:5000"),
        ("[fd00::1]:5000", "[fd00::1]:443"),
        ("[fe80::1]", "fd00::/8"),
        ("fd.example", "fd00::/8"),
        ("registry.lan", "10.0.0.0/8"),
        ("registry.lan", "[]:443"),
        ("registry.lan", "/"),
        ("registry.lan:5000", "registry.lan:50000"),
    ],
)
def test_addresses_with_a_proxy(host: str, entry: str) -> None:
    """What only looks like it does not take a host out."""
    assert proxied(host, entry) is not None


def proxied(host: str, entry: str) -> httpx.URL | None:
    url = httpx.URL(f"https://{host}/v2/")
    settings = Settings(proxies={"https_proxy": "http://proxy.example.com:3128", "no_proxy": entry})
    return proxy_for(settings, url, url.port or 443)

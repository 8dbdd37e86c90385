"""Which token server may be told a login: one that is as safe as its registry, and nobody's inner network."""

from __future__ import annotations

import httpx
import pytest

from imagesync_cli.stores.registry.login.challenge import check_realm, parse_challenge
from imagesync_cli.values.errors import Denied
from tests.command import imagesync
from tests.embedded_registry.server import LoopbackServer
from tests.embedded_registry.wire import Request, Response, json_response
from tests.logins import CANARY, variables
from tests.security.authority import Authority
from tests.security.relay import ConnectProxy, TlsFront

PUBLIC = "https://registry.example.com"


def realm_of(realm: str, registry: str) -> str:
    challenge = parse_challenge([f'Bearer realm="{realm}",service="s"'])
    assert challenge is not None
    return str(check_realm(challenge, httpx.URL(f"{registry}/v2/")).url)


@pytest.mark.parametrize(
    ("realm", "registry"),
    [
        ("https://auth.example.com/token", PUBLIC),
        ("https://auth.docker.io/token", "https://registry-1.docker.io"),
        ("https://registry.example.com/token?x=1", PUBLIC),
        ("https://8.8.8.8/token", PUBLIC),
        ("https://10.0.0.1/token", "https://10.0.0.1"),
        ("http://10.0.0.1:5001/token", "http://10.0.0.1:5000"),
        ("http://127.0.0.1:5001/token", "http://127.0.0.1:5000"),
        ("http://127.0.0.1:5001/token", "http://localhost:5000"),
    ],
)
def test_realms_that_are_asked(realm: str, registry: str) -> None:
    """A public token server over https, or one beside the registry itself, is told the login."""
    assert realm_of(realm, registry) == realm


@pytest.mark.parametrize(
    ("realm", "registry"),
    [
        ("http://auth.example.com/token", PUBLIC),
        ("http://registry.example.com/token", PUBLIC),
        ("ftp://auth.example.com/token", PUBLIC),
        ("/token", PUBLIC),
        ("", PUBLIC),
        ("https://", PUBLIC),
        ("https://user:password@auth.example.com/", PUBLIC),
        ("https://[::1", PUBLIC),
        ("https://127.0.0.1/token", PUBLIC),
        ("https://127.0.0.1/token", "http://10.0.0.1"),
        ("https://localhost/token", PUBLIC),
        ("https://auth.localhost/token", PUBLIC),
        ("https://[::1]/token", PUBLIC),
        ("https://[::ffff:127.0.0.1]/token", PUBLIC),
        ("https://10.1.2.3/token", PUBLIC),
        ("https://10.1.2.3/token", "https://10.1.2.4"),
        ("https://172.16.0.1/token", PUBLIC),
        ("https://192.168.1.1/token", PUBLIC),
        ("https://169.254.169.254/latest", PUBLIC),
        ("https://100.64.0.1/token", PUBLIC),
        ("https://[fe80::1]/token", PUBLIC),
        ("https://[fd00::1]/token", PUBLIC),
        ("https://0.0.0.0/token", PUBLIC),
        ("https://2130706433/token", PUBLIC),
        ("https://0x7f000001/token", PUBLIC),
        ("https://127.1/token", PUBLIC),
        ("https://0177.0.0.1/token", PUBLIC),
        ("https://0x7f.1/token", PUBLIC),
        ("https://localhost./token", PUBLIC),
        ("https://127.0.0.1./token", PUBLIC),
        ("https://[::127.0.0.1]/token", PUBLIC),
        ("https://[64:ff9b::a01:203]/token", PUBLIC),
        ("https://[2002:a01:203::1]/token", PUBLIC),
        ("https://[::1%25lo]/token", PUBLIC),
        ("https://127。0。0。1/token", PUBLIC),
        ("https://xn--/token", PUBLIC),
        ("https://../token", PUBLIC),
        ("https://auth.example.com:65536/token", PUBLIC),
    ],
)
def test_realms_that_are_not_asked(realm: str, registry: str) -> None:
    """A token server without TLS, or inside somebody's network in whatever notation, is not told the login."""
    with pytest.raises(Denied, match="sends logins to"):
        realm_of(realm, registry)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_realm_on_this_machine(authority: Authority, scheme: str) -> None:
    """A public registry that sends us to a server on this machine gets nothing: that one is not even connected to."""
    with LoopbackServer(lambda _: json_response(200, {"token": "t"})) as inner:

        def answer(_: Request) -> Response:
            return Response(401, {"WWW-Authenticate": f'Bearer realm="{scheme}://{inner.host}/token",service="s"'})

        with (
            LoopbackServer(answer) as registry,
            TlsFront(registry.host, authority.server_context("registry.example.com")) as front,
            ConnectProxy({"registry.example.com:443": front.host}) as proxy,
        ):
            environ = variables("registry.example.com", "ann", CANARY) | {"HTTPS_PROXY": f"http://{proxy.host}"}
            options = ("--ca-file", str(authority.ca_file))
            done = imagesync("resolve", "registry.example.com/app:1", *options, environ=environ)
        assert done.code == 4
        assert "sends logins to" in done.err
        assert inner.connections_opened == 0


def test_a_redirecting_token_server() -> None:
    """A token server that redirects is not followed: the login would go along."""
    with LoopbackServer(lambda _: json_response(200, {"token": "t"})) as stranger:

        def answer(request: Request) -> Response:
            if request.path == "/token":
                return Response(307, {"Location": f"http://{stranger.host}/token"})
            return Response(401, {"WWW-Authenticate": f'Bearer realm="http://{registry.host}/token",service="s"'})

        with LoopbackServer(answer) as registry:
            done = imagesync("resolve", f"{registry.host}/app:1", environ=variables(registry.host, "ann", CANARY))
        assert done.code == 5
        assert stranger.connections_opened == 0


@pytest.mark.parametrize(
    ("header", "scheme", "realm"),
    [
        ('Bearer realm="https://a/t",service="s",scope="repository:x:pull"', "bearer", "https://a/t"),
        ('Basic realm="x", Bearer realm="https://a/t"', "bearer", "https://a/t"),
        ('Bearer realm="https://a/t", Basic realm="bearer basic"', "bearer", "https://a/t"),
        ("basic realm=x", "basic", "x"),
        ('BEARER REALM="https://a/t"', "bearer", "https://a/t"),
        ('Basic realm="Bearer realm=https://evil/t"', "basic", "Bearer realm=https://evil/t"),
    ],
)
def test_challenges(header: str, scheme: str, realm: str) -> None:
    """A challenge is read as RFC 9110 writes it: several in one header, any case, and nothing out of quoted text."""
    challenge = parse_challenge([header])
    assert challenge is not None
    assert (challenge.scheme, challenge.realm) == (scheme, realm)


@pytest.mark.parametrize("header", ["", "Negotiate", 'Digest realm="x"'])
def test_unknown_challenges(header: str) -> None:
    """A way to log in that we do not know is not taken for one that we do."""
    assert parse_challenge([header]) is None

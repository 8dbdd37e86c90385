"""TLS: which authorities are trusted, which certificate is shown, and what is said when it fails."""

from __future__ import annotations

import shutil
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import imagesync
from tests.embedded_registry import EmbeddedRegistry, Fault, Response
from tests.embedded_registry.images import image
from tests.security.authority import Authority
from tests.security.relay import ConnectProxy, TlsFront

NAME = "registry.example.com"


@pytest.fixture
def served(registry: EmbeddedRegistry) -> EmbeddedRegistry:
    image().seed(registry.repository("app"), "1")
    return registry


@pytest.fixture
def tls(served: EmbeddedRegistry, authority: Authority) -> Iterator[TlsFront]:
    """A registry on this machine that speaks TLS with a certificate of the private authority."""
    with TlsFront(served.host, authority.server_context("127.0.0.1", "localhost")) as front:
        assert isinstance(front, TlsFront)
        yield front


def certs_d(home: Path, host: str) -> Path:
    folder = home / ".docker" / "certs.d" / host
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("how", ["--ca-file", "SSL_CERT_FILE", "certs.d"])
def test_a_private_authority(tls: TlsFront, authority: Authority, home: Path, how: str) -> None:
    """A registry whose certificate a private authority signed is read once that one is named, in any of three ways."""
    environ, options = {"HOME": str(home)}, []
    if how == "--ca-file":
        options = ["--ca-file", str(authority.ca_file)]
    elif how == "SSL_CERT_FILE":
        environ["SSL_CERT_FILE"] = str(authority.ca_file)
    else:
        shutil.copy(authority.ca_file, certs_d(home, tls.host) / "ca.crt")
    done = imagesync("resolve", f"{tls.host}/app:1", *options, environ=environ)
    assert (done.code, done.out) == (0, f"{tls.host}/app@{image().digest}\n"), done.err


def test_tls_is_found_out_over_one_connection(tls: TlsFront, authority: Authority, home: Path) -> None:
    """Where there may be one connection, its refusal of plain HTTP makes room for the question what it speaks."""
    options = ["--ca-file", str(authority.ca_file), f"--connections={tls.host}=1"]
    done = imagesync("resolve", f"{tls.host}/app:1", *options, environ={"HOME": str(home)})
    assert (done.code, done.out) == (0, f"{tls.host}/app@{image().digest}\n"), done.err


@pytest.mark.parametrize("installed", [True, False])
def test_the_trust_store(
    tls: TlsFront, authority: Authority, home: Path, installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With and without the library for the system's trust store a private authority is added to what is trusted."""
    if not installed:
        monkeypatch.setitem(sys.modules, "truststore", None)
    environ = {"HOME": str(home)}
    assert imagesync("resolve", f"{tls.host}/app:1", environ=environ).code == 5
    assert imagesync("resolve", f"{tls.host}/app:1", "--ca-file", str(authority.ca_file), environ=environ).code == 0


def test_an_unknown_authority(tls: TlsFront, home: Path) -> None:
    """A certificate that nobody vouches for is an error which names the file to set; nothing is sent to the server."""
    done = imagesync("resolve", f"{tls.host}/app:1", environ={"HOME": str(home)})
    assert done.code == 5
    assert f"the certificate of {tls.host} is not trusted" in done.err
    assert f"{home}/.docker/certs.d/{tls.host}/ca.crt" in done.err
    assert "--ca-file" in done.err


def test_an_authority_for_one_host(tls: TlsFront, authority: Authority, home: Path) -> None:
    """An authority for one host in certs.d is trusted there, and for no other host."""
    shutil.copy(authority.ca_file, certs_d(home, "other.example.com") / "ca.crt")
    done = imagesync("resolve", f"{tls.host}/app:1", environ={"HOME": str(home)})
    assert done.code == 5


def test_the_wrong_name(served: EmbeddedRegistry, authority: Authority, home: Path) -> None:
    """A good certificate for other names is an error that says which name was asked for and which ones it has."""
    with TlsFront(served.host, authority.server_context(NAME, "mirror.example.com")) as front:
        ca = str(authority.ca_file)
        done = imagesync("resolve", f"localhost:{front.port}/app:1", "--ca-file", ca, environ={"HOME": str(home)})
    assert done.code == 5
    assert f"is not for localhost but for {NAME}, mirror.example.com" in done.err
    assert served.requests == []


def test_an_expired_certificate(served: EmbeddedRegistry, authority: Authority, home: Path) -> None:
    """An expired certificate is called that, with the hint to renew it."""
    with TlsFront(served.host, authority.server_context("127.0.0.1", expired=True)) as front:
        ca = str(authority.ca_file)
        done = imagesync("resolve", f"{front.host}/app:1", "--ca-file", ca, environ={"HOME": str(home)})
    assert done.code == 5
    assert "expired" in done.err
    assert "renew it" in done.err


@pytest.mark.parametrize("shown", [True, False])
def test_a_client_certificate(served: EmbeddedRegistry, authority: Authority, home: Path, shown: bool) -> None:
    """The pair in certs.d is shown to a registry that asks for one; without it the error says where to put it."""
    with TlsFront(served.host, authority.server_context("127.0.0.1", clients=True)) as front:
        folder = certs_d(home, front.host)
        shutil.copy(authority.ca_file, folder / "ca.crt")
        if shown:
            certificate, key = authority.issue("somebody")
            shutil.copy(certificate, folder / "client.cert")
            shutil.copy(key, folder / "client.key")
        done = imagesync("resolve", f"{front.host}/app:1", environ={"HOME": str(home)})
    assert done.code == (0 if shown else 5), done.err
    if not shown:
        assert f"put client.cert and client.key into {folder}" in done.err


def test_a_client_certificate_stays_with_its_registry(
    served: EmbeddedRegistry, authority: Authority, home: Path
) -> None:
    """A host that another registry sends us to is not shown the certificate that we have for it."""
    with (
        EmbeddedRegistry() as other,
        TlsFront(served.host, authority.server_context("127.0.0.1", clients=True)) as front,
    ):
        folder = certs_d(home, front.host)
        certificate, key = authority.issue("somebody")
        for file, name in ((authority.ca_file, "ca.crt"), (certificate, "client.cert"), (key, "client.key")):
            shutil.copy(file, folder / name)
        other.fault = lambda request: Fault(answer=Response(307, {"Location": f"https://{front.host}{request.target}"}))
        assert imagesync("resolve", f"{other.host}/app:1", environ={"HOME": str(home)}).code == 5
        assert served.requests == []
        assert imagesync("resolve", f"{front.host}/app:1", environ={"HOME": str(home)}).code == 0


def test_a_client_certificate_is_not_shown_to_another_name(
    served: EmbeddedRegistry, authority: Authority, home: Path
) -> None:
    """A server whose certificate is for another name is asked for that name, and shown nothing of ours."""
    front = TlsFront(served.host, authority.server_context("127.0.0.1", NAME, clients=True))
    with front:
        certificate, key = authority.issue("somebody")
        for host in (f"localhost:{front.port}", front.host):
            folder = certs_d(home, host)
            for file, name in ((authority.ca_file, "ca.crt"), (certificate, "client.cert"), (key, "client.key")):
                shutil.copy(file, folder / name)
        done = imagesync("resolve", f"localhost:{front.port}/app:1", environ={"HOME": str(home)})
        assert done.code == 5
        assert "is not for localhost" in done.err
        assert front.shown == []
        assert imagesync("resolve", f"{front.host}/app:1", environ={"HOME": str(home)}).code == 0
        assert len(front.shown) == 1


@pytest.mark.parametrize("how", ["a token service", "an upload"])
def test_a_client_certificate_is_not_shown_where_a_registry_sends_us(
    how: str, served: EmbeddedRegistry, authority: Authority, home: Path, tmp_path: Path
) -> None:
    """Another registry's token service or upload address may be a host that knows us by our certificate."""
    front = TlsFront(served.host, authority.server_context("127.0.0.1", clients=True))
    with EmbeddedRegistry() as other, front:
        folder = certs_d(home, front.host)
        certificate, key = authority.issue("somebody")
        for file, name in ((authority.ca_file, "ca.crt"), (certificate, "client.cert"), (key, "client.key")):
            shutil.copy(file, folder / name)
        there = f"https://{front.host}/token"
        answer = {
            "a token service": Response(401, {"WWW-Authenticate": f'Bearer realm="{there}",service="x"'}),
            "an upload": Response(202, {"Location": there}),
        }[how]
        is_upload = how == "an upload"
        other.fault = lambda request: Fault(answer=answer) if not is_upload or request.method == "POST" else None
        image().write_layout(tmp_path / "layout", "1")
        done = imagesync("sync", f"oci:{tmp_path}/layout:1", f"{other.host}/app:1", environ={"HOME": str(home)})
        assert done.code != 0
        assert front.shown == []
        assert served.requests == []


@pytest.mark.parametrize("file", ["missing", "not a certificate"])
def test_a_bad_ca_file(tls: TlsFront, home: Path, file: str) -> None:
    """A --ca-file that cannot be used is named."""
    path = home / "ca.pem"
    if file != "missing":
        path.write_text(file)
    done = imagesync("resolve", f"{tls.host}/app:1", "--ca-file", str(path), environ={"HOME": str(home)})
    assert done.code == 2
    assert str(path) in done.err


def refusing(folder: Path, error: OSError, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system answer so to whoever looks into this folder."""
    real = Path.iterdir

    def iterdir(path: Path) -> object:
        if path == folder:
            raise error
        return real(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)


def test_a_folder_that_cannot_be_read(tls: TlsFront, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certs.d that this user may not look into is named: it is not taken for one that is not there."""
    folder = certs_d(home, tls.host)
    refusing(folder, PermissionError(13, "Permission denied", str(folder)), monkeypatch)
    done = imagesync("resolve", f"{tls.host}/app:1", environ={"HOME": str(home)})
    assert done.code == 2
    assert f"cannot read {folder}: Permission denied" in done.err


def test_a_folder_that_cannot_be(
    tls: TlsFront, authority: Authority, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows has no certs.d/HOST:PORT, and answers EINVAL to who asks for it: each host works without one."""
    refusing(certs_d(home, tls.host), OSError(22, "Invalid argument"), monkeypatch)
    done = imagesync("resolve", f"{tls.host}/app:1", "--ca-file", str(authority.ca_file), environ={"HOME": str(home)})
    assert done.code == 0, done.err


def test_a_missing_ssl_cert_file(tls: TlsFront, home: Path) -> None:
    """An SSL_CERT_FILE that is not there is named, where OpenSSL would say nothing."""
    environ = {"HOME": str(home), "SSL_CERT_FILE": str(home / "nothing.pem")}
    done = imagesync("resolve", f"{tls.host}/app:1", environ=environ)
    assert done.code == 2
    assert "SSL_CERT_FILE names" in done.err


@pytest.mark.parametrize("content", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nMIIB"])
def test_an_ssl_cert_file_without_certificates(tls: TlsFront, home: Path, content: str) -> None:
    """An SSL_CERT_FILE that holds no authority is named, as --ca-file is, and not blamed on the registry."""
    (home / "none.pem").write_text(content)
    environ = {"HOME": str(home), "SSL_CERT_FILE": str(home / "none.pem")}
    done = imagesync("resolve", f"{tls.host}/app:1", environ=environ)
    assert done.code == 2
    assert f"{home}/none.pem holds no certificate of an authority" in done.err


def test_a_key_without_certificate(tls: TlsFront, home: Path) -> None:
    """A client certificate without its key is an error that names both, not a certificate that is not shown."""
    (certs_d(home, tls.host) / "client.cert").write_text("-")
    done = imagesync("resolve", f"{tls.host}/app:1", environ={"HOME": str(home)})
    assert done.code == 2
    assert "client.key" in done.err


def test_plain_http_where_tls_is_expected(served: EmbeddedRegistry, authority: Authority, home: Path) -> None:
    """A host that is not loopback and answers without TLS is an error with the option that would allow it."""
    with ConnectProxy({f"{NAME}:443": served.host}) as proxy:
        environ = {"HOME": str(home), "HTTPS_PROXY": f"http://{proxy.host}"}
        done = imagesync("resolve", f"{NAME}/app:1", environ=environ)
    assert done.code == 5
    assert f"--plain-http {NAME}" in done.err
    assert served.requests == []


@pytest.mark.parametrize("credentials", ["", "user:pass@"])
def test_through_a_proxy(served: EmbeddedRegistry, authority: Authority, home: Path, credentials: str) -> None:
    """HTTPS_PROXY is asked to connect, with its own login if it has one, and never sees the inside."""
    with (
        TlsFront(served.host, authority.server_context(NAME)) as front,
        ConnectProxy({f"{NAME}:443": front.host}) as proxy,
    ):
        assert isinstance(proxy, ConnectProxy)
        environ = {"HOME": str(home), "HTTPS_PROXY": f"http://{credentials}{proxy.host}"}
        done = imagesync("resolve", f"{NAME}/app:1", "--ca-file", str(authority.ca_file), environ=environ)
    assert done.code == 0, done.err
    assert proxy.asked == [f"CONNECT {NAME}:443"]
    assert (b"Proxy-Authorization: Basic" in proxy.heads[0]) == bool(credentials)


def test_no_proxy(tls: TlsFront, authority: Authority, home: Path) -> None:
    """A host in NO_PROXY, and this machine itself, is reached directly."""
    environ = {"HOME": str(home), "HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "127.0.0.1"}
    done = imagesync("resolve", f"{tls.host}/app:1", "--ca-file", str(authority.ca_file), environ=environ)
    assert done.code == 0, done.err


def test_a_host_named_for_plain_http_stays_there(tls: TlsFront, authority: Authority, home: Path) -> None:
    """Whoever names a host for plain HTTP gets plain HTTP, even where its server speaks TLS."""
    options = ["--ca-file", str(authority.ca_file), "--plain-http", tls.host]
    done = imagesync("resolve", f"{tls.host}/app:1", *options, environ={"HOME": str(home)})
    assert done.code != 0


def test_a_tls_port_named_for_plain_http(served: EmbeddedRegistry, home: Path) -> None:
    """A TLS port answers 400 to plain HTTP, and to HEAD no more: then the hint says what may be wrong with the call."""
    served.fault = lambda request: Fault(answer=Response(400))
    call, environ = ["resolve", f"{served.host}/app:1"], {"HOME": str(home)}
    named = imagesync(*call, "--plain-http", served.host, environ=environ)
    assert (named.code, f"if it speaks TLS, do not name it for plain HTTP: {served.host}" in named.err) == (7, True)
    assert "speaks TLS" not in imagesync(*call, environ=environ).err


@pytest.mark.parametrize("strict", [False, True])
def test_a_lax_private_authority(
    served: EmbeddedRegistry, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, strict: bool
) -> None:
    """A private authority that is not made by the letter is trusted, also where Python is as strict as 3.13 is."""
    lax = Authority(tmp_path, lax=True)
    make = ssl.create_default_context

    def as_in_3_13() -> ssl.SSLContext:
        context = make()
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setitem(sys.modules, "truststore", None)
    if strict:
        monkeypatch.setattr(ssl, "create_default_context", as_in_3_13)
    with TlsFront(served.host, lax.server_context("127.0.0.1")) as front:
        done = imagesync("resolve", f"{front.host}/app:1", "--ca-file", str(lax.ca_file), environ={"HOME": str(home)})
    assert (done.code, done.out) == (0, f"{front.host}/app@{image().digest}\n"), done.err


def test_a_certificate_that_is_trusted_itself(served: EmbeddedRegistry, tmp_path: Path, home: Path) -> None:
    """The server's own certificate is enough to trust it by, as for Go's clients, on every Python."""
    certificate, key = Authority(tmp_path).issue("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with TlsFront(served.host, context) as front:
        done = imagesync("resolve", f"{front.host}/app:1", "--ca-file", str(certificate), environ={"HOME": str(home)})
        assert done.code == 0, done.err


@pytest.mark.parametrize("expired", [False, True])
def test_lax_is_not_careless(served: EmbeddedRegistry, tmp_path: Path, home: Path, expired: bool) -> None:
    """What another authority signed, or is not valid any more, stays refused."""
    lax = Authority(tmp_path, lax=True)
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other", lax=True)
    server = lax.server_context("127.0.0.1", expired=True) if expired else other.server_context("127.0.0.1")
    with TlsFront(served.host, server) as front:
        done = imagesync("resolve", f"{front.host}/app:1", "--ca-file", str(lax.ca_file), environ={"HOME": str(home)})
    assert (done.code, "is not trusted" in done.err) == (5, True)

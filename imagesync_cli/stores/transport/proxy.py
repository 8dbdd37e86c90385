"""The proxy between us and a host, if the environment or Docker's config.json names one (settings.py).

HTTP proxies, with or without TLS, and SOCKS 5 by the library python-socks. NO_PROXY is read as Go's clients do.
"""

from __future__ import annotations

import base64
import re
import socket
import ssl
import sys

import httpx

from imagesync_cli.settings import Settings
from imagesync_cli.stores.transport.addresses import bracketed, read_url
from imagesync_cli.stores.transport.http1 import Connection
from imagesync_cli.stores.transport.retry import status_may_pass
from imagesync_cli.stores.transport.wire import Wire
from imagesync_cli.values.errors import Denied, ImagesyncError, Unavailable, UsageError
from imagesync_cli.values.hosts import is_address, is_loopback

_EXAMPLE = "HTTPS_PROXY and HTTP_PROXY look like http://proxy.example.com:3128"
_BYPASS = "allow it there, or name the host in NO_PROXY"
_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
# An entry of NO_PROXY: a name or an IPv4 address with or without a port, or [IPv6] with one; else IPv6 or a network.
_WITH_PORT = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[^:\[\]]+))(?::(?P<port>[0-9]+))?")


def proxy_for(settings: Settings, url: httpx.URL, port: int) -> httpx.URL | None:
    """The proxy for a host, or None: for this machine itself, and for what NO_PROXY names."""
    proxies = settings.proxies
    proxy = proxies.get(f"{url.scheme}_proxy") or proxies.get("all_proxy")
    if not proxy or is_loopback(bracketed(url.host)):
        return None
    return None if _bypassed(url.host, port, proxies.get("no_proxy", "")) else _proxy_url(proxy)


async def tunnel(wire: Wire, proxy: httpx.URL, host: str, port: int) -> None:
    """Ask the proxy for a way through to the host (RFC 9110, section 9.3.6)."""
    target = f"{bracketed(host)}:{port}"
    request = httpx.Request("CONNECT", f"http://{target}", headers=proxy_login(proxy))
    answer = await Connection(wire).exchange(request, target.encode("ascii"))
    if answer.status != 200:
        raise _refusal(answer.status, proxy.host, target)


def _refusal(status: int, proxy: str, target: str) -> ImagesyncError:
    """Our error for what a proxy answers instead of a way to the target."""
    if status == 407:
        return wants_login()
    if status_may_pass(status):
        return Unavailable(f"the proxy {proxy} answers {status} and opens no tunnel to {target}", status=status)
    return Denied(f"the proxy {proxy} answers {status} and opens no tunnel to {target}", hint=_BYPASS)


def wants_login() -> Denied:
    """Our error for a 407."""
    return Denied("the proxy wants a login (407)", hint="HTTPS_PROXY and HTTP_PROXY take http://USER:PASSWORD@HOST")


async def start_tls(wire: Wire, proxy: httpx.URL, context: ssl.SSLContext, timeout_s: float) -> None:
    """Speak TLS to the proxy itself; what goes wrong is its fault, and no registry's."""
    try:
        await wire.start_tls(context, proxy.host, timeout_s)
    except ssl.SSLError as error:
        why = error.reason or str(error)
        raise Unavailable(f"the proxy {proxy.host}: {why}", hint=_EXAMPLE, may_pass=False) from error


async def socks_connection(proxy: httpx.URL, host: str, port: int, timeout_s: float) -> socket.socket:
    """A connection to the host through a SOCKS 5 proxy, which looks up the name."""
    try:
        from python_socks import ProxyError, ProxyType
        from python_socks.async_.asyncio import Proxy
    except ImportError as error:
        hint = "pip install 'imagesync-cli[socks]'"
        raise UsageError("a SOCKS proxy needs the library python-socks, which is not installed", hint=hint) from error
    way = Proxy.create(
        proxy_type=ProxyType.SOCKS5,
        host=proxy.host,
        port=proxy_port(proxy),
        username=proxy.username or None,
        password=proxy.password or None,
        rdns=True,
    )
    try:
        return await way.connect(host, port, timeout=timeout_s)
    except ProxyError as error:
        raise ConnectionRefusedError(f"the proxy {proxy.host} answers: {error}") from error


def is_socks(proxy: httpx.URL | None) -> bool:
    """Whether it is one that opens connections, and knows nothing of HTTP."""
    return proxy is not None and proxy.scheme.startswith("socks")


def proxy_port(proxy: httpx.URL) -> int:
    """Where the proxy listens."""
    return proxy.port or _PORTS[proxy.scheme]


def proxy_login(proxy: httpx.URL) -> dict[str, str]:
    """The header that says who we are to the proxy; empty if its URL names nobody."""
    if not proxy.username:
        return {}
    pair = f"{proxy.username}:{proxy.password}".encode()
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair).decode('ascii')}"}


def _proxy_url(text: str) -> httpx.URL:
    """The proxy that an environment variable names; what it says is not repeated, it may hold a password."""
    try:
        url = read_url(text if "://" in text else f"http://{text}")
    except httpx.InvalidURL as error:
        raise UsageError("the proxy in the environment is not a URL", hint=_EXAMPLE) from error
    if url.scheme not in _PORTS or not url.host:
        raise UsageError(f"a proxy of the kind {url.scheme} is not supported", hint=_EXAMPLE)
    if url.scheme == "https" and sys.version_info < (3, 11):
        raise UsageError("a proxy that speaks TLS itself needs Python 3.11", hint=_EXAMPLE)
    return url


def _bypassed(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY names the host, a domain or network that it is in, with its port or without, or all by ``*``."""
    entries = [entry.strip() for entry in no_proxy.lower().split(",")]
    return "*" in entries or any(_names(entry, host, port) for entry in entries if entry)


def _names(entry: str, host: str, port: int) -> bool:
    parts = _WITH_PORT.fullmatch(entry)
    if parts is not None and parts["port"] and int(parts["port"]) != port:
        return False
    name = (parts["v6"] or parts["name"]) if parts else entry
    if is_address(host):
        return _is_in(host, name)
    domain = name.removeprefix("*").removeprefix(".")
    return bool(domain) and f".{host}".endswith(f".{domain}")


def _is_in(address: str, network: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:  # it is a name
        return False

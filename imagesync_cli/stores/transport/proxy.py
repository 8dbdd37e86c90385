"""The proxy between us and a host, if the environment names one (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY)."""

from __future__ import annotations

import base64
import sys

import httpx

from imagesync_cli.settings import Settings
from imagesync_cli.stores.transport.addresses import read_url
from imagesync_cli.stores.transport.http1 import Connection
from imagesync_cli.stores.transport.wire import Wire
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.reference import is_loopback

_EXAMPLE = "HTTPS_PROXY and HTTP_PROXY look like http://proxy.example.com:3128"


def proxy_for(settings: Settings, url: httpx.URL, port: int) -> httpx.URL | None:
    """The proxy for a host, or None: for this machine itself, and for what NO_PROXY names."""
    proxies = settings.proxies
    proxy = proxies.get(f"{url.scheme}_proxy") or proxies.get("all_proxy")
    if not proxy or is_loopback(f"[{url.host}]" if ":" in url.host else url.host):
        return None
    return None if _bypassed(url.host, port, proxies.get("no_proxy", "")) else _proxy_url(proxy)


async def tunnel(wire: Wire, proxy: httpx.URL, host: str, port: int) -> None:
    """Ask the proxy for a way through to the host (RFC 9110, section 9.3.6)."""
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    request = httpx.Request("CONNECT", f"http://{target}", headers=proxy_login(proxy))
    answer = await Connection(wire).exchange(request, target.encode("ascii"))
    if answer.status != 200:
        raise ConnectionRefusedError(f"the proxy {proxy.host} answers {answer.status}")


def proxy_port(proxy: httpx.URL) -> int:
    """Where the proxy listens."""
    return proxy.port or (443 if proxy.scheme == "https" else 80)


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
    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError(f"a proxy of the kind {url.scheme} is not supported", hint=_EXAMPLE)
    if url.scheme == "https" and sys.version_info < (3, 11):
        raise UsageError("a proxy that speaks TLS itself needs Python 3.11", hint=_EXAMPLE)
    return url


def _bypassed(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY names the host: itself, a domain it is in, with or without a port, or all with ``*``."""
    for entry in no_proxy.lower().split(","):
        name = entry.strip().removeprefix("*").removeprefix(".")
        if entry.strip() == "*" or (name and f"{host}:{port}".endswith((f".{name}", f".{name}:{port}"))):
            return True
        if name in (host, f"{host}:{port}"):
            return True
    return False

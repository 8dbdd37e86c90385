"""What a registry asks for with a 401, and whether its token server may be told who we are.

RFC 9110, section 11.6.1; Docker's registry token authentication. Nothing here touches the network.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass

import httpx

from imagesync_cli.stores.transport.addresses import read_url
from imagesync_cli.values.errors import Denied
from imagesync_cli.values.reference import is_loopback

# Both take one look at each character: no match begins inside a word, and a quote that nobody ends goes to the end.
_PARAMETER = re.compile(r'(?<![a-zA-Z0-9_-])([a-zA-Z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SCHEME = re.compile(
    r'(?i)(?:^|,)\s*(bearer|basic)\b((?:[^",]|"(?:[^"\\]|\\.)*(?:"|\\?$)|,(?!\s*(?:bearer|basic)\s))*)', re.DOTALL
)
# Real ones have a few hundred characters, and there are two or three.
_LONGEST_HEADER = 4096
_MOST_HEADERS = 8
# IPv6 that stands for IPv4, which may be anybody's: compatible addresses, NAT64 (RFC 6052, RFC 8215), 6to4.
_IPV4_INSIDE = ("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")
# What the resolver takes for an address in another notation: 2130706433, 0x7f.1, 127.1.
_ODD_ADDRESS = re.compile(r"(?:.*\.)?(?:0x[0-9a-f]*|[0-9]+)\.?", re.IGNORECASE)


@dataclass(frozen=True)
class Challenge:
    """``scheme`` is lower case; ``scopes`` are those the registry names, often none."""

    scheme: str
    realm: str
    service: str
    scopes: tuple[str, ...]


def parse_challenge(headers: Iterable[str]) -> Challenge | None:
    """The challenge that we can answer, Bearer before Basic, or None."""
    found = {}
    for header in itertools.islice(headers, _MOST_HEADERS):
        for scheme, rest in _SCHEME.findall(header[:_LONGEST_HEADER]):
            pairs = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(rest)}
            scopes = tuple(dict.fromkeys(pairs.get("scope", "").split()))
            found[scheme.lower()] = Challenge(scheme.lower(), pairs.get("realm", ""), pairs.get("service", ""), scopes)
    return found.get("bearer") or found.get("basic")


def check_realm(challenge: Challenge, registry: httpx.URL) -> httpx.URL:
    """The token server's URL. Denied unless it is as safe as the registry and nobody's inner network."""
    sends = f"{registry.host} sends logins to {challenge.realm[:200]!r}"
    try:
        realm = read_url(challenge.realm)
    except httpx.InvalidURL as error:
        raise Denied(f"{sends}, which is not a URL") from error
    if realm.scheme != "https" and not (realm.scheme == "http" and registry.scheme == "http"):
        raise Denied(f"{sends}, which is not https")
    if not realm.host or realm.userinfo:
        raise Denied(f"{sends}, which is not the URL of a token server")
    if realm.host != registry.host and not is_public(realm.host, registry.host):
        raise Denied(f"{sends}, an address that is not public")
    return realm


def is_public(host: str, registry: str = "") -> bool:
    """Whether a host may be spoken to: what is no address may, where it is not this machine in disguise.

    This machine may, where the ``registry`` that names the host is on it too.
    """
    if is_loopback(_bracketed(host)):
        return bool(registry) and is_loopback(_bracketed(registry))
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return not _ODD_ADDRESS.fullmatch(host)
    return address.is_global and not any(address in ipaddress.ip_network(inside) for inside in _IPV4_INSIDE)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host

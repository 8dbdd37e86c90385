"""URLs that others name: read whole, or refused; and the addresses that a name has.

httpx leaves some of it to whoever connects: a port that sockets would take for another one, a name that is decoded only
when it is asked for. Nothing here but addresses_of touches the network.
"""

from __future__ import annotations

import asyncio
import enum
import ipaddress
import re
import socket

import httpx

from imagesync_cli.values.hosts import host_name, is_loopback

# Signed ones have two or three thousand characters.
_LONGEST = 16 * 1024
_NOT_PUBLIC = (
    # IPv6 that stands for IPv4, which may be anybody's: compatible, mapped and translated addresses, NAT64 (RFC 6052,
    # RFC 8215), 6to4, Teredo.
    *("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"),
    "fec0::/10",  # inner networks of an earlier day (RFC 3879), which some still have
    # What clouds give their machines to ask, at addresses like anybody's: Azure, Oracle, and IBM's services.
    *("168.63.129.16/32", "192.0.0.0/24", "161.26.0.0/16", "166.8.0.0/14"),
    "192.88.99.0/24",  # 6to4 relays
)
# Metadata addresses, and link-local ones: AWS and most others, Azure, Alibaba, Oracle.
_OF_MACHINES = (
    *("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32"),
    *("168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32"),
)
# What the resolver takes for an address in another notation: 2130706433, 0x7f.1, 127.1.
_ODD_ADDRESS = re.compile(r"(?:.*\.)?(?:0x[0-9a-f]*|[0-9]+)\.?", re.IGNORECASE)


class Origin(enum.Enum):
    """What the host of a request is to the registry that a user has named."""

    OWN = "the registry itself"
    BESIDE = "the same host, by another scheme or port"
    STRANGE = "a host that somebody else has named"


def origin_of(url: httpx.URL, own: httpx.URL) -> Origin:
    """What a URL is to a registry whose URL is ``own``."""
    if url.host != own.host:
        return Origin.STRANGE
    return Origin.OWN if (url.scheme, url.port) == (own.scheme, own.port) else Origin.BESIDE


def read_url(text: str, base: httpx.URL | None = None) -> httpx.URL:
    """The URL that a text means, seen from ``base`` if that is given; raises httpx.InvalidURL and nothing else."""
    if len(text) > _LONGEST:
        raise httpx.InvalidURL(f"it is longer than {_LONGEST} characters")
    try:
        url = base.join(text) if base is not None else httpx.URL(text)
        name = url.host
    except ValueError as error:  # what an IDNA name or a port is not
        raise httpx.InvalidURL(str(error)) from error
    if url.port is not None and not 0 < url.port < 65536:
        raise httpx.InvalidURL(f"there is no port {url.port}")
    if name and not all(name.removesuffix(".").split(".")):
        raise httpx.InvalidURL(f"there is no host {name!r}")
    return url


def is_public(host: str, registry: str = "") -> bool:
    """Whether a host may be spoken to: what is no address may, where it is not this machine in disguise.

    This machine may, where the ``registry`` that names the host is on it too.
    """
    if is_loopback(bracketed(host)):
        return bool(registry) and is_loopback(bracketed(registry))
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return not _ODD_ADDRESS.fullmatch(host)
    return (
        address.is_global
        and not address.is_multicast
        and not any(address in ipaddress.ip_network(inner) for inner in _NOT_PUBLIC)
    )


def is_of_machines(host: str) -> bool:
    """Whether a host is a cloud's metadata address, or is in a notation that may hide one."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return bool(_ODD_ADDRESS.fullmatch(host))
    meant = getattr(address, "ipv4_mapped", None) or address
    return any(meant in ipaddress.ip_network(each) for each in _OF_MACHINES)


def bracketed(host: str) -> str:
    """The host as it stands before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


async def addresses_of(host: str) -> set[str]:
    """What the name in ``host[:port]`` resolves to here; OSError or UnicodeError where that fails."""
    infos = await asyncio.get_running_loop().getaddrinfo(host_name(host), None, type=socket.SOCK_STREAM)
    return {str(address[0]) for *_, address in infos}

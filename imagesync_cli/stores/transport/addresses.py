"""URLs that others name: read whole, or refused.

httpx leaves some of it to whoever connects: a port that sockets would take for another one, a name that is decoded only
when it is asked for. Nothing here touches the network.
"""

from __future__ import annotations

import httpx

# Signed ones have two or three thousand characters.
_LONGEST = 16 * 1024


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

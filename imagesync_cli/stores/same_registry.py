"""Whether two names may mean one registry: a removal by the old name of one that was renamed takes what the new has."""

from __future__ import annotations

import asyncio
import re

from imagesync_cli.stores.transport.addresses import addresses_of
from imagesync_cli.values.hosts import AMAZON, known_host


async def may_be_one_registry(one: str, other: str) -> bool:
    """Whether HOST[:PORT] and HOST[:PORT] lead to one place, as far as their names and addresses tell.

    What has no address here, as behind a proxy or after its name was given up, may be anything.
    """
    if one == other:
        return True
    if known_host(one) and known_host(other):
        accounts = [match.group("account", "region") for name in (one, other) if (match := AMAZON.match(name))]
        return len(accounts) == 2 and accounts[0] == accounts[1]
    if _port(one) != _port(other):
        return False
    addresses = await asyncio.gather(_addresses(one), _addresses(other))
    return not all(addresses) or bool(addresses[0] & addresses[1])


def _port(registry: str) -> str:
    match = re.search(r":[0-9]+$", registry)
    return match[0] if match else ""


async def _addresses(registry: str) -> set[str]:
    try:
        return await addresses_of(registry)
    except (OSError, UnicodeError):
        return set()

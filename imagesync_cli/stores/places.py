"""Where images are: each repository, folder or file as one value, however it is spelled.

In doubt, two names of hosts mean one registry: then nothing there is taken for somebody else's, and an image stays.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from imagesync_cli.values.hosts import AMAZON, known_host, one_spelling
from imagesync_cli.values.reference import Reference, RegistryReference


def place_of(reference: Reference) -> tuple[str, str]:
    """Equal for references into the same repository; ``localhost`` and ``127.0.0.1`` are one registry.

    So are folders and files of two names, where one is a link to the other.
    """
    where, path = reference.location
    if isinstance(reference, RegistryReference):
        return one_spelling(where), path
    return where, os.path.realpath(path)


def tag_of(reference: Reference) -> tuple[str, str, str]:
    """Equal for references that may mean one tag."""
    return *place_of(reference), reference.tag


def repository_of(reference: Reference) -> str:
    """The place as one text."""
    return ("/" if isinstance(reference, RegistryReference) else ":").join(place_of(reference))


async def may_be_one_registry(one: str, other: str) -> bool:
    """Whether HOST[:PORT] and HOST[:PORT] lead to one place, as far as their names and addresses tell."""
    return bool(await those_of_one_registry([(one, other)]))


async def those_of_one_registry(pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of these pairs that may be one registry by two names; each name is looked up once.

    A removal by the old name of a registry that was renamed takes what the new one has. What has no address here, as
    behind a proxy or after its name was given up, may be anything. So may one that has IPv4 alone be one with IPv6.
    """
    from imagesync_cli.concurrency import each_of  # the rest of this module opens no connection

    told = {pair: _told_by_names(*pair) for pair in pairs}
    unclear = {pair for pair, is_one in told.items() if is_one is None}
    asked = sorted({name for pair in unclear for name in pair})
    addresses = dict(zip(asked, await each_of(len(asked) or 1, _addresses, asked), strict=True))

    def may_meet(one: str, other: str) -> bool:
        families = [{":" in address for address in addresses[name]} for name in (one, other)]
        return families[0].isdisjoint(families[1]) or not addresses[one].isdisjoint(addresses[other])

    return {pair for pair, is_one in told.items() if is_one or (pair in unclear and may_meet(*pair))}


def _told_by_names(one: str, other: str) -> bool | None:
    if one == other:
        return True
    if known_host(one) and known_host(other):
        accounts = [match.group("account", "region") for name in (one, other) if (match := AMAZON.match(name))]
        return len(accounts) == 2 and accounts[0] == accounts[1]
    ports = [re.findall(r":[0-9]+$", name) for name in (one, other)]
    return None if ports[0] == ports[1] else False


async def _addresses(registry: str) -> set[str]:
    from imagesync_cli.stores.transport.addresses import addresses_of

    try:
        return await addresses_of(registry)
    except (OSError, UnicodeError):
        return set()

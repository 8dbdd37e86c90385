"""Where images are: each repository, folder or file as one value, however it is spelled.

In doubt, two names of hosts mean one registry: then nothing there is taken for somebody else's, and an image stays.
"""

from __future__ import annotations

import os
import re

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
    """Whether HOST[:PORT] and HOST[:PORT] lead to one place, as far as their names and addresses tell.

    A removal by the old name of a registry that was renamed takes what the new one has. What has no address here, as
    behind a proxy or after its name was given up, may be anything.
    """
    if one == other:
        return True
    if known_host(one) and known_host(other):
        accounts = [match.group("account", "region") for name in (one, other) if (match := AMAZON.match(name))]
        return len(accounts) == 2 and accounts[0] == accounts[1]
    ports = [re.findall(r":[0-9]+$", name) for name in (one, other)]
    if ports[0] != ports[1]:
        return False
    from imagesync_cli.concurrency import both  # the rest of this module opens no connection

    addresses = await both(_addresses(one), _addresses(other))
    return not all(addresses) or bool(addresses[0] & addresses[1])


async def _addresses(registry: str) -> set[str]:
    from imagesync_cli.stores.transport.addresses import addresses_of

    try:
        return await addresses_of(registry)
    except (OSError, UnicodeError):
        return set()

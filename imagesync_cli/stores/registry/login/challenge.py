"""What a registry asks for with a 401, and whether its token server may be told who we are.

RFC 9110, section 11.6.1; Docker's registry token authentication. Nothing here touches the network.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import httpx

from imagesync_cli.stores.transport.addresses import is_public, read_url
from imagesync_cli.values.errors import Denied

# Both take one look at each character: no match begins inside a word, and a quote that nobody ends goes to the end.
_PARAMETER = re.compile(r'(?<![a-zA-Z0-9_-])([a-zA-Z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SCHEME = re.compile(
    r'(?i)(?:^|,)\s*(bearer|basic)\b((?:[^",]|"(?:[^"\\]|\\.)*(?:"|\\?$)|,(?!\s*(?:bearer|basic)\s))*)', re.DOTALL
)
# Real ones have a few hundred characters, and there are two or three.
_LONGEST_HEADER = 4096
_MOST_HEADERS = 8


@dataclass(frozen=True)
class Challenge:
    """``scheme`` is lower case; ``scopes`` are those the registry names, often none; ``url`` is the realm, checked."""

    scheme: str
    realm: str
    service: str
    scopes: tuple[str, ...]
    url: httpx.URL = field(default_factory=httpx.URL)


def parse_challenge(headers: Iterable[str]) -> Challenge | None:
    """The challenge that we can answer, Bearer before Basic, or None."""
    challenges = {}
    for header in itertools.islice(headers, _MOST_HEADERS):
        for scheme, rest in _SCHEME.findall(header[:_LONGEST_HEADER]):
            pairs = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(rest)}
            scopes = tuple(dict.fromkeys(pairs.get("scope", "").split()))
            challenges[scheme.lower()] = Challenge(
                scheme.lower(), pairs.get("realm", ""), pairs.get("service", ""), scopes
            )
    return challenges.get("bearer") or challenges.get("basic")


def check_realm(challenge: Challenge, registry: httpx.URL) -> Challenge:
    """The same with the token server's URL. Denied unless it is as safe as the registry and nobody's inner network."""
    if challenge.scheme != "bearer":
        return challenge
    sends = f"{registry.host} sends logins to {challenge.realm[:200]!r}"
    try:
        realm = read_url(challenge.realm)
    except httpx.InvalidURL as error:
        raise Denied(f"{sends}, which is not a URL") from error
    if not realm.scheme:
        raise Denied(f"{sends}, which is not a whole URL")
    if realm.scheme != "https" and not (realm.scheme == "http" and registry.scheme == "http"):
        raise Denied(f"{sends}, which is not https")
    if not realm.host or realm.userinfo:
        raise Denied(f"{sends}, which is not the URL of a token server")
    if realm.host != registry.host and not is_public(realm.host, registry.host):
        raise Denied(f"{sends}, an address that is not public")
    return replace(challenge, url=realm)

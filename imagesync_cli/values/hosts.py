"""The hosts that are known by name: what each is called, who logs in there, and where its own API lives.

A pattern matches the whole name, without a port: a login and a request that deletes follow what is decided here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DOCKER_HUB = "docker.io"
DOCKER_HUB_API = "registry-1.docker.io"  # where Docker Hub answers
_HUB_ALIASES = frozenset({DOCKER_HUB, DOCKER_HUB_API, "index.docker.io", "registry.hub.docker.com"})
# The partitions of AWS (botocore, endpoints.json): public, China, European sovereign, and those of governments.
_AWS = (
    r"amazonaws\.com(?:\.cn)?|amazonaws\.eu|on\.aws|on\.amazonwebservices\.(?:com\.cn|eu)"
    r"|sc2s\.sgov\.gov|c2s\.ic\.gov|csp\.hci\.ic\.gov|cloud\.adc-e\.uk"
)


@dataclass(frozen=True)
class KnownHost:
    """Hosts of one kind.

    ``cloud`` is the cloud whose login serves there, which is the extra that knows how to get it. ``api`` is the address
    of an API of the host's own, "" for one at the registry's address.
    """

    name: str
    pattern: str
    cloud: str = ""
    api: str = ""

    def match(self, registry: str) -> re.Match[str] | None:
        """The whole name taken apart, None for a host of another kind."""
        return re.fullmatch(self.pattern, registry)


AMAZON = KnownHost(
    "Amazon ECR",
    rf"(?P<account>[0-9]{{12}})\.dkr[.-]ecr(?P<fips>-fips)?\.(?P<region>[a-z0-9-]+)\.(?:{_AWS})",
    cloud="aws",
)
AMAZON_PUBLIC = KnownHost("Amazon ECR Public", r"public\.ecr\.aws|ecr-public\.aws\.com", cloud="aws")
AZURE = KnownHost("Azure", r"[a-z0-9]+(?:-[a-z0-9]+)?\.azurecr\.(?:io|cn|us)", cloud="azure")
GOOGLE = KnownHost("Google", r"(?:[a-z0-9-]+\.)?gcr\.io|[a-z0-9-]+\.pkg\.dev", cloud="gcp")
GITHUB = KnownHost("GitHub", r"ghcr\.io", api="https://api.github.com")
HUB = KnownHost("Docker Hub", r"docker\.io", api="https://hub.docker.com")
# Nothing that a user or a server says adds to it. Tests put their doubles in front.
KNOWN_HOSTS = [HUB, GITHUB, AZURE, AMAZON, AMAZON_PUBLIC, GOOGLE]


def known_host(registry: str) -> KnownHost | None:
    """What is known of a registry by its name."""
    return next((host for host in KNOWN_HOSTS if host.match(registry)), None)


def registry_of(host: str) -> str:
    """The registry meant by a host: Docker Hub's aliases are one."""
    return DOCKER_HUB if host.lower() in _HUB_ALIASES else host.lower()


def address_of(registry: str) -> str:
    """The host[:port] at which a registry answers."""
    return DOCKER_HUB_API if registry == DOCKER_HUB else registry

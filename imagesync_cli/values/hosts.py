"""The hosts that are known by name: what each is called, who logs in there, and where its own API lives.

A pattern matches the whole name, without a port: a login and a request that deletes follow what is decided here.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from dataclasses import dataclass

from imagesync_cli.values.errors import UsageError

DOCKER_HUB = "docker.io"
DOCKER_HUB_API = "registry-1.docker.io"  # where Docker Hub answers
_HUB_ALIASES = frozenset({DOCKER_HUB, DOCKER_HUB_API, "index.docker.io", "registry.hub.docker.com"})
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_LONGEST_SHOWN = 500
_LOGIN = re.compile(r"^(\w+://)?[^/:]*:[^/]*@")
# What people copy before a host, and what is no part of its name.
SCHEMES = ("http://", "https://", "oci://")
_DEFAULT_PORT = re.compile(r":0*(?:443|80)$")
_PORT = re.compile(r":0*([0-9]+)$")
_HTTPS = "443"
# What to look at where a host cannot be reached.
HOW_TO_REACH = (
    "check host and port, the firewall, and the proxy (HTTPS_PROXY, NO_PROXY); a host without TLS takes "
    "--plain-http HOST"
)
# The partitions of AWS (botocore, endpoints.json): public, China, European sovereign, and those of governments.
_AWS = (
    r"amazonaws\.com(?:\.cn)?|amazonaws\.eu|on\.aws|on\.amazonwebservices\.(?:com\.cn|eu)"
    r"|sc2s\.sgov\.gov|c2s\.ic\.gov|csp\.hci\.ic\.gov|cloud\.adc-e\.uk"
)


@dataclass(frozen=True)
class Rate:
    """How many requests in a second a host documents for these ``actions``, together; ``name`` is the host's for them.

    An action is a method and what it is for, such as "PUT manifests" (stores/registry/exchange.py).
    """

    name: str
    per_second: float
    actions: tuple[str, ...]


# Quotas of an account in a region (Amazon ECR, "Service quotas", November 2026); all can be raised. Those for reading
# are beyond what one process asks. GetAuthorizationToken is asked for once in a run.
_ECR_RATES = (
    Rate("BatchCheckLayerAvailability", 1000, ("HEAD blobs",)),
    Rate("BatchGetImage", 2000, ("GET manifests", "HEAD manifests")),
    Rate("GetDownloadUrlForLayer", 3000, ("GET blobs",)),
    Rate("InitiateLayerUpload", 100, ("POST uploads",)),
    Rate("UploadLayerPart", 500, ("PATCH uploads",)),
    Rate("CompleteLayerUpload", 100, ("PUT uploads",)),
    Rate("PutImage", 10, ("PUT manifests",)),
)
# The same of Amazon ECR Public. What counts as a pull it does not say; without a login the quota is one a second.
_ECR_PUBLIC_RATES = (
    Rate("BatchCheckLayerAvailability", 200, ("HEAD blobs",)),
    Rate("image pulls", 10, ("GET manifests",)),
    Rate("InitiateLayerUpload", 10, ("POST uploads",)),
    Rate("UploadLayerPart", 260, ("PATCH uploads",)),
    Rate("CompleteLayerUpload", 10, ("PUT uploads",)),
    Rate("PutImage", 10, ("PUT manifests",)),
)


@dataclass(frozen=True)
class KnownHost:
    """Hosts of one kind.

    ``cloud`` is the cloud whose login serves there, which is the extra that knows how to get it. ``api`` is the address
    of an API of the host's own, "" for one at the registry's address. ``rates`` are kept unless a user says otherwise.
    """

    name: str
    pattern: str
    cloud: str = ""
    api: str = ""
    rates: tuple[Rate, ...] = ()

    def match(self, registry: str) -> re.Match[str] | None:
        """The whole name taken apart, None for a host of another kind."""
        return re.fullmatch(self.pattern, registry)


AMAZON = KnownHost(
    "Amazon ECR",
    rf"(?P<account>[0-9]{{12}})\.dkr[.-]ecr(?P<fips>-fips)?\.(?P<region>[a-z0-9-]+)\.(?:{_AWS})",
    cloud="aws",
    rates=_ECR_RATES,
)
AMAZON_PUBLIC = KnownHost(
    "Amazon ECR Public", r"public\.ecr\.aws|ecr-public\.aws\.com", cloud="aws", rates=_ECR_PUBLIC_RATES
)
AZURE = KnownHost("Azure", r"[a-z0-9]+(?:-[a-z0-9]+)?\.azurecr\.(?:io|cn|us)", cloud="azure")
GOOGLE = KnownHost("Google", r"(?:[a-z0-9-]+\.)?gcr\.io|[a-z0-9-]+\.pkg\.dev", cloud="gcp")
GITHUB = KnownHost("GitHub", r"ghcr\.io", api="https://api.github.com")
HUB = KnownHost("Docker Hub", r"docker\.io", api="https://hub.docker.com")
# Nothing that a user or a server says adds to it. Tests put their doubles in front.
KNOWN_HOSTS = [HUB, GITHUB, AZURE, AMAZON, AMAZON_PUBLIC, GOOGLE]


def known_host(registry: str) -> KnownHost | None:
    """What is known of a registry by its name."""
    return next((host for host in KNOWN_HOSTS if host.match(registry)), None)


def is_host(text: str) -> bool:
    """Whether this is a host, with or without a port."""
    return _HOST.fullmatch(text) is not None


def parse_registry(text: str) -> str:
    """Read ``host[:port]``, with a scheme as browsers show it or without; UsageError for anything else."""
    host = text
    for scheme in SCHEMES:
        host = host.removeprefix(scheme)
    host = host.rstrip("/")
    if not is_host(host):
        raise UsageError(
            f"registry {without_login(text)[:_LONGEST_SHOWN]!r} is not a host",
            hint="it takes a host[:port], like registry.lan:5000",
        )
    return registry_of(host)


def registry_of(host: str) -> str:
    """The registry meant by a host: Docker Hub's aliases are one."""
    return DOCKER_HUB if host.lower() in _HUB_ALIASES else host.lower()


def without_login(text: str) -> str:
    """The text to show for what should be a host: one who writes ``user:password@host`` has written a password."""
    return _LOGIN.sub(r"\1…@", text)


def address_of(registry: str) -> str:
    """The host[:port] at which a registry answers."""
    return DOCKER_HUB_API if registry == DOCKER_HUB else registry


def spellings_of(registry: str) -> list[str]:
    """What names the same registry in a pattern: without the port of HTTPS, and with it."""
    bare = registry_of(_PORT.sub(lambda port: "" if port[1] == _HTTPS else f":{port[1]}", registry))
    return [bare] if _PORT.search(bare) else [bare, f"{bare}:{_HTTPS}"]


def is_loopback(host: str) -> bool:
    """Whether ``host[:port]`` is this machine itself: such registries speak plain HTTP."""
    name = host_name(host).removesuffix(".")
    if is_address(name):
        return ipaddress.ip_address(name).is_loopback
    return name == "localhost" or name.endswith(".localhost")


def is_address(name: str) -> bool:
    """Whether this is an IP address, without port and brackets."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def host_name(host: str) -> str:
    """The name or address in ``host[:port]``, without brackets, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


@functools.lru_cache
def one_spelling(registry: str) -> str:
    """The same text for names that may mean one registry, so that nothing of it counts as somebody else's.

    Those are hosts that differ in a default port alone, whatever they speak, and all names of this machine.
    """
    host = _DEFAULT_PORT.sub("", registry)
    return "".join(["localhost", *host.rpartition("]")[2].partition(":")[1:]]) if is_loopback(host) else host

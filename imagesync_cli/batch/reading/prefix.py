"""Where names of repositories begin: HOST or HOST/PATH. It ends where a part of a path ends, never within one."""

from __future__ import annotations

from dataclasses import dataclass

from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.hosts import is_host, registry_of
from imagesync_cli.values.names import is_repository
from imagesync_cli.values.reference import RegistryReference, parse_reference


@dataclass(frozen=True)
class Prefix:
    """``host`` is as the user spelled it, ``path`` is "" for all of a registry."""

    host: str
    path: str = ""

    def __str__(self) -> str:
        return f"{self.host}/{self.path}" if self.path else self.host

    @property
    def registry(self) -> str:
        """The registry meant by the host."""
        return registry_of(self.host)

    def rest(self, registry: str, repository: str) -> str | None:
        """What follows the prefix in a repository's name, None where it is not below it."""
        if registry != self.registry:
            return None
        if not self.path:
            return repository
        rest = repository.removeprefix(f"{self.path}/")
        return rest if rest != repository else None

    def repository(self, rest: str) -> RegistryReference:
        """The repository of this name below the prefix; UsageError for what is no such name."""
        reference = parse_reference(f"{self}/{rest}")
        if not isinstance(reference, RegistryReference) or reference.repository.rpartition(rest)[1:] != (rest, ""):
            raise UsageError(f"{rest!r} is no repository below {self}")
        return reference


def parse_prefix(text: str) -> Prefix:
    """Read HOST or HOST/PATH; UsageError for anything else."""
    host, slash, path = text.partition("/")
    if not _names_host(host) or (slash and not is_repository(path)):
        raise UsageError(f"{text[:200]!r} is no registry and no path in one", hint="it looks like registry.lan/hub")
    return Prefix(host, path)


def _names_host(text: str) -> bool:
    """Whether this is a host at the beginning of a reference as well, and no part of a path at Docker Hub."""
    return is_host(text) and getattr(parse_reference(f"{text}/path/path"), "host", "") == text

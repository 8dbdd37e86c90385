"""Where names of repositories begin: HOST or HOST/PATH. It ends where a part of a path ends, never within one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from imagesync_cli.stores.places import place_of
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.hosts import is_host, one_spelling, registry_of
from imagesync_cli.values.names import is_repository
from imagesync_cli.values.reference import Reference, RegistryReference, parse_reference


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

    def covers(self, place: tuple[str, str]) -> bool:
        """Whether a place (place_of) is below the prefix, or is the prefix itself."""
        return self.rest(place) is not None

    @property
    def place(self) -> tuple[str, str]:
        """Equal for two prefixes that mean the same."""
        return one_spelling(self.registry), self.path

    def rest(self, place: tuple[str, str]) -> str | None:
        """What follows the prefix in a place (place_of), "" for the prefix itself, None for a place not below it."""
        registry, repository = place
        if registry != self.place[0] or not f"{repository}/".startswith(f"{self.path}/" if self.path else ""):
            return None
        return repository[len(self.path) :].removeprefix("/")

    def repository(self, rest: str) -> RegistryReference:
        """The repository of this name below the prefix, or for "" the prefix itself; UsageError for no such name."""
        reference = parse_reference(f"{self}/{rest}" if rest or not self.path else str(self))
        if not isinstance(reference, RegistryReference) or not reference.repository.endswith(rest):
            raise UsageError(f"{rest!r} is not a repository below {self}")
        return reference


def above(place: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """The places of all prefixes that cover this one: itself, and what it is below."""
    registry, path = place
    while path:
        yield registry, path
        path = path.rpartition("/")[0]
    yield registry, ""


Mirrors = Mapping[Prefix, Sequence[Prefix]]


def mirrors_of(source: Reference, mirrors: Mirrors) -> tuple[RegistryReference, ...]:
    """Where else a source's bytes may come from, by the longest prefix that fits; UsageError for what is no name."""
    if not isinstance(source, RegistryReference):
        return ()
    fitting = [(len(each.path), rest, each) for each in mirrors if (rest := each.rest(place_of(source))) is not None]
    if not fitting:
        return ()
    _, rest, prefix = max(fitting, key=lambda each: each[0])
    places = [mirror.repository(rest) for mirror in mirrors[prefix]]
    if place_of(source) in map(place_of, places):
        raise UsageError(f"{source.name} is its own mirror")
    return tuple(places)


def parse_prefix(text: str) -> Prefix:
    """Read HOST or HOST/PATH; UsageError for anything else."""
    host, slash, path = text.partition("/")
    if not _names_host(host) or (slash and not is_repository(path)):
        raise UsageError(f"{text[:200]!r} is not a registry or a path in one", hint="it looks like registry.lan/hub")
    return Prefix(host, path)


def _names_host(text: str) -> bool:
    """Whether this is a host at the beginning of a reference as well, and no part of a path at Docker Hub."""
    return is_host(text) and getattr(parse_reference(f"{text}/path/path"), "host", "") == text

"""Which tags of a repository are wanted: globs, /regular expressions/, a range of versions, the newest few."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from imagesync_cli.values.digest import is_companion
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.versions import Range, parse_range, parse_version

_WILD = re.compile(r"[*?\[]")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True)
class TagRules:
    """A tag is picked if one of ``include`` matches (any, where there is none) and none of ``exclude``.

    With ``semver`` it must be a version in that range, and with ``latest`` one of the newest N versions of those.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    semver: str = ""
    latest: int | None = None
    _included: tuple[Callable[[str], bool], ...] = field(init=False, repr=False, compare=False)
    _excluded: tuple[Callable[[str], bool], ...] = field(init=False, repr=False, compare=False)
    _range: Range | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raise UsageError for what is no pattern or no range."""
        object.__setattr__(self, "_included", tuple(map(_matcher, self.include)))
        object.__setattr__(self, "_excluded", tuple(map(_matcher, self.exclude)))
        object.__setattr__(self, "_range", parse_range(self.semver) if self.semver else None)
        if self.latest is not None and self.latest < 1:
            raise UsageError(f"latest is {self.latest}", hint="it takes a number of tags, at least 1")

    @property
    def literals(self) -> tuple[str, ...]:
        """The tags that are named in full: they are wanted, whether they are there or not."""
        return tuple(pattern for pattern in self.include if _is_literal(pattern) and not self._is_excluded(pattern))

    @property
    def names_all(self) -> bool:
        """Every wanted tag is named: nobody needs to be asked which there are."""
        literal = all(map(_is_literal, self.include))
        return bool(self.include) and literal and self._range is None and self.latest is None

    def pick(self, tags: Iterable[str]) -> list[str]:
        """Those of the tags that are wanted, the newest version first, what is no version last and by name."""
        passed = [tag for tag in dict.fromkeys(tags) if self._passes(tag)]
        ordered = newest_first(passed)
        if self.latest is None:
            return ordered
        return [tag for tag in ordered if parse_version(tag) is not None][: self.latest]

    def _passes(self, tag: str) -> bool:
        if is_companion(tag) or self._is_excluded(tag):
            return False
        if self._included and not any(matches(tag) for matches in self._included):
            return False
        return self._range is None or parse_version(tag) in self._range

    def _is_excluded(self, tag: str) -> bool:
        return any(matches(tag) for matches in self._excluded)


def newest_first(tags: Iterable[str]) -> list[str]:
    """The tags by version, newest first; 1.27.0 before 1.27, which is the same version, and other words last."""
    versions = {tag: parse_version(tag) for tag in sorted(tags)}
    ranks = {tag: (version.order, version.given) for tag, version in versions.items() if version is not None}
    return [*sorted(ranks, key=ranks.__getitem__, reverse=True), *(tag for tag in versions if tag not in ranks)]


def _is_literal(pattern: str) -> bool:
    return not _is_regex(pattern) and not _WILD.search(pattern)


def _is_regex(pattern: str) -> bool:
    return len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/")


def _matcher(pattern: str) -> Callable[[str], bool]:
    if _is_regex(pattern):
        from imagesync_cli.values.regex import compile_regex

        return compile_regex(pattern[1:-1])
    if _is_literal(pattern):
        if not _TAG.fullmatch(pattern):
            raise UsageError(
                f"{pattern!r} matches no tag", hint="a pattern is a glob like 1.* or a /regular expression/"
            )
        return pattern.__eq__
    if "/" in pattern:
        raise UsageError(f"{pattern!r} matches no tag", hint="a /regular expression/ has a slash at both ends")
    # fnmatch turns runs of * into one, and a tag is short: no glob takes long.
    return lambda tag: fnmatch.fnmatchcase(tag, pattern)

"""Which tags of a repository are wanted: globs, /regular expressions/, a range of versions, the newest few."""

from __future__ import annotations

import fnmatch
import heapq
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from imagesync_cli.values.digest import digest_in_tag
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.names import is_tag
from imagesync_cli.values.tags.versions import Range, parse_range, parse_version

_WILD = re.compile(r"[*?\[]")
_PART = 2000


@dataclass(frozen=True)
class Judgement:
    """Whether a tag is picked, and why it is or is not."""

    tag: str
    picked: bool
    why: str


@dataclass(frozen=True)
class TagRules:
    """A tag is picked if one of ``include`` matches (any, where there is none) and none of ``exclude``.

    With ``semver`` it must be a version in that range, and with ``latest`` one of the newest N versions of those, or
    with ``each_variant`` of those that have the same words after the version. What ``include`` names in full is picked
    whatever these two say.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    semver: str = ""
    latest: int | None = None
    each_variant: bool = False
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
        if self.each_variant and self.latest is None:
            raise UsageError("each_variant goes with latest", hint="it takes the newest of each variant")

    def meaningful(self) -> TagRules:
        """The same rules; UsageError for those that say nothing, or that cannot pick anything."""
        if not (self.include or self.exclude or self.semver or self.latest):
            raise UsageError('tags has no rules: ["*"] picks every tag')
        if self.names_all and not self.literals:
            raise UsageError("exclude removes every tag that include names")
        return self

    @property
    def literals(self) -> tuple[str, ...]:
        """The tags that are named in full: they are wanted, whether they are there or not."""
        return tuple(pattern for pattern in self.include if _is_literal(pattern) and not self._excluding(pattern))

    @property
    def names_all(self) -> bool:
        """Every wanted tag is named: nobody needs to be asked which there are."""
        return bool(self.include) and all(map(_is_literal, self.include))

    def pick(self, tags: Iterable[str]) -> list[str]:
        """Those of the tags that are wanted, the newest version first, what is no version last and by name."""
        return [judged.tag for judged in self._judged(tags) if judged.picked]

    def judge(self, tags: Iterable[str]) -> list[Judgement]:
        """Every tag with what becomes of it and why, in the order of ``pick``."""
        return list(self._judged(tags))

    def _judged(self, tags: Iterable[str]) -> Iterator[Judgement]:
        named, counts = set(self.literals), Counter[str]()
        for tag in newest_first(dict.fromkeys(tags)):
            why_not = self._why_not(tag) or self._why_old(tag, counts)
            yield Judgement(tag, picked=True, why="named in full") if tag in named else self._judgement(tag, why_not)

    def _judgement(self, tag: str, why_not: str) -> Judgement:
        if why_not:
            return Judgement(tag, picked=False, why=why_not)
        including = next((p for p, matches in zip(self.include, self._included, strict=True) if matches(tag)), "")
        reasons = [
            f"matches {including}" if including else "",
            f"is in {self.semver}" if self.semver else "",
            f"is one of the newest {self.latest}{self._of_variant(tag)}" if self.latest else "",
        ]
        return Judgement(tag, picked=True, why=", ".join(filter(None, reasons)) or "nothing leaves it out")

    def _why_not(self, tag: str) -> str:
        """Why the rules that look at one tag alone leave it out, "" if they do not."""
        if digest_in_tag(tag):
            return "belongs to another image: a signature, or a list of referrers"
        if excluding := self._excluding(tag):
            return f"excluded by {excluding}"
        if self.include and not any(matches(tag) for matches in self._included):
            return "matches no pattern of include"
        is_out = self._range is not None and parse_version(tag) not in self._range
        return f"is not a version in {self.semver}" if is_out else ""

    def _why_old(self, tag: str, counts: Counter[str]) -> str:
        """Why the tag, one after the other from the newest, is not one of the newest; it counts whatever it is."""
        if self.latest is None:
            return ""
        version = parse_version(tag)
        if version is None:
            return "is not a version, and latest counts versions"
        of_variant = self._of_variant(tag)
        counts[of_variant] += 1
        return f"is older than the newest {self.latest}{of_variant}" if counts[of_variant] > self.latest else ""

    def _of_variant(self, tag: str) -> str:
        version = parse_version(tag) if self.each_variant else None
        return f" of {version.variant}" if version and version.variant else ""

    def _excluding(self, tag: str) -> str:
        return next((p for p, matches in zip(self.exclude, self._excluded, strict=True) if matches(tag)), "")


def newest_first(tags: Iterable[str]) -> list[str]:
    """The tags by version, newest first; 1.27.0 before 1.27, which is the same version, and other words last.

    What a version sorts by takes much more room than the tag, and a repository may have a hundred thousand: it is held
    for a part of them at a time, and these parts are merged.
    """
    by_name = sorted(tags)
    parts = [sorted(by_name[at : at + _PART], key=_newness, reverse=True) for at in range(0, len(by_name), _PART)]
    return parts[0] if len(parts) == 1 else list(heapq.merge(*parts, key=_newness, reverse=True))


def _newness(tag: str) -> tuple[object, ...]:
    version = parse_version(tag)
    return (False,) if version is None else (True, *version.newness)


def _is_literal(pattern: str) -> bool:
    return not _is_regex(pattern) and not _WILD.search(pattern)


def _is_regex(pattern: str) -> bool:
    return len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/")


def _matcher(pattern: str) -> Callable[[str], bool]:
    if _is_regex(pattern):
        from imagesync_cli.values.regex import compile_regex

        return compile_regex(pattern[1:-1])
    if _is_literal(pattern):
        if not is_tag(pattern):
            raise UsageError(
                f"{pattern!r} matches no tag", hint="a pattern is a glob like 1.* or a /regular expression/"
            )
        return pattern.__eq__
    if "/" in pattern:
        raise UsageError(f"{pattern!r} matches no tag", hint="a /regular expression/ has a slash at both ends")
    # fnmatch turns runs of * into one, and a tag is short: no glob takes long.
    return lambda tag: fnmatch.fnmatchcase(tag, pattern)

"""Versions as tags spell them, their order, and ranges of them (Semantic Versioning 2.0; ranges as npm writes them).

    version    := ["v"] number ("." number){0,3} ["-" pre-release]     1.24, v1.24.3, 1.24.3-rc.1
    range      := set ("||" set)*                                      an image is in one of them
    set        := part ((" " | ",") part)*                             and there in all of its parts
    part       := [">=" | ">" | "<=" | "<" | "=" | "^" | "~"] version  |  version " - " version  |  1.x  |  *

A version with fewer numbers counts as if zeros followed; in a range, what is left out is open: =1.24 is 1.24.anything.
A pre-release is only in a set that names one of the same version: >=1.24.0-rc.1 has 1.24.0-rc.2 and not 1.25.0-rc.1.
In words, runs of digits compare as numbers: rc9 is before rc10 (SemVer, section 11, compares them letter by letter).
A date (20260131, 2026-01-31) or another long number, such as a hash of digits alone, is before every other version, and
only in a set that names one.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass

from imagesync_cli.values.errors import UsageError

_VERSION = re.compile(r"[vV]?(\d{1,18}(?:\.\d{1,18}){0,3})(?:-([0-9A-Za-z.-]+))?")
_PART = re.compile(r"(>=|<=|>|<|=|\^|~>?)?\s*[vV]?(\*|[xX]|\d[\dA-Za-z.*-]*)")
_HYPHEN = re.compile(r"(\S+)\s+-\s+(\S+)")
_EXAMPLE = 'a range looks like ">=1.24 <2", "^1.4", "~1.4.2", "1.x" or "1.2 - 1.4 || 3"'
_NUMBERS = 4
_RUN = re.compile(r"\d+|\D+")
# No software has counted so far; years have, but not with a month and a day of two digits each.
_LONG_NUMBER = 10_000
_YEARS = range(1900, 2100)
_DATE = re.compile(r"[vV]?(?:19|20)\d\d([.-])(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?!\d).*")
# Words after a version that say how far it is, or how often it was packed; any other is a variant, such as alpine.
_EARLY = {"a", "alpha", "b", "beta", "canary", "dev", "devel", "m", "milestone", "next", "nightly", "pre", "preview"}
_EARLY |= {"rc", "snapshot"}
_REPACKED = {"build", "p", "patch", "post", "r", "rev"}
_HOLDS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt, "=": operator.eq}
Bound = tuple[str, "Version"]


@dataclass(frozen=True)
class Version:
    """``numbers`` has four, zeros where the text has fewer; ``given`` says how many it has.

    ``is_date`` is also true for another number that is too long to count versions.
    """

    numbers: tuple[int, ...]
    pre_release: tuple[str, ...] = ()
    given: int = _NUMBERS
    is_date: bool = False

    @property
    def order(self) -> tuple[object, ...]:
        """Sorts as SemVer's section 11 says: a pre-release before its release, numbers in it before words."""
        parts = [
            [(0, int(run), "") if run.isdecimal() else (1, 0, run) for run in _RUN.findall(part)]
            for part in self.pre_release
        ]
        return self.numbers, not self.pre_release, parts, self.pre_release

    @property
    def newness(self) -> tuple[object, ...]:
        """Sorts by what is newer: dates are before versions, and a variant's pre-releases before that variant."""
        is_early = bool(self.variant) and any(word in _EARLY for word in self._words)
        numbers, is_release, *rest = self.order
        return not self.is_date, numbers, is_release, not is_early, *rest, self.given

    @property
    def variant(self) -> str:
        """The words that tell builds of one version apart: alpine in 1.27-alpine3.19 and 1.27-rc.1-alpine."""
        return "-".join(word for word in self._words if word not in _EARLY | _REPACKED)

    @property
    def _words(self) -> list[str]:
        return re.findall(r"[a-z]+", ".".join(self.pre_release).lower())

    def next_after(self, position: int) -> Version:
        """The first version in which the number at this position is one higher."""
        numbers = (*self.numbers[:position], self.numbers[position] + 1)
        return Version(_padded(numbers))


def parse_version(text: str) -> Version | None:
    """The version that a tag is, or None for any other tag."""
    match = _VERSION.fullmatch(text)
    if match is None or (match[2] is not None and not all(match[2].split("."))):
        return None
    numbers = tuple(map(int, match[1].split(".")))
    is_date = numbers[0] >= _LONG_NUMBER or _DATE.fullmatch(text) is not None
    return Version(_padded(numbers), tuple(match[2].split(".")) if match[2] else (), len(numbers), is_date)


@dataclass(frozen=True)
class Range:
    """A version is in it if one of the sets has it; each set is a list of bounds that all hold."""

    sets: tuple[tuple[Bound, ...], ...]

    def __contains__(self, version: object) -> bool:
        return isinstance(version, Version) and any(_in_set(version, bounds) for bounds in self.sets)


def parse_range(text: str) -> Range:
    """Read a range, or raise UsageError that names the part which is none."""
    return Range(tuple(_set(part.strip(), text) for part in text.split("||")))


def _in_set(version: Version, bounds: tuple[Bound, ...]) -> bool:
    if not all(_HOLDS[how](version.order, bound.order) for how, bound in bounds):
        return False
    if version.is_date:
        alike = range(_LONG_NUMBER, 10**19) if version.numbers[0] >= _LONG_NUMBER else _YEARS
        return any(bound.numbers[0] in alike for _, bound in bounds)
    named = any(bound.pre_release and bound.numbers == version.numbers for _, bound in bounds)
    return not version.pre_release or named


def _set(text: str, whole: str) -> tuple[Bound, ...]:
    hyphen = _HYPHEN.fullmatch(text)
    if hyphen is not None:
        text = f">={hyphen[1]} <={hyphen[2]}"
    bounds: list[Bound] = []
    position = 0
    while position < len(text):
        part = _PART.match(text, position)
        if part is None or (part.end() < len(text) and text[part.end()] not in ", <>=^~"):
            raise UsageError(f"{whole!r} is not a range of versions: {text[position:]!r}", hint=_EXAMPLE)
        bounds += _bounds(part[1] or "=", part[2], whole)
        position = part.end() + len(text[part.end() :]) - len(text[part.end() :].lstrip(" ,"))
    if not bounds and not text:
        raise UsageError(f"{whole!r} is not a range of versions: a part of it is empty", hint=_EXAMPLE)
    return tuple(bounds)


def _bounds(how: str, text: str, whole: str) -> list[Bound]:
    """What one part means in plain comparisons; "*" asks nothing."""
    text = re.sub(r"(?:^|\.)[xX*](?:\.[xX*])*$", "", text)
    if not text:
        return [] if how not in ("<", ">") else [("<", Version((0,) * _NUMBERS, ("0",)))]
    version = parse_version(text)
    if version is None:
        raise UsageError(f"{whole!r} is not a range of versions: {text!r} is not a version", hint=_EXAMPLE)
    open_at = version.given - 1 if version.given < 3 and not version.pre_release else None
    if how in ("^", "~", "~>"):
        fixed = _caret(version) if how == "^" else min(1, version.given - 1)
        return [(">=", version), ("<", version.next_after(fixed))]
    if open_at is None or how in (">=", "<"):
        return [(how, version)]
    return {
        "=": [(">=", version), ("<", version.next_after(open_at))],
        ">": [(">=", version.next_after(open_at))],
        "<=": [("<", version.next_after(open_at))],
    }[how]


def _caret(version: Version) -> int:
    """Up to the first number that is not zero, or the last one that is given, nothing changes."""
    given = min(version.given, 3)
    return next((position for position in range(given) if version.numbers[position]), given - 1)


def _padded(numbers: tuple[int, ...]) -> tuple[int, ...]:
    return (*numbers, *(0,) * (_NUMBERS - len(numbers)))

"""What becomes of the image that a tag is moved away from: whether it may be replaced, and the tag that keeps it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

from imagesync_cli.values.digest import is_digest
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.names import is_tag
from imagesync_cli.values.reference import Reference

OVERWRITE = ("always", "ours", "never")
_DATE = "%Y%m%dT%H%M%SZ"  # sorts as text
_DIGEST_LENGTH = 12
_PATTERNS = {
    "{tag}": r"(?P<tag>.+)",
    "{date}": r"(?P<date>[0-9]{8}T[0-9]{6}Z)",
    "{digest}": r"(?P<digest>[0-9a-f]{12})",
}
_BY_SOME_TEMPLATE = re.compile(r"(?=.*[0-9]{8}T[0-9]{6}Z).*[0-9a-f]{12}")


@dataclass(frozen=True)
class KeptTag:
    """A tag that keeps an image, taken apart: whose image, when it was replaced, and how its digest begins."""

    tag: str
    of: str
    date: str
    digest: str

    def keeps(self, digest: str) -> bool:
        """Whether this digest is the one that the tag was made for."""
        return digest.partition(":")[2].startswith(self.digest)


@dataclass(frozen=True)
class KeepAs:
    """Names of tags that keep images. ``template`` has {tag}, {date} and {digest}, each once (parse_keep_as)."""

    template: str

    def tag(self, tag: str, digest: str, when: datetime) -> str:
        """The tag for an image that ``tag`` leaves at that time; UsageError if it would be too long."""
        date = when.astimezone(timezone.utc).strftime(_DATE)
        values = {"{tag}": tag, "{date}": date, "{digest}": digest.partition(":")[2][:_DIGEST_LENGTH]}
        made = re.sub("|".join(map(re.escape, values)), lambda field: values[field[0]], self.template)
        if not is_tag(made):
            raise UsageError(
                f"{made!r}, which --keep-as makes of the tag {tag}, is not a tag", hint="use a shorter one"
            )
        return made

    def read(self, kept: str) -> KeptTag | None:
        """Take apart a tag that this has made; None for any other.

        All but {tag} has a length of its own, so there is one way to do it.
        """
        match = self._pattern.fullmatch(kept)
        return KeptTag(kept, match["tag"], match["date"], match["digest"]) if match else None

    @functools.cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts = re.split(r"(\{[a-z]+\})", self.template)
        return re.compile("".join(_PATTERNS.get(part, re.escape(part)) for part in parts))


def tells_digest(tag: str) -> bool:
    """Whether some template may have made this tag: it tells a date and how a digest begins."""
    return _BY_SOME_TEMPLATE.match(tag) is not None


def keeps_by_some_template(tag: str, digest: str) -> bool:
    """Whether this tag of such a name keeps the digest that it is on."""
    return digest.partition(":")[2][:_DIGEST_LENGTH] in tag


@dataclass(frozen=True)
class Replacing:
    """What a sync does where the tag has another image.

    ``overwrite``: "always"; "ours", only an image that the source's repository has; "never"; or the one digest that
    may be replaced. ``keep_as`` gives that image a tag of its own before, and of those made so ``keep_last`` stay,
    None for all.
    """

    overwrite: str = "always"
    keep_as: KeepAs | None = None
    keep_last: int | None = None


ALWAYS = Replacing()


def names_of(references: Iterable[Reference]) -> set[tuple[str, str]]:
    """Each tag and digest that these name, with the path of its repository.

    Whatever the host is called: a registry may have several names, and in doubt an image stays.
    """
    return {(each.location[1], name) for each in references for name in (each.tag, each.digest) if name}


def parse_keep_as(text: str) -> KeepAs:
    """A template for tags that keep images."""
    rest = text
    for field in _PATTERNS:
        rest = rest.replace(field, "x", 1)
    if text.count("{") != len(_PATTERNS) or any(field not in text for field in _PATTERNS) or not is_tag(rest):
        hint = "it is a tag with {tag}, {date} and {digest} in it, each once: {tag}-{date}-{digest}"
        raise UsageError(f"keep_as {text!r} is not a template for a tag", hint=hint)
    return KeepAs(text)


def parse_overwrite(text: str) -> str:
    """One of OVERWRITE, or a digest."""
    if text not in OVERWRITE and not is_digest(text):
        raise UsageError(
            f"overwrite {text!r} is not known", hint=f"it is {', '.join(OVERWRITE)}, or the digest to replace"
        )
    return text

"""Whether an image has been known for long enough to be taken: what is malicious or broken is often found within days.

What tells when an image came, best first: when a lock saw it first; the time of a verified signature, from a log or a
timestamp authority; when the registry's own API says that it was pushed. What the image says of itself (``created``)
anyone can write, so that counts only where it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from imagesync_cli.look.choose_platforms import read_config
from imagesync_cli.look.referrers import images_of
from imagesync_cli.values.errors import Refused, UsageError
from imagesync_cli.values.times import parse_span, parse_time, span_text

if TYPE_CHECKING:
    from imagesync_cli.look.trust.statements import SignedBy
    from imagesync_cli.stores import Stores
    from imagesync_cli.values.reference import Reference

NEW = ("wait", "take")
_MOST_IMAGES = 50


class AgeUnknown(Refused):
    """Nothing tells how old an image is."""


@dataclass(frozen=True)
class MinimumAge:
    """The least age of what is taken, and what it does not hold for.

    ``new`` is "wait" or "take", for images that the destination does not have under this tag. ``ignored`` are digests
    that are taken at any age. ``by_created`` lets the image's own word count. ``seen`` is when a lock saw what is to be
    taken first, "" for never.
    """

    least: timedelta
    new: str = "wait"
    ignored: frozenset[str] = frozenset()
    by_created: bool = False
    seen: str = ""


async def why_not_yet(
    stores: Stores, rule: MinimumAge, source: Reference, digest: str, *, is_new: bool, signed: Sequence[SignedBy] = ()
) -> str:
    """Why an image is not taken yet, "" where it may be; AgeUnknown where nothing tells its age.

    ``digest`` is that of the whole image at the source, and ``signed`` who has verifiably signed it.
    """
    if not rule.least or digest in rule.ignored or (is_new and rule.new == "take"):
        return ""
    time, how = await _came(stores, rule, source, digest, signed)
    age = datetime.now(timezone.utc) - time
    if age >= rule.least:
        return ""
    return f"{digest} was {how} {span_text(age)} ago, and is taken in {span_text(rule.least - age)}"


async def _came(
    stores: Stores, rule: MinimumAge, source: Reference, digest: str, signed: Sequence[SignedBy]
) -> tuple[datetime, str]:
    """When the image came, and how that is known."""
    if seen := parse_time(rule.seen):
        return seen, "first seen by the lock"
    if times := [time for each in signed if (time := parse_time(each.time))]:
        return min(times), "signed"
    if pushed := await stores.pushed_at(source, digest):
        return pushed, "pushed"
    if rule.by_created and (created := await _created(stores, source, digest)):
        return created, "created, by its own word,"
    raise AgeUnknown(
        f"minimum_age: nothing tells how old {source.name}@{digest} is",
        hint="use a lock, verify its signature, accept its creation time (minimum_age_by_created), "
        "or name the digest in ignore_age_for",
    )


async def _created(stores: Stores, source: Reference, digest: str) -> datetime | None:
    """The latest time that the configs of its images name; None where one names none."""
    store = stores.open(source)
    root = await store.manifest(digest)
    below = images_of(root)[:_MOST_IMAGES] if root.manifests else []
    manifests = [root] if not root.manifests else [await store.manifest(each) for each in below]
    times = [parse_time((await read_config(store, each) or {}).get("created")) for each in manifests]
    known = [time for time in times if time is not None]
    return max(known) if known and len(known) == len(times) else None


def parse_minimum_age(
    least: str, new: str = "wait", ignored: Sequence[str] = (), *, by_created: bool = False
) -> MinimumAge:
    """The rule as people write it; UsageError for what makes no sense."""
    from imagesync_cli.values.digest import parse_digest

    if new not in NEW:
        raise UsageError(f"minimum_age_new {new!r} is not known", hint=f"it is {' or '.join(NEW)}")
    return MinimumAge(parse_span(least), new, frozenset(map(parse_digest, ignored)), by_created)

"""Tags that rules would pick, and that are too young: they are not picked yet, and the rules pick from the others.

Only a tag that the destination lacks can wait so. What it has and what has moved since is judged where it is compared.
A tag of which nothing tells the age waits too, so that it keeps no other image from the plan. Where somebody does not
answer, the tag is picked: what judges it afterwards says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from imagesync_cli.concurrency import gather, within
from imagesync_cli.look.selection import find_present
from imagesync_cli.look.tags import pick_tags
from imagesync_cli.look.trust.age import AgeUnknown, MinimumAge, why_not_yet
from imagesync_cli.stores import Access, Side, Stores
from imagesync_cli.values.errors import ImagesyncError, NotFound, Refused, first_few
from imagesync_cli.values.reference import Reference
from imagesync_cli.values.tags.rules import TagRules

if TYPE_CHECKING:
    from imagesync_cli.look.lockfile import Lock

# Each round asks about what the rules pick once the young ones of the last round are left out.
_MOST_ROUNDS = 20


@dataclass(frozen=True)
class Waiting:
    """Which tags have to wait: new ones, until they are of the ``least`` age. ``destination`` is the mirror's place."""

    destination: Reference
    rule: MinimumAge


@dataclass(frozen=True)
class AgeJudge:
    """Picks tags of a repository; a ``lock`` tells digests and when they were seen. ``ends`` is when it must end."""

    stores: Stores
    source: Reference
    waiting: Waiting
    lock: Lock | None
    ends: float

    async def pick(self, rules: TagRules, listed: Sequence[str]) -> tuple[list[str], dict[str, str]] | Refused:
        """What the rules pick of the tags that need not wait, and each tag that waits, with its why; or why nothing.

        What ``include`` names in full is always picked.
        """
        known, young = set(rules.literals), dict[str, str]()
        for _ in range(_MOST_ROUNDS):
            picked = pick_tags(self.source, rules, [tag for tag in listed if tag not in young])
            if isinstance(picked, NotFound):
                return Refused(f"{picked.message}; {_first(young)}" if young else str(picked))
            asked = [tag for tag in picked if tag not in known]
            known.update(asked)
            told = await gather(self._why_not_yet(tag) for tag in asked)
            waiting = {tag: why for tag, why in zip(asked, told, strict=True) if why}
            if not waiting:
                return picked, young
            young |= waiting
        many = f"{len(young)} tags of {self.source.name} that the rules would pick are not old enough; {_first(young)}"
        return Refused(many, hint="let exclude or semver leave them out")

    async def _why_not_yet(self, tag: str) -> str:
        """Why the tag waits, "" if it does not, or if that cannot be told."""
        try:
            return await within(self.ends - time.monotonic(), self.stores.crowd.run(lambda: self._age(tag)))
        except AgeUnknown as error:
            return str(error)
        except (ImagesyncError, asyncio.TimeoutError):
            return ""

    async def _age(self, tag: str) -> str:
        there = self.stores.open(self.waiting.destination, Access.READ, Side.DESTINATION)
        if (await find_present(there, tag)).digest:
            return ""
        source = self.source.at(tag=tag)
        locked = self.lock.find(source) if self.lock else None
        digest = locked.digest if locked else (await self.stores.open(source).head(tag)).digest
        rule = replace(self.waiting.rule, seen=locked.first_seen if locked else "")
        return await why_not_yet(self.stores, rule, source, digest, is_new=True)


def _first(young: Mapping[str, str]) -> str:
    tag, why = next(iter(young.items()))
    return f"not taken yet: {first_few(young)}; {tag}: {why}"

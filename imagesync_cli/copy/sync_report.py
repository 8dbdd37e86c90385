"""What a sync says of itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from imagesync_cli.stores import Written

if TYPE_CHECKING:
    from imagesync_cli.look.inspect import Problem
    from imagesync_cli.look.trust.judge import SignedBy


@dataclass
class SyncReport:
    """What a sync did, or with ``dry_run`` would do; sizes in bytes."""

    source: str
    destination: str
    id: str
    digest: str
    before: str  # the digest the destination's tag pointed at, "" for none
    changed: bool
    dry_run: bool
    manifests: int = 0
    blobs: Counter[Written] = field(default_factory=Counter)
    sent_bytes: int = 0
    mounted_bytes: int = 0
    foreign: int = 0  # layers that live at URLs of their own, left there
    foreign_copied: int = 0
    damage: tuple[Problem, ...] = ()  # what a look at the destination found, and this run has sent again
    referrers: dict[str, int] = field(default_factory=dict)  # what is attached at the source, by kind
    attached: int = 0  # how many of these were written
    left: list[str] = field(default_factory=list)  # cosign's tags that hold other signatures at the destination
    signed_by: tuple[SignedBy, ...] = ()  # where rules of trust have verified that
    held: str = ""  # why the image is not taken yet, "" where it is
    kept_as: str = ""  # the tag that keeps the image that was replaced, "" for none
    retries: int = 0
    resumed: int = 0  # downloads that broke off and were continued

    @property
    def action(self) -> str:
        """What was done, or would be, to the destination's tag: keep, add, move, or mend below the same digest."""
        return action_on(self.before, self.digest) if self.changed else "keep"


def action_on(before: str, digest: str) -> str:
    """What a copy does to a tag that has had the digest ``before``: add, move, or mend below the same digest."""
    if not before:
        return "add"
    return "mend" if before == digest else "move"

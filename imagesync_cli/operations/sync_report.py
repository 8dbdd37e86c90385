"""What a sync says of itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from imagesync_cli.operations.inspect import Problem
from imagesync_cli.stores import Written


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
    foreign: int = 0
    damage: tuple[Problem, ...] = ()  # what a look at the destination found, and this run has sent again

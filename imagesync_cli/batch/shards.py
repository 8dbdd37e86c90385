"""Shares of many images: every image is in exactly one, the shares are about equally heavy, and they seldom change.

Each image has a home, told by a hash of its name. The heaviest are placed first; where a home is full (a little more
than its part of the whole), the image goes to one of a few others that its hash names as well, and at last to the
lightest. So a new image moves only those few others that are near a full share's edge, and whoever holds the same list
comes to the same shares, without asking anybody.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from imagesync_cli.batch.plan import Plan
from imagesync_cli.values.errors import UsageError

_CHOICES = 8
_FULL = 1.02
# More than machines can be, and few enough to hold a load for each.
_MOST_DIGITS, _SHOWN = 6, 100


@dataclass(frozen=True)
class Shard:
    """Number ``index`` (from 1) of ``total`` shares."""

    index: int
    total: int


def parse_shard(text: str, job_index: str = "") -> Shard:
    """Read ``I/N``, I from 1 to N; or ``N`` alone, where the index of a job, from 0, says the rest."""
    index, slash, total = text.rpartition("/")
    if not slash:
        if not _is_number(job_index):
            raise UsageError(
                f"shard {text!r} does not say which one",
                hint="it looks like 2/8; 8 alone is enough where JOB_COMPLETION_INDEX says the rest",
            )
        index = str(int(job_index) + 1)
    if not (_is_number(index) and _is_number(total) and 1 <= int(index) <= int(total)):
        spelled = f"{index}/{total}"[:_SHOWN]
        raise UsageError(f"{spelled!r} is not a shard", hint="it looks like 2/8, and counts from 1/8 to 8/8")
    return Shard(int(index), int(total))


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= _MOST_DIGITS


def shares(weights: Mapping[str, int], total: int) -> dict[str, int]:
    """The share, from 1 to ``total``, of each name. A weight of 0 is not known, and counts like the average."""
    known = [weight for weight in weights.values() if weight > 0]
    usual = sum(known) / len(known) if known else 1.0
    heavy = sorted(((weight or usual, name) for name, weight in weights.items()), key=lambda each: (-each[0], each[1]))
    full = _FULL * sum(weight for weight, _ in heavy) / total
    loads = [0.0] * total
    placed: dict[str, int] = {}
    for weight, name in heavy:
        share = next((c for c in _choices(name, total) if loads[c] + weight <= full), None)
        if share is None:
            share = min(range(total), key=loads.__getitem__)
        loads[share] += weight
        placed[name] = share + 1
    return placed


def _choices(name: str, total: int) -> list[int]:
    """Shares in the order in which this name would have them."""
    digest = hashlib.blake2b(name.encode(), digest_size=4 * _CHOICES).digest()
    return [number % total for number in struct.unpack(f">{_CHOICES}I", digest)]


def take_share(made: Plan, shard: Shard) -> None:
    """Leave only this shard's images in the plan; what could not be listed fails in every one."""
    placed = shares({group[0].key: sum(image.size for image in group) for group in made.groups}, shard.total)
    made.images = [image for group in made.groups if placed[group[0].key] == shard.index for image in group]

"""What Terraform is told about a copy that it means to make: a part of the answer about its destination.

``layers``, ``layers_to_copy``, ``bytes``, ``bytes_to_copy`` and a ``summary`` in words; ``unsuitable`` and ``unsigned``
say what speaks against the copy; ``error`` and ``kind`` why nothing of this is known.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from imagesync_cli.concurrency import within
from imagesync_cli.look.estimate import Estimate, Intent, estimate
from imagesync_cli.output.estimate import estimate_json
from imagesync_cli.values.errors import ImagesyncError, Unavailable

if TYPE_CHECKING:
    from imagesync_cli.stores import Stores
    from imagesync_cli.values.reference import Reference


# A plan waits so long for numbers that decide nothing.
_NUMBERS_WITHIN_S = 10.0


async def described_copy(
    stores: Stores, destination: Reference, intent: Intent, present: str, ends: float
) -> dict[str, Any]:
    """The answer; ``present`` is the digest that the destination has now, ``ends`` is when there must be one."""
    left_s = ends - time.monotonic()
    try:
        limit_s = left_s if intent.decides else min(left_s, _NUMBERS_WITHIN_S)
        found = await within(limit_s, estimate(stores, intent, destination, present))
    except ImagesyncError as error:
        return _failed(error)
    except asyncio.TimeoutError:
        late = f"looking at {intent.source}: no end within the time that is left"
        return _failed(Unavailable(late, hint="it has many parts; see IMAGESYNC_TIMEOUT"))
    return estimate_json(found) | {"error": "", "kind": ""}


def _failed(error: ImagesyncError) -> dict[str, Any]:
    return estimate_json(Estimate()) | {"summary": "", "error": str(error), "kind": error.kind}

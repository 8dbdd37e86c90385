"""What references point at, all asked at once: one HEAD request for each distinct reference."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from imagesync_cli.errors import ImagesyncError, Unavailable
from imagesync_cli.manifest import Descriptor
from imagesync_cli.reference import Reference
from imagesync_cli.stores import Stores

Answer = Descriptor | ImagesyncError


@dataclass(frozen=True)
class Resolved:
    """A reference and the descriptor of what it points at."""

    reference: Reference
    descriptor: Descriptor

    @property
    def id(self) -> str:
        """``name@digest`` with the name as it was spelled."""
        return f"{self.reference.name}@{self.descriptor.digest}"


async def resolve(stores: Stores, references: Iterable[Reference], deadline_s: float | None = None) -> list[Answer]:
    """For each reference, in order, its descriptor or the error that kept it from one; none hides another.

    What has no answer after ``deadline_s`` seconds is Unavailable.
    """
    wanted = list(references)
    asked = {reference: asyncio.ensure_future(_one(stores, reference)) for reference in dict.fromkeys(wanted)}
    if asked:
        await asyncio.wait(asked.values(), timeout=deadline_s)
    late = [task for task in asked.values() if not task.done()]
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    return [_answer(asked[reference], reference, deadline_s) for reference in wanted]


async def _one(stores: Stores, reference: Reference) -> Answer:
    try:
        return await stores.open(reference).head(reference.wanted)
    except ImagesyncError as error:
        return error


def _answer(task: asyncio.Future[Answer], reference: Reference, deadline_s: float | None) -> Answer:
    if task.cancelled():
        return Unavailable(f"looking up {reference}: no answer within {deadline_s:g} s", hint="see IMAGESYNC_TIMEOUT")
    return task.result()

"""Verify images where they are, without copying them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagesync_cli.concurrency import gather
from imagesync_cli.look.selection import Selection, find_wanted
from imagesync_cli.look.trust.judge import Judge, SignedBy
from imagesync_cli.values.errors import ImagesyncError

if TYPE_CHECKING:
    from imagesync_cli.look.trust.rules import Trust
    from imagesync_cli.stores import Stores
    from imagesync_cli.values.reference import Reference


@dataclass(frozen=True)
class Verification:
    """``signed`` is who has signed an image, nobody where no rule names it; ``error`` is why that is not enough."""

    reference: str
    digest: str = ""
    signed: tuple[SignedBy, ...] = ()
    error: ImagesyncError | None = None


async def verify_images(
    stores: Stores, references: Sequence[Reference], trust: Trust, selection: Selection
) -> list[Verification]:
    """Each image against the rule that names it, in their order; one that fails hides no other."""
    judge = Judge(trust)
    return await gather(
        stores.crowd.run(lambda reference=reference: _verified(stores, reference, judge, selection))  # type: ignore[misc]
        for reference in references
    )


async def _verified(stores: Stores, reference: Reference, judge: Judge, selection: Selection) -> Verification:
    digest = ""
    try:
        store = stores.open(reference)
        wanted = await find_wanted(store, reference, selection)
        digest = wanted.descriptor.digest
        return Verification(str(reference), digest, await judge.judge(store, reference, wanted))
    except ImagesyncError as error:
        return Verification(str(reference), digest, error=error.alone())

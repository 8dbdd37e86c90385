"""What references point at, all asked at once: one HEAD request for each distinct reference.

Where platforms are chosen it is one GET, which some registries count as a pull: what is chosen depends on the content.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from imagesync_cli.look.selection import Selection, find_wanted
from imagesync_cli.stores import Store, Stores
from imagesync_cli.values.errors import ImagesyncError, Unavailable
from imagesync_cli.values.manifest import Descriptor, Manifest
from imagesync_cli.values.reference import Reference

if TYPE_CHECKING:
    from imagesync_cli.look.referrers import Referrers, ReferrerSet

# Of roots that several questions need.
_KEPT_BYTES = 32 * 1024


@dataclass(frozen=True)
class Resolved:
    """A reference, the descriptor of what of it is wanted, and the digest of the image that this is chosen from."""

    reference: Reference
    descriptor: Descriptor
    source_digest: str
    attached: ReferrerSet | None = None  # where that was asked for

    @property
    def id(self) -> str:
        """``name@digest`` with the name as it was spelled."""
        return f"{self.reference.name}@{self.descriptor.digest}"


Asked = tuple[Reference, Selection]
Answer = Resolved | ImagesyncError


async def resolve(stores: Stores, questions: Iterable[Asked], deadline_s: float | None = None) -> list[Answer]:
    """For each question, in order, what it comes to or the error that kept it from that; none hides another.

    What has no answer after ``deadline_s`` seconds is Unavailable.
    """
    questions = list(questions)
    lookup = _Lookup(stores)
    distinct = ((question, partial(lookup.answer, *question)) for question in dict.fromkeys(questions))
    asked = {question: asyncio.ensure_future(stores.crowd.run(answer)) for question, answer in distinct}
    if asked:
        await asyncio.wait(asked.values(), timeout=deadline_s)
    late = [task for task in asked.values() if not task.done()]
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    return [_answer(asked[question], question[0], deadline_s) for question in questions]


class _Lookup:
    """Asks once for what several questions need: each manifest that is read may count as a pull."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._roots: dict[Reference, asyncio.Task[Manifest]] = {}
        self._referrers: dict[tuple[str, str], Referrers] = {}  # by repository

    async def answer(self, reference: Reference, selection: Selection) -> Answer:
        try:
            store = self._stores.open(reference)
            wanted = await find_wanted(store, reference, selection, lambda _: self._root(store, reference))
            resolved = Resolved(reference, wanted.descriptor, wanted.source_digest)
            if selection.referrers:
                return replace(resolved, attached=await self._attached(store, resolved, wanted.root))
        except ImagesyncError as error:
            return error.alone()
        return resolved

    async def _attached(self, store: Store, resolved: Resolved, manifest: Manifest | None) -> ReferrerSet:
        from imagesync_cli.look.referrers import Referrers

        referrers = self._referrers.setdefault(resolved.reference.location, Referrers(store))
        return await referrers.all_of(resolved.descriptor, manifest)

    async def _root(self, store: Store, reference: Reference) -> Manifest:
        if reference not in self._roots:
            self._roots[reference] = asyncio.create_task(store.manifest(reference.wanted))
        is_kept = False
        try:
            root = await self._roots[reference]
            is_kept = root.size <= _KEPT_BYTES
        except ImagesyncError:
            is_kept = True
            raise
        finally:
            if not is_kept:  # one that found no room, too: who comes back would never find it
                self._roots.pop(reference, None)
        return root


def _answer(task: asyncio.Future[Answer], reference: Reference, deadline_s: float | None) -> Answer:
    if task.cancelled():
        return Unavailable(f"looking up {reference}: no answer within {deadline_s:g} s", hint="see IMAGESYNC_TIMEOUT")
    return task.result()

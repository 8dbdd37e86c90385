"""Compare an image with its source and, if asked, look whether the destination has all of it. Nothing is written."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagesync_cli.concurrency import both
from imagesync_cli.look.inspect import Findings, Inspection
from imagesync_cli.look.selection import WHOLE, Selection, Wanted, find_present, find_wanted
from imagesync_cli.stores import Side, Store, Stores
from imagesync_cli.values.manifest import Descriptor, Manifest
from imagesync_cli.values.progress import Progress
from imagesync_cli.values.reference import Reference

if TYPE_CHECKING:
    from imagesync_cli.look.referrers import ReferrerSet


@dataclass(frozen=True)
class CheckReport:
    """What was found: the digests on both sides, "" for a destination that is not there.

    ``source`` and ``digest`` are the destination's own where it was checked alone. ``source_digest`` is that of the
    whole image, where platforms are chosen from it. ``findings`` are None where only the digests were compared.
    ``missing`` are digests of what is attached to the source and not to the destination.
    """

    source: str
    destination: str
    digest: str
    destination_digest: str
    findings: Findings | None = None
    missing: tuple[str, ...] = ()
    source_digest: str = ""

    @property
    def in_sync(self) -> bool:
        """The destination is what the source is, and whole as far as it was looked at."""
        damaged = self.findings is not None and self.findings.problems
        return self.digest == self.destination_digest and not damaged and not self.missing


async def check(
    stores: Stores,
    source: Reference | None,
    destination: Reference,
    *,
    selection: Selection = WHOLE,
    deep: bool = False,
    read: bool = False,
    progress: Progress | None = None,
    here: Store | None = None,
) -> CheckReport:
    """Ask both sides at once, by one HEAD request each; ``deep`` walks the destination, ``read`` hashes its blobs too.

    Where the selection names the digest, nothing is asked of the source. Where platforms are chosen its root is read:
    what they come to depends on it. Without a source the destination is looked at alone, and then it must be there.
    What cannot be asked is an error; what is missing or wrong is in the report. With referrers, what is attached is
    compared and looked at as well. ``here`` is the source, where it was opened before.
    """
    there = stores.open(destination, side=Side.DESTINATION)
    if source is None:
        present = await there.head(destination.wanted)
        wanted = Wanted(present, present.digest)
    elif selection.digest and not selection.platforms and not selection.referrers:
        wanted = Wanted(Descriptor.of(selection.digest), selection.digest)
        present = await find_present(there, destination.wanted)
    else:
        here = here or stores.open(source)
        wanted, present = await both(find_wanted(here, source, selection), find_present(there, destination.wanted))
    types = selection.referrer_types
    attached = await _attached(there, present, types) if selection.referrers and present.digest else None
    missing: list[str] = []
    if attached is not None and here is not None and wanted.descriptor.digest == present.digest:
        missing = (await _attached(here, wanted.descriptor, types, wanted.root)).not_in(attached)
    findings = None
    if (deep or read) and present.digest:
        others = [each.target for each in attached.referrers] if attached else []
        findings = await Inspection(there, progress, read=read).images(present, *others)
    names = str(source or destination), str(destination)
    return CheckReport(*names, wanted.descriptor.digest, present.digest, findings, tuple(missing), wanted.source_digest)


async def _attached(
    store: Store, root: Descriptor, types: Collection[str], manifest: Manifest | None = None
) -> ReferrerSet:
    from imagesync_cli.look.referrers import Referrers

    return await Referrers(store, types=types).all_of(root, manifest)

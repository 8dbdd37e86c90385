"""Compare an image with its source and, if asked, look whether the destination has all of it. Nothing is written."""

from __future__ import annotations

from dataclasses import dataclass

from imagesync_cli.errors import NotFound
from imagesync_cli.gather import gather
from imagesync_cli.manifest import Descriptor
from imagesync_cli.operations.inspect import Findings, Inspection
from imagesync_cli.operations.progress import Progress
from imagesync_cli.reference import Reference
from imagesync_cli.selection import WHOLE, Selection
from imagesync_cli.stores import Side, Store, Stores


@dataclass(frozen=True)
class CheckReport:
    """What was found: the digests on both sides, "" for a destination that is not there.

    ``source`` and ``digest`` are the destination's own where it was checked alone; ``findings`` are None where only the
    digests were compared.
    """

    source: str
    destination: str
    digest: str
    destination_digest: str
    findings: Findings | None = None

    @property
    def in_sync(self) -> bool:
        """The destination is what the source is, and whole as far as it was looked at."""
        return self.digest == self.destination_digest and not (self.findings and self.findings.problems)


async def check(
    stores: Stores,
    source: Reference | None,
    destination: Reference,
    *,
    selection: Selection = WHOLE,
    deep: bool = False,
    read: bool = False,
    progress: Progress | None = None,
) -> CheckReport:
    """Ask both sides at once, by one HEAD request each; ``deep`` walks the destination, ``read`` hashes its blobs too.

    Where platforms are chosen the source's root is read instead: what they come to depends on it. Without a source the
    destination is looked at alone, and then it must be there. What cannot be asked is an error; what is missing or
    wrong is in the report.
    """
    there = stores.open(destination, side=Side.DESTINATION)
    if source is None:
        wanted = found = await there.head(destination.wanted)
    else:
        wanted, found = await gather(
            [_wanted(stores.open(source), source, selection), _current(there, destination.wanted)]
        )
    findings = None
    if (deep or read) and found.digest:
        # What is attached to the image and wanted (selection.referrers) is looked at here as well: further roots.
        findings = await Inspection(there, progress, read=read).images(found)
    return CheckReport(str(source or destination), str(destination), wanted.digest, found.digest, findings)


async def _wanted(here: Store, source: Reference, selection: Selection) -> Descriptor:
    if not selection.platforms:
        return await here.head(source.wanted)
    from imagesync_cli.operations.select import select

    return (await select(here, await here.manifest(source.wanted), selection.platforms, str(source))).descriptor


async def _current(store: Store, wanted: str) -> Descriptor:
    """What the destination has, with the digest "" for nothing."""
    try:
        return await store.head(wanted)
    except NotFound:
        return Descriptor("", "", 0)

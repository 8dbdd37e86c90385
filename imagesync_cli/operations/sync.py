"""Copy an image: whole, or the platforms that are wanted of it (select.py); every manifest in it byte for byte.

1. HEAD the destination; HEAD the source if there is something to compare, or read its root to choose. Equal: done.
2. Children before parents: a manifest is written when all that it names is there.
3. The tag comes last, so the destination is at every moment the old image or the new one.
4. To verify is to look at what the destination has rather than to trust that it is whole, and to mend it.
"""

from __future__ import annotations

from imagesync_cli.errors import NotFound, UsageError
from imagesync_cli.manifest import Descriptor
from imagesync_cli.operations.copy import Copy, Verify
from imagesync_cli.operations.progress import Progress
from imagesync_cli.operations.shared import Shared
from imagesync_cli.operations.sync_report import SyncReport
from imagesync_cli.reference import Reference
from imagesync_cli.selection import WHOLE, Selection
from imagesync_cli.stores import Access, Side, Store, Stores

# A config and a layer: what even a small image uploads, and connecting takes as long as reading its manifest.
_LIKELY_UPLOADS = 2


async def sync(
    stores: Stores,
    source: Reference,
    destination: Reference,
    *,
    selection: Selection = WHOLE,
    dry_run: bool = False,
    verify: Verify | None = None,
    progress: Progress | None = None,
    shared: Shared | None = None,
) -> SyncReport:
    """Make the destination's tag point at what is selected of the source's image.

    ``shared`` is what is known of the destination from other copies of this run. Raises UsageError for a destination by
    digest; every other error names the side and the step.
    """
    if destination.digest:
        raise UsageError(f"destination {destination} is given by digest", hint="a destination takes a tag")
    digest = selection.digest
    if digest and source.digest not in ("", digest):
        raise UsageError(f"source {source} and --digest {digest} name two images", hint="leave one of them out")
    wanted, tag = digest or source.wanted, destination.tag or "latest"
    here = stores.open(source)
    there = stores.open(destination, Access.READ if dry_run else Access.WRITE, Side.DESTINATION)
    here.warm(1)
    before = await _current(there, tag)
    selected = None
    if selection.platforms:
        from imagesync_cli.operations.select import select

        selected = await select(here, await here.manifest(wanted), selection.platforms, str(source))
        wanted = selected.descriptor.digest
    elif before and not digest and not source.digest:
        wanted = (await here.head(wanted)).digest
    changed = not before or before != wanted  # wanted may be "" too: the only image of a layout
    report = SyncReport(str(source), str(destination), "", wanted, before, changed=changed, dry_run=dry_run)
    same = source.location == destination.location
    place = (shared or Shared()).at(destination.location, there)
    copy = Copy(here, place, report, progress or Progress(), fresh=not before and not same, verify=verify)
    if report.changed:
        there.warm(_LIKELY_UPLOADS)
        root = (selected and selected.manifest) or await here.manifest(wanted)
        report.digest = root.digest
        if same and not (selected and selected.is_new):  # a new index is not written unless its children are seen
            await copy.mend_below(root)
            await copy.put(root, tag)
        else:
            await copy.image(root, tag)
    elif verify is not None:
        # What is attached to the image and wanted (selection.referrers) is looked at here as well: further roots.
        await copy.mend(Descriptor("", report.digest, 0), selected.manifest if selected else None)
        report.changed = bool(report.damage)
    report.id = f"{destination.name}@{report.digest}"
    return report


async def _current(store: Store, tag: str) -> str:
    """The digest that the tag points at now, "" if there is none."""
    try:
        return (await store.head(tag)).digest
    except NotFound:
        return ""

"""Copy what an apply of a Terraform module changes: all images in one run, and each tells for itself how it went.

1. Everything that the configuration names is claimed, so that no removal of this run takes it (claims.py).
2. What the plan found in place is looked at again, one HEAD each: it may have gone since.
3. All that is missing is copied as a batch. An image that fails stops no other.
4. What is in place now is noted: a plan that nobody applies takes none of it away.
5. Each failure is a file in the folder that Terraform reads; no file is success.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from imagesync_cli.batch.batch import JOBS, BatchOptions, sync_batch
from imagesync_cli.batch.entry import ImageEntry
from imagesync_cli.batch.report import BatchProgress, BatchReport, ImageResult, Outcome, failed_together
from imagesync_cli.concurrency import gather_few
from imagesync_cli.stores import Side, Stores
from imagesync_cli.stores.files.new_file import replace_file
from imagesync_cli.stores.files.runs.claimed import claim_of
from imagesync_cli.stores.files.runs.claims import Claims
from imagesync_cli.values.errors import ImagesyncError, first_few
from imagesync_cli.values.reference import Reference
from imagesync_cli.values.tags.replacing import names_of

# The modules make it of what tells a call from all others.
_CALL = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class ModuleCall:
    """Who applies: what tells this call of a module from all others, when its plan was made, and where runs meet."""

    id: str
    run: str
    workspace: str
    run_folder: Path


@dataclass(frozen=True)
class WantedImage:
    """An image of the configuration, and its key there. ``digest`` is what its tag points at in the end.

    ``in_place`` says that the plan has found it there, and ``held`` that it is gone on with whatever its source has: it
    is put back from its own repository, if that still has it.
    """

    key: str
    entry: ImageEntry
    digest: str
    in_place: bool
    held: bool = False


async def apply_images(
    stores: Stores,
    call: ModuleCall,
    images: Sequence[WantedImage],
    options: BatchOptions,
    *,
    report: BatchReport,
    progress: BatchProgress,
    tell: Callable[[ImageResult], None],
) -> None:
    """Bring every image to its destination; what failed is in the report."""
    claims, lacking = Claims(call.run_folder), list[ImageEntry]()
    entries = {image.key: image.entry for image in images}
    named = names_of(reference for entry in entries.values() for reference in entry.places)
    # What removals are to leave: what is to be there, and until it is, what that is copied from.
    wanted = {image.key: claim_of(image.entry.destination, image.digest) for image in images}
    sources = {key: claim_of(each.source, each.selection.digest or each.source.digest) for key, each in entries.items()}
    claims.claim(call.id, call.run, wanted, named, sources, complete=True, workspace=call.workspace, is_applied=True)

    async def look(image: WantedImage) -> None:
        destination = image.entry.destination
        if image.in_place and await _digest_at(stores, destination, destination.meant_tag) == image.digest:
            return
        entry = image.entry
        if image.held and await _digest_at(stores, destination, image.digest):  # there, without its tag
            entry = replace(entry, source=destination.at(tag="", digest=image.digest))
        lacking.append(entry)

    async with claims.copying(claim.repository for claim in wanted.values()):
        await gather_few(JOBS, map(look, images))
        await sync_batch(stores, lacking, options, report, progress, tell=tell)
    failed = {each.destination for each in report.images if each.outcome not in (Outcome.COPIED, Outcome.SKIPPED)}
    not_copied = {image.key for image in images if str(image.entry.destination) in failed}
    claims.place(call.id, wanted, not_copied, call.workspace)


async def _digest_at(stores: Stores, destination: Reference, wanted: str) -> str:
    """What the destination has there, "" for nothing, or where that is not known: the copy tells what is the matter."""
    try:
        return (await stores.open(destination, side=Side.DESTINATION).head(wanted)).digest
    except ImagesyncError:
        return ""


@contextlib.contextmanager
def failures_in(
    folder: Path, calls: Collection[str], images: Sequence[WantedImage], report: BatchReport
) -> Iterator[None]:
    """Leave a file for each image that failed in the block, named by the MD5 of its key: HCL can make that.

    What is beside the folder goes, where all of that is this call's, by a name in ``calls``. Nothing is copied
    where the folder cannot be made: Terraform would see no failure.
    """
    if _CALL.fullmatch(own := folder.parent.name) and own in calls:  # else it may be anybody's, such as /tmp
        shutil.rmtree(folder.parent, ignore_errors=True)  # of earlier applies, which Terraform has read
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "what fails is told to Terraform by files there; TF_DATA_DIR names another folder"
        raise ImagesyncError(f"{folder} cannot be written: {error.strerror}", hint=hint) from error
    yield
    keys = {str(image.entry.destination): image.key for image in images}
    for first, *others in failed_together(report):
        as_well = [keys[each.destination] for each in others]
        _leave(folder, keys[first.destination], f"{_not_copied(first)}: {first.error}", as_well)
        for key, other in zip(as_well, others, strict=True):
            _leave(folder, key, f"{_not_copied(other)}, for the reason told of {keys[first.destination]}")
    with contextlib.suppress(OSError):  # not empty: Terraform reads it
        folder.rmdir()


def _not_copied(result: ImageResult) -> str:
    return f"{result.source} could not be copied to {result.destination}"


def _leave(folder: Path, key: str, text: str, as_well: Sequence[str] = ()) -> None:
    name = hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()
    replace_file(folder / name, f"{text}; and {len(as_well)} more: {first_few(as_well)}" if as_well else text)

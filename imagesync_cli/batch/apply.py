"""Copy what an apply of a Terraform module changes: all images in one run, and each tells for itself how it went.

1. What the plan found in place is looked at again, one HEAD each: it may have gone since.
2. All that is missing is copied as a batch. An image that fails stops no other.
3. Each failure is a file in the folder that Terraform reads; no file is success.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagesync_cli.batch.batch import JOBS, BatchProgress, Options, sync_all
from imagesync_cli.batch.report import FAILED, BatchReport, ImageResult
from imagesync_cli.batch.entry import Entry
from imagesync_cli.concurrency import gather_few
from imagesync_cli.stores import Side, Stores
from imagesync_cli.stores.files.atomic import replace_file
from imagesync_cli.values.errors import ImagesyncError


@dataclass(frozen=True)
class WantedImage:
    """An image of the configuration. ``digest`` is what its tag points at in the end.

    ``spelled`` is the destination as Terraform has it. ``in_place`` says that the plan has found it there.
    """

    entry: Entry
    digest: str
    spelled: str
    in_place: bool


async def apply(
    stores: Stores,
    images: Sequence[WantedImage],
    options: Options,
    report: BatchReport,
    progress: BatchProgress,
    *,
    tell: Callable[[ImageResult], None],
) -> None:
    """Bring every image to its destination; what failed is in the report."""
    lacking: list[Entry] = []

    async def look(image: WantedImage) -> None:
        if not image.in_place or await _has_gone(stores, image):
            lacking.append(image.entry)

    await gather_few(JOBS, map(look, images))
    await sync_all(stores, lacking, options, report, progress, tell=tell)


async def _has_gone(stores: Stores, image: WantedImage) -> bool:
    destination = image.entry.destination
    try:
        found = await stores.open(destination, side=Side.DESTINATION).head(destination.tag or "latest")
    except ImagesyncError:
        return True  # the copy tells what is the matter
    return found.digest != image.digest


@contextlib.contextmanager
def failures_in(folder: Path, images: Sequence[WantedImage], report: BatchReport) -> Iterator[None]:
    """Leave a file for each image that failed in the block, named by the MD5 of its destination: HCL can make that.

    Nothing is copied where the folder cannot be made: Terraform would take every failure for success.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "what fails is told to Terraform by files there; TF_DATA_DIR names another folder"
        raise ImagesyncError(f"{folder} cannot be written: {error.strerror}", hint=hint) from error
    yield
    spelled = {str(image.entry.destination): image.spelled for image in images}
    for result in report.images:
        if result.outcome == FAILED:
            name = hashlib.md5(spelled[result.destination].encode(), usedforsecurity=False).hexdigest()
            text = f"{result.source} could not be copied to {result.destination}: {result.error}"
            replace_file(folder / name, text)
    with contextlib.suppress(OSError):  # not empty: Terraform reads it
        folder.rmdir()

"""A check of all the images in a file: what ``check --file`` does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from imagesync_cli.commands.batch.sync_file import lock_beside, read_list, run_reporting

if TYPE_CHECKING:
    from imagesync_cli.settings import Settings
    from imagesync_cli.stores import Stores


@dataclass(frozen=True)
class CheckCall:
    """The options of ``check`` that go with a file."""

    file: Path
    jobs: int | None = None
    locked: bool = False
    lock_file: Path | None = None
    report: Path | None = None
    progress: str = "auto"


def check_file(call: CheckCall, settings: Settings, *, deep: bool, read: bool, as_json: bool, quiet: bool) -> None:
    """Compare all of it, write the report, and exit with 8 for a difference, else with the first failure's code."""
    from imagesync_cli.batch.batch import JOBS
    from imagesync_cli.batch.checking import CheckOptions, check_batch
    from imagesync_cli.batch.report import BatchProgress, BatchReport
    from imagesync_cli.look.lockfile import read_lock
    from imagesync_cli.output.batch import CheckOutput, interrupted_check

    entries = read_list(call)
    locked = call.locked or call.lock_file is not None
    lock = read_lock(call.lock_file or lock_beside(call.file)) if locked else None
    options = CheckOptions(call.jobs or JOBS, deep, read, lock, call.locked)
    output = CheckOutput(as_json=as_json, quiet=quiet, progress_mode=call.progress)
    report, progress = BatchReport(), BatchProgress()

    async def work(stores: Stores) -> None:
        async with output.showing(progress):
            await check_batch(stores, entries, options, report, progress, tell=output.told)

    run_reporting(call, settings, entries, work, partial(interrupted_check, progress), report, output)

"""A sync of all the images in a file: what ``sync --file`` does."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from imagesync_cli.stores.session import run
from imagesync_cli.values.errors import ImagesyncError, UsageError
from imagesync_cli.values.tags.replacing import ALWAYS, Replacing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from imagesync_cli.batch.batch import BatchOptions
    from imagesync_cli.batch.entry import Entry
    from imagesync_cli.batch.report import BatchReport
    from imagesync_cli.commands.batch.check_file import CheckCall
    from imagesync_cli.copy.repair import Verify
    from imagesync_cli.look.trust.age import MinimumAge
    from imagesync_cli.output.batch import BatchOutput
    from imagesync_cli.settings import Settings
    from imagesync_cli.stores import Stores


@dataclass(frozen=True)
class BatchCall:
    """The options of ``sync`` that go with a file."""

    file: Path
    jobs: int | None = None
    fail_fast: bool = False
    locked: bool = False
    lock_file: Path | None = None
    shard: str = ""
    report: Path | None = None
    max_removals: int | None = None
    wait_for_limit: bool = False
    progress: str = "auto"
    verify: Verify | None = None
    require_signature: bool = False
    trust: Path | None = None
    replacing: Replacing = ALWAYS
    minimum_age: MinimumAge | None = None


def lock_beside(file: Path) -> Path:
    """Where the lock of a file is, unless somebody says otherwise: images.lock.json beside images.yaml."""
    if str(file) == "-":
        raise UsageError("a list of images from stdin has no lock beside it", hint="name it by --lock-file FILE")
    return file.with_name(f"{file.stem}.lock.json")


def files_read(file: Path, lock_file: Path | None) -> list[Path]:
    """What a run with this list of images reads, and so does not replace by its report."""
    if str(file) == "-":
        return [lock_file] if lock_file else []
    return [file, lock_file or lock_beside(file)]


def run_batch(call: BatchCall, settings: Settings, *, dry_run: bool, as_json: bool, quiet: bool) -> None:
    """Copy all of it, write the report, and exit with the code of the first failure."""
    from imagesync_cli.batch.batch import sync_batch
    from imagesync_cli.batch.report import BatchProgress, BatchReport
    from imagesync_cli.output.batch import BatchOutput, interrupted_batch

    entries = read_list(call)
    settings = replace(settings, waits_for_pulls=call.wait_for_limit)
    options = _options(call, settings, dry_run=dry_run)
    output = BatchOutput(as_json=as_json, quiet=quiet, dry_run=dry_run, progress_mode=call.progress)
    report, progress = BatchReport(), BatchProgress()

    async def work(stores: Stores) -> None:
        async with output.showing(progress):
            await sync_batch(stores, entries, options, report, progress, tell=output.told)

    run_reporting(call, settings, entries, work, partial(interrupted_batch, progress), report, output)


def read_list(call: BatchCall | CheckCall) -> list[Entry]:
    """The entries of the call's file; UsageError too where its report could not be written, or would replace a file."""
    from imagesync_cli.batch.entries import read_entries
    from imagesync_cli.output.report import check_name
    from imagesync_cli.settings import environment

    if call.report is not None:
        check_name(call.report, files_read(call.file, call.lock_file))
    return read_entries(call.file, environment())


def run_reporting(
    call: BatchCall | CheckCall,
    settings: Settings,
    entries: Sequence[Entry],
    work: Callable[[Stores], Awaitable[None]],
    interrupted: Callable[[], str],
    report: BatchReport,
    output: BatchOutput,
) -> NoReturn:
    """Run it, tell and write the report of what was done, also where it was interrupted, and exit with its code."""
    from imagesync_cli.output.report import write_report

    def finish() -> None:
        if call.report is not None:
            write_report(call.report, report)
        output.ended(report)

    begun = {reference for entry in entries[:1] for reference in entry.places}
    try:
        run(settings, begun, work, interrupted)
    except ImagesyncError:  # of the whole: nothing was begun
        raise
    except BaseException:
        finish()
        raise
    finish()
    sys.exit(report.exit_code)


def _options(call: BatchCall, settings: Settings, *, dry_run: bool) -> BatchOptions:
    from imagesync_cli.batch.batch import JOBS, BatchOptions
    from imagesync_cli.batch.reading.trust_file import read_trust_file
    from imagesync_cli.batch.shards import parse_shard
    from imagesync_cli.look.lockfile import read_lock

    named = call.locked or call.lock_file is not None
    has_lock = named or str(call.file) != "-"
    return BatchOptions(
        jobs=call.jobs or JOBS,
        fail_fast=call.fail_fast,
        dry_run=dry_run,
        max_removals=call.max_removals,
        lock=read_lock(call.lock_file or lock_beside(call.file), must_exist=named) if has_lock else None,
        locked=call.locked,
        verify=call.verify,
        require_signature=call.require_signature,
        trust=read_trust_file(call.trust) if call.trust else None,
        replacing=call.replacing,
        minimum_age=call.minimum_age,
        shard=parse_shard(call.shard, settings.job_index) if call.shard else None,
    )

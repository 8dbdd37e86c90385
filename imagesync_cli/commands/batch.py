"""A sync of all the images in a file: what ``sync --file`` does."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imagesync_cli.stores.session import run
from imagesync_cli.values.errors import ImagesyncError

if TYPE_CHECKING:
    from imagesync_cli.batch.batch import Options
    from imagesync_cli.copy.repair import Verify
    from imagesync_cli.settings import Settings
    from imagesync_cli.stores import Stores


@dataclass(frozen=True)
class Many:
    """The options of ``sync`` that go with a file."""

    file: Path
    jobs: int | None = None
    fail_fast: bool = False
    locked: bool = False
    lock_file: Path | None = None
    shard: str = ""
    report: Path | None = None
    max_removals: int | None = None
    progress: str = "auto"
    verify: Verify | None = None
    require_signature: bool = False


def lock_beside(file: Path) -> Path:
    """Where the lock of a file is, unless somebody says otherwise: images.lock.json beside images.yaml."""
    return file.with_name(f"{file.stem}.lock.json")


def sync_many(many: Many, settings: Settings, *, dry_run: bool, as_json: bool, quiet: bool) -> None:
    """Copy all of it, write the report, and exit with the code of the first failure."""
    from imagesync_cli.batch.batch import BatchProgress, sync_all
    from imagesync_cli.batch.batch_report import BatchReport
    from imagesync_cli.batch.entries import read_entries
    from imagesync_cli.output.batch import BatchOutput
    from imagesync_cli.output.report import check_name, write_report
    from imagesync_cli.settings import environment

    if many.report is not None:
        check_name(many.report)
    entries = read_entries(many.file, environment())
    options = _options(many, settings, dry_run=dry_run)
    output = BatchOutput(as_json=as_json, quiet=quiet, dry_run=dry_run, progress_mode=many.progress)
    report, progress = BatchReport(), BatchProgress()

    async def work(stores: Stores) -> None:
        async with output.showing(progress):
            await sync_all(stores, entries, options, report, progress, tell=output.told)

    def finish() -> None:
        if many.report is not None:
            write_report(many.report, report)
        output.ended(report)

    begun = {reference for entry in entries[:1] for reference in (entry.source, entry.destination)}
    try:
        run(settings, begun, work)
    except ImagesyncError:  # of the whole: nothing was begun
        raise
    except BaseException:
        finish()
        raise
    finish()
    sys.exit(report.exit_code)


def _options(many: Many, settings: Settings, *, dry_run: bool) -> Options:
    from imagesync_cli.batch.batch import JOBS, Options
    from imagesync_cli.batch.lockfile import read_lock
    from imagesync_cli.batch.shards import parse_shard

    named = many.locked or many.lock_file is not None
    return Options(
        jobs=many.jobs or JOBS,
        fail_fast=many.fail_fast,
        dry_run=dry_run,
        max_removals=many.max_removals,
        lock=read_lock(many.lock_file or lock_beside(many.file), must_exist=named),
        locked=many.locked,
        verify=many.verify,
        require_signature=many.require_signature,
        shard=parse_shard(many.shard, settings.job_index) if many.shard else None,
    )

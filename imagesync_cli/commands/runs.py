"""A run over all the images in a file: what ``sync --file`` and ``check --file`` do."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from imagesync_cli.stores.session import run
from imagesync_cli.values.errors import ImagesyncError, UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from imagesync_cli.batch.entry import Entry
    from imagesync_cli.commands.call import Call
    from imagesync_cli.look.lockfile import Lock
    from imagesync_cli.stores import Stores


@dataclass(frozen=True)
class ImageFile:
    """A file of images, with the options that go with it in every command."""

    file: Path
    jobs: int | None = None
    locked: bool = False
    lock_file: Path | None = None
    report: Sequence[Path] = ()
    progress: str = "auto"

    @property
    def is_stdin(self) -> bool:
        """Whether it is no file at all."""
        return str(self.file) == "-"

    @property
    def names_lock(self) -> bool:
        """Whether its lock was asked for, and so must exist."""
        return self.locked or self.lock_file is not None

    @property
    def lock_path(self) -> Path:
        """Where its lock is: images.lock.json beside images.yaml, unless somebody says otherwise."""
        if self.lock_file is not None:
            return self.lock_file
        if self.is_stdin:
            raise UsageError("a list of images from stdin has no lock beside it", hint="name it by --lock-file FILE")
        return self.file.with_name(f"{self.file.stem}.lock.json")

    def lock(self, *, must_exist: bool = True) -> Lock:
        from imagesync_cli.look.lockfile import read_lock

        return read_lock(self.lock_path, must_exist=must_exist)

    def entries(self) -> list[Entry]:
        """The entries; UsageError too where a report could not be written, or would replace a file that is read."""
        from imagesync_cli.batch.entries import read_entries
        from imagesync_cli.settings import environment

        for report in self.report:
            from imagesync_cli.output.report import check_name

            files = [] if self.is_stdin else [self.file]
            has_lock = self.lock_file is not None or not self.is_stdin
            check_name(report, [*files, self.lock_path] if has_lock else files)
        return read_entries(self.file, environment())


def sync_file(
    file: Path,
    call: Call,
    *,
    trust: Path | None,
    shard: str,
    wait_for_limit: bool,
    fail_fast: bool,
    max_removals: int | None,
    how: Mapping[str, Any],
    **of_file: Any,
) -> NoReturn:
    """Copy all of it, write the report, and exit with the code of the first failure; ``how`` as for a single image."""
    from imagesync_cli.batch.batch import JOBS, BatchOptions, sync_batch
    from imagesync_cli.batch.reading.trust_file import read_trust_file
    from imagesync_cli.batch.shards import parse_shard
    from imagesync_cli.copy.sync import SyncOptions

    images = ImageFile(file, **of_file)
    entries = images.entries()
    call = replace(call, settings=replace(call.settings, waits_for_pulls=wait_for_limit))
    has_lock = images.names_lock or not images.is_stdin
    options = BatchOptions(
        jobs=images.jobs or JOBS,
        lock=images.lock(must_exist=images.names_lock) if has_lock else None,
        locked=images.locked,
        trust=read_trust_file(trust) if trust else None,
        fail_fast=fail_fast,
        max_removals=max_removals,
        shard=parse_shard(shard, call.settings.job_index) if shard else None,
        how=SyncOptions(**how),
    )
    operation = partial(sync_batch, entries=entries, options=options)
    _run_reporting(images, call, entries, operation, dry_run=options.how.dry_run)


def check_file(file: Path, call: Call, *, deep: bool, read: bool, **of_file: Any) -> NoReturn:
    """Compare all of it, write the report, and exit with 8 for a difference, else with the first failure's code."""
    from imagesync_cli.batch.batch import JOBS
    from imagesync_cli.batch.checking import check_batch

    images = ImageFile(file, **of_file)
    entries = images.entries()
    lock, jobs = images.lock() if images.names_lock else None, images.jobs or JOBS
    how = partial(check_batch, deep=deep, read=read, lock=lock, locked=images.locked)
    operation = partial(how, entries=entries, jobs=jobs)
    _run_reporting(images, call, entries, operation, is_check=True)


def _run_reporting(
    images: ImageFile,
    call: Call,
    entries: Sequence[Entry],
    operation: Callable[..., Awaitable[None]],
    **manner: bool,
) -> NoReturn:
    """Run it, tell and write the report of what was done, also where it was interrupted, and exit with its code."""
    from imagesync_cli.batch.report import BatchProgress, BatchReport
    from imagesync_cli.output.batch import BatchOutput
    from imagesync_cli.output.report import write_report

    report, progress = BatchReport(), BatchProgress()
    output = BatchOutput(as_json=call.as_json, quiet=call.quiet, progress_mode=images.progress, **manner)

    async def work(stores: Stores) -> None:
        async with output.showing(progress):
            await operation(stores, report=report, progress=progress, tell=output.told)

    def finish() -> int:
        unwritten = []
        for path in images.report:
            try:
                write_report(path, report)
            except ImagesyncError as error:  # noqa: PERF203  (what was done is told all the same)
                unwritten.append(error)
        output.ended(report)
        for why in unwritten:
            call.output.error(why)
        return report.exit_code or (unwritten[0].exit_code if unwritten else 0)

    begun = {reference for entry in entries[:1] for reference in entry.model.places}
    try:
        run(call.settings, begun, work, partial(output.interrupted, progress))
    except ImagesyncError:  # of the whole: nothing was begun
        raise
    except BaseException:
        finish()
        raise
    sys.exit(finish())

"""Write down what the images of a file are now."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagesync_cli.commands.batch.sync_file import lock_beside
from imagesync_cli.commands.options import FILE, examples, shared_options
from imagesync_cli.stores.session import run

if TYPE_CHECKING:
    from imagesync_cli.batch.locking import LockReport
    from imagesync_cli.settings import Settings
    from imagesync_cli.stores import Stores

_PATH = click.Path(path_type=Path)


@click.command(
    "lock",
    short_help="Write down the digests of all images that a file lists.",
    epilog=examples("lock --file images.yaml", "lock --file images.yaml --check"),
)
@click.option(
    "--file",
    type=_PATH,
    metavar="FILE",
    required=True,
    help="The YAML or JSON file that lists the images, - for stdin.",
)
@click.option(
    "--lock-file", type=_PATH, metavar="FILE", help="The lock (default: images.lock.json beside images.yaml)."
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 8 if the lock is out of date.")
@click.option(
    "--src-auth-file", type=FILE, metavar="FILE", help="Logins for sources only, in the format of Docker's config.json."
)
@shared_options
def command(file: Path, lock_file: Path | None, check: bool, settings: Settings, as_json: bool, quiet: bool) -> None:
    """Write the digest of every image in a file into a lock.

    Reports what has moved since. sync --locked then copies exactly what the lock says. An image that cannot be read
    keeps its entry in the lock.
    """
    from datetime import datetime, timezone

    from imagesync_cli.batch.entries import read_entries
    from imagesync_cli.batch.locking import lock
    from imagesync_cli.batch.locking.lockfile import write_lock
    from imagesync_cli.look.lockfile import read_lock
    from imagesync_cli.output import Output
    from imagesync_cli.settings import environment
    from imagesync_cli.values.errors import Differs
    from imagesync_cli.values.progress import Progress

    entries = read_entries(file, environment())
    path = lock_file or lock_beside(file)
    old = read_lock(path, must_exist=check)
    output, progress = Output(as_json=as_json, quiet=quiet), Progress()

    async def work(stores: Stores) -> LockReport:
        async with output.showing(progress):
            return await lock(stores, entries, old, datetime.now(timezone.utc), progress)

    report = run(settings, [entry.places[0] for entry in entries[:1]], work)
    if not check:
        write_lock(path, report.lock)
    output.locked(report)
    if check and report.changes:
        sys.exit(Differs.exit_code)
    sys.exit(next((error.exit_code for error in report.failed.values()), 0))

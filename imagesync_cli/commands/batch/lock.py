"""Write down what the images of a file are now."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagesync_cli.commands.batch.runs import ImageFile
from imagesync_cli.commands.call import Call, examples, shared_options
from imagesync_cli.commands.options import PATH, auth_file_option
from imagesync_cli.output import results

if TYPE_CHECKING:
    from imagesync_cli.batch.locking import LockReport
    from imagesync_cli.stores import Stores


@click.command(
    "lock",
    short_help="Record the digests of all images that a file lists.",
    epilog=examples("lock --file images.yaml", "lock --file images.yaml --check"),
)
@click.option(
    "--file",
    type=PATH,
    metavar="FILE",
    required=True,
    help="The YAML or JSON file that lists the images, - for stdin.",
)
@click.option("--lock-file", type=PATH, metavar="FILE", help="The lock (default: images.lock.json beside images.yaml).")
@click.option("--check", is_flag=True, help="Write nothing; exit with 8 if the lock is out of date.")
@auth_file_option("src", "sources")
@shared_options
def command(file: Path, lock_file: Path | None, check: bool, call: Call) -> None:
    """Write the digest of every image in a file into a lock.

    Reports what has moved since. sync --locked then copies exactly what the lock says. An image that cannot be read
    keeps its entry in the lock.
    """
    from datetime import datetime, timezone

    from imagesync_cli.batch.locking import lock
    from imagesync_cli.look.lockfile import lock_text
    from imagesync_cli.stores.files.new_file import replace_file
    from imagesync_cli.values.errors import Differs
    from imagesync_cli.values.progress import Progress

    images = ImageFile(file, lock_file=lock_file)
    entries, progress = images.entries(), Progress()
    old = images.lock(must_exist=check)

    async def work(stores: Stores) -> LockReport:
        return await lock(stores, entries, old, datetime.now(timezone.utc), progress)

    report = call.run([entry.places[0] for entry in entries[:1]], work, progress)
    if not check:
        replace_file(images.lock_path, lock_text(report.lock))
    call.output.result(results.locked(report))
    if check and report.changes:
        sys.exit(Differs.exit_code)
    sys.exit(next((error.exit_code for error in report.failed.values()), 0))

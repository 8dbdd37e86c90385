"""Copy one image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imagesync_cli.commands.options import DIGEST, REFERENCE, platform_option, shared_options
from imagesync_cli.process import run

if TYPE_CHECKING:
    from imagesync_cli.operations.sync_report import SyncReport
    from imagesync_cli.platforms import Platform
    from imagesync_cli.reference import Reference
    from imagesync_cli.settings import Settings
    from imagesync_cli.stores import Stores


@click.command("sync")
@click.argument("source", metavar="SRC", type=REFERENCE)
@click.argument("destination", metavar="DST", type=REFERENCE)
@click.option(
    "--digest", type=DIGEST, default="", metavar="DIGEST", help="Copy this digest, wherever SRC's tag points by now."
)
@click.option(
    "--referrers", is_flag=True, help="Copy what is attached to the image too: signatures, SBOMs and the like."
)
@click.option(
    "--require-signature", is_flag=True, help="Fail, with nothing written, if SRC is not signed; --referrers."
)
@platform_option
@click.option("--dry-run", is_flag=True, help="Say what would be copied; write nothing.")
@click.option("--verify", is_flag=True, help="Look at all that DST has of the image, and send again what it lacks.")
@click.option("--read", is_flag=True, help="Verify by reading and hashing every blob, not by its size.")
@click.option("--src-auth-file", metavar="FILE", help="Logins for SRC, in the form of Docker's config.json.")
@click.option("--dst-auth-file", metavar="FILE", help="Logins for DST, in the form of Docker's config.json.")
@shared_options
def command(
    source: Reference,
    destination: Reference,
    digest: str,
    referrers: bool,
    require_signature: bool,
    platforms: tuple[Platform, ...],
    dry_run: bool,
    verify: bool,
    read: bool,
    settings: Settings,
    as_json: bool,
    quiet: bool,
) -> None:
    """Copy the image SRC to DST: all platforms, or those named, byte for byte, the tag last.

    Prints DST's name with the digest. Where DST has that digest already, nothing is copied; with --verify it is looked
    at, and what is missing or wrong below it is sent again.
    """
    from imagesync_cli.operations.copy import Verify
    from imagesync_cli.operations.progress import Progress
    from imagesync_cli.operations.sync import sync
    from imagesync_cli.output import Output
    from imagesync_cli.selection import Selection

    output = Output(as_json=as_json, quiet=quiet)
    selection = Selection(digest, platforms, referrers or require_signature)
    looking = Verify(read=read) if verify or read else None
    progress = Progress(f"copying {destination}")

    async def work(stores: Stores) -> SyncReport:
        async with output.showing(progress):
            return await sync(
                stores,
                source,
                destination,
                selection=selection,
                require_signature=require_signature,
                dry_run=dry_run,
                verify=looking,
                progress=progress,
            )

    output.synced(run(settings, [source, destination], work))

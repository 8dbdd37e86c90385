"""What references point at."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from imagesync_cli.commands.options import REFERENCE, examples, platform_option, shared_options
from imagesync_cli.stores.session import run
from imagesync_cli.values.errors import ImagesyncError

if TYPE_CHECKING:
    from imagesync_cli.look.resolve import Answer
    from imagesync_cli.settings import Settings
    from imagesync_cli.stores import Stores
    from imagesync_cli.values.platforms import Platform
    from imagesync_cli.values.reference import Reference


@click.command(
    "resolve",
    short_help="Print the digest that a reference points at.",
    epilog=examples("resolve busybox:1.36", "resolve --platform linux/arm64 busybox:1.36"),
)
@click.argument("references", metavar="REF...", type=REFERENCE, nargs=-1, required=True)
@platform_option
@shared_options
def command(
    references: tuple[Reference, ...], platforms: tuple[Platform, ...], settings: Settings, as_json: bool, quiet: bool
) -> None:
    """Print NAME@DIGEST for each reference, by one HEAD request each.

    With --platform, prints the digest that a sync of those platforms would give, by one GET each. Nothing is copied.
    """
    from imagesync_cli.look.selection import Selection
    from imagesync_cli.output import Output

    questions = [(reference, Selection(platforms=platforms)) for reference in references]

    async def work(stores: Stores) -> list[Answer]:
        from imagesync_cli.look.resolve import resolve

        return await resolve(stores, questions)

    results = run(settings, references, work)
    Output(as_json=as_json, quiet=quiet).resolved(results)
    sys.exit(next((result.exit_code for result in results if isinstance(result, ImagesyncError)), 0))

"""What references point at."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from imagesync_cli.commands.options import REFERENCE, shared_options
from imagesync_cli.errors import ImagesyncError
from imagesync_cli.process import run

if TYPE_CHECKING:
    from imagesync_cli.reference import Reference
    from imagesync_cli.settings import Settings


@click.command("resolve")
@click.argument("references", metavar="REF...", type=REFERENCE, nargs=-1, required=True)
@shared_options
def command(references: tuple[Reference, ...], settings: Settings, as_json: bool, quiet: bool) -> None:
    """Print NAME@DIGEST for each reference, by one HEAD request each."""
    from imagesync_cli.operations.resolve import Resolved, resolve
    from imagesync_cli.output import Output

    found = run(settings, references, lambda stores: resolve(stores, references))
    results = [
        answer if isinstance(answer, ImagesyncError) else Resolved(reference, answer)
        for reference, answer in zip(references, found, strict=True)
    ]
    Output(as_json=as_json, quiet=quiet).resolved(results)
    sys.exit(next((result.exit_code for result in results if isinstance(result, ImagesyncError)), 0))

"""What an image is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imagesync_cli.commands.options import REFERENCE, examples, shared_options
from imagesync_cli.stores.session import run

if TYPE_CHECKING:
    from imagesync_cli.look.describe import Description
    from imagesync_cli.settings import Settings
    from imagesync_cli.stores import Stores
    from imagesync_cli.values.reference import Reference


@click.command(
    "inspect",
    short_help="Show what an image is: platforms, sizes, layers.",
    epilog=examples("inspect busybox:1.36", "inspect --raw busybox:1.36 | sha256sum"),
)
@click.argument("reference", metavar="REF", type=REFERENCE)
@click.option("--raw", is_flag=True, help="Print the manifest itself, byte for byte, and nothing else.")
@shared_options
def command(reference: Reference, raw: bool, settings: Settings, as_json: bool, quiet: bool) -> None:
    """Show the platforms, sizes, layers, configs and annotations of an image, and what is attached to it.

    Reads its manifests and configs and no layer. Registries count that as a pull.
    """
    from imagesync_cli.output import Output

    output = Output(as_json=as_json, quiet=quiet)
    if raw:
        output.raw(run(settings, [reference], lambda stores: _raw(stores, reference)))
        return
    output.described(run(settings, [reference], lambda stores: _described(stores, reference)))


async def _described(stores: Stores, reference: Reference) -> Description:
    from imagesync_cli.look.describe import describe

    return await describe(stores, reference)


async def _raw(stores: Stores, reference: Reference) -> bytes:
    from imagesync_cli.look.describe import raw_manifest

    return await raw_manifest(stores, reference)

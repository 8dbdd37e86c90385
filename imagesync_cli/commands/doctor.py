"""Find out what stands in the way."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from imagesync_cli.commands.options import REFERENCE, examples, shared_options
from imagesync_cli.stores.session import run

if TYPE_CHECKING:
    from imagesync_cli.look.doctor import Diagnosis
    from imagesync_cli.settings import Settings
    from imagesync_cli.stores import Stores
    from imagesync_cli.values.reference import Reference


@click.command(
    "doctor",
    short_help="Find out what stands in the way of a sync.",
    epilog=examples("doctor registry.example.com/busybox:1.36"),
)
@click.argument("references", metavar="REF...", type=REFERENCE, nargs=-1, required=True)
@shared_options
def command(references: tuple[Reference, ...], settings: Settings, as_json: bool, quiet: bool) -> None:
    """Find out what stands between you and a sync of each REF.

    Tries name, DNS, connection, login, reading, listing, pushing, mounting, deleting and referrers. Each failure
    comes with what to do next. Nothing is left changed: an upload is opened and cancelled, and the tag that is
    deleted never existed. The table holds no secrets.
    """
    from imagesync_cli.look.doctor import diagnose
    from imagesync_cli.output import Output

    async def work(stores: Stores) -> list[Diagnosis]:
        return [await diagnose(stores, reference) for reference in references]

    diagnoses = run(settings, references, work)
    Output(as_json=as_json, quiet=quiet).diagnosed(diagnoses)
    sys.exit(next((each.exit_code for each in diagnoses if each.exit_code), 0))

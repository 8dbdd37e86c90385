"""Find out what stands in the way."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from imagesync_cli.commands.call import Call, examples, shared_options
from imagesync_cli.commands.options import auth_file_option, to_reference
from imagesync_cli.output import results

if TYPE_CHECKING:
    from imagesync_cli.look.doctor import Diagnosis
    from imagesync_cli.stores import Stores
    from imagesync_cli.values.reference import Reference


@click.command(
    "doctor",
    short_help="Find out why a sync does not work.",
    epilog=examples(
        "doctor --source busybox --destination registry.example.com/busybox",
        "doctor registry.example.com/busybox:1.36",
    ),
)
@click.argument("references", metavar="[REF...]", type=to_reference, nargs=-1)
@click.option(
    "--source", "sources", type=to_reference, multiple=True, metavar="REF", help="Examine it as a source. Repeatable."
)
@click.option(
    "--destination",
    "destinations",
    type=to_reference,
    multiple=True,
    metavar="REF",
    help="Examine it as a destination. Repeatable.",
)
@auth_file_option("src", "sources")
@auth_file_option("dst", "destinations")
@shared_options
def command(
    references: tuple[Reference, ...],
    sources: tuple[Reference, ...],
    destinations: tuple[Reference, ...],
    call: Call,
) -> None:
    """Try everything that a sync of each REF needs, and say what to do about each failure.

    Tries name, DNS, connection, login, reading and listing; for a destination also pushing, mounting and deleting.
    The exit code is 0 if every source can be read and every destination pushed to. A REF without a role needs only
    one of these.

    Nothing is changed: an upload is opened and cancelled, in a repository that exists; the tag that is deleted never
    existed. The table has no secrets, so it can go into a bug report.
    """
    every = [*sources, *destinations, *references]
    if not every:
        raise click.UsageError("Missing argument 'REF...'", click.get_current_context())

    async def work(stores: Stores) -> list[Diagnosis]:
        from imagesync_cli.look.doctor import Role, diagnose

        asked = [(Role.SOURCE, sources), (Role.DESTINATION, destinations), (Role.EITHER, references)]
        return [await diagnose(stores, each, role) for role, some in asked for each in some]

    diagnoses = call.run(every, work)
    call.output.result(results.diagnosed(diagnoses))
    sys.exit(next((each.exit_code for each in diagnoses if each.exit_code), 0))

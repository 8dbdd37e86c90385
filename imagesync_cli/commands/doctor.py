"""Find out what stands in the way."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from imagesync_cli.commands.call import Call, examples, shared_options
from imagesync_cli.commands.options import auth_file_option, to_reference

if TYPE_CHECKING:
    from imagesync_cli.look.doctor import Diagnosis
    from imagesync_cli.stores import Stores
    from imagesync_cli.values.reference import Reference


@click.command(
    "doctor",
    short_help="Find out what stands in the way of a sync.",
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
    """Find out what stands between you and a sync of each REF.

    Tries name, DNS, connection, login, reading and listing, and what a destination needs: pushing, mounting and
    deleting. Each failure comes with what to do next. The exit code is 0 if each REF can serve: as a source, as a
    destination, or as one of both where it is not said which.

    Nothing is changed: an upload is opened and cancelled, in a repository that exists; the tag that is deleted never
    existed. The table holds no secrets.
    """
    every = [*sources, *destinations, *references]
    if not every:
        raise click.UsageError("Missing argument 'REF...'", click.get_current_context())

    async def work(stores: Stores) -> list[Diagnosis]:
        from imagesync_cli.look.doctor import Role, diagnose

        asked = [(Role.SOURCE, sources), (Role.DESTINATION, destinations), (Role.EITHER, references)]
        return [await diagnose(stores, each, role) for role, some in asked for each in some]

    diagnoses = call.run(every, work)
    call.output.diagnosed(diagnoses)
    sys.exit(next((each.exit_code for each in diagnoses if each.exit_code), 0))

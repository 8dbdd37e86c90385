"""Remove images."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from imagesync_cli.commands.options import CLAIMANT, DIGEST, REFERENCE, examples, shared_options
from imagesync_cli.stores.session import run

if TYPE_CHECKING:
    from imagesync_cli.delete.delete_report import DeleteReport
    from imagesync_cli.settings import Settings
    from imagesync_cli.stores import Stores
    from imagesync_cli.stores.files.claims import Claimant
    from imagesync_cli.values.reference import Reference


@click.command(
    "delete",
    short_help="Remove tags, and the manifests that only they used.",
    epilog=examples("delete --dry-run registry.example.com/busybox:1.35", "delete registry.example.com/busybox:1.35"),
)
@click.argument("references", metavar="REF...", type=REFERENCE, nargs=-1, required=True)
@click.option(
    "--digest",
    "expect",
    type=DIGEST,
    default="",
    metavar="DIGEST",
    help="Remove the tag only if it still points at this digest; if it has moved on it stays, and this digest's "
    "manifests are looked at.",
)
@click.option("--dry-run", is_flag=True, help="Give the same report; remove nothing.")
@click.option("--keep-manifests", is_flag=True, help="Remove the tag alone; its manifests stay.")
@click.option(
    "--all-tags", is_flag=True, help="For a REF by digest: remove the tags on it as well, instead of refusing."
)
@click.option(
    "--referrers", is_flag=True, help="Remove what is attached to the image as well, where nothing else uses it."
)
@click.option(
    "--max-tags",
    type=click.IntRange(min=0),
    metavar="N",
    help="Refuse a repository with more tags than this, before anything is changed.",
)
@click.option(
    "--on-replace",
    type=click.Choice(["delete", "keep"]),
    default="delete",
    show_default=True,
    help="With --digest: what becomes of it where the tag has moved on.",
)
@click.option(
    "--on-destroy",
    type=click.Choice(["delete", "keep", "refuse"]),
    default="delete",
    show_default=True,
    help="With --digest: what happens where the tag still points at it.",
)
@click.option(
    "--claimant",
    type=CLAIMANT,
    metavar="CALL/KEY",
    help="With --digest: the entry of a Terraform configuration that this is for. What another entry relies on stays, "
    "and what processes of one run remove from a repository is removed together.",
)
@shared_options
def command(
    references: tuple[Reference, ...],
    claimant: Claimant | None,
    settings: Settings,
    as_json: bool,
    quiet: bool,
    **policy: Any,
) -> None:
    """Remove tags, then the manifests that nothing else in their repository uses.

    What another tag, index or referrer uses stays, and the report says who uses it. Already gone is success. Blobs are
    left to the registry's garbage collection.
    """
    from imagesync_cli.output import Output
    from imagesync_cli.values.progress import Progress

    if claimant is not None:
        from imagesync_cli.commands.together import delete_together

        own = {**policy, "references": references, "claimant": claimant, "as_json": as_json, "quiet": quiet}
        sys.exit(delete_together(own, settings))
    output = Output(as_json=as_json, quiet=quiet)
    progress = Progress("deleting")
    reports: list[DeleteReport] = []

    async def work(stores: Stores) -> None:
        from imagesync_cli.delete.delete import Policy, delete

        async with output.showing(progress):
            await delete(stores, references, Policy(**policy), progress, reports)

    try:
        run(settings, references, work)
    finally:
        output.deleted(reports)
    sys.exit(next((report.error.exit_code for report in reports if report.error), 0))

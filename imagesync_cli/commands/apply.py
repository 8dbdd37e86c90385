"""Copy what a Terraform apply changes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagesync_cli.commands.options import shared_options
from imagesync_cli.stores.session import run

if TYPE_CHECKING:
    from imagesync_cli.batch.apply import WantedImage
    from imagesync_cli.settings import Settings
    from imagesync_cli.stores import Stores


@click.command("apply", short_help="Copy what an apply of a Terraform module changes.")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("--verify", is_flag=True, help="Look at all that is there of the images to copy, as sync does.")
@shared_options
def command(folder: Path, verify: bool, settings: Settings, as_json: bool, quiet: bool) -> None:
    """Copy the images that IMAGESYNC_APPLY_0, IMAGESYNC_APPLY_1, … name, and leave a file in FOLDER for each failure.

    The Terraform modules call this. Each line of a variable is one image: "lacking" or "present", as the plan found
    it; the digest that its tag points at in the end; and the arguments of imagesync sync for it. An image that is
    present is looked at again, and copied only if it has gone.

    Exits with 0 whatever becomes of single images: Terraform reads the files, and fails each image by its own words.
    """
    from imagesync_cli.settings import environment

    images = [_wanted(line) for line in _lines(environment())]
    _apply(images, folder, settings, verify=verify, as_json=as_json, quiet=quiet)


def _lines(environ: Mapping[str, str]) -> Iterator[str]:
    for number in itertools.count():
        text = environ.get(f"IMAGESYNC_APPLY_{number}")
        if text is None:
            return
        yield from text.splitlines()


def _wanted(line: str) -> WantedImage:
    """An image, read by sync's own parser."""
    from imagesync_cli.batch.apply import WantedImage
    from imagesync_cli.batch.entry import Entry
    from imagesync_cli.commands.sync import command as sync
    from imagesync_cli.values.selection import Selection

    found, digest, *arguments = line.split(" ")
    given = sync.make_context("sync", [*arguments]).params
    selection = Selection(given["digest"], given["platforms"], given["referrers"])
    entry = Entry(given["source"], given["destination"], selection)
    return WantedImage(entry, digest, spelled=arguments[-1], in_place=found == "present")


def _apply(
    images: list[WantedImage], folder: Path, settings: Settings, *, verify: bool, as_json: bool, quiet: bool
) -> None:
    from imagesync_cli.batch.apply import apply, failures_in
    from imagesync_cli.batch.batch import BatchProgress, Options
    from imagesync_cli.batch.report import BatchReport
    from imagesync_cli.output.batch import BatchOutput

    looking = None
    if verify:
        from imagesync_cli.copy.repair import Verify

        looking = Verify(read=False)
    output = BatchOutput(as_json=as_json, quiet=quiet, dry_run=False)
    report, progress = BatchReport(), BatchProgress()

    async def work(stores: Stores) -> None:
        async with output.showing(progress):
            await apply(stores, images, Options(verify=looking), report, progress, tell=output.told)

    with failures_in(folder, images, report):
        run(settings, [image.entry.destination for image in images[:1]], work)
    output.ended(report)

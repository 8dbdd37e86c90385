"""What the Terraform modules call, their questions at a plan and their copies at an apply; and a plan in words."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from imagesync_cli.commands.call import Call, examples, shared_options
from imagesync_cli.commands.options import PATH
from imagesync_cli.output import print_text
from imagesync_cli.stores.session import run
from imagesync_cli.values.errors import UsageError

if TYPE_CHECKING:
    from imagesync_cli.batch.apply import WantedImage
    from imagesync_cli.stores import Stores


@click.command("external", short_help="Answer Terraform's external data source.")
def external() -> None:
    """Answer Terraform's external data source: JSON on stdin, JSON on stdout.

    \b
    {"images": "<JSON object: key to REF or object>", "call": ID, "run": TIME}
        object: reference, platforms, referrers, verify, copy
        each key: reference, digest, source_digest, media_type, size, error, kind
    {"source": REF, "destination": REF, "platforms": "P,P", "verify": "tag"}
        digest, id, destination_digest, in_sync, error, kind
    "call" adds "@run_folder", and claims these images for that module call.
    "new_call": "true" adds "@call": a random ID for a new module call;
        and "@protocol": a number that the modules compare with theirs.
    "verify": "deep" adds damage: what is missing or wrong below the digest.
    "copy" adds copy: how much would be copied, and what speaks against it.
    "all": a JSON object, with defaults for the objects of all images.
    "brief": "true" leaves out what is empty, or repeats the query.

    Never writes to a registry. Exits with 0 whatever the registries answer, and with 2 if the query itself is wrong.
    IMAGESYNC_TIMEOUT is the time limit of the whole call, in seconds (default 30).
    """
    from imagesync_cli.terraform import answer_terraform

    answer_terraform()


@click.command("apply", short_help="Copy what an apply of a Terraform module changes.")
@click.argument("folder", metavar="FOLDER", type=PATH)
@click.option("--call", "call_id", required=True, metavar="ID", help="Identifies this module call among all others.")
@click.option("--run", "run_time", required=True, metavar="TIME", help="The time of the plan, in a format that sorts.")
@click.option("--workspace", default="", metavar="NAME", help="The workspace that the plan is of.")
@click.option("--verify", is_flag=True, help="Check all of the images at their destinations, as sync --verify does.")
@shared_options
def apply(folder: Path, call_id: str, run_time: str, workspace: str, verify: bool, call: Call) -> None:
    """Copy the images that IMAGESYNC_APPLY_0, IMAGESYNC_APPLY_1, … name, and leave a file in FOLDER for each failure.

    The Terraform modules call this. Each line of a variable is one image: its key; "lacking" or "present", as the plan
    found it, or "held", if it stays as it is; the digest that its tag points at in the end; and the arguments of
    imagesync sync for it. An image that is present is looked at again, and copied only if it has gone. Removals of the
    same run leave all of them alone.

    Exits with 0 even if images fail: Terraform reads the files, and each image fails with its own message.
    """
    from imagesync_cli.batch.apply import ModuleCall, apply_images, failures_in
    from imagesync_cli.batch.batch import BatchOptions
    from imagesync_cli.batch.report import BatchProgress, BatchReport
    from imagesync_cli.copy.sync import SyncOptions
    from imagesync_cli.output.batch import BatchOutput
    from imagesync_cli.settings import environment
    from imagesync_cli.stores.files.runs.claimed import call_in

    images = [_wanted(line) for line in _lines(environment())]
    module_call = ModuleCall(call_id, run_time, workspace, call.settings.run_folder)
    options = BatchOptions(how=SyncOptions(verify=verify))
    output = BatchOutput(as_json=call.as_json, quiet=call.quiet)
    report, progress = BatchReport(), BatchProgress()

    async def work(stores: Stores) -> None:
        async with output.showing(progress):
            await apply_images(stores, module_call, images, options, report=report, progress=progress, tell=output.told)

    begun = [image.entry.destination for image in images[:1]]
    own = call_id, call_in(call_id, workspace)  # earlier modules told no workspaces apart
    with failures_in(folder, own, images, report):
        run(call.settings, begun, work, partial(output.interrupted, progress))
    output.ended(report)


def _lines(environ: Mapping[str, str]) -> Iterator[str]:
    for number in itertools.count():
        text = environ.get(f"IMAGESYNC_APPLY_{number}")
        if text is None:
            return
        yield from filter(None, text.split("\n"))  # as Terraform joined them: Unicode knows more line breaks


def _wanted(line: str) -> WantedImage:
    """An image, read by sync's own parser."""
    from imagesync_cli.batch.apply import WantedImage
    from imagesync_cli.batch.entry import ImageEntry
    from imagesync_cli.commands.sync import command as sync
    from imagesync_cli.look.selection import Selection
    from imagesync_cli.values.tags.replacing import Replacing

    key, state, digest, *arguments = line.split(" ")
    given = sync.make_context("sync", [*arguments]).params
    selection = Selection(given["digest"], given["platforms"], given["referrers"])
    replacing = Replacing(given["overwrite"], given["keep_as"], given["keep_last"])
    entry = ImageEntry(given["source"], given["destination"], selection, replacing=replacing)
    return WantedImage(key, entry, digest, in_place=state != "lacking", held=state == "held")


@click.command(
    "explain",
    short_help="Say what a Terraform plan does to images.",
    epilog=examples("explain < plan.json", "explain --format markdown < plan.json > comment.md"),
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="Print lines, Markdown for a pull request, or JSON.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def explain(form: str, as_json: bool) -> None:
    """Say what a plan does to images. Reads the output of terraform show -json (or tofu show -json) on stdin.

    The first line sums it up and fits a commit status. Each image that changes or is removed has a line: what moves,
    why, how much is copied, who has signed it, what becomes of the old image, and which other resources change with
    it. Only the plan is read: no registry, no state. Values that the plan marks as sensitive are not shown.

    Exits with 0 for every plan that could be read, also for a failed one.
    """
    from imagesync_cli.output.escape import json_text, printable
    from imagesync_cli.terraform.explain import explanation
    from imagesync_cli.terraform.explain.reading.document import MOST_BYTES, read_plan_document
    from imagesync_cli.terraform.explain.reading.plan import Plan
    from imagesync_cli.terraform.explain.written import explanation_json, explanation_lines, explanation_markdown

    stdin = _stdin()
    if stdin is None or stdin.isatty():
        raise UsageError("there is no plan on stdin", hint="run: terraform show -json plan.out | imagesync explain")
    explained = explanation.explain(Plan(read_plan_document(stdin.buffer.read(MOST_BYTES + 1))))
    if as_json or form == "json":
        print_text(json_text(explanation_json(explained), indent=2))
    elif form == "markdown":
        print_text(explanation_markdown(explained))
    else:
        print_text("\n".join(map(printable, explanation_lines(explained))))


def _stdin() -> TextIO | None:
    return sys.stdin

"""Remove images."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from imagesync_cli.commands.call import NETWORK, Call, examples, shared_options
from imagesync_cli.commands.log_options import LOG_SHOWN
from imagesync_cli.commands.options import check_keep, digest_option, keep_options, to_claimant, to_reference
from imagesync_cli.output import Output, results
from imagesync_cli.values.errors import ImagesyncError

if TYPE_CHECKING:
    from imagesync_cli.delete.delete_report import DeleteReport
    from imagesync_cli.delete.together import Collecting, Order, Outcome, Together
    from imagesync_cli.settings import Settings
    from imagesync_cli.stores import Stores
    from imagesync_cli.stores.files.runs.claimed import Claimant
    from imagesync_cli.stores.files.runs.wishes import Run, Wish
    from imagesync_cli.values.progress import Progress
    from imagesync_cli.values.reference import Reference


@click.command(
    "delete",
    short_help="Remove tags, and the manifests that only they used.",
    epilog=examples("delete --dry-run registry.example.com/busybox:1.35", "delete registry.example.com/busybox:1.35"),
)
@click.argument("references", metavar="REF...", type=to_reference, nargs=-1, required=True)
@digest_option(
    "expect",
    help="Remove the tag only if it still points at this digest. If it has moved, only the manifests of this digest "
    "are removed, where nothing else uses them.",
)
@click.option("--dry-run", is_flag=True, help="Remove nothing; print the same report.")
@click.option("--keep-manifests", is_flag=True, help="Remove only the tag; its manifests stay.")
@click.option("--all-tags", is_flag=True, help="For a REF by digest: also remove its tags, instead of refusing.")
@click.option(
    "--referrers", is_flag=True, help="Also remove what is attached to the image, where nothing else uses it."
)
@click.option(
    "--max-tags",
    type=click.IntRange(min=0),
    metavar="N",
    help="Refuse a repository with more than N tags, before anything is changed.",
)
@click.option(
    "--on-replace",
    type=click.Choice(["delete", "keep"]),
    default="delete",
    show_default=True,
    help="With --digest: what to do with its manifests if the tag has moved.",
)
@click.option(
    "--on-destroy",
    type=click.Choice(["delete", "keep", "refuse"]),
    default="delete",
    show_default=True,
    help="With --digest: what to do if the tag still points at it; with --claimant, also if somebody else moved it.",
)
@keep_options(
    keep_as="With --claimant: the template by which tags keep old images, as for sync.",
    keep_last="With --keep-as: if the tag has moved, also remove all old images but the last N.",
)
@click.option(
    "--claimant",
    type=to_claimant,
    metavar="CALL/KEY",
    help="With --digest: the entry of a Terraform configuration that this removal is for. What another entry relies on "
    "stays. Removals of one run from one repository are done together.",
)
@shared_options
def command(references: tuple[Reference, ...], claimant: Claimant | None, call: Call, **policy: Any) -> None:
    """Remove tags, then the manifests that nothing else in their repository uses.

    What another tag, index or referrer uses stays, and the report names the user. A tag that is already gone is a
    success. Blobs are left to the registry's garbage collection.
    """
    from imagesync_cli.values.progress import Progress

    progress = Progress("deleting")
    if claimant is not None:
        sys.exit(_delete_together(references, claimant, call, progress, policy))
    if policy["keep_as"] is not None or policy["keep_last"] is not None:
        raise click.UsageError("--keep-as and --keep-last go with --claimant", click.get_current_context())
    reports: list[DeleteReport] = []

    async def work(stores: Stores) -> None:
        from imagesync_cli.delete.delete import Policy, delete

        await delete(stores, references, Policy(**policy), progress, reports)

    try:
        call.run(references, work, progress, interrupted=results.interrupted_delete)
    finally:  # also what was done until an error or an interruption, which tell the exit code themselves
        code = call.output.result(results.deleted(reports))
    sys.exit(code)


# For one entry of a Terraform configuration: what meets in one run is done by one process.


def _delete_together(
    references: tuple[Reference, ...], claimant: Claimant, call: Call, progress: Progress, policy: Mapping[str, Any]
) -> int:
    """Remove what one entry of a configuration has put there; gives the exit code."""
    from imagesync_cli.stores.files.runs.wishes import Run

    _check(references, policy)
    settings = call.settings
    shared = click.get_current_context().find_object(Run) or Run(settings.run_folder.as_posix())
    order = _order(references, claimant, call.as_json, call.quiet, args=shared.args, **policy)

    async def work(stores: Stores) -> DeleteReport:
        together = _together(stores, settings, progress, partial(_others, shared, settings), shared.began)
        return await together.carry_out(order)

    try:
        report = call.run(references, work, progress, interrupted=results.interrupted_delete)
    finally:
        shared.leave()
    return call.output.result(results.deleted([report]))


def _together(
    stores: Stores, settings: Settings, progress: Progress, others: Collecting, began: float = 0.0
) -> Together:
    from imagesync_cli.delete.together import Together
    from imagesync_cli.stores.files.runs.claims import Claims

    claims, (when, _, where) = Claims(settings.run_folder), settings.run.partition(" ")
    started_within_s = time.monotonic() - began if began else 0.0
    return Together(stores, claims, progress, others, started_within_s, run=when, workspace=where)


def _check(references: tuple[Reference, ...], policy: Mapping[str, Any]) -> None:
    """An entry has one reference, whose digest is told apart from it."""
    (first, *more) = references
    if more or first.digest or not policy["expect"]:
        raise click.UsageError("--claimant goes with one REF by tag and its --digest", click.get_current_context())
    check_keep(policy["keep_as"], policy["keep_last"])


def _order(
    references: tuple[Reference, ...],
    claimant: Claimant,
    as_json: bool,
    quiet: bool,
    args: tuple[str, ...],
    **policy: Any,
) -> Order:
    from imagesync_cli.delete.delete import Policy
    from imagesync_cli.delete.together import Order

    return Order(references[0], claimant, Policy(**policy), as_json, quiet, args)


def _others(shared: Run, settings: Settings) -> Iterator[tuple[Order, Callable[[DeleteReport | ImagesyncError], None]]]:
    for wish in shared.wishes():
        order = _parse(wish.args, settings)
        if order is None:
            shared.answer(wish, None)
        else:
            yield order, partial(_answer, shared, wish, order)


def _parse(args: tuple[str, ...], settings: Settings) -> Order | None:
    """What another process was called with; None for what it has to do, or to say, itself."""
    from dataclasses import replace

    from imagesync_cli.settings import read_settings

    try:
        with command.make_context("delete", list(args)) as context:
            if LOG_SHOWN in context.meta:  # which that process shows, and nobody else
                return None
            options = dict(context.params)
            _check(options["references"], options)
        theirs = read_settings(**{name: options.pop(name) for name in NETWORK})
    except (click.ClickException, click.exceptions.Exit, ImagesyncError):
        return None
    # Logins come from the environment, which processes of one run share.
    is_alike = options["claimant"] and replace(theirs, logins={}) == replace(settings, logins={})
    return _order(**options, args=args) if is_alike else None


def _answer(shared: Run, wish: Wish, order: Order, outcome: DeleteReport | ImagesyncError) -> None:
    """Tell another process what it is to print. What is wrong with the call itself, each finds out by itself."""
    import contextlib
    import io

    from imagesync_cli.stores.files.runs.wishes import Answer

    if isinstance(outcome, ImagesyncError):
        shared.answer(wish, None)
        return
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = Output(as_json=order.as_json, quiet=order.quiet).result(results.deleted([outcome]))
    shared.answer(wish, Answer(code, out.getvalue(), err.getvalue()))


@click.command("forget", short_help="End a call of a Terraform module whose images are gone.")
@click.argument("call_id", metavar="CALL")
@shared_options
def forget(call_id: str, call: Call) -> None:
    """Note that a call of a Terraform module has no image any more, and remove what only its entries have kept.

    The modules call this where all images of a call go, after the last one. A destroy reads entries that were edited
    and not applied as an apply does: a removal keeps what these name, and it is removed now.
    """
    from imagesync_cli.stores.files.runs.claims import Claims
    from imagesync_cli.values.progress import Progress

    settings, progress = call.settings, Progress("deleting")
    (when, _, where), claims = settings.run.partition(" "), Claims(settings.run_folder)
    claims.forget(call_id, when, where)
    outcomes: list[Outcome] = []

    async def work(stores: Stores) -> None:
        await claims.wait_for_removals([""])  # they have read what was claimed before, and may leave more
        left, claimed = claims.doubtful(when, where).take(), claims.read(when, where)
        parsed = [order for args in left if (order := _parse(args, settings))]
        orders = [each for each in parsed if claimed.of(claimed.as_here(each.claimant)) != each.claim]
        if not orders:
            return
        first, *more = orders
        come = iter([[(order, outcomes.append) for order in more]])
        together = _together(stores, settings, progress, lambda: next(come, []))
        try:
            outcomes.append(await together.carry_out(first))
        except ImagesyncError as error:
            outcomes.append(error)

    call.run([], work, progress, interrupted=results.interrupted_delete)
    reports = [outcome for outcome in outcomes if not isinstance(outcome, ImagesyncError)]
    failed = [outcome for outcome in outcomes if isinstance(outcome, ImagesyncError)]
    for error in failed + [report.error for report in reports if report.error]:
        error.hint = "no later run tries it again: remove it with imagesync delete"
    code = call.output.result(results.deleted(reports))
    if failed:
        raise failed[0]
    sys.exit(code)

"""``imagesync delete --claimant``: of the removals that meet in one run of Terraform, one process does all.

Those that wait for it load nothing else: Terraform starts one for each image.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from imagesync_cli.stores.files.wishes import Answer, Run, Wish
from imagesync_cli.values.run_folder import run_folder

if TYPE_CHECKING:
    from imagesync_cli.delete.delete_report import DeleteReport
    from imagesync_cli.delete.together import Order
    from imagesync_cli.settings import Settings
    from imagesync_cli.stores import Stores
    from imagesync_cli.stores.files.claims import Claimant
    from imagesync_cli.values.errors import ImagesyncError
    from imagesync_cli.values.reference import Reference


def main(environ: Mapping[str, str]) -> None:
    """Have it done by the process that leads, or be that process."""
    shared = Run(run_folder(environ))
    answer = shared.join(sys.argv[2:])
    if answer is None:
        from imagesync_cli.cli import main

        main(shared)
    else:
        _print(answer)
        sys.exit(answer.code)


def _print(answer: Answer) -> None:
    for stream, text in ((sys.stdout, answer.out), (sys.stderr, answer.err)):
        if stream is not None:
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
            stream.write(text)


def delete_together(own: dict[str, Any], settings: Settings) -> int:
    """Remove what one entry of a configuration has put there, by the options of delete; gives the exit code."""
    import click

    from imagesync_cli.output import Output
    from imagesync_cli.stores.session import run
    from imagesync_cli.values.progress import Progress

    output = Output(as_json=own["as_json"], quiet=own["quiet"])
    progress = Progress("deleting")
    _check(own)
    shared = click.get_current_context().find_object(Run) or Run(settings.run_folder.as_posix())

    async def work(stores: Stores) -> DeleteReport:
        from imagesync_cli.delete.together import Together
        from imagesync_cli.stores.files.claims import Claims

        others = partial(_others, shared, settings)
        started_within_s = time.monotonic() - shared.began
        together = Together(stores, Claims(settings.run_folder), progress, others, started_within_s)
        async with output.showing(progress):
            return await together.carry_out(_order(**own))

    try:
        report = run(settings, own["references"], work)
    finally:
        shared.leave()
    output.deleted([report])
    return report.error.exit_code if report.error else 0


def _check(options: Mapping[str, Any]) -> None:
    """An entry has one reference, whose digest is told apart from it."""
    import click

    (first, *more) = options["references"]
    if more or first.digest or not options["expect"]:
        raise click.UsageError("--claimant goes with one REF by tag and its --digest", click.get_current_context())


def _order(references: tuple[Reference, ...], claimant: Claimant, as_json: bool, quiet: bool, **policy: Any) -> Order:
    from imagesync_cli.delete.delete import Policy
    from imagesync_cli.delete.together import Order

    return Order(references[0], claimant, Policy(**policy), as_json, quiet)


def _others(shared: Run, settings: Settings) -> Iterator[tuple[Order, Callable[[DeleteReport | ImagesyncError], None]]]:
    """What other processes of the run want by now."""
    for wish in shared.wishes():
        order = _parse(wish.args, settings)
        if order is None:
            shared.answer(wish, None)
        else:
            yield order, partial(_answer, shared, wish, order)


def _parse(args: tuple[str, ...], settings: Settings) -> Order | None:
    """What another process was called with; None for what it has to do, or to say, itself."""
    from dataclasses import replace

    import click

    from imagesync_cli.commands.delete import command
    from imagesync_cli.settings import read_settings
    from imagesync_cli.values.errors import ImagesyncError

    if {"-v", "--verbose"} & {*args}:
        return None
    try:
        with command.make_context("delete", list(args)) as context:
            options = dict(context.params)
            _check(options)
        theirs = read_settings(plain_http=options.pop("plain_http"), ca_file=options.pop("ca_file"))
    except (click.ClickException, click.exceptions.Exit, ImagesyncError):
        return None
    # Logins come from the environment, which processes of one run share.
    is_alike = replace(theirs, logins={}) == replace(settings, logins={})
    return _order(**options) if is_alike else None


def _answer(shared: Run, wish: Wish, order: Order, outcome: DeleteReport | ImagesyncError) -> None:
    """Tell another process what it is to print. What is wrong with the call itself, each finds out by itself."""
    import contextlib
    import io

    from imagesync_cli.output import Output
    from imagesync_cli.values.errors import ImagesyncError

    if isinstance(outcome, ImagesyncError):
        shared.answer(wish, None)
        return
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        Output(as_json=order.as_json, quiet=order.quiet).deleted([outcome])
    shared.answer(wish, Answer(outcome.error.exit_code if outcome.error else 0, out.getvalue(), err.getvalue()))

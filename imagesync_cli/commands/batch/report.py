"""Reports of syncs of many images."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from imagesync_cli.commands.call import examples
from imagesync_cli.commands.options import PATH
from imagesync_cli.output import Output


@click.group("report", short_help="Merge the reports of sync --report.")
def command() -> None:
    """Merge the reports that sync --report writes."""


@command.command(
    "merge",
    short_help="Merge the JSON reports of several shards.",
    epilog=examples("report merge --output all.md shard-*.json"),
)
@click.argument("reports", metavar="FILE...", type=PATH, nargs=-1, required=True)
@click.option(
    "--output",
    type=PATH,
    metavar="FILE",
    help="Where to write the report. The ending chooses its form: .json, .md, .xml (JUnit) or .prom (metrics for "
    "Prometheus). Default: JSON on stdout.",
)
def merge(reports: tuple[Path, ...], output: Path | None) -> None:
    """Join the JSON reports of several shards. The exit code is that of the first failure in them."""
    from imagesync_cli.batch.report import merged
    from imagesync_cli.output.report import read_report, report_json, write_report

    report = merged([read_report(path) for path in reports])
    if output is not None:
        write_report(output, report)
    else:
        Output().answer(report_json(report).rstrip())
    sys.exit(report.exit_code)

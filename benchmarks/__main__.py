"""The one command: run what is wanted, print or write the results."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks import applies, batch, copies, delete, lookups, plans
from benchmarks.chart import svg
from benchmarks.laboratory import Laboratory, laboratory
from benchmarks.report import markdown
from benchmarks.results import Row
from benchmarks.verdicts import verdicts

_BENCHMARKS: tuple[Callable[[Laboratory], Iterator[Row]], ...] = (
    copies.rows,
    lookups.rows,
    batch.rows,
    delete.rows,
    plans.rows,
    applies.rows,
)


def main(arguments: list[str] | None = None) -> None:
    """Parse the options, measure, report."""
    options = _parser().parse_args(arguments)
    failures: list[str] = []
    rows = [row for file in options.results for row in _read(file)]
    if not options.results:
        rows, failures = _measure(options)
    if options.chart:
        options.chart.write_text(svg(rows))
    if options.markdown:
        options.markdown.write_text(markdown(rows))
    if options.into:
        _put_into(options.into, {"verdicts": verdicts(rows), "rows": markdown(rows)})
    sys.stdout.write(f"{verdicts(rows)}\n{markdown(rows)}")
    if failures:
        sys.exit(f"{len(failures)} runs failed; the first: {failures[0]}")


def _measure(options: argparse.Namespace) -> tuple[list[Row], list[str]]:
    """Run the benchmarks; gives the rows, and what each failed run said."""
    rows: list[Row] = []
    with laboratory(
        registry_program=options.registry,
        runs=options.runs or (1 if options.quick else 5),
        only=options.only,
        tools=options.tools.split(",") if options.tools else (),
        quick=options.quick,
        storage=options.storage,
    ) as made:
        for benchmark in _BENCHMARKS:
            rows += benchmark(made)
    if options.json:
        report = {"machine": _machine(), "registry": options.registry, "rows": [row.as_json() for row in rows]}
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return rows, made.failures


def _read(file: Path) -> list[Row]:
    return [Row.from_json(row) for row in json.loads(file.read_text())["rows"]]


def _put_into(page: Path, tables: Mapping[str, str]) -> None:
    """Replace what stands between <!-- NAME --> and <!-- end of NAME --> on the page."""
    text = page.read_text()
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, found, rest = text.partition(begin)
        _, ended, after = rest.partition(end)
        if not found or not ended:
            raise SystemExit(f"{page} has no place for the {name}: {begin.strip()} … {end}")
        text = f"{before}{begin}\n{table}\n{end}{after}"
    page.write_text(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default="", metavar="PATTERN", help='regular expression, found in "cold small 20 ms"')
    parser.add_argument(
        "--tools", default="", metavar="NAMES", help="only these, with commas between (all that are found)"
    )
    parser.add_argument("--quick", action="store_true", help="small images, little delay, one run: does it work?")
    parser.add_argument("--runs", type=int, default=0, metavar="N", help="how often (5; 1 with --quick)")
    parser.add_argument("--registry", default="registry", metavar="PROGRAM", help="registry or docker-registry")
    parser.add_argument("--storage", type=Path, metavar="FOLDER", help="where registries keep blobs (in memory)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="an SVG")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="a page with places for both tables")
    parser.add_argument(
        "--from",
        dest="results",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="measure nothing; the rows are in these files that --json wrote (more than once)",
    )
    return parser


def _machine() -> dict[str, object]:
    return {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}


if __name__ == "__main__":
    main()

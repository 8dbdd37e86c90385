"""The one command: run what is wanted, print or write the results."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import batch, copies, delete, lookups, plans
from benchmarks.chart import svg
from benchmarks.laboratory import Laboratory, laboratory
from benchmarks.report import markdown
from benchmarks.results import Row

_BENCHMARKS: tuple[Callable[[Laboratory], Iterator[Row]], ...] = (
    copies.rows,
    lookups.rows,
    batch.rows,
    delete.rows,
    plans.rows,
)


def main(arguments: list[str] | None = None) -> None:
    """Parse the options, measure, report."""
    options = _parser().parse_args(arguments)
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
    if options.chart:
        options.chart.write_text(svg(rows))
    if options.json:
        report = {"machine": _machine(), "registry": options.registry, "rows": [row.as_json() for row in rows]}
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    if options.markdown:
        options.markdown.write_text(markdown(rows))
    sys.stdout.write(markdown(rows))
    if made.failures:
        sys.exit(f"{len(made.failures)} runs failed; the first: {made.failures[0]}")


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
    return parser


def _machine() -> dict[str, object]:
    return {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}


if __name__ == "__main__":
    main()

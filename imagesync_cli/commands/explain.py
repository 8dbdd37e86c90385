"""Say what a plan of Terraform does to images."""

from __future__ import annotations

import sys
from typing import TextIO

import click

from imagesync_cli.commands.call import examples
from imagesync_cli.output import Output
from imagesync_cli.values.errors import UsageError


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
def command(form: str, as_json: bool) -> None:
    """Say what a plan does to images. Reads the output of terraform show -json (or tofu show -json) on stdin.

    The first line sums it up and fits a commit status. Each image that changes or is removed has a line: what moves,
    why, how much is copied, who has signed it, what becomes of the old image, and which other resources change with
    it. Only the plan is read: no registry, no state. Values that the plan marks as sensitive are not shown.

    Exits with 0 for every plan that could be read, also for a failed one.
    """
    from imagesync_cli.output.escape import json_text, printable
    from imagesync_cli.terraform.explain.explanation import explain
    from imagesync_cli.terraform.explain.reading.document import MOST_BYTES, read_plan_document
    from imagesync_cli.terraform.explain.reading.plan import Plan
    from imagesync_cli.terraform.explain.written import explanation_json, explanation_lines, explanation_markdown

    stdin = _stdin()
    if stdin is None or stdin.isatty():
        raise UsageError("there is no plan on stdin", hint="run: terraform show -json plan.out | imagesync explain")
    explained = explain(Plan(read_plan_document(stdin.buffer.read(MOST_BYTES + 1))))
    output = Output()
    if as_json or form == "json":
        output.answer(json_text(explanation_json(explained), indent=2))
    elif form == "markdown":
        output.answer(explanation_markdown(explained))
    else:
        output.answer("\n".join(map(printable, explanation_lines(explained))))


def _stdin() -> TextIO | None:
    return sys.stdin

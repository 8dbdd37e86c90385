"""The options that go with a file of images, whether it is copied or checked."""

from __future__ import annotations

import click

from imagesync_cli.commands.log_options import Decorator, several
from imagesync_cli.commands.options import PATH


def file_options(verb: str, done: str) -> Decorator:
    """``--file`` and its kin; ``verb`` is what is done to the images, and ``done`` that it was."""
    return several(
        click.option(
            "--file",
            type=PATH,
            metavar="FILE",
            help=f"{verb} all images that this YAML or JSON file lists, - for stdin.",
        ),
        click.option(
            "--jobs",
            type=click.IntRange(min=1),
            metavar="N",
            help=f"With --file: images {done} in parallel (default 64).",
        ),
        click.option("--locked", is_flag=True, help=f"With --file: {verb.lower()} exactly what the lock says."),
        click.option(
            "--lock-file",
            type=PATH,
            metavar="FILE",
            help="With --file: the lock (default: images.lock.json beside images.yaml).",
        ),
        click.option(
            "--report",
            type=PATH,
            metavar="FILE",
            help="With --file: write a report. The file's ending chooses its form: .json, .md, .xml (JUnit) or .prom "
            "(metrics for Prometheus).",
        ),
        click.option(
            "--progress",
            type=click.Choice(["auto", "plain", "none"]),
            default="auto",
            show_default=True,
            help="With --file: show a bar on a terminal and lines elsewhere (auto), always lines, or nothing.",
        ),
    )

"""What a command logs on stderr: the options, which may stand before it and after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

Decorator = Callable[[Any], Any]
LOG_SHOWN = "log shown"  # in a context's meta


def several(*options: Decorator) -> Decorator:
    """All of these options, in the order of help."""

    def wrapped(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return wrapped


def _log_format(context: click.Context, parameter: click.Parameter, form: str) -> None:
    if context.get_parameter_source("log_format") is not ParameterSource.DEFAULT:
        context.meta["log format"] = form


def _verbosely(context: click.Context, parameter: click.Parameter, level: str | bool | None) -> None:
    again = context.meta.get(LOG_SHOWN)  # it may stand before and after the command
    if level and not again and not context.resilient_parsing:
        from imagesync_cli.output import show_log

        context.meta[LOG_SHOWN] = True
        form = context.meta.get("log format", "text")
        context.call_on_close(show_log("info" if level is True else level, form))


# IMAGESYNC_LOG and IMAGESYNC_LOG_FORMAT say the same where no option can be given.
log_options = several(
    click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=_verbosely,
        help="Show which login is used for which host.",
    ),
    click.option(
        "--log-level",
        type=click.Choice(["info", "debug"]),
        expose_value=False,
        callback=_verbosely,
        help="Log on stderr: logins (info, like -v), or every request too (debug).",
    ),
    click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        is_eager=True,
        expose_value=False,
        callback=_log_format,
        help="Write the log as text, or as one JSON object per line.",
    ),
)

"""The manual page: all that --help says, in one page for ``man imagesync``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from imagesync_cli import __version__
from imagesync_cli.cli import cli
from imagesync_cli.values.errors import ImagesyncError

_KEPT = "\b"  # click's mark for a paragraph that keeps its lines


def manual() -> str:
    """The page in the macros of man(7)."""
    context = click.Context(cli, info_name="imagesync", **cli.context_settings)
    return "\n".join(
        [
            '.\\" Generated from the code: python packaging/reference writes it.',
            f'.TH IMAGESYNC 1 "" "imagesync {__version__}" "User Commands"',
            ".SH NAME",
            f"imagesync \\- {_text('mirror container images between registries, folders and archives')}",
            ".SH SYNOPSIS",
            ".B imagesync",
            ".I COMMAND",
            "[OPTIONS] ...",
            ".SH DESCRIPTION",
            *_prose(cli.help or ""),
            ".SH OPTIONS",
            *_options(context),
            ".SH COMMANDS",
            *(line for command in _below(context) for line in _command(command)),
            ".SH EXIT STATUS",
            *_exits(),
            ".SH SEE ALSO",
            _text("The documentation has how-tos for registries, for Terraform and for many images in one file."),
            "",
        ]
    )


def _below(context: click.Context) -> Iterator[click.Context]:
    group = context.command
    assert isinstance(group, click.Group)  # noqa: S101  (for the type checker)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None  # noqa: S101  (for the type checker)
        child = click.Context(command, parent=context, info_name=name)
        if isinstance(command, click.Group):
            yield from _below(child)
        else:
            yield child


def _command(context: click.Context) -> Iterator[str]:
    usage = " ".join([context.command_path, *context.command.collect_usage_pieces(context)])
    yield f".SS {_text(usage)}"
    yield from _prose(context.command.help or "")
    yield from _options(context)


def _options(context: click.Context) -> Iterator[str]:
    for option in context.command.get_params(context):
        record = option.get_help_record(context) if isinstance(option, click.Option) else None
        if record is not None:
            yield ".TP"
            yield f"\\fB{_text(record[0])}\\fR"
            yield _text(record[1])


def _exits() -> Iterator[str]:
    rows = {0: "success, or nothing to do", ImagesyncError.exit_code: ImagesyncError.meaning}
    rows |= {error.exit_code: error.meaning for error in ImagesyncError.__subclasses__()}
    for code, meaning in rows.items():
        yield from (".TP", f"\\fB{code}\\fR", _text(meaning))


def _prose(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(inspect.cleandoc(text).split("\n\n")):
        if number:
            yield ".PP"
        if paragraph.startswith(_KEPT):
            yield from (".nf", *map(_text, paragraph.removeprefix(_KEPT).strip("\n").splitlines()), ".fi")
        else:
            yield _text(" ".join(paragraph.split()))


def _text(text: str) -> str:
    """A line that is text: no escape, and no request at its beginning."""
    text = text.replace("\\", "\\(rs").replace("-", "\\-").replace("…", "...")
    return f"\\&{text}" if text[:1] in (".", "'") else text

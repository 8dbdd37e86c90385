"""The command line: which commands there are, and how a run ends.

What a command needs is imported when that command runs: --help and --version wait for nothing.
"""

from __future__ import annotations

import importlib
import io
import itertools
import sys
from typing import Any

import click

from imagesync_cli import __version__
from imagesync_cli.commands.log_options import log_options
from imagesync_cli.output import exit_code, print_error
from imagesync_cli.output.escape import printable
from imagesync_cli.values.errors import ImagesyncError, UsageError

# Each command, and its function below commands/.
_COMMANDS = {
    "sync": "sync.command",
    "check": "check.command",
    "verify": "check.verify",
    "resolve": "look.resolve",
    "inspect": "look.inspect",
    "tags": "look.tags",
    "lock": "batch.lock",
    "report": "batch.report",
    "adopt": "batch.adopt",
    "explain": "terraform.explain",
    "delete": "delete.command",
    "doctor": "look.doctor",
    "login": "login.log_in",
    "logout": "login.log_out",
    "external": "terraform.external",
    "apply": "terraform.apply",
    "forget": "delete.forget",
}
# What other tools call it. A word that is only like a command is asked about and never run: it may mean a delete.
_ALSO_CALLED = {"copy": "sync", "cp": "sync"}
_MEANT = {"rm": "delete", "remove": "delete", "ls": "tags", "list": "tags", "digest": "resolve", "manifest": "inspect"}
_MEANT |= {"mirror": "sync", "pull": "sync", "push": "sync", "diff": "check"}


_EXAMPLES = """\b
Examples:
  imagesync sync busybox:1.36 registry.example.com/busybox:1.36
  imagesync sync --help
"""


def _epilog() -> str:
    """The end of --help: how to begin, and what each exit code means."""
    rows = {0: "success, or nothing to do", ImagesyncError.exit_code: ImagesyncError.meaning}
    rows |= {error.exit_code: error.meaning for error in ImagesyncError.__subclasses__()}
    lines = [f"  {code:<4} {meaning.partition(':')[0]}" for code, meaning in rows.items()]
    return "\n".join([_EXAMPLES, "\b", "Exit codes:", *lines, "  130  interrupted"])


def _version() -> str:
    """The version, and the commit where the package was built from one (hatch_build.py)."""
    try:
        commit = importlib.import_module("imagesync_cli._commit").COMMIT
    except ModuleNotFoundError:
        return __version__
    return f"{__version__} ({commit})"


class _Commands(click.Group):
    """Commands by name, each in the module of its name in commands/."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        where = _COMMANDS.get(_ALSO_CALLED.get(cmd_name, cmd_name))
        if where is None:
            return None
        module, _, name = where.rpartition(".")
        command: click.Command = getattr(importlib.import_module(f"imagesync_cli.commands.{module}"), name)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            ctx.fail(_no_such_command(args[0]))
        return super().resolve_command(ctx, args)


def _no_such_command(word: str) -> str:
    from difflib import get_close_matches

    close = [_MEANT[word]] if word in _MEANT else get_close_matches(word, [*_COMMANDS, "help", "version"], n=2)
    meant = f" Did you mean {' or '.join(close)}?" if close else ""
    return f"No such command {word!r}.{meant}"


def _as_options(words: list[str]) -> list[str]:
    """The same call with ``help`` and ``version`` as options, which other tools have as commands."""
    match words:
        case ["help", *command]:
            return [*command, "--help"]
        case ["version"]:
            return ["--version"]
    return words


@click.group(
    cls=_Commands,
    epilog=_epilog(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(_version(), "-V", "--version", prog_name="imagesync")
@log_options
def cli() -> None:
    """Mirror container images between registries, OCI layout folders and archives.

    A reference is HOST/REPOSITORY:TAG, with Docker's shorthands (busybox is docker.io/library/busybox:latest),
    oci:FOLDER:TAG for an OCI image layout, oci-archive:FILE:TAG for one in a tar file, or docker-archive:FILE:IMAGE
    for what docker save wrote.
    """


def main(shared: object = None) -> None:
    """Run the command line and exit: with the code of what went wrong, if something did.

    ``shared`` is for the command: what it has in common with other processes (stores/files/runs/wishes.py).
    """
    sys.exit(exit_code(lambda: _invoke(shared), as_json=_wants_json()))


def _wants_json() -> bool:
    """Also where the rest of the call makes no sense."""
    return "--json" in itertools.takewhile(lambda word: word != "--", sys.argv[1:])


def _invoke(shared: object) -> int | None:
    if len(sys.argv) == 1:  # so calls a shell that wants to complete
        importlib.import_module("imagesync_cli.commands.completion")
    try:
        words = _as_options(sys.argv[1:])
        code: int | None = cli.main(words, prog_name="imagesync", standalone_mode=False, obj=shared)
    except click.ClickException as error:
        said = io.StringIO()
        error.show(said)
        for line in said.getvalue().splitlines():  # it may quote an argument, which may come from anywhere
            click.echo(printable(line), err=True)
        if _wants_json():
            print_error(UsageError(error.format_message()))
        return error.exit_code
    except click.Abort:
        return 130
    return code

"""The command line: which commands there are, and how a run ends.

What a command needs is imported when that command runs: --help and --version wait for nothing.
"""

from __future__ import annotations

import importlib
import sys

import click

from imagesync_cli import __version__
from imagesync_cli.commands.options import verbose_option
from imagesync_cli.process import exit_code

_EPILOG = """\b
Examples:
  imagesync sync busybox:1.36 registry.example.com/busybox:1.36
  imagesync sync --help

\b
Exit codes:
  0    done, or already so
  1    a bug in imagesync, or nowhere to write the result
  2    fix the call, the query or the configuration
  3    the image is not there
  4    the registry does not allow it
  5    no answer: try again later
  6    the content is not what its digest says
  7    imagesync, or the registry, will not do this
  8    what was checked is not as it should be
  130  interrupted
"""


_COMMANDS = ("resolve", "sync", "check", "tags", "lock", "report", "adopt", "delete", "doctor", "external")


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
        if cmd_name not in _COMMANDS:
            return None
        found: click.Command = importlib.import_module(f"imagesync_cli.commands.{cmd_name}").command
        return found


@click.group(
    cls=_Commands,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(_version(), prog_name="imagesync")
@verbose_option
def cli() -> None:
    """Mirror container images between registries, OCI layout folders and archives.

    A reference is HOST/REPOSITORY:TAG, with Docker's shorthands (busybox is docker.io/library/busybox:latest),
    oci:FOLDER:TAG for an OCI image layout, oci-archive:FILE:TAG for one in a tar file, or docker-archive:FILE:IMAGE
    for what docker save wrote.
    """


def main() -> None:
    """Run the command line and exit: with the code of what went wrong, if something did."""
    sys.exit(exit_code(_invoke))


def _invoke() -> int | None:
    try:
        code: int | None = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return 130
    return code

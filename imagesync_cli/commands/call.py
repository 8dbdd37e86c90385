"""What every command has: its call, by the options that all of them take, and examples."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from imagesync_cli.commands.log_options import log_options, several
from imagesync_cli.commands.options import FILE
from imagesync_cli.output import Output
from imagesync_cli.stores.session import run

if TYPE_CHECKING:
    from imagesync_cli.settings import Settings
    from imagesync_cli.stores import Stores
    from imagesync_cli.values.progress import Progress
    from imagesync_cli.values.reference import Reference

# Those of shared_options that settings are read from.
NETWORK = ("plain_http", "ca_file", "requests_per_second", "connections")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Call:
    """What every command is called with: how registries are reached, and how it speaks."""

    settings: Settings
    as_json: bool
    quiet: bool

    @property
    def output(self) -> Output:
        return Output(as_json=self.as_json, quiet=self.quiet)

    def run(
        self,
        references: Iterable[Reference],
        work: Callable[[Stores], Awaitable[_T]],
        progress: Progress | None = None,
        **interrupted: Callable[[], str],
    ) -> _T:
        """Run an operation, and show its progress meanwhile; see stores/session.py."""

        async def shown(stores: Stores) -> _T:
            if progress is None:
                return await work(stores)
            async with self.output.showing(progress):
                return await work(stores)

        return run(self.settings, references, shown, **interrupted)


def examples(*calls: str) -> str:
    """What stands below the options of a command: calls of it, as they are typed."""
    return "\n".join(["\b", "Examples:", *(f"  imagesync {call}" for call in calls)]) + (
        "\n\nimagesync --help lists the exit codes."
    )


_shared = several(
    click.option(
        "--connections",
        multiple=True,
        metavar="HOST=N",
        help="Open at most N connections to HOST at the same time (default 32). Repeatable. "
        "IMAGESYNC_CONNECTIONS and a settings file name more.",
    ),
    click.option(
        "--requests-per-second",
        multiple=True,
        metavar="HOST=N",
        help="Send HOST at most N requests of all kinds in any second (0.5: one in two seconds). Repeatable. "
        "IMAGESYNC_REQUESTS_PER_SECOND and a settings file name more.",
    ),
    click.option(
        "--ca-file",
        type=FILE,
        metavar="FILE",
        help="Also trust the authorities in this PEM file. SSL_CERT_FILE and Docker's certs.d count too.",
    ),
    click.option(
        "--plain-http",
        multiple=True,
        metavar="HOST",
        help="Use plain HTTP for this HOST[:PORT]; loopback needs no naming. Repeatable. "
        "IMAGESYNC_PLAIN_HTTP names more.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    click.option("--quiet", is_flag=True, help="Print no progress and no summary on stderr, only errors."),
    log_options,
)


def shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that all commands have; they reach the command as its ``call``."""

    @functools.wraps(command)
    def with_call(
        *,
        as_json: bool,
        quiet: bool,
        src_auth_file: str | None = None,
        dst_auth_file: str | None = None,
        **options: Any,
    ) -> Any:
        from imagesync_cli.settings import read_settings

        network = {name: options.pop(name) for name in NETWORK}
        settings = read_settings(**network, source_auth_file=src_auth_file, destination_auth_file=dst_auth_file)
        return command(call=Call(settings, as_json, quiet), **options)

    shared: Callable[..., Any] = _shared(with_call)
    return shared

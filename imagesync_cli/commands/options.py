"""What commands have in common: the types of their arguments, and the options that all of them take."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from imagesync_cli.platforms import Platform
    from imagesync_cli.reference import Reference


class _ReferenceType(click.ParamType):  # type: ignore[type-arg]  # not generic in older clicks
    name = "reference"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Reference:
        from imagesync_cli.reference import parse_reference

        return parse_reference(value)


class _DigestType(click.ParamType):  # type: ignore[type-arg]
    name = "digest"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from imagesync_cli.digest import parse_digest

        return parse_digest(value) if value else ""


class _PlatformType(click.ParamType):  # type: ignore[type-arg]
    name = "platform"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Platform:
        from imagesync_cli.platforms import parse_platform

        return parse_platform(value)


REFERENCE, DIGEST, PLATFORM = _ReferenceType(), _DigestType(), _PlatformType()

platform_option = click.option(
    "--platform",
    "platforms",
    type=PLATFORM,
    multiple=True,
    metavar="OS/ARCH[/VARIANT]",
    help="Only this platform of the image, such as linux/arm64. Given several times, an index of those alone.",
)

src_auth_file_option = click.option(
    "--src-auth-file", metavar="FILE", help="Take logins for SRC from this file, in the form of Docker's config.json."
)
dst_auth_file_option = click.option(
    "--dst-auth-file", metavar="FILE", help="Take logins for DST from this file, in the form of Docker's config.json."
)


def examples(*calls: str) -> str:
    """What stands below the options of a command: calls of it, as they are typed."""
    return "\n".join(["\b", "Examples:", *(f"  imagesync {call}" for call in calls)]) + (
        "\n\nimagesync --help lists the exit codes."
    )


def _verbosely(context: click.Context, parameter: click.Parameter, verbose: bool) -> None:
    if verbose and not context.meta.get("log shown"):  # it may stand before and after the command
        from imagesync_cli.output import show_log

        context.meta["log shown"] = True
        context.call_on_close(show_log())


verbose_option = click.option(
    "-v",
    "--verbose",
    is_flag=True,
    expose_value=False,
    callback=_verbosely,
    help="Say on stderr which login is used for which host.",
)


def shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that all commands have; what they say about the network reaches the command as its settings."""

    @functools.wraps(command)
    def with_settings(
        *,
        plain_http: tuple[str, ...],
        ca_file: str | None,
        src_auth_file: str | None = None,
        dst_auth_file: str | None = None,
        **options: Any,
    ) -> Any:
        from imagesync_cli.settings import read_settings

        settings = read_settings(
            plain_http=plain_http,
            ca_file=ca_file,
            source_auth_file=src_auth_file,
            destination_auth_file=dst_auth_file,
        )
        return command(settings=settings, **options)

    shared: Callable[..., Any] = with_settings
    for option in (
        verbose_option,
        click.option(
            "--quiet", is_flag=True, help="Write no progress and no summary to stderr; errors are still written."
        ),
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout."),
        click.option(
            "--plain-http",
            multiple=True,
            metavar="HOST",
            help="Speak plain HTTP to this host[:port]; may be repeated, or stand in IMAGESYNC_PLAIN_HTTP. "
            "Not needed for loopback.",
        ),
        click.option(
            "--ca-file",
            metavar="FILE",
            help="Trust the authorities in this PEM file as well as those of SSL_CERT_FILE and Docker's certs.d.",
        ),
    ):
        shared = option(shared)
    return shared

"""What commands have in common: the types of their arguments, and the options that all of them take."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagesync_cli.commands.log_options import log_options

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from imagesync_cli.stores.files.claims import Claimant
    from imagesync_cli.values.platforms import Platform
    from imagesync_cli.values.reference import Reference
    from imagesync_cli.values.tags.replacing import KeepAs


class _ReferenceType(click.ParamType):  # type: ignore[type-arg]  # not generic in older clicks
    name = "reference"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Reference:
        from imagesync_cli.values.reference import parse_reference

        return parse_reference(value)


class _HostType(click.ParamType):  # type: ignore[type-arg]
    name = "registry"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from imagesync_cli.values.hosts import parse_registry

        return parse_registry(value)


class _DigestType(click.ParamType):  # type: ignore[type-arg]
    name = "digest"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value:
            return ""
        from imagesync_cli.values.digest import parse_digest

        return parse_digest(value)


class _PlatformType(click.ParamType):  # type: ignore[type-arg]
    name = "platform"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Platform:
        from imagesync_cli.values.platforms import parse_platform

        return parse_platform(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(name) for name in _USUAL_PLATFORMS if name.startswith(incomplete)]


class _ClaimantType(click.ParamType):  # type: ignore[type-arg]
    name = "claimant"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Claimant:
        from imagesync_cli.stores.files.claims import parse_claimant

        return parse_claimant(value)


REFERENCE, DIGEST, PLATFORM = _ReferenceType(), _DigestType(), _PlatformType()
CLAIMANT, HOST = _ClaimantType(), _HostType()
# A file that shells complete; whether it can be read is found out, and said, by whoever reads it.
FILE = click.Path(readable=False)
# Those of shared_options that settings are read from.
NETWORK = ("plain_http", "ca_file", "requests_per_second", "connections")
# What a shell offers, not all that there are.
_USUAL_PLATFORMS = (
    "linux/amd64",
    "linux/arm64",
    "linux/arm/v7",
    "linux/arm/v6",
    "linux/386",
    "linux/ppc64le",
    "linux/riscv64",
    "linux/s390x",
    "windows/amd64",
)

platform_option = click.option(
    "--platform",
    "platforms",
    type=PLATFORM,
    multiple=True,
    metavar="OS/ARCH[/VARIANT]",
    help="Only this platform of the image, such as linux/arm64. Repeatable: several make an index of only those.",
)


def _artifact_types(context: click.Context, parameter: click.Parameter, types: tuple[str, ...]) -> tuple[str, ...]:
    if not types:
        return ()
    from imagesync_cli.values.names import parse_artifact_type

    return tuple(dict.fromkeys(map(parse_artifact_type, types)))


referrer_type_option = click.option(
    "--referrer-type",
    "referrer_types",
    multiple=True,
    callback=_artifact_types,
    metavar="TYPE",
    help="Only referrers with this artifact type, such as application/spdx+json. Repeatable. Implies --referrers.",
)


def _overwrite(context: click.Context, parameter: click.Parameter, text: str) -> str:
    from imagesync_cli.values.tags.replacing import parse_overwrite

    return parse_overwrite(text)


def keep_as_of(context: click.Context, parameter: click.Parameter, text: str | None) -> KeepAs | None:
    """Read the template of --keep-as."""
    if text is None:
        return None
    from imagesync_cli.values.tags.replacing import parse_keep_as

    return parse_keep_as(text)


def replacing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What becomes of another image under the tag; the command gets it as ``replacing``."""

    @click.option(
        "--overwrite",
        default="always",
        show_default=True,
        callback=_overwrite,
        metavar="always|ours|never|DIGEST",
        help="What to do if DST's tag has another image: replace it; only if SRC's repository has that image (ours); "
        "never; or only if it is DIGEST. Else nothing is written (exit code 7).",
    )
    @click.option(
        "--keep-as",
        callback=keep_as_of,
        metavar="TEMPLATE",
        help="Give the image that DST's tag leaves a tag of its own before: {tag}-{date}-{digest}.",
    )
    @click.option(
        "--keep-last",
        type=click.IntRange(min=0),
        metavar="N",
        help="With --keep-as: after a replacement, remove all images kept so but the last N.",
    )
    @functools.wraps(command)
    def wrapper(*given: Any, overwrite: str, keep_as: KeepAs | None, keep_last: int | None, **more: Any) -> Any:
        from imagesync_cli.values.tags.replacing import Replacing

        if keep_last is not None and keep_as is None:
            raise click.UsageError("--keep-last goes with --keep-as", ctx=click.get_current_context())
        return command(*given, replacing=Replacing(overwrite, keep_as, keep_last), **more)

    return wrapper


def minimum_age_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How old an image must be to be taken; the command gets it as ``minimum_age``, None for any age."""

    @click.option(
        "--minimum-age",
        "least",
        metavar="TIME",
        help="Take no image that is younger than TIME (90m, 72h, 3d); DST stays as it is until then.",
    )
    @click.option(
        "--minimum-age-new",
        type=click.Choice(["wait", "take"]),
        default="wait",
        show_default=True,
        help="With --minimum-age: whether an image waits too if DST has none yet (exit code 7).",
    )
    @click.option(
        "--minimum-age-by-created", is_flag=True, help="With --minimum-age: believe what the image says of itself."
    )
    @click.option(
        "--ignore-age-for",
        multiple=True,
        metavar="DIGEST",
        help="With --minimum-age: take this digest at any age. Repeatable.",
    )
    @functools.wraps(command)
    def wrapper(
        *given: Any,
        least: str | None,
        minimum_age_new: str,
        minimum_age_by_created: bool,
        ignore_age_for: tuple[str, ...],
        **more: Any,
    ) -> Any:
        if least is None:
            if minimum_age_by_created or ignore_age_for or minimum_age_new != "wait":
                raise click.UsageError("these options go with --minimum-age", ctx=click.get_current_context())
            return command(*given, minimum_age=None, **more)
        from imagesync_cli.look.trust.age import parse_minimum_age

        rule = parse_minimum_age(least, minimum_age_new, ignore_age_for, by_created=minimum_age_by_created)
        return command(*given, minimum_age=rule, **more)

    return wrapper


def trust_option(*, required: bool = False) -> Callable[[Any], Any]:
    """The file with the rules about who must have signed an image."""
    return click.option(
        "--trust",
        type=click.Path(path_type=Path),
        required=required,
        metavar="FILE",
        help="Who must have signed which images: rules in YAML or JSON. Needs imagesync-cli[sigstore].",
    )


def examples(*calls: str) -> str:
    """What stands below the options of a command: calls of it, as they are typed."""
    return "\n".join(["\b", "Examples:", *(f"  imagesync {call}" for call in calls)]) + (
        "\n\nimagesync --help lists the exit codes."
    )


def shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that all commands have; what they say about the network reaches the command as its settings."""

    @functools.wraps(command)
    def with_settings(
        *,
        plain_http: tuple[str, ...],
        ca_file: str | None,
        requests_per_second: tuple[str, ...],
        connections: tuple[str, ...],
        src_auth_file: str | None = None,
        dst_auth_file: str | None = None,
        **options: Any,
    ) -> Any:
        from imagesync_cli.settings import read_settings

        settings = read_settings(
            plain_http=plain_http,
            ca_file=ca_file,
            requests_per_second=requests_per_second,
            connections=connections,
            source_auth_file=src_auth_file,
            destination_auth_file=dst_auth_file,
        )
        return command(settings=settings, **options)

    shared: Callable[..., Any] = with_settings
    for option in (
        log_options,
        click.option("--quiet", is_flag=True, help="Print no progress and no summary on stderr, only errors."),
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
        click.option(
            "--plain-http",
            multiple=True,
            metavar="HOST",
            help="Use plain HTTP for this HOST[:PORT]; loopback needs no naming. Repeatable. "
            "IMAGESYNC_PLAIN_HTTP names more.",
        ),
        click.option(
            "--ca-file",
            type=FILE,
            metavar="FILE",
            help="Also trust the authorities in this PEM file. SSL_CERT_FILE and Docker's certs.d count too.",
        ),
        click.option(
            "--requests-per-second",
            multiple=True,
            metavar="HOST=N",
            help="Send HOST at most N requests of all kinds in any second (0.5: one in two seconds). Repeatable. "
            "IMAGESYNC_REQUESTS_PER_SECOND and a settings file name more.",
        ),
        click.option(
            "--connections",
            multiple=True,
            metavar="HOST=N",
            help="Open at most N connections to HOST at the same time (default 32). Repeatable. "
            "IMAGESYNC_CONNECTIONS and a settings file name more.",
        ),
    ):
        shared = option(shared)
    return shared

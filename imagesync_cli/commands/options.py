"""What commands have in common: what reads their arguments, and options that several of them take."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagesync_cli.commands.log_options import Decorator, several

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from imagesync_cli.stores.files.runs.claimed import Claimant
    from imagesync_cli.values.platforms import Platform
    from imagesync_cli.values.reference import Reference
    from imagesync_cli.values.tags.replacing import KeepAs


# What reads an argument is loaded once there is one.
def to_reference(text: str) -> Reference:
    """A reference."""
    from imagesync_cli.values.reference import parse_reference

    return parse_reference(text)


def to_registry(text: str) -> str:
    """The name of a registry."""
    from imagesync_cli.values.hosts import parse_registry

    return parse_registry(text)


def to_digest(text: str) -> str:
    """A digest."""
    from imagesync_cli.values.digest import parse_digest

    return parse_digest(text)


def to_platform(text: str) -> Platform:
    """A platform."""
    from imagesync_cli.values.platforms import parse_platform

    return parse_platform(text)


def to_claimant(text: str) -> Claimant:
    """An entry of a Terraform configuration."""
    from imagesync_cli.stores.files.runs.claimed import parse_claimant

    return parse_claimant(text)


def _to_artifact_type(text: str) -> str:
    from imagesync_cli.values.names import parse_artifact_type

    return parse_artifact_type(text)


def _overwrite(context: click.Context, parameter: click.Parameter, text: str) -> str:
    if context.resilient_parsing:  # a shell completes, and waits
        return text
    from imagesync_cli.values.tags.replacing import parse_overwrite

    return parse_overwrite(text)


def _to_keep_as(text: str) -> KeepAs:
    from imagesync_cli.values.tags.replacing import parse_keep_as

    return parse_keep_as(text)


class _NamedPath(click.Path):
    """A file that is named: an empty text is a shell's variable that is not set, not the folder we are in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("it names no file.", param, ctx)
        return super().convert(value, param, ctx)


# Whether a file can be read is found out, and said, by whoever reads it. Shells complete it.
FILE = _NamedPath(readable=False)
PATH = _NamedPath(path_type=Path)
# What a shell offers, not all that there are.
_USUAL_PLATFORMS = (
    *("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/arm/v6", "linux/386", "linux/ppc64le", "linux/riscv64"),
    *("linux/s390x", "windows/amd64"),
)


def _usual_platforms(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in _USUAL_PLATFORMS if name.startswith(incomplete)]


def digest_option(*names: str, help: str) -> Decorator:  # noqa: A002  (as click calls it)
    """The one digest that is meant; the command gets "" without it. An empty one is refused: any would do then."""
    return click.option(
        "--digest", *names, type=to_digest, callback=lambda _c, _p, digest: digest or "", metavar="DIGEST", help=help
    )


platform_option = click.option(
    "--platform",
    "platforms",
    type=to_platform,
    multiple=True,
    metavar="OS/ARCH[/VARIANT]",
    shell_complete=_usual_platforms,
    help="Use only this platform of the image, such as linux/arm64. Repeatable: several make a new index of these.",
)
referrer_type_option = click.option(
    "--referrer-type",
    "referrer_types",
    type=_to_artifact_type,
    multiple=True,
    callback=lambda _context, _parameter, types: tuple(dict.fromkeys(types)),
    metavar="TYPE",
    help="Use only referrers with this artifact type, such as application/spdx+json. Repeatable. Implies --referrers.",
)


def auth_file_option(side: str, whose: str) -> Decorator:
    """Where the logins for one ``side`` of a copy are: src or dst; ``whose`` is what help calls it."""
    return click.option(
        f"--{side}-auth-file",
        type=FILE,
        metavar="FILE",
        help=f"Logins for {whose} only, in the format of Docker's config.json.",
    )


def trust_option(*, required: bool = False) -> Decorator:
    """The file with the rules about who must have signed an image."""
    return click.option(
        "--trust",
        type=PATH,
        required=required,
        metavar="FILE",
        help="Rules in YAML or JSON: who must have signed which images. Needs imagesync-cli[sigstore].",
    )


def keep_options(*, keep_as: str, keep_last: str) -> Decorator:
    """The tags that keep old images, and how many of those stay; with the help of both."""
    return several(
        click.option("--keep-as", type=_to_keep_as, metavar="TEMPLATE", help=keep_as),
        click.option("--keep-last", type=click.IntRange(min=0), metavar="N", help=keep_last),
    )


def check_keep(keep_as: KeepAs | None, keep_last: int | None) -> None:
    """UsageError for a number of images to keep without the tags that keep them."""
    if keep_last is not None and keep_as is None:
        raise click.UsageError("--keep-last goes with --keep-as", click.get_current_context())


def replacing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What becomes of another image under the tag; the command gets it as ``replacing``."""

    @click.option(
        "--overwrite",
        default="always",
        show_default=True,
        callback=_overwrite,
        metavar="always|ours|never|DIGEST",
        help="When to replace another image under DST's tag: always; only if SRC's repository has that image too "
        "(ours); never; or only if it is DIGEST. Otherwise nothing is written (exit code 7).",
    )
    @keep_options(
        keep_as="Before DST's tag moves, give the old image another tag, like {tag}-{date}-{digest}.",
        keep_last="With --keep-as: after a replacement, keep only the last N old images.",
    )
    @functools.wraps(command)
    def wrapper(*given: Any, overwrite: str, keep_as: KeepAs | None, keep_last: int | None, **more: Any) -> Any:
        from imagesync_cli.values.tags.replacing import Replacing

        check_keep(keep_as, keep_last)
        return command(*given, replacing=Replacing(overwrite, keep_as, keep_last), **more)

    replacing: Callable[..., Any] = wrapper
    return replacing


def minimum_age_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How old an image must be to be taken; the command gets it as ``minimum_age``, None for any age."""

    @click.option(
        "--minimum-age",
        "least",
        metavar="TIME",
        help="Copy no image that is younger than TIME (90m, 72h, 3d). DST stays as it is until then.",
    )
    @click.option(
        "--minimum-age-new",
        type=click.Choice(["wait", "take"]),
        default="wait",
        show_default=True,
        help="With --minimum-age, if DST has no image yet: wait too (exit code 7), or take the young one.",
    )
    @click.option(
        "--minimum-age-by-created",
        is_flag=True,
        help="With --minimum-age: use the creation time in the image if nothing else shows its age.",
    )
    @click.option(
        "--ignore-age-for",
        multiple=True,
        metavar="DIGEST",
        help="With --minimum-age: copy this digest at any age. Repeatable.",
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
            of_age = {"minimum_age_new": minimum_age_new != "wait", "ignore_age_for": ignore_age_for}
            if name := first_given({**of_age, "minimum_age_by_created": minimum_age_by_created}):
                raise click.UsageError(f"{name} goes with --minimum-age", ctx=click.get_current_context())
            return command(*given, minimum_age=None, **more)
        from imagesync_cli.look.trust.age import parse_minimum_age

        rule = parse_minimum_age(least, minimum_age_new, ignore_age_for, by_created=minimum_age_by_created)
        return command(*given, minimum_age=rule, **more)

    return wrapper


def first_given(options: Mapping[str, Any]) -> str:
    """The first of these options that was given, by the names of their parameters; "" for none."""
    given = (name for name, value in options.items() if value not in (None, False, "", (), "auto"))
    return next((f"--{name.replace('_', '-')}" for name in given), "")

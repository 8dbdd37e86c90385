"""What commands have in common: what reads their arguments, and options that several of them take."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagesync_cli.commands.log_options import Decorator, several

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from imagesync_cli.values.tags.replacing import KeepAs


def _reader(function: str) -> Callable[[str], Any]:
    """What reads an argument, by its name in the package: it is loaded once there is an argument."""
    module, _, name = function.rpartition(".")

    def read(text: str) -> Any:
        return getattr(importlib.import_module(f"imagesync_cli.{module}"), name)(text)

    return read


to_reference = _reader("values.reference.parse_reference")
to_registry = _reader("values.hosts.parse_registry")
to_claimant = _reader("stores.files.runs.claimed.parse_claimant")
_to_digest = _reader("values.digest.parse_digest")
_to_platform = _reader("values.platforms.parse_platform")
_to_artifact_type = _reader("values.names.parse_artifact_type")
_to_keep_as = _reader("values.tags.replacing.parse_keep_as")
_to_overwrite = _reader("values.tags.replacing.parse_overwrite")


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


def _said(context: click.Context, parameter: click.Parameter, text: str | None) -> str:
    if text == "":
        raise click.BadParameter("it is empty.", context, parameter)
    return text or ""


def text_option(*names: str, metavar: str, help: str, to: Callable[[str], str] = str) -> Decorator:  # noqa: A002
    """A text, read by ``to``; the command gets "" without it. An empty one is refused: anything would do then."""
    return click.option(*names, type=to, callback=_said, metavar=metavar, help=help)


def digest_option(*names: str, help: str) -> Decorator:  # noqa: A002  (as click calls it)
    """The one digest that is meant."""
    return text_option("--digest", *names, to=_to_digest, metavar="DIGEST", help=help)


platform_option = click.option(
    "--platform",
    "platforms",
    type=_to_platform,
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
        callback=lambda context, _, text: text if context.resilient_parsing else _to_overwrite(text),  # a shell waits
        metavar="always|ours|never|DIGEST",
        help="When to replace another image under DST's tag: always; only if SRC's repository has that image too "
        "(ours); never; or only if it is DIGEST. Otherwise nothing is written (exit code 7).",
    )
    @keep_options(
        keep_as="Before DST's tag moves, give the old image another tag, like {tag}-{date}-{digest}.",
        keep_last="With --keep-as: after a replacement, keep only the last N old images.",
    )
    @functools.wraps(command)
    def wrapper(*, overwrite: str, keep_as: KeepAs | None, keep_last: int | None, **more: Any) -> Any:
        from imagesync_cli.values.tags.replacing import Replacing

        check_keep(keep_as, keep_last)
        return command(replacing=Replacing(overwrite, keep_as, keep_last), **more)

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
        *,
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
            return command(minimum_age=None, **more)
        from imagesync_cli.look.trust.age import parse_minimum_age

        rule = parse_minimum_age(least, minimum_age_new, ignore_age_for, by_created=minimum_age_by_created)
        return command(minimum_age=rule, **more)

    return wrapper


def first_given(options: Mapping[str, Any]) -> str:
    """The first of these options that was given, by the names of their parameters; "" for none."""
    absent = (None, "", (), "auto")  # and False, which 0 is not
    given = (name for name, value in options.items() if value is not False and value not in absent)
    return next((f"--{name.replace('_', '-')}" for name in given), "")


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
            multiple=True,
            metavar="FILE",
            help="With --file: write a report. The file's ending chooses its form: .json, .md, .xml (JUnit) or .prom "
            "(metrics for Prometheus). Repeatable.",
        ),
        click.option(
            "--progress",
            type=click.Choice(["auto", "plain", "none"]),
            default="auto",
            show_default=True,
            help="With --file: show a bar on a terminal and lines elsewhere (auto), always lines, or nothing.",
        ),
    )

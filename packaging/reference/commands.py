"""The commands' page: what --help says, command by command."""

from __future__ import annotations

from collections.abc import Iterator

import click
from pages import code, inline, page, prose, table

from imagesync_cli.cli import cli

_PROSE = {
    "inspect": [("What can be copied", "../reference.md#what-can-be-copied")],
    "login": [("Log in", "../credentials.md#log-in-without-docker")],
    "logout": [("Log in", "../credentials.md#log-in-without-docker")],
    "resolve": [("Platforms", "../reference.md#platforms")],
    "sync": [
        ("What can be copied", "../reference.md#what-can-be-copied"),
        ("Platforms", "../reference.md#platforms"),
        ("Signatures and SBOMs", "../signatures.md"),
        ("Many images in one file", "../many-images.md"),
        ("What is survived", "../reliability.md"),
    ],
    "check": [("Check a mirror", "../checking.md")],
    "tags": [("Tags", "../many-images.md#tags")],
    "lock": [("Lock", "../many-images.md#lock")],
    "report": [("Reports", "../many-images.md#reports")],
    "adopt": [("Coming from elsewhere", "../many-images.md#coming-from-elsewhere")],
    "delete": [("Deleting", "../deleting.md")],
    "doctor": [("Log in", "../credentials.md#when-it-does-not-work")],
    "external": [("Terraform's protocol", "../reference.md#terraforms-protocol")],
}
"""The pages that say of a command what does not fit a help text."""


def commands_page() -> str:
    """All commands with their options; those that nearly all have come once, at the end."""
    context = click.Context(cli, info_name="imagesync", **cli.context_settings)
    contexts = [each for each in _below(context) if not isinstance(each.command, click.Group)]
    takers = [each for each in contexts if {"--json", "--plain-http"} <= _options(each).keys()]
    shared = set.intersection(*(set(_options(each)) for each in takers))
    without = [code(each.command_path) for each in contexts if each not in takers]
    return page(
        "Commands",
        "`imagesync COMMAND --help` says the same. What a command prints with `--json`: [json.md](json.md); how it "
        "ends: [exit-codes.md](exit-codes.md). A shell completes commands and options: "
        "[shell-completion.md](../how-to/shell-completion.md).",
        table(["Command", ""], [[f"[{code(each.command_path)}](#{_anchor(each)})", _first(each)] for each in contexts]),
        *(_section(each, shared) for each in contexts),
        "## Options of every command",
        f"Only {', '.join(without)} go without.",
        _option_table([option for name, option in _options(takers[0]).items() if name in shared]),
        "`imagesync` itself has these alone:",
        _option_table(list(_options(context).values())),
    )


def _below(context: click.Context) -> Iterator[click.Context]:
    group = context.command
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None  # noqa: S101  (for the type checker)
            child = click.Context(command, parent=context, info_name=name)
            yield child
            yield from _below(child)


def _options(context: click.Context) -> dict[str, click.Option]:
    """By their longest name."""
    options = [each for each in context.command.get_params(context) if isinstance(each, click.Option)]
    return {max(each.opts, key=len): each for each in options if not each.hidden}


def _anchor(context: click.Context) -> str:
    return context.command_path.replace(" ", "-")


def _first(context: click.Context) -> str:
    """The first sentence of its help."""
    return inline((context.command.help or "").strip().partition("\n\n")[0])


def _section(context: click.Context, shared: set[str]) -> str:
    command = context.command
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    own = [option for name, option in _options(context).items() if name not in shared and name != "--help"]
    pages = _PROSE.get(context.command_path.split()[1], [])
    return "\n\n".join(
        [
            f"## {context.command_path}",
            f"```text\n{usage}\n```",
            prose(command.help or ""),
            *([_option_table(own)] if own else []),
            *([f"More: {', '.join(f'[{title}]({target})' for title, target in pages)}."] if pages else []),
        ]
    )


def _option_table(options: list[click.Option]) -> str:
    return table(["Option", ""], [[_spelled(each), _told(each)] for each in options])


def _spelled(option: click.Option) -> str:
    value = "" if option.is_flag else option.make_metavar(click.Context(cli))
    names = sorted(option.opts, key=len)
    return ", ".join(code(f"{name} {value}".strip()) for name in names)


def _told(option: click.Option) -> str:
    """Its help, and what click adds to that."""
    told = [inline(option.help or "")]
    if option.required:
        told.append("Required.")
    if option.show_default:
        told.append(f"Default: {code(str(option.default))}.")
    if isinstance(option.type, click.IntRange) and option.type.min:
        told.append(f"At least {option.type.min}.")
    return " ".join(told)

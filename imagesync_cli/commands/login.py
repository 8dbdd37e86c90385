"""Logins for later runs: who needs no Docker for anything else needs none for these."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from imagesync_cli.commands.call import Call, examples, shared_options
from imagesync_cli.commands.options import to_registry
from imagesync_cli.output import results
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.progress import note

if TYPE_CHECKING:
    from imagesync_cli.stores import Stores
    from imagesync_cli.values.secret import Secret

_LONGEST_PASSWORD = 64 * 1024


def _to_username(text: str) -> str:
    """A user's name. RFC 7617 ends it at the first colon; other tools refuse a whole file for one that is empty."""
    if not text or ":" in text or not text.isprintable():
        raise UsageError(
            f"user name {text!r} cannot be sent", hint="it is not empty, and has no colon and no control character"
        )
    return text


@click.command(
    "login",
    short_help="Store a login for a registry.",
    epilog=examples("login --username ann registry.example.com < password.txt"),
)
@click.argument("registry", metavar="HOST", type=to_registry)
@click.option("-u", "--username", required=True, type=_to_username, metavar="NAME", help="The user name.")
@click.option(
    "--password-stdin", is_flag=True, help="Accepted as by docker login: the password always comes from stdin."
)
@shared_options
def log_in(registry: str, username: str, password_stdin: bool, call: Call) -> None:
    """Try a login at the registry HOST, and store it where Docker does: in config.json, or in the helper named there.

    The password comes from stdin, and is asked for on a terminal. No option takes it: other users see those.
    """
    from imagesync_cli.stores.logins import Account, only_with

    account = Account(registry, username, _password(registry))

    async def work(stores: Stores) -> tuple[str, bool]:
        from imagesync_cli.stores.logins import log_in

        return await log_in(stores, call.settings, account)

    where, checked = replace(call, settings=only_with(call.settings, account)).run([], work)
    call.output.result(results.logged_in(registry, where, checked=checked))


def _password(registry: str) -> Secret:
    from imagesync_cli.values.secret import Secret

    hint = f"imagesync login --username NAME {registry} < FILE"
    if sys.stdin is not None and sys.stdin.isatty():
        text = _typed(f"Password for {registry}: ")
    else:
        try:
            text = sys.stdin.read(_LONGEST_PASSWORD) if sys.stdin is not None else ""
        except UnicodeDecodeError:  # not why: that tells a part of it
            raise UsageError("the password on stdin is not UTF-8", hint=hint) from None
    password = Secret(text.rstrip("\r\n"))
    if not password:
        raise UsageError("there is no password on stdin", hint=hint)
    return password


def _typed(prompt: str) -> str:
    import getpass
    import signal

    # As Python does it: whoever presses Ctrl-C here wants a terminal back that shows what is typed.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return getpass.getpass(prompt, stream=sys.stderr)
    finally:
        signal.signal(signal.SIGINT, before)


@click.command("logout", short_help="Remove a login.", epilog=examples("logout registry.example.com"))
@click.argument("registry", metavar="HOST", type=to_registry)
@shared_options
def log_out(registry: str, call: Call) -> None:
    """Remove the login for the registry HOST, in config.json or in the helper that it names. No registry is asked."""

    async def work(stores: Stores) -> tuple[list[str], list[str]]:
        from imagesync_cli.stores.logins import log_out

        return await log_out(call.settings, registry)

    forgotten, left = call.run([], work)
    call.output.result(results.logged_out(registry, forgotten, left))
    for file in left:
        note(f"{file} still has a login for {registry}")

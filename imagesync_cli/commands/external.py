"""Speak Terraform's protocol."""

from __future__ import annotations

import click


@click.command("external", short_help="Answer Terraform's external data source.")
def command() -> None:
    """Answer Terraform's external data source: JSON on stdin, JSON on stdout.

    \b
    {"images": "<JSON object: key to reference or object>"}
        object: reference, platforms, referrers, verify, copy
        each key: reference, digest, source_digest, media_type, size, error, kind
    {"source": REF, "destination": REF, "platforms": "P,P", "verify": "tag"}
        digest, id, destination_digest, in_sync, error, kind
    With "verify": "deep" also damage: what is missing or wrong below the digest.
    With "copy" also copy: how much would be copied, and what speaks against it.

    Never writes to a registry. Exits with 0 whatever the registries answer, and with 2 if the query itself is wrong.
    IMAGESYNC_TIMEOUT is the limit for the whole call in seconds, 30 if not set.
    """
    from imagesync_cli.terraform import answer_terraform

    answer_terraform()

"""Speak Terraform's protocol."""

from __future__ import annotations

import click


@click.command("external")
def command() -> None:
    """Answer Terraform's external data source: JSON on stdin, JSON on stdout.

    \b
    {"images": "<JSON object: key to reference or object>"}
        object: reference, platforms, verify
        each key: digest, source_digest, media_type, size, error, kind
    {"source": "...", "destination": "...", "platforms": "...", "verify": "..."}
        digest, id, destination_digest, in_sync, error, kind
    With "verify": "deep" also damage: what is missing or wrong below the digest.

    Exits with 0 unless the query itself is wrong. IMAGESYNC_TIMEOUT is the limit for the whole call in seconds (30).
    """
    from imagesync_cli.external import answer_terraform

    answer_terraform()

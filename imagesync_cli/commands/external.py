"""Speak Terraform's protocol."""

from __future__ import annotations

import click

_QUERIES = """\b
Queries and what is answered:
  {"images": "<JSON object: KEY to reference or object>"}
    KEY: "<JSON object: digest, source_digest, media_type,
          size, error, kind>"
  {"source": "REF", "destination": "REF"}
    digest, id, destination_digest, in_sync, error, kind
"""


@click.command("external", short_help="Answer Terraform's external data source.", epilog=_QUERIES)
def command() -> None:
    """Answer Terraform's external data source: a JSON object of strings on stdin, one on stdout.

    A query may also say "platforms", separated by commas, "referrers": "true" and "verify": "deep"; then the answer
    tells damage too: what is missing or wrong below the digest. An object in images has the members reference,
    platforms (a list), referrers (a boolean) and verify.

    Never writes to a registry. Exits with 0 whatever the registries answer, with 2 if the query itself is wrong.
    IMAGESYNC_TIMEOUT is the limit for the whole call, in seconds; 30 if not set.
    """
    from imagesync_cli.external import answer_terraform

    answer_terraform()

"""Where the processes of one Terraform run find what they share."""

from __future__ import annotations

from collections.abc import Mapping


def run_folder(environ: Mapping[str, str]) -> str:
    """The folder imagesync in Terraform's own."""
    return f"{environ.get('TF_DATA_DIR') or '.terraform'}/imagesync"

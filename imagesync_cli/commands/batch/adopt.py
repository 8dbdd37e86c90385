"""Take over what other tools' files say."""

from __future__ import annotations

from pathlib import Path

import click

from imagesync_cli.commands.call import examples
from imagesync_cli.commands.options import PATH
from imagesync_cli.output import Output


@click.command(
    "adopt",
    short_help="Turn another tool's file into an images.yaml or modules.",
    epilog=examples("adopt regsync.yml > images.yaml", "adopt --to registry.example.com - < manifests.yaml"),
)
@click.argument("file", metavar="FILE", type=PATH)
@click.option(
    "--to",
    "target",
    default="",
    metavar="REGISTRY",
    help="Destination of images for which FILE names none, as in a manifest.",
)
@click.option(
    "--as",
    "form",
    type=click.Choice(["images", "modules"]),
    default="images",
    show_default=True,
    help="Print an images.yaml, or Terraform module blocks.",
)
def command(file: Path, target: str, form: str) -> None:
    """Print what FILE mirrors, as an images.yaml or as Terraform modules.

    FILE, or - for stdin, is a regsync, skopeo sync, dregsy, image-syncer, ocync, flux-mirror or kpromo file, a
    Kubernetes manifest (also Argo's, Tekton's or an operator's), a kustomization, a compose file, or a Terraform
    state. What cannot be carried over is listed on stderr. No registry is asked.
    """
    from imagesync_cli.batch.adopt.reading import adopt
    from imagesync_cli.output.adopt import as_images, as_modules
    from imagesync_cli.output.console import counted

    adopted = adopt(file, target.rstrip("/"))
    text = as_images(adopted) if form == "images" else as_modules(adopted)
    output = Output()
    output.answer(text)
    entries = "1 entry" if len(adopted.entries) == 1 else f"{len(adopted.entries)} entries"
    output.notes([*adopted.notes, f"{entries} from a {adopted.kind} file, {counted(len(adopted.notes), 'note')}"])

"""What goes with a file of images beside copying it: its lock, what other tools' files say, and reports of runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagesync_cli.commands.call import Call, examples, shared_options
from imagesync_cli.commands.options import PATH, auth_file_option, text_option
from imagesync_cli.commands.runs import ImageFile
from imagesync_cli.output import Output, print_text, results

if TYPE_CHECKING:
    from imagesync_cli.batch.locking import LockReport
    from imagesync_cli.stores import Stores


@click.command(
    "lock",
    short_help="Record the digests of all images that a file lists.",
    epilog=examples("lock --file images.yaml", "lock --file images.yaml --check"),
)
@click.option(
    "--file",
    type=PATH,
    metavar="FILE",
    required=True,
    help="The YAML or JSON file that lists the images, - for stdin.",
)
@click.option("--lock-file", type=PATH, metavar="FILE", help="The lock (default: images.lock.json beside images.yaml).")
@click.option("--check", is_flag=True, help="Write nothing; exit with 8 if the lock is out of date.")
@auth_file_option("src", "sources")
@shared_options
def lock(file: Path, lock_file: Path | None, check: bool, call: Call) -> None:
    """Write the digest of every image in a file into a lock.

    Reports what has moved since. sync --locked then copies exactly what the lock says. An image that cannot be read
    keeps its entry in the lock.
    """
    from datetime import datetime, timezone

    from imagesync_cli.batch import locking
    from imagesync_cli.look.lockfile import lock_text
    from imagesync_cli.stores.files.new_file import replace_file
    from imagesync_cli.values.errors import Differs
    from imagesync_cli.values.progress import Progress

    images = ImageFile(file, lock_file=lock_file)
    entries, progress = images.entries(), Progress()
    old = images.lock(must_exist=check)

    async def work(stores: Stores) -> LockReport:
        return await locking.lock(stores, entries, old, datetime.now(timezone.utc), progress)

    report = call.run([entry.model.source for entry in entries[:1]], work, progress)
    if not check:
        replace_file(images.lock_path, lock_text(report.lock))
    code = call.output.result(results.locked(report))
    sys.exit(Differs.exit_code if check and report.changes else code)


@click.command(
    "adopt",
    short_help="Turn another tool's file into an images.yaml or modules.",
    epilog=examples("adopt regsync.yml > images.yaml", "adopt --to registry.example.com - < manifests.yaml"),
)
@click.argument("file", metavar="FILE", type=PATH)
@text_option(
    "--to",
    "target",
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
def adopt(file: Path, target: str, form: str) -> None:
    """Print what FILE mirrors, as an images.yaml or as Terraform modules.

    FILE, or - for stdin, is a regsync, skopeo sync, dregsy, image-syncer, ocync, flux-mirror or kpromo file, a
    Kubernetes manifest (also Argo's, Tekton's or an operator's), a kustomization, a compose file, a Terraform state, or
    an images.yaml. What cannot be carried over is listed on stderr. No registry is asked.
    """
    from imagesync_cli.batch.adopt import reading
    from imagesync_cli.output.adopt import as_images, as_modules
    from imagesync_cli.output.console import counted

    adopted = reading.adopt(file, target.rstrip("/"))
    text = as_images(adopted) if form == "images" else as_modules(adopted)
    print_text(text)
    entries = "1 entry" if len(adopted.entries) == 1 else f"{len(adopted.entries)} entries"
    Output().notes([*adopted.notes, f"{entries} from {adopted.origin}, {counted(len(adopted.notes), 'note')}"])


@click.group("report", short_help="Merge the reports of sync --report.")
def report() -> None:
    """Merge the reports that sync --report writes."""


@report.command(
    "merge",
    short_help="Merge the JSON reports of several shards.",
    epilog=examples("report merge --output all.md shard-*.json"),
)
@click.argument("reports", metavar="FILE...", type=PATH, nargs=-1, required=True)
@click.option(
    "--output",
    type=PATH,
    metavar="FILE",
    help="Where to write the report. The ending chooses its form: .json, .md, .xml (JUnit) or .prom (metrics for "
    "Prometheus). Default: JSON on stdout.",
)
def merge(reports: tuple[Path, ...], output: Path | None) -> None:
    """Join the JSON reports of several shards. The exit code is that of the first failure in them."""
    from imagesync_cli.batch.report import merged
    from imagesync_cli.output.report import read_report, report_json, write_report

    whole = merged([read_report(path) for path in reports])
    if output is not None:
        write_report(output, whole)
    else:
        print_text("".join(report_json(whole)).rstrip())
    sys.exit(whole.exit_code)

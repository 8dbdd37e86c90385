"""The command line: options become settings, one operation runs, its result is printed.

What a command needs is imported when that command runs: --help and --version wait for nothing.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from imagesync_cli import __version__
from imagesync_cli.errors import ImagesyncError
from imagesync_cli.process import exit_code, run

if TYPE_CHECKING:
    from imagesync_cli.operations.delete_report import DeleteReport
    from imagesync_cli.operations.doctor import Diagnosis
    from imagesync_cli.operations.sync import SyncReport
    from imagesync_cli.reference import Reference
    from imagesync_cli.settings import Settings
    from imagesync_cli.stores import Stores

_EXIT_CODES = """\b
Exit codes:
  0    done, or already so
  2    fix the call, the query or the configuration
  3    the image is not there
  4    the registry does not allow it
  5    no answer: try again later
  6    the content is not what its digest says
  7    imagesync, or the registry, will not do this
  130  interrupted
"""


class _ReferenceType(click.ParamType):  # type: ignore[type-arg]  # not generic in older clicks
    name = "reference"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Reference:
        from imagesync_cli.reference import parse_reference

        return parse_reference(value)


class _DigestType(click.ParamType):  # type: ignore[type-arg]
    name = "digest"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from imagesync_cli.digest import parse_digest

        return parse_digest(value) if value else ""


_REFERENCE, _DIGEST = _ReferenceType(), _DigestType()


def _verbosely(context: click.Context, parameter: click.Parameter, verbose: bool) -> None:
    if verbose and not context.meta.get("log shown"):  # it may stand before and after the command
        from imagesync_cli.output import show_log

        context.meta["log shown"] = True
        context.call_on_close(show_log())


_verbose_option = click.option(
    "-v",
    "--verbose",
    is_flag=True,
    expose_value=False,
    callback=_verbosely,
    help="Say which login is used for which host.",
)


def _shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that all commands have; what they say about the network reaches the command as its settings."""

    @functools.wraps(command)
    def with_settings(
        *,
        plain_http: tuple[str, ...],
        ca_file: str | None,
        src_auth_file: str | None = None,
        dst_auth_file: str | None = None,
        **options: Any,
    ) -> Any:
        from imagesync_cli.settings import read_settings

        settings = read_settings(
            plain_http=plain_http,
            ca_file=ca_file,
            source_auth_file=src_auth_file,
            destination_auth_file=dst_auth_file,
        )
        return command(settings=settings, **options)

    shared: Callable[..., Any] = with_settings
    for option in (
        _verbose_option,
        click.option("--quiet", is_flag=True, help="No progress and no summary on stderr."),
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
        click.option(
            "--plain-http",
            multiple=True,
            metavar="HOST",
            help="Speak plain HTTP to this host[:port]; repeatable, or IMAGESYNC_PLAIN_HTTP. Loopback hosts do.",
        ),
        click.option(
            "--ca-file",
            metavar="FILE",
            help="Trust the authorities in this PEM file too; see also SSL_CERT_FILE and Docker's certs.d.",
        ),
    ):
        shared = option(shared)
    return shared


@click.group(epilog=_EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="imagesync")
@_verbose_option
def cli() -> None:
    """Mirror container images between registries and OCI layout folders.

    A reference is HOST/REPOSITORY:TAG, with Docker's shorthands (busybox is docker.io/library/busybox:latest), or
    oci:FOLDER:TAG for an OCI image layout.
    """


@cli.command("resolve")
@click.argument("references", metavar="REF...", type=_REFERENCE, nargs=-1, required=True)
@_shared_options
def resolve_command(references: tuple[Reference, ...], settings: Settings, as_json: bool, quiet: bool) -> None:
    """Print NAME@DIGEST for each reference, by one HEAD request each."""
    from imagesync_cli.operations.resolve import Resolved, resolve
    from imagesync_cli.output import Output

    found = run(settings, references, lambda stores: resolve(stores, references))
    results = [
        answer if isinstance(answer, ImagesyncError) else Resolved(reference, answer)
        for reference, answer in zip(references, found, strict=True)
    ]
    Output(as_json=as_json, quiet=quiet).resolved(results)
    sys.exit(next((result.exit_code for result in results if isinstance(result, ImagesyncError)), 0))


@cli.command("sync")
@click.argument("source", metavar="SRC", type=_REFERENCE)
@click.argument("destination", metavar="DST", type=_REFERENCE)
@click.option(
    "--digest", type=_DIGEST, default="", metavar="DIGEST", help="Copy this digest, wherever SRC's tag points by now."
)
@click.option("--dry-run", is_flag=True, help="Say what would be copied; write nothing.")
@click.option("--src-auth-file", metavar="FILE", help="Logins for SRC, in the form of Docker's config.json.")
@click.option("--dst-auth-file", metavar="FILE", help="Logins for DST, in the form of Docker's config.json.")
@_shared_options
def sync_command(
    source: Reference,
    destination: Reference,
    digest: str,
    dry_run: bool,
    settings: Settings,
    as_json: bool,
    quiet: bool,
) -> None:
    """Copy the image SRC to DST: all platforms, byte for byte, the tag last.

    Prints DST's name with the digest. Where DST has that digest already, nothing is copied.
    """
    from imagesync_cli.operations.progress import Progress
    from imagesync_cli.operations.sync import sync
    from imagesync_cli.output import Output

    output = Output(as_json=as_json, quiet=quiet)
    progress = Progress(f"copying {destination}")

    async def work(stores: Stores) -> SyncReport:
        async with output.showing(progress):
            return await sync(stores, source, destination, digest=digest, dry_run=dry_run, progress=progress)

    output.synced(run(settings, [source, destination], work))


@cli.command("delete")
@click.argument("references", metavar="REF...", type=_REFERENCE, nargs=-1, required=True)
@click.option(
    "--digest",
    type=_DIGEST,
    default="",
    metavar="DIGEST",
    help="Remove the tag only if it still points at this digest.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be removed; remove nothing.")
@click.option("--keep-manifests", is_flag=True, help="Remove the tag alone.")
@click.option("--all-tags", is_flag=True, help="For a REF by digest: remove every tag on it as well.")
@click.option("--max-tags", type=click.IntRange(min=0), metavar="N", help="Refuse a repository with more tags.")
@click.option(
    "--on-replace",
    type=click.Choice(["delete", "keep"]),
    default="delete",
    show_default=True,
    help="What happens to DIGEST where the tag has moved on.",
)
@click.option(
    "--on-destroy",
    type=click.Choice(["delete", "keep", "refuse"]),
    default="delete",
    show_default=True,
    help="What happens where the tag still points at DIGEST.",
)
@_shared_options
def delete_command(
    references: tuple[Reference, ...],
    digest: str,
    dry_run: bool,
    keep_manifests: bool,
    all_tags: bool,
    max_tags: int | None,
    on_replace: str,
    on_destroy: str,
    settings: Settings,
    as_json: bool,
    quiet: bool,
) -> None:
    """Remove tags, then the manifests that nothing else in their repository uses.

    What another tag, index or referrer uses stays, and the report says who uses it. Already gone is success. Blobs are
    left to the registry's garbage collection.
    """
    from imagesync_cli.operations.delete import Policy, delete
    from imagesync_cli.operations.progress import Progress
    from imagesync_cli.output import Output

    policy = Policy(
        expect=digest,
        on_replace=on_replace,
        on_destroy=on_destroy,
        keep_manifests=keep_manifests,
        all_tags=all_tags,
        max_tags=max_tags,
        dry_run=dry_run,
    )
    output = Output(as_json=as_json, quiet=quiet)
    progress = Progress("deleting")
    reports: list[DeleteReport] = []

    async def work(stores: Stores) -> None:
        async with output.showing(progress):
            await delete(stores, references, policy, progress, reports)

    try:
        run(settings, references, work)
    finally:
        output.deleted(reports)
    sys.exit(next((report.error.exit_code for report in reports if report.error), 0))


@cli.command("doctor")
@click.argument("references", metavar="REF...", type=_REFERENCE, nargs=-1, required=True)
@_shared_options
def doctor_command(references: tuple[Reference, ...], settings: Settings, as_json: bool, quiet: bool) -> None:
    """Find out what stands between you and a sync from or to each reference.

    Tries name, DNS, connection, login, reading, listing, pushing, mounting, deleting and referrers, and says for each
    failure what to do next. Nothing is left changed: an upload is opened and cancelled, a tag that never existed is
    deleted. The table holds no secrets.
    """
    from imagesync_cli.operations.doctor import diagnose
    from imagesync_cli.output import Output

    async def work(stores: Stores) -> list[Diagnosis]:
        return [await diagnose(stores, reference) for reference in references]

    diagnoses = run(settings, references, work)
    Output(as_json=as_json, quiet=quiet).diagnosed(diagnoses)
    sys.exit(next((each.exit_code for each in diagnoses if each.exit_code), 0))


@cli.command("external")
def external_command() -> None:
    """Answer Terraform's external data source: JSON on stdin, JSON on stdout.

    \b
    {"images": "<JSON object: key to reference>"}
        each key: digest, media_type, size, error, kind
    {"source": "...", "destination": "..."}
        digest, id, destination_digest, in_sync, error, kind

    Exits with 0 unless the query itself is wrong. IMAGESYNC_TIMEOUT is the limit for the whole call in seconds (30).
    """
    from imagesync_cli.external import answer_terraform

    answer_terraform()


def main() -> None:
    """Run the command line and exit: with the code of what went wrong, if something did."""
    sys.exit(exit_code(_invoke))


def _invoke() -> int | None:
    try:
        code: int | None = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return 130
    return code

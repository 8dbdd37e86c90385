"""The command line: options become settings, one operation runs, its result is printed.

The only asyncio.run, the only exit and the only place that catches every exception.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from imagesync_cli import __version__
from imagesync_cli.digest import parse_digest
from imagesync_cli.errors import ImagesyncError, UsageError
from imagesync_cli.output import Output, show_log
from imagesync_cli.reference import Reference, parse_reference
from imagesync_cli.settings import Settings, read_settings
from imagesync_cli.stores import Stores

if TYPE_CHECKING:
    import asyncio

_T = TypeVar("_T")
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


def _verbosely(context: click.Context, parameter: click.Parameter, verbose: bool) -> None:
    if verbose and not context.meta.get("log shown"):  # it may stand before and after the command
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
@click.argument("references", metavar="REF...", nargs=-1, required=True)
@_shared_options
def resolve_command(references: tuple[str, ...], settings: Settings, as_json: bool, quiet: bool) -> None:
    """Print NAME@DIGEST for each reference, by one HEAD request each."""
    from imagesync_cli.operations.resolve import Resolved, resolve

    parsed = [parse_reference(text) for text in references]
    found = _run(settings, parsed, lambda stores: resolve(stores, parsed))
    results = [
        answer if isinstance(answer, ImagesyncError) else Resolved(reference, answer)
        for reference, answer in zip(parsed, found, strict=True)
    ]
    Output(as_json=as_json, quiet=quiet).resolved(results)
    sys.exit(next((result.exit_code for result in results if isinstance(result, ImagesyncError)), 0))


@cli.command("sync")
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@click.option("--digest", default="", metavar="DIGEST", help="Copy this digest, wherever SRC's tag points by now.")
@click.option("--dry-run", is_flag=True, help="Say what would be copied; write nothing.")
@click.option("--src-auth-file", metavar="FILE", help="Logins for SRC, in the form of Docker's config.json.")
@click.option("--dst-auth-file", metavar="FILE", help="Logins for DST, in the form of Docker's config.json.")
@_shared_options
def sync_command(
    source: str,
    destination: str,
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
    from imagesync_cli.operations.sync import SyncReport, sync

    here, there = parse_reference(source), parse_reference(destination)
    wanted = parse_digest(digest) if digest else ""
    output = Output(as_json=as_json, quiet=quiet)
    progress = Progress(f"copying {there}")

    async def work(stores: Stores) -> SyncReport:
        async with output.showing(progress):
            return await sync(stores, here, there, digest=wanted, dry_run=dry_run, progress=progress)

    output.synced(_run(settings, [here, there], work))


@cli.command("delete")
@click.argument("references", metavar="REF...", nargs=-1, required=True)
@click.option("--digest", default="", metavar="DIGEST", help="Remove the tag only if it still points at this digest.")
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
    references: tuple[str, ...],
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
    from imagesync_cli.operations.delete_report import DeleteReport
    from imagesync_cli.operations.progress import Progress

    parsed = [parse_reference(text) for text in references]
    policy = Policy(
        expect=parse_digest(digest) if digest else "",
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
            await delete(stores, parsed, policy, progress, reports)

    try:
        _run(settings, parsed, work)
    finally:
        output.deleted(reports)
    sys.exit(next((report.error.exit_code for report in reports if report.error), 0))


@cli.command("doctor")
@click.argument("references", metavar="REF...", nargs=-1, required=True)
@_shared_options
def doctor_command(references: tuple[str, ...], settings: Settings, as_json: bool, quiet: bool) -> None:
    """Find out what stands between you and a sync from or to each reference.

    Tries name, DNS, connection, login, reading, listing, pushing, mounting, deleting and referrers, and says for each
    failure what to do next. Nothing is left changed: an upload is opened and cancelled, a tag that never existed is
    deleted. The table holds no secrets.
    """
    from imagesync_cli.operations.doctor import Diagnosis, diagnose

    parsed = [parse_reference(text) for text in references]

    async def work(stores: Stores) -> list[Diagnosis]:
        return [await diagnose(stores, reference) for reference in parsed]

    diagnoses = _run(settings, parsed, work)
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
    from imagesync_cli.external import MAX_QUERY_BYTES, answer

    query = sys.stdin.buffer.read(MAX_QUERY_BYTES + 1)
    if len(query) > MAX_QUERY_BYTES:
        raise UsageError(f"the query is longer than {MAX_QUERY_BYTES} bytes")
    settings = read_settings()
    text = query.decode("utf-8", errors="replace")
    Output().answer(_run(settings, [], lambda stores: answer(text, stores, settings.external_timeout_s)))


def _run(settings: Settings, references: Iterable[Reference], work: Callable[[Stores], Awaitable[_T]]) -> _T:
    """Run the operation with the stores it needs; SIGTERM and its kin end it like Ctrl-C, cleanly.

    Connections to the ``references`` begin now, while the rest is still being loaded.
    """
    from imagesync_cli.stores.early import connect_early

    early = connect_early(references, settings)
    import asyncio  # a third of the start-up: --help and --version go without

    async def main() -> _T:
        stores = Stores(settings, early)
        with _Signals():
            try:
                return await work(stores)
            finally:
                await stores.aclose()

    return asyncio.run(main())


class _Signals:
    """Turns a signal into the cancellation of the running task, and that into the exit code."""

    def __init__(self) -> None:
        self._received = 0

    def __enter__(self) -> None:
        import asyncio
        import signal

        task = asyncio.current_task()
        assert task is not None  # noqa: S101  (for the type checker)
        if sys.platform != "win32":
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, self._receive, number, task)

    def _receive(self, number: int, task: asyncio.Task[Any]) -> None:
        self._received = self._received or number
        task.cancel()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        import asyncio

        if self._received and isinstance(error, asyncio.CancelledError):
            raise SystemExit(128 + self._received)


def main() -> None:
    """Run the command line and exit: with the code of what went wrong, if something did."""
    try:
        code = cli.main(standalone_mode=False) or 0
    except ImagesyncError as error:
        Output().error(error)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        code = 130
    except BrokenPipeError:
        # Whoever read our output has left. Nothing is to be said to them, at exit neither.
        sys.stdout = None
        code = 1
    except Exception as error:  # noqa: BLE001
        Output().error(ImagesyncError(f"unexpected {type(error).__name__}: {error}", hint="this is a bug in imagesync"))
        code = 1
    sys.exit(code)

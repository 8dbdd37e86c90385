"""Copy one image, or all that a file lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from imagesync_cli.commands.batch.file_options import file_options, given_with_file
from imagesync_cli.commands.options import (
    DIGEST,
    FILE,
    REFERENCE,
    examples,
    minimum_age_options,
    platform_option,
    referrer_type_option,
    replacing_options,
    shared_options,
    trust_option,
)
from imagesync_cli.stores.session import run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from imagesync_cli.copy.sync_report import SyncReport
    from imagesync_cli.look.trust.age import MinimumAge
    from imagesync_cli.look.trust.judge import Judge
    from imagesync_cli.settings import Settings
    from imagesync_cli.stores import Stores
    from imagesync_cli.values.platforms import Platform
    from imagesync_cli.values.progress import Progress
    from imagesync_cli.values.reference import Reference
    from imagesync_cli.values.tags.replacing import Replacing

_TWO_FORMS = "say either imagesync sync SRC DST, or imagesync sync --file images.yaml"


@click.command(
    "sync",
    short_help="Copy an image, or all images that a file lists.",
    epilog=examples("sync busybox:1.36 registry.example.com/busybox:1.36", "sync --file images.yaml --dry-run"),
)
@click.argument("source", metavar="[SRC", type=REFERENCE, required=False)
@click.argument("destination", metavar="DST]", type=REFERENCE, required=False)
@click.option(
    "--digest",
    type=DIGEST,
    default="",
    metavar="DIGEST",
    help="Copy exactly this digest of SRC's repository, wherever SRC's tag points now. With --platform, it is that of "
    "the whole image.",
)
@click.option(
    "--referrers", is_flag=True, help="Also copy what is attached to the image: signatures, SBOMs, attestations."
)
@referrer_type_option
@click.option(
    "--require-signature",
    is_flag=True,
    help="Refuse an unsigned image before anything is written (exit code 7). Implies --referrers. No signature is "
    "verified.",
)
@trust_option()
@platform_option
@click.option(
    "--foreign-layers",
    is_flag=True,
    help="Also copy layers that live at URLs of their own (Windows base images). They come from SRC's registry if it "
    "has them, else from the URLs, by https without a login. Without this option they stay where they are.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Write nothing. Print what would be copied; with --file, the plan: add, move, keep, remove.",
)
@click.option("--verify", is_flag=True, help="Check all of the image at DST, and send again what is missing or wrong.")
@click.option("--read", is_flag=True, help="Verify by reading and hashing every blob, not only its size.")
@click.option(
    "--src-auth-file", type=FILE, metavar="FILE", help="Logins for SRC only, in the format of Docker's config.json."
)
@click.option(
    "--dst-auth-file", type=FILE, metavar="FILE", help="Logins for DST only, in the format of Docker's config.json."
)
@file_options("Copy", "copied")
@click.option("--fail-fast", is_flag=True, help="With --file: stop everything at the first failure.")
@click.option(
    "--shard",
    default="",
    metavar="I/N",
    help="With --file: copy only the Ith of N shares. N alone takes I from JOB_COMPLETION_INDEX. Prunes nothing.",
)
@click.option(
    "--max-removals",
    type=click.IntRange(min=0),
    metavar="N",
    help="With --file: change nothing if more than N tags would be pruned. Without this option, a repository stays as "
    "it is if it would lose more than half of its tags, or more than 10.",
)
@click.option(
    "--wait-for-limit",
    is_flag=True,
    help="With --file: while a registry allows no more pulls (Docker Hub), copy the rest, then wait for more pulls. "
    "Without this option such images fail.",
)
@replacing_options
@minimum_age_options
@shared_options
def command(
    source: Reference | None,
    destination: Reference | None,
    digest: str,
    referrers: bool,
    referrer_types: tuple[str, ...],
    require_signature: bool,
    trust: Path | None,
    platforms: tuple[Platform, ...],
    foreign_layers: bool,
    dry_run: bool,
    verify: bool,
    read: bool,
    file: Path | None,
    replacing: Replacing,
    minimum_age: MinimumAge | None,
    settings: Settings,
    as_json: bool,
    quiet: bool,
    **of_batch: Any,
) -> None:
    """Copy the image SRC to DST, byte for byte: all platforms, or those named. The tag is written last.

    Prints DST's name with the digest. If DST has that digest already, nothing is copied; --verify then checks the
    image there, and sends again what is missing or wrong.

    With --file: copy all images of a file in parallel. A failure stops no other image.
    """
    from imagesync_cli.look.selection import Selection

    looking = None
    if verify or read:
        from imagesync_cli.copy.repair import Verify

        looking = Verify(read=read)
    if file is not None:
        if source is not None or digest or platforms or referrers or referrer_types or foreign_layers:
            raise _wrong_call("--file goes with none of SRC, DST and the options that say what of SRC is copied")
        from imagesync_cli.commands.batch.sync_file import BatchCall, run_batch

        wanted = BatchCall(
            file,
            verify=looking,
            require_signature=require_signature,
            trust=trust,
            replacing=replacing,
            minimum_age=minimum_age,
            **of_batch,
        )
        run_batch(wanted, settings, dry_run=dry_run, as_json=as_json, quiet=quiet)
        return
    if source is None or destination is None:
        raise _wrong_call(f"Missing argument '{'SRC' if source is None else 'DST'}'")
    if given := given_with_file(of_batch):
        raise _wrong_call(f"{given} goes with --file")
    attached = referrers or bool(referrer_types) or require_signature
    one: dict[str, Any] = {
        "selection": Selection(
            digest, platforms, attached, foreign_layers, () if require_signature else referrer_types
        ),
        "require_signature": require_signature,
        "verify": looking,
        "dry_run": dry_run,
        "judge": _judge(trust) if trust else None,
        "replacing": replacing,
        "minimum_age": minimum_age,
    }
    _sync_one(source, destination, settings, one, as_json=as_json, quiet=quiet)


async def _remove_old_kept(
    stores: Stores, source: Reference, destination: Reference, how: Mapping[str, Any], progress: Progress
) -> None:
    from imagesync_cli.delete.kept import remove_old_kept
    from imagesync_cli.values.tags.replacing import names_of

    referrers = how["selection"].has_all_referrers
    await remove_old_kept(
        stores, destination, how["replacing"], progress, in_use=names_of([source]), referrers=referrers
    )


def _wrong_call(what: str) -> click.UsageError:
    return click.UsageError(f"{what}: {_TWO_FORMS}", ctx=click.get_current_context())


def _judge(trust: Path) -> Judge:
    from imagesync_cli.batch.reading.trust_file import read_trust_file
    from imagesync_cli.look.trust.judge import Judge

    return Judge(read_trust_file(trust))


def _sync_one(
    source: Reference, destination: Reference, settings: Settings, how: dict[str, Any], *, as_json: bool, quiet: bool
) -> None:
    from imagesync_cli.output import Output
    from imagesync_cli.values.progress import Progress

    output = Output(as_json=as_json, quiet=quiet)
    progress = Progress(f"copying {destination}")

    async def work(stores: Stores) -> SyncReport:
        from imagesync_cli.copy.sync import sync

        async with output.showing(progress):
            done = await sync(stores, source, destination, progress=progress, **how)
            if done.kept_as and not done.dry_run and how["replacing"].keep_last is not None:
                await _remove_old_kept(stores, source, destination, how, progress)
            return done

    def interrupted() -> str:
        from imagesync_cli.output.progress import interrupted_copy

        return "interrupted: nothing was changed" if how["dry_run"] else interrupted_copy(progress, destination)

    output.synced(run(settings, [source, destination], work, interrupted))

"""Copy one image, or all that a file lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from imagesync_cli.commands.call import Call, examples, shared_options
from imagesync_cli.commands.options import (
    auth_file_option,
    digest_option,
    file_options,
    first_given,
    minimum_age_options,
    platform_option,
    referrer_type_option,
    replacing_options,
    text_option,
    to_reference,
    trust_option,
)
from imagesync_cli.output.sync import synced

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from imagesync_cli.copy.sync import SyncReport
    from imagesync_cli.look.trust.age import MinimumAge
    from imagesync_cli.stores import Stores
    from imagesync_cli.values.platforms import Platform
    from imagesync_cli.values.reference import Reference
    from imagesync_cli.values.tags.replacing import Replacing

_TWO_FORMS = "say either imagesync sync SRC DST, or imagesync sync --file images.yaml"


@click.command(
    "sync",
    short_help="Copy an image, or all images that a file lists.",
    epilog=examples("sync busybox:1.36 registry.example.com/busybox:1.36", "sync --file images.yaml --dry-run"),
)
@click.argument("source", metavar="[SRC", type=to_reference, required=False)
@click.argument("destination", metavar="DST]", type=to_reference, required=False)
@digest_option(
    help="Copy this digest of SRC's repository, wherever SRC's tag points now. With --platform, give the digest of the "
    "whole image.",
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
    help="Also copy foreign layers, which have URLs of their own (Windows base images). They come from SRC's registry "
    "if it has them, else from the URLs, by https without a login. Without this option they stay where they are.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Write nothing. Print what would be copied; with --file, the plan: add, move, keep, remove.",
)
@click.option(
    "--verify", is_flag=True, help="Check every part of the image at DST, and send again what is missing or wrong."
)
@click.option("--read", is_flag=True, help="Like --verify, and read and hash every blob.")
@auth_file_option("src", "SRC")
@auth_file_option("dst", "DST")
@file_options("Copy", "copied")
@click.option("--fail-fast", is_flag=True, help="With --file: stop at the first failure.")
@text_option(
    "--shard",
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
    call: Call,
    **of_batch: Any,
) -> None:
    """Copy the image SRC to DST, byte for byte: all platforms, or those named. The tag is written last.

    Prints DST's name with the digest. If DST has that digest already, nothing is copied; --verify then checks the
    image there, and sends again what is missing or wrong.

    With --file: copy all images of a file in parallel. A failure stops no other image.
    """
    from imagesync_cli.look.selection import Selection

    how: dict[str, Any] = {
        "verify": verify or read,
        "read": read,
        "require_signature": require_signature,
        "dry_run": dry_run,
        "replacing": replacing,
        "minimum_age": minimum_age,
    }
    if file is not None:
        of_one = {"digest": digest, "platform": platforms, "referrers": referrers, "referrer_type": referrer_types}
        if name := "SRC" if source else first_given({**of_one, "foreign_layers": foreign_layers}):
            raise _wrong_call(f"{name} does not go with --file, which says it for each image")
        from imagesync_cli.commands.runs import sync_file

        sync_file(file, call, trust=trust, how=how, **of_batch)
    if source is None or destination is None:
        raise _wrong_call(f"Missing argument '{'SRC' if source is None else 'DST'}'")
    if given := first_given(of_batch):
        raise _wrong_call(f"{given} goes with --file")
    attached = referrers or bool(referrer_types) or require_signature
    types = () if require_signature else referrer_types
    how["selection"] = Selection(digest, platforms, attached, foreign_layers, types)
    if trust is not None:
        from imagesync_cli.batch.reading.trust_file import read_trust_file
        from imagesync_cli.look.trust.judge import Judge

        how["judge"] = Judge(read_trust_file(trust))
    call.output.result(synced(_copied(source, destination, call, how)))


def _wrong_call(what: str) -> click.UsageError:
    return click.UsageError(f"{what}: {_TWO_FORMS}", ctx=click.get_current_context())


def _copied(source: Reference, destination: Reference, call: Call, how: Mapping[str, Any]) -> SyncReport:
    from imagesync_cli.values.progress import Progress

    progress = Progress(f"copying {destination}")

    async def work(stores: Stores) -> SyncReport:
        from imagesync_cli.copy.sync import SyncOptions, sync

        done = await sync(stores, source, destination, SyncOptions(**how), progress=progress)
        if done.kept_as and not done.dry_run and how["replacing"].keep_last is not None:
            from imagesync_cli.delete.kept import remove_old_kept
            from imagesync_cli.values.tags.replacing import names_of

            referrers = how["selection"].has_all_referrers
            named = names_of([source])
            await remove_old_kept(stores, destination, how["replacing"], progress, in_use=named, referrers=referrers)
        return done

    def interrupted() -> str:
        from imagesync_cli.output.progress import interrupted_copy

        return "interrupted: nothing was changed" if how["dry_run"] else interrupted_copy(progress, destination)

    return call.run([source, destination], work, progress, interrupted=interrupted)

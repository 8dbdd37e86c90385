"""Check without changing anything."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagesync_cli.commands.call import Call, examples, shared_options
from imagesync_cli.commands.options import (
    auth_file_option,
    file_options,
    first_given,
    platform_option,
    referrer_type_option,
    to_reference,
    trust_option,
)
from imagesync_cli.output.check import checked, verified
from imagesync_cli.values.errors import Differs, UsageError

if TYPE_CHECKING:
    from imagesync_cli.look.check import CheckReport
    from imagesync_cli.look.trust.judge import Verification
    from imagesync_cli.stores import Stores
    from imagesync_cli.values.platforms import Platform
    from imagesync_cli.values.reference import Reference


@click.command(
    "check",
    short_help="Check that a mirror is in sync and complete.",
    epilog=examples(
        "check busybox:1.36 registry.example.com/busybox:1.36",
        "check --deep registry.example.com/busybox:1.36",
        "check --file images.yaml --report images.prom",
    ),
)
@click.argument("references", metavar="[[SRC] DST]", type=to_reference, nargs=-1)
@platform_option
@click.option("--referrers", is_flag=True, help="Also compare what is attached to the image, such as signatures.")
@referrer_type_option
@click.option("--deep", is_flag=True, help="Check every manifest and blob below DST's digest. SRC may be left out.")
@click.option("--read", is_flag=True, help="Like --deep, and read and hash every blob.")
@auth_file_option("src", "SRC")
@auth_file_option("dst", "DST")
@file_options("Check", "checked")
@shared_options
def command(
    references: tuple[Reference, ...],
    platforms: tuple[Platform, ...],
    referrers: bool,
    referrer_types: tuple[str, ...],
    deep: bool,
    read: bool,
    file: Path | None,
    call: Call,
    **of_file: Any,
) -> None:
    """Say whether DST has the image SRC: exit code 0 if it does, 8 if not. Nothing is written.

    Compares the two digests, by one HEAD request each. --deep finds what is missing or wrong below DST's digest; it
    works without SRC too.

    With --file: check all images of a file in parallel, and name the tags that prune would remove.
    """
    from imagesync_cli.look.selection import Selection
    from imagesync_cli.values.progress import Progress

    if file is not None:
        if references or platforms or referrers or referrer_types:
            raise UsageError(
                "--file already names what is checked", hint="leave out references, --platform, --referrers"
            )
        from imagesync_cli.commands.runs import check_file

        check_file(file, call, deep=deep, read=read, **of_file)
    if given := first_given(of_file):
        raise UsageError(f"{given} goes with --file", hint="imagesync check --file images.yaml")
    if len(references) != 2 and not (len(references) == 1 and (deep or read)):
        raise UsageError(
            f"check takes two references, it was given {len(references)}",
            hint="imagesync check SRC DST, imagesync check --deep DST, or imagesync check --file images.yaml",
        )
    attached = referrers or bool(referrer_types)
    selection = Selection(platforms=platforms, referrers=attached, referrer_types=referrer_types)
    source, destination = references[0] if len(references) == 2 else None, references[-1]
    progress = Progress(f"checking {destination}")

    async def work(stores: Stores) -> CheckReport:
        from imagesync_cli.look.check import check

        return await check(stores, source, destination, selection=selection, deep=deep, read=read, progress=progress)

    report = call.run(references, work, progress)
    call.output.result(checked(report))
    if not report.in_sync:
        options = [
            *(["--verify"] if report.findings else []),
            *(["--referrers"] if referrers else []),
            *(f"--referrer-type {each}" for each in referrer_types),
            *(f"--platform {platform}" for platform in platforms),
        ]
        again = " ".join(["to repair it: imagesync sync", *options, report.source, str(destination)])
        what = "is damaged" if report.findings and report.findings.problems else "is not in sync"
        raise Differs(f"{destination} {what}", hint=again if source else "sync it again with --verify")


@click.command(
    "verify",
    short_help="Verify who has signed images.",
    epilog=examples("verify --trust trust.yaml ghcr.io/org/app:1.2"),
)
@click.argument("references", metavar="REF...", type=to_reference, nargs=-1, required=True)
@trust_option(required=True)
@platform_option
@shared_options
def verify(
    references: tuple[Reference, ...],
    trust: Path,
    platforms: tuple[Platform, ...],
    call: Call,
) -> None:
    """Verify the signatures of images by the rules of a file: exit code 0 if all are signed as demanded, 7 if not.

    Prints who has signed each image, and when. Verifies cosign's signatures and Sigstore bundles, by key or by
    identity. Notation's signatures are not supported. Nothing is written.
    """
    from imagesync_cli.batch.reading.trust_file import read_trust_file
    from imagesync_cli.look.selection import Selection
    from imagesync_cli.look.trust.judge import verify_images

    rules = read_trust_file(trust)

    async def work(stores: Stores) -> list[Verification]:
        return await verify_images(stores, references, rules, Selection(platforms=platforms))

    verifications = call.run(references, work)
    call.output.result(verified(verifications))
    sys.exit(max((each.error.exit_code for each in verifications if each.error), default=0))

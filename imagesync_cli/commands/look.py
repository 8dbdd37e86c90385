"""What is there: digests, images, and tags of repositories; and what stands in the way of a copy."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from imagesync_cli.commands.call import Call, examples, shared_options
from imagesync_cli.commands.options import auth_file_option, platform_option, text_option, to_reference
from imagesync_cli.output import print_bytes, results
from imagesync_cli.values.errors import UsageError

if TYPE_CHECKING:
    from imagesync_cli.look.describe import Description
    from imagesync_cli.look.doctor import Diagnosis
    from imagesync_cli.look.resolve import Answer
    from imagesync_cli.stores import Stores
    from imagesync_cli.values.platforms import Platform
    from imagesync_cli.values.reference import Reference


@click.command(
    "resolve",
    short_help="Print the digest that a reference points at.",
    epilog=examples("resolve busybox:1.36", "resolve --platform linux/arm64 busybox:1.36"),
)
@click.argument("references", metavar="REF...", type=to_reference, nargs=-1, required=True)
@platform_option
@shared_options
def resolve(references: tuple[Reference, ...], platforms: tuple[Platform, ...], call: Call) -> None:
    """Print NAME@DIGEST for each reference, by one HEAD request each.

    With --platform, prints the digest that a sync of those platforms would give, by one GET each. Nothing is copied.
    """
    from imagesync_cli.look.selection import Selection

    questions = [(reference, Selection(platforms=platforms)) for reference in references]

    async def work(stores: Stores) -> list[Answer]:
        from imagesync_cli.look.resolve import resolve

        return await resolve(stores, questions)

    sys.exit(call.output.result(results.resolved(call.run(references, work))))


@click.command(
    "inspect",
    short_help="Show the platforms, sizes and layers of an image.",
    epilog=examples("inspect busybox:1.36", "inspect --raw busybox:1.36 | sha256sum"),
)
@click.argument("reference", metavar="REF", type=to_reference)
@click.option("--raw", is_flag=True, help="Print the manifest itself, byte for byte, and nothing else.")
@shared_options
def inspect(reference: Reference, raw: bool, call: Call) -> None:
    """Show the platforms, sizes, layers, configs and annotations of an image, and what is attached to it.

    Reads its manifests and configs and no layer. Registries count that as a pull.
    """

    async def raw_bytes(stores: Stores) -> bytes:
        return (await stores.open(reference).manifest(reference.wanted)).content

    async def described(stores: Stores) -> Description:
        from imagesync_cli.look.describe import describe

        return await describe(stores, reference)

    if raw:
        print_bytes(call.run([reference], raw_bytes))
    else:
        call.output.result(results.described(call.run([reference], described)))


@click.command(
    "tags",
    short_help="List the tags of a repository, all or those that rules pick.",
    epilog=examples('tags --semver ">=1.24 <2" --latest 3 nginx', 'tags --exclude "*-alpine*" nginx'),
)
@click.argument("repository", metavar="REPO", type=to_reference)
@click.option(
    "--include", multiple=True, metavar="PATTERN", help="Tags that match this glob or /regular expression/. Repeatable."
)
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave out the tags that match this. Repeatable.")
@text_option("--semver", metavar="RANGE", help='Of those, only versions in this range, such as ">=1.24 <2".')
@click.option("--latest", type=click.IntRange(min=1), metavar="N", help="Of those, only the newest N versions.")
@click.option(
    "--each-variant", is_flag=True, help="With --latest: the newest N of each variant; 1.27 and 1.27-alpine are two."
)
@click.option("--explain", is_flag=True, help="Print every tag, whether it is picked, and why.")
@shared_options
def tags(
    repository: Reference,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    semver: str,
    latest: int | None,
    each_variant: bool,
    explain: bool,
    call: Call,
) -> None:
    """Print the tags of REPO that these rules pick, or all without rules. The newest version comes first.

    The tags of a file of images take the same rules.
    """
    from imagesync_cli.values.tags.rules import TagRules

    if repository.digest or repository.tag not in ("", "latest"):
        raise UsageError(f"{repository} names an image", hint=f"leave the tag out: imagesync tags {repository.name}")
    rules = TagRules(include, exclude, semver, latest, each_variant)

    async def work(stores: Stores) -> list[str]:
        from imagesync_cli.look.tags import list_names
        from imagesync_cli.values.secret import concealed

        return list(map(concealed, await list_names(stores, repository, must_exist=True)))

    judged = rules.judge(call.run([repository], work))
    call.output.result(results.tags(repository.name, judged, explain=explain))


@click.command(
    "doctor",
    short_help="Find out why a sync does not work.",
    epilog=examples(
        "doctor --source busybox --destination registry.example.com/busybox",
        "doctor registry.example.com/busybox:1.36",
    ),
)
@click.argument("references", metavar="[REF...]", type=to_reference, nargs=-1)
@click.option(
    "--source", "sources", type=to_reference, multiple=True, metavar="REF", help="Examine it as a source. Repeatable."
)
@click.option(
    "--destination",
    "destinations",
    type=to_reference,
    multiple=True,
    metavar="REF",
    help="Examine it as a destination. Repeatable.",
)
@auth_file_option("src", "sources")
@auth_file_option("dst", "destinations")
@shared_options
def doctor(
    references: tuple[Reference, ...],
    sources: tuple[Reference, ...],
    destinations: tuple[Reference, ...],
    call: Call,
) -> None:
    """Try everything that a sync of each REF needs, and say what to do about each failure.

    Tries name, DNS, connection, login, reading and listing; for a destination also pushing, mounting and deleting.
    The exit code is 0 if every source can be read and every destination pushed to. A REF without a role needs only
    one of these.

    Nothing is changed: an upload is opened and cancelled, in a repository that exists; the tag that is deleted never
    existed. The table has no secrets, so it can go into a bug report.
    """
    every = [*sources, *destinations, *references]
    if not every:
        raise click.UsageError("Missing argument 'REF...'", click.get_current_context())

    async def work(stores: Stores) -> list[Diagnosis]:
        from imagesync_cli.look.doctor import Role, diagnose

        asked = [(Role.SOURCE, sources), (Role.DESTINATION, destinations), (Role.EITHER, references)]
        return [await diagnose(stores, each, role) for role, some in asked for each in some]

    diagnoses = call.run(every, work)
    call.output.result(results.diagnosed(diagnoses))
    sys.exit(next((each.exit_code for each in diagnoses if each.exit_code), 0))

"""The tags of a repository, and those of them that rules pick."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imagesync_cli.commands.options import REFERENCE, examples, shared_options
from imagesync_cli.stores.session import run

if TYPE_CHECKING:
    from imagesync_cli.settings import Settings
    from imagesync_cli.stores import Stores
    from imagesync_cli.values.reference import Reference


@click.command(
    "tags",
    short_help="List the tags of a repository, all or those that rules pick.",
    epilog=examples('tags --semver ">=1.24 <2" --latest 3 nginx', 'tags --exclude "*-alpine*" nginx'),
)
@click.argument("repository", metavar="REPO", type=REFERENCE)
@click.option(
    "--include", multiple=True, metavar="PATTERN", help="Tags that match this glob or /regular expression/. Repeatable."
)
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave out the tags that match this. Repeatable.")
@click.option(
    "--semver", default="", metavar="RANGE", help='Of those, only versions in this range, such as ">=1.24 <2".'
)
@click.option("--latest", type=click.IntRange(min=1), metavar="N", help="Of those, only the newest N versions.")
@click.option(
    "--each-variant", is_flag=True, help="With --latest: the newest N of each variant; 1.27 and 1.27-alpine are two."
)
@click.option("--explain", is_flag=True, help="Print every tag, whether it is picked, and why.")
@shared_options
def command(
    repository: Reference,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    semver: str,
    latest: int | None,
    each_variant: bool,
    explain: bool,
    settings: Settings,
    as_json: bool,
    quiet: bool,
) -> None:
    """Print the tags of REPO that these rules pick, or all without rules. The newest version comes first.

    The tags of a file of images take the same rules.
    """
    from imagesync_cli.output import Output
    from imagesync_cli.values.errors import ImagesyncError, UsageError
    from imagesync_cli.values.tags.rules import TagRules

    if repository.digest or repository.tag not in ("", "latest"):
        raise UsageError(f"{repository} names an image", hint=f"leave the tag out: imagesync tags {repository.name}")
    rules = TagRules(include, exclude, semver, latest, each_variant)

    async def work(stores: Stores) -> list[str] | ImagesyncError:
        from imagesync_cli.look.tags import list_names
        from imagesync_cli.values.secret import concealed

        names = await list_names(stores, repository, must_exist=True)
        return names if isinstance(names, ImagesyncError) else list(map(concealed, names))

    tags = run(settings, [repository], work)
    if isinstance(tags, ImagesyncError):
        raise tags
    Output(as_json=as_json, quiet=quiet).tags(repository.name, rules.judge(tags), explain=explain)

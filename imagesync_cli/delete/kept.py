"""Remove old images that tags of their own have kept (sync --keep-as), all but the newest."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from imagesync_cli.delete.delete import Policy, delete
from imagesync_cli.delete.delete_report import DeleteReport
from imagesync_cli.delete.references import tags_apart_from
from imagesync_cli.stores import Side, Stores
from imagesync_cli.values.digest import is_digest
from imagesync_cli.values.progress import Progress
from imagesync_cli.values.reference import Reference
from imagesync_cli.values.tags.replacing import Replacing


async def remove_old_kept(
    stores: Stores,
    destination: Reference,
    replacing: Replacing,
    progress: Progress | None = None,
    in_use: AbstractSet[tuple[str, str]] = frozenset(),
    *,
    referrers: bool = False,
) -> list[DeleteReport]:
    """Remove the tags that kept images of the destination's tag, but for those of its newest ``keep_last`` images.

    A tag goes only if it is on the digest that its name tells: nobody else has made that. What is ``in_use`` (names_of)
    stays, and so does an index that lists it. Of images that were replaced in one second, nobody can tell which is
    newer: they stay or go together. With ``referrers`` what is attached to an image goes with it; otherwise the image
    stays for that, untagged.
    Raises the first error of a removal.
    """
    if replacing.keep_as is None or replacing.keep_last is None:
        return []
    store = stores.open(destination, side=Side.DESTINATION)
    read = map(replacing.keep_as.read, await store.tags())
    named = (kept for kept in read if kept and kept.of == destination.meant_tag)
    newest_first = sorted(named, key=lambda kept: kept.date, reverse=True)
    there = await store.tagged([kept.tag for kept in newest_first])
    names = frozenset(name for path, name in in_use if path == destination.location[1])
    stay, going, newer = set[str](), dict[str, Reference](), frozenset[str]()
    date = ""
    for kept in newest_first:
        digest = there[kept.tag].digest if kept.tag in there else ""
        if not kept.keeps(digest) or not names.isdisjoint({kept.tag, digest}):
            continue
        if kept.date != date:
            date, newer = kept.date, frozenset(stay)
        if digest in newer or len(newer) >= replacing.keep_last:
            going[kept.tag] = destination.at(tag=kept.tag, digest=digest)
        stay.add(digest)
    apart = await tags_apart_from(store, {tag: there[tag] for tag in going}, set(filter(is_digest, names)))
    reports = await delete(stores, [going[tag] for tag in apart], Policy(referrers=referrers, in_use=names), progress)
    for report in reports:
        if report.error is not None:
            report.error.hint = f"{destination} is copied; only an old image could not be removed"
            raise report.error
    return reports

"""Remove the tags that nobody wants any more, by the delete operation, once all that is wanted is there.

A repository is left as it is where any entry that goes there has failed, or could not say which tags it wants.
Signatures and lists of referrers (tags sha256-…) go only with the image that they are about.
"""

from __future__ import annotations

from collections.abc import Set

from imagesync_cli.batch.entry import ImageEntry
from imagesync_cli.batch.plan import Plan
from imagesync_cli.batch.removals import Removals
from imagesync_cli.batch.report import FAILED, KEPT, REMOVED, RemovalResult
from imagesync_cli.concurrency import gather
from imagesync_cli.delete.delete import Policy, delete
from imagesync_cli.delete.delete_report import DeleteReport
from imagesync_cli.delete.readings import Readings
from imagesync_cli.delete.references import Reach, read_references, read_tags
from imagesync_cli.stores import Access, Side, Stores
from imagesync_cli.values.digest import digest_in_tag
from imagesync_cli.values.errors import ImagesyncError, Refused, first_few
from imagesync_cli.values.reference import Reference


async def prune(
    stores: Stores, plan: Plan, failed: Set[ImageEntry], *, any_number: bool, dry_run: bool
) -> list[RemovalResult]:
    """Remove what the plan says, but nothing from where an entry has ``failed``.

    Unless ``any_number`` may go, nothing either from where more than half or more than a few would.
    """

    def attached(removals: Removals) -> bool:
        """Whether all that comes there comes with its referrers: then these are the images' own."""
        return all(entry.selection.has_all_referrers for entry in removals.entries)

    results = await gather(
        _one(stores, removals, failed, Policy(dry_run=dry_run, referrers=attached(removals)))
        for removals in plan.removals.values()
        if dry_run or any_number or not removals.are_many
    )
    stopped = [] if any_number else [_stopped(plan, each) for each in plan.removals.values() if each.are_many]
    return [*(result for several in results for result in several), *stopped]


def _stopped(plan: Plan, removals: Removals) -> RemovalResult:
    name, count = removals.repository.name, len(removals.tags)
    error = Refused(
        f"{count} of the {count + removals.kept} tags would be removed, so none is: {first_few(removals.tags)}",
        hint=f"if that is right, --max-removals {plan.removal_count} allows it",
    )
    return RemovalResult(name, FAILED, str(error), error.exit_code)


def tags_unknown(removals: Removals, error: ImagesyncError) -> RemovalResult:
    """That nothing is removed from a repository, nor known to be unwanted there."""
    return RemovalResult(removals.repository.name, FAILED, f"its tags are not known: {error}", error.exit_code)


async def _one(stores: Stores, removals: Removals, failed: Set[ImageEntry], policy: Policy) -> list[RemovalResult]:
    repository = removals.repository
    if removals.error is not None:
        return [tags_unknown(removals, removals.error)]
    going = [repository.at(tag=tag) for tag in removals.tags]
    if not failed.isdisjoint(removals.entries):
        why = "not everything that is wanted there could be copied"
        return [RemovalResult(str(reference), KEPT, why) for reference in going]
    try:
        if going and not policy.referrers:
            going += await _companions(stores, removals)
        reports = await delete(stores, going, policy)
    except ImagesyncError as error:
        return [RemovalResult(str(reference), FAILED, str(error), error.exit_code) for reference in going]
    return [_result(report) for report in reports]


async def _companions(stores: Stores, removals: Removals) -> list[Reference]:
    """The tags of signatures and referrers of images that nothing keeps once the removals are done."""
    companions = {tag: digest for tag in removals.listed if (digest := digest_in_tag(tag))}
    if not companions:
        return []
    store = stores.open(removals.repository, Access.READ, Side.DESTINATION)
    tags = await read_tags(store, {*removals.tags, *companions}, lambda _: None)
    leaving = {at.digest for at in (await store.tagged(removals.tags)).values()}
    references = await read_references(store, tags, Reach(Readings(store), leaving))
    leaving -= {digest for digest in leaving if references.user_of(digest)}
    return [removals.repository.at(tag=tag) for tag, digest in companions.items() if digest in leaving]


def _result(report: DeleteReport) -> RemovalResult:
    if report.error is not None:
        return RemovalResult(report.reference, FAILED, str(report.error), report.error.exit_code)
    kept = next((item for item in report.items if item.kind == "tag" and item.outcome == KEPT), None)
    return RemovalResult(report.reference, KEPT if kept else REMOVED, kept.why if kept else "")

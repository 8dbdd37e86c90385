"""Remove tags, and the manifests that nothing else in their repository uses.

1. Look: what does the tag point at, and is it still what we put there (``expect``)? If not, the tag stays.
2. Untag first: a crash after this leaves garbage, never a broken tag.
3. List what every other tag reaches. Any doubt about that keeps everything.
4. Delete what nobody uses, parents before children, keeping the bytes.
5. Look again: a tag that came or moved meanwhile and misses something gets it back.

References into one repository go through each step together. Steps 4 and 5 are in removal.py; what a registry cannot
do by tag is in tombstone.py. Blobs of a registry are never deleted: that is its garbage collection.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import nullcontext
from functools import partial

from imagesync_cli.concurrency import gather_few
from imagesync_cli.delete.delete_report import DeleteReport
from imagesync_cli.delete.readings import AT_ONCE, Readings
from imagesync_cli.delete.references import Reach, References, read_references
from imagesync_cli.delete.removal import Removal
from imagesync_cli.delete.tags import Tags, list_before, read_tags
from imagesync_cli.delete.tombstone import contradiction, gone_in_time, look, moved, untag_by_digest
from imagesync_cli.delete.wish import Policy, Wish, wish_of
from imagesync_cli.stores import Access, Side, Store, Stores, Untagged
from imagesync_cli.values.errors import ImagesyncError, Refused, Unavailable
from imagesync_cli.values.progress import Progress
from imagesync_cli.values.reference import Reference

__all__ = ["Policy", "delete"]


async def delete(
    stores: Stores,
    references: Iterable[Reference],
    policy: Policy,
    progress: Progress | None = None,
    reports: list[DeleteReport] | None = None,
) -> list[DeleteReport]:
    """Remove what the references name, then what only that used; already gone is success.

    One report a reference, in order, with the error that kept it from more; only what is wrong with the call itself
    is raised. ``reports`` is filled while this runs, for a caller that may be interrupted.
    """
    reports = [] if reports is None else reports
    repositories: dict[tuple[str, str], tuple[Reference, list[Wish]]] = {}
    for reference in dict.fromkeys(references):
        wish = wish_of(reference, policy)
        reports.append(wish.report)
        repositories.setdefault(reference.location, (reference, []))[1].append(wish)
    for first, wishes in repositories.values():
        store = stores.open(first, Access.READ if policy.dry_run else Access.DELETE, Side.DESTINATION)
        async with nullcontext() if policy.dry_run else stores.removing(first):
            await _Repository(store, policy, progress or Progress(), wishes).run()
    return reports


class _Repository:
    """Everything that is to be removed from one repository; an error ends its own reference only."""

    def __init__(self, store: Store, policy: Policy, progress: Progress, wishes: list[Wish]) -> None:
        self._store = store
        self._policy = policy
        self._progress = progress
        self._wishes = wishes
        self._readings = Readings(store)
        self._removal = Removal(store, self._readings, dry_run=policy.dry_run)
        self._reach: Reach | None = None
        self._untagged: dict[str, str] = {}  # tag → the digest it pointed at
        self._seen_gone: set[str] = set()  # those of them that were looked for since
        self._listed: Collection[str] = ()  # tags that there were before anything was changed
        self._unknown: ImagesyncError | None = None  # why it is not known who uses what

    async def run(self) -> None:
        """All steps of the module's list."""
        try:
            await self._list()
            tags = await self._tags_of_digests()
            await self._each(self._wishes, self._release)
            references = await self._release_by_digest(tags)
            await self._remove_unused(references)
            await self._settle(self._wishes)
        except ImagesyncError as error:
            for wish in self._wishes:
                wish.report.error = wish.report.error or error.alone()

    async def _each(self, wishes: Iterable[Wish], step: Callable[[Wish], Awaitable[None]]) -> None:
        """Take the step for all wishes that did not fail, at once."""

        async def attempt(wish: Wish) -> None:
            try:
                await step(wish)
            except ImagesyncError as error:
                wish.report.error = error.alone()

        await gather_few(AT_ONCE, (attempt(wish) for wish in wishes if not wish.failed))

    async def _list(self) -> None:
        """List the tags while all are there: a list that lacks what is to go would lack others as well."""
        limit = self._policy.max_tags
        if self._policy.keep_manifests and limit is None:
            return  # nobody needs to know
        try:
            self._listed = await list_before(self._store, self._wishes, limit)
        except ImagesyncError as error:
            if limit is not None or (isinstance(error, Unavailable) and error.is_unreachable):
                raise
            self._unknown = error

    async def _tags_of_digests(self) -> Tags | None:
        """Turn references by digest into their tags as well, or refuse them; gives the tags if they were needed."""
        by_digest = [wish for wish in self._wishes if not wish.tag]
        if not by_digest:
            return None
        tags = await self._tags(set())
        on = tags.on([wish.target for wish in by_digest])
        for wish in by_digest:
            there = on.get(wish.target, [])
            if there and not self._policy.all_tags:
                wish.report.error = Refused(
                    f"{self._store.name}@{wish.target} still has tags: {', '.join(there)}",
                    hint="delete those, or add --all-tags",
                )
            else:
                self._wishes.extend(Wish(wish.report, tag, wish.target) for tag in there)
        return tags

    # Steps 1 and 2.

    async def _release(self, wish: Wish) -> None:
        """Look, decide, and remove the tag if that is what is wanted; sets the target that is left to look at."""
        wish.current, original = await look(self._readings, wish.tag or wish.target)
        if not wish.current:
            if wish.tag in self._listed and await self._store.tagged([wish.tag]):
                raise contradiction(self._store, wish.tag, "a GET")  # or one of several servers has not heard of it
            wish.report.add("tag" if wish.tag else "manifest", wish.tag or wish.target, "absent", "already gone")
            wish.target = wish.expect if wish.tag and self._policy.on_destroy == "delete" else ""
        elif wish.tag:
            wish.target = (wish.expect if wish.expect != wish.current else original) or original or wish.current
            if wish.expect in ("", wish.current, original):
                await self._release_ours(wish)
            else:
                wish.report.has_moved = True
                wish.report.add("tag", wish.tag, "kept", f"it points at {wish.current} now, not at {wish.expect}")
                if why := self._policy.why_kept(wish.tag, wish.current):
                    wish.report.add("manifest", wish.target, "kept", why)
                    wish.target = ""
        if wish.target and self._policy.keep_manifests:
            wish.report.add("manifest", wish.target, "kept", "only the tag was to be removed")
            wish.target = ""

    async def _release_ours(self, wish: Wish) -> None:
        if self._policy.on_destroy == "refuse":
            raise Refused(
                f"{self._store.name}:{wish.tag} still points at {wish.current}, and on_destroy is refuse",
                hint="put the entry back with another on_destroy, apply, then remove it",
            )
        if self._policy.on_destroy == "keep":
            wish.report.add("tag", wish.tag, "kept", "on_destroy is keep")
            wish.target = ""
            return
        offer = Untagged.DONE if self._policy.dry_run else await self._store.untag(wish.tag, wish.current)
        if offer is Untagged.ABSENT and await self._store.tagged([wish.tag]):
            raise contradiction(self._store, wish.tag, "its DELETE")
        if offer in (Untagged.DONE, Untagged.ABSENT):
            self._note_untagged(wish)
        else:
            wish.offer = offer

    def _note_untagged(self, wish: Wish) -> None:
        self._untagged[wish.tag] = wish.current
        wish.report.add("tag", wish.tag, "removed", f"it pointed at {wish.current}")

    async def _release_by_digest(self, tags: Tags | None) -> References | None:
        """Remove the tags that the registry would not, and give who uses what is left; None for unknown.

        ``tags`` are what is known already, and true as long as nothing was removed.
        """
        pending = [wish for wish in self._wishes if wish.offer is not Untagged.DONE and not wish.failed]
        if not pending and not any(wish.target and not wish.failed for wish in self._wishes):
            return None
        if pending or self._untagged:
            tags = None
        without = {*(self._untagged if self._policy.dry_run else ()), *(wish.tag for wish in pending)}
        keep = self._policy.keep_manifests  # then nobody needs to be asked
        references = None if keep else await self._references(without, tags)
        # One after the other: distribution 2.x may answer 500, and leave the tag leading nowhere, to two at once.
        for wish in pending:
            await self._each([wish], partial(self._untag_by_digest, references, pending))
        await self._settle(pending)
        # A tag that could not be removed counts again. Those that shared a digest may all be going at this moment, each
        # leaving it to the others.
        failed = any(wish.failed for wish in pending)
        if references and (failed or not await references.still_used(self._store, {w.target for w in pending})):
            references = await self._references(set())
        return references

    async def _untag_by_digest(self, references: References | None, pending: list[Wish], wish: Wish) -> None:
        if self._unknown is not None and wish.offer is not Untagged.ONLY_BY_DIGEST:
            raise self._unknown
        current = await self._readings.manifest(wish.current)
        if current is None:
            raise moved(self._store, wish.tag)
        self._removal.check_room(current)
        others = [other.tag for other in pending if other.current == wish.current]
        tags = list(dict.fromkeys([wish.tag, *others]))
        keep = self._policy.keep_manifests
        if await untag_by_digest(self._store, tags, current, references, wish.offer, keep=keep):
            self._removal.went(current)
        self._note_untagged(wish)

    async def _settle(self, wishes: Iterable[Wish]) -> None:
        """Wait until tags that were removed are gone, where no list has told: a DELETE may be done later, or never."""
        left = set() if self._policy.dry_run else self._untagged.keys() - self._seen_gone
        removed = {wish.tag: wish.current for wish in wishes if wish.tag in left}
        offers = {wish.offer for wish in wishes}
        if removed and not await gone_in_time(self._store, removed, offers, self._progress):
            self._check_untagged(removed)
        self._seen_gone |= removed.keys()

    # Steps 3 to 5.

    async def _references(self, without: set[str], tags: Tags | None = None) -> References | None:
        """Who uses what may go; None where that cannot be known."""
        try:
            return await self._who_uses(tags or await self._tags(without))
        except ImagesyncError as error:
            self._unknown = error
            return None

    async def _who_uses(self, tags: Tags) -> References:
        targets = [wish.target for wish in self._wishes if wish.target and not wish.failed]
        currents = {wish.current for wish in self._wishes if wish.current}
        planned = None
        if self._policy.referrers:
            from imagesync_cli.delete import attached

            planned = await attached.search(self._readings, tags, targets, self._policy.in_use)
            tags = tags.without(planned.own_tags)
        below = planned.candidates if planned else await self._readings.below(targets)
        candidates = below | currents
        if self._reach is None or not candidates <= self._reach.candidates:
            self._reach = Reach(self._readings, candidates)
        references = await read_references(self._store, tags, self._reach, planned)
        if planned is not None:
            planned.keep(references)
        return references

    async def _tags(self, without: set[str]) -> Tags:
        # A layout folder keeps an image without a tag under its digest; that does not keep it from being deleted by it.
        without = without | {wish.target for wish in self._wishes if not wish.tag}
        if self._unknown is not None:
            raise self._unknown
        progress = self._progress
        progress.doing, progress.unit, progress.done = f"reading the tags of {self._store.name}", "tags", 0

        def advance(total: int) -> None:
            progress.total = total
            progress.done += 1

        there = {*(wish.tag for wish in self._wishes if wish.current), *self._listed} - {"", *self._untagged}
        tags = await read_tags(self._store, without, advance, listed=[*there, *self._policy.in_use])
        late = {tag: at for tag, at in self._untagged.items() if tags.digest_of(tag) == at}
        if late and await gone_in_time(self._store, late, (), self._progress):
            tags = tags.without(late)
        self._check_untagged({tag: tags.digest_of(tag) for tag in late})
        self._seen_gone |= self._untagged.keys()
        return tags

    async def _remove_unused(self, references: References | None) -> None:
        going = {wish.target: wish.report for wish in self._wishes if wish.target and not wish.failed}
        if references is None:
            for digest, report in going.items():
                why = self._unknown.message if self._unknown else ""
                report.add("manifest", digest, "kept", f"who else uses it is unknown: {why}")
        elif going:
            self._progress.doing = f"removing what nobody uses from {self._store.name}"
            self._removal.begin(references, self._untagged)
            await self._removal.take(going)
            if references.planned is None:
                names = await self._removal.finish()
            else:
                from imagesync_cli.delete.attached import AttachedRemoval

                names = await AttachedRemoval(self._store, self._removal, references, references.planned).run()
            self._seen_gone -= names

    def _check_untagged(self, tags: Mapping[str, str]) -> None:
        """Fail where a tag that we removed is there again, as it was; pushed anew by somebody, it is like any other."""
        for wish in self._wishes:
            digest = tags.get(wish.tag)
            if digest and digest == self._untagged.get(wish.tag) and not self._policy.dry_run:
                wish.report.fail_tag(self._store.name, wish.tag, digest)

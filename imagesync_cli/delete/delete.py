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

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from imagesync_cli.concurrency import gather
from imagesync_cli.delete.delete_report import DeleteReport
from imagesync_cli.delete.references import Plan, Readings, Usage, read_usage
from imagesync_cli.delete.removal import Unused
from imagesync_cli.delete.tombstone import original_of, untag_by_digest
from imagesync_cli.stores import Access, Side, Store, Stores, Untagged
from imagesync_cli.values.errors import Gone, ImagesyncError, NotFound, Refused, Unavailable, UsageError
from imagesync_cli.values.manifest import Descriptor, Manifest
from imagesync_cli.values.progress import Progress
from imagesync_cli.values.reference import LayoutReference, Reference


@dataclass(frozen=True)
class Policy:
    """What may be removed.

    ``expect`` is the digest that was put there, "" for whatever is there now. If the tag has moved on from it,
    ``on_replace`` ("delete" or "keep") rules; if it has not, ``on_destroy`` ("delete", "keep" or "refuse").
    ``referrers`` says that what is attached to an image goes with it.
    """

    expect: str = ""
    on_replace: str = "delete"
    on_destroy: str = "delete"
    keep_manifests: bool = False
    all_tags: bool = False
    referrers: bool = False
    max_tags: int | None = None
    dry_run: bool = False


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
    repositories: dict[tuple[str, str], tuple[Reference, list[_Wish]]] = {}
    for reference in dict.fromkeys(references):
        wish = _wish(reference, policy)
        reports.append(wish.report)
        repositories.setdefault(reference.location, (reference, []))[1].append(wish)
    for first, wishes in repositories.values():
        store = stores.open(first, Access.READ if policy.dry_run else Access.DELETE, Side.DESTINATION)
        await _Repository(store, policy, progress or Progress(), wishes).run()
    return reports


@dataclass
class _Wish:
    """A tag to remove (or "" for a manifest alone), and the manifest to look at after that (or "" for none)."""

    report: DeleteReport
    tag: str
    expect: str
    target: str = ""
    current: Manifest | None = None
    offer: Untagged = Untagged.DONE  # what the registry answered when it was asked to remove the tag

    @property
    def failed(self) -> bool:
        return self.report.error is not None


def _wish(reference: Reference, policy: Policy) -> _Wish:
    if policy.expect and reference.digest not in ("", policy.expect):
        raise UsageError(f"{reference} and --digest {policy.expect} name two images", hint="leave one of them out")
    report = DeleteReport(str(reference), policy.dry_run, freed_at_once=isinstance(reference, LayoutReference))
    if reference.digest and not reference.tag:
        return _Wish(report, "", reference.digest, target=reference.digest)
    return _Wish(report, reference.tag or "latest", policy.expect or reference.digest)


class _Repository:
    """Everything that is to be removed from one repository; an error ends its own reference only."""

    def __init__(self, store: Store, policy: Policy, progress: Progress, wishes: list[_Wish]) -> None:
        self._store = store
        self._policy = policy
        self._progress = progress
        self._wishes = wishes
        self._readings = Readings(store)
        self._unused = Unused(store, self._readings, dry_run=policy.dry_run)
        self._untagged: dict[str, str] = {}  # tag → the digest it pointed at
        self._unknown: ImagesyncError | None = None  # why it is not known who uses what

    async def run(self) -> None:
        """All steps of the module's list."""
        try:
            await self._check_size()
            usage = await self._tags_of_digests()
            await self._each(self._wishes, self._release)
            usage = await self._release_by_digest(usage)
            await self._remove_unused(usage)
        except ImagesyncError as error:
            for wish in self._wishes:
                wish.report.error = wish.report.error or error

    async def _each(self, wishes: Iterable[_Wish], step: Callable[[_Wish], Awaitable[None]]) -> None:
        """Take the step for all wishes that did not fail, at once."""

        async def attempt(wish: _Wish) -> None:
            try:
                await step(wish)
            except ImagesyncError as error:
                wish.report.error = error

        await gather(attempt(wish) for wish in wishes if not wish.failed)

    async def _check_size(self) -> None:
        """Refuse before anything is changed where the repository has more tags than the user wants read."""
        limit = self._policy.max_tags
        if limit is not None and (count := len(await self._store.tags())) > limit:
            raise Refused(f"{self._store.name} has {count} tags, more than --max-tags {limit}")

    async def _tags_of_digests(self) -> Usage | None:
        """Turn references by digest into their tags as well, or refuse them; gives the usage if it was needed."""
        by_digest = [wish for wish in self._wishes if not wish.tag]
        if not by_digest:
            return None
        usage = await self._usage(set())
        for wish in by_digest:
            tags = usage.tags_at(wish.target)
            if tags and not self._policy.all_tags:
                wish.report.error = Refused(
                    f"{self._store.name}@{wish.target} still has tags: {', '.join(tags)}",
                    hint="delete those, or add --all-tags",
                )
            else:
                self._wishes.extend(_Wish(wish.report, tag, wish.target) for tag in tags)
        return usage

    # Steps 1 and 2.

    async def _release(self, wish: _Wish) -> None:
        """Look, decide, and remove the tag if that is what is wanted; sets the target that is left to look at."""
        current = wish.current = await self._look(wish.tag or wish.target)
        if current is None:
            wish.report.add("tag" if wish.tag else "manifest", wish.tag or wish.target, "absent", "already gone")
            wish.target = wish.expect if wish.tag and self._policy.on_destroy == "delete" else ""
        elif wish.tag:
            wish.target = wish.expect or original_of(current) or current.digest
            if wish.expect in ("", current.digest, original_of(current)):
                await self._release_ours(wish, current)
            else:
                self._leave_foreign(wish, current)
        if wish.target and self._policy.keep_manifests:
            wish.report.add("manifest", wish.target, "kept", "only the tag was to be removed")
            wish.target = ""

    async def _look(self, wanted: str) -> Manifest | None:
        try:
            manifest = await self._store.manifest(wanted)
        except Gone:
            return None
        except NotFound as error:
            error.hint = "the answer does not say that the image is unknown; is this a registry?"
            raise
        self._readings.keep(manifest)
        return manifest

    def _leave_foreign(self, wish: _Wish, current: Manifest) -> None:
        wish.report.add("tag", wish.tag, "kept", f"it points at {current.digest} now, not at {wish.expect}")
        if self._policy.on_replace == "keep":
            wish.report.add("manifest", wish.target, "kept", "on_replace is keep")
            wish.target = ""

    async def _release_ours(self, wish: _Wish, current: Manifest) -> None:
        if self._policy.on_destroy == "refuse":
            raise Refused(
                f"{wish.report.reference} still points at {current.digest}, and on_destroy is refuse",
                hint="to remove it, apply on_destroy = delete or keep first",
            )
        if self._policy.on_destroy == "keep":
            wish.report.add("tag", wish.tag, "kept", "on_destroy is keep")
            wish.target = ""
            return
        offer = Untagged.DONE if self._policy.dry_run else await self._store.untag(wish.tag, current.digest)
        if offer is Untagged.ABSENT and await self._store.tagged([wish.tag]):
            raise _moved(self._store, wish.tag)
        if offer in (Untagged.DONE, Untagged.ABSENT):
            self._note_untagged(wish, current)
        else:
            wish.offer = offer

    def _note_untagged(self, wish: _Wish, current: Manifest) -> None:
        self._untagged[wish.tag] = current.digest
        wish.report.add("tag", wish.tag, "removed", f"it pointed at {current.digest}")

    async def _release_by_digest(self, usage: Usage | None) -> Usage | None:
        """Remove the tags that the registry would not, and give the usage of all tags that stay; None for unknown.

        ``usage`` is what is known already, and true as long as nothing was removed.
        """
        pending = [wish for wish in self._wishes if wish.offer is not Untagged.DONE and not wish.failed]
        if not pending and not any(wish.target and not wish.failed for wish in self._wishes):
            return None
        if usage is None or pending or self._untagged:
            without = {*(self._untagged if self._policy.dry_run else ()), *(wish.tag for wish in pending)}
            usage = await self._usage_if_known(without)
        usage = await self._planned(usage)
        # One after the other: distribution 2.x may answer 500, and leave the tag leading nowhere, to two at once.
        for wish in pending:
            await self._each([wish], partial(self._untag_by_digest, usage, pending))
        # A tag that could not be removed counts again. Those that shared a digest may all be going at this moment, each
        # leaving it to the others.
        failed = any(wish.failed for wish in pending)
        if usage and (failed or not await self._still_used(usage, {wish.target for wish in pending})):
            usage = await self._planned(await self._usage_if_known(set()))
        return usage

    async def _untag_by_digest(self, usage: Usage | None, pending: list[_Wish], wish: _Wish) -> None:
        assert wish.current is not None  # noqa: S101  (for the type checker)
        if usage is None and wish.offer is not Untagged.ONLY_BY_DIGEST and self._unknown is not None:
            raise self._unknown
        digest = wish.current.digest
        others = [other.tag for other in pending if other.current and other.current.digest == digest]
        tags = list(dict.fromkeys([wish.tag, *others]))
        if await untag_by_digest(self._store, tags, wish.current, usage, wish.offer):
            self._unused.went(wish.current)
        self._note_untagged(wish, wish.current)

    async def _still_used(self, usage: Usage, digests: Iterable[str]) -> bool:
        """Whether each digest that had tags has one yet: a HEAD or two, instead of one for each tag."""
        for digest in digests:
            for tag in usage.tags_at(digest):
                if digest in {found.digest for found in (await self._store.tagged([tag])).values()}:
                    break
            else:
                if usage.tags_at(digest):
                    return False
        return True

    # Steps 3 to 5.

    async def _usage_if_known(self, without: set[str]) -> Usage | None:
        try:
            return await self._usage(without)
        except ImagesyncError as error:
            self._unknown = error
            return None

    async def _planned(self, usage: Usage | None) -> Usage | None:
        """With referrers: the usage by all but what goes with the images."""
        if usage is None or not self._policy.referrers:
            return usage
        from imagesync_cli.delete import attached

        targets = [wish.target for wish in self._wishes if wish.target and not wish.failed]
        try:
            return await attached.plan(self._store, self._readings, usage, targets)
        except ImagesyncError as error:
            self._unknown = error
            return None

    async def _usage(self, without: set[str]) -> Usage:
        names = await self._store.tags()
        # A layout folder keeps an image without a tag under its digest; that does not keep it from being deleted by it.
        without = without | {wish.target for wish in self._wishes if not wish.tag}
        self._progress.doing, self._progress.unit = f"reading the tags of {self._store.name}", "tags"
        self._progress.done, self._progress.total = 0, len(names)
        usage = await read_usage(self._store, self._readings, names, without, self._progress.advance)
        self._check_untagged(usage.tags)
        return usage

    async def _remove_unused(self, usage: Usage | None) -> None:
        going = {wish.target: wish.report for wish in self._wishes if wish.target and not wish.failed}
        if usage is None:
            for digest, report in going.items():
                why = self._unknown.message if self._unknown else ""
                report.add("manifest", digest, "kept", f"who else uses it is unknown: {why}")
        elif going:
            self._progress.doing = f"removing what nobody uses from {self._store.name}"
            await self._unused.take(going, usage)
            untagged = {*self._untagged}
            if usage.planned is not None:
                await self._detach(usage, usage.planned)
                untagged |= usage.planned.removed
            names = await self._unused.finish(usage, untagged)
            self._check_untagged(await self._store.tagged(names & self._untagged.keys()))

    async def _detach(self, usage: Usage, planned: Plan) -> None:
        from imagesync_cli.delete.attached import Detach

        await Detach(self._store, self._unused, planned, usage).run()

    def _check_untagged(self, tags: Mapping[str, Descriptor]) -> None:
        """Fail where a tag that we removed is there again, as it was; pushed anew by somebody, it is like any other."""
        for wish in self._wishes:
            found = tags.get(wish.tag)
            if found is not None and found.digest == self._untagged.get(wish.tag) and not self._policy.dry_run:
                wish.report.error = Unavailable(
                    f"{self._store.name}:{wish.tag} still points at {found.digest}",
                    hint="either the registry did not remove it, or somebody put it back; run it again",
                )


def _moved(store: Store, tag: str) -> Unavailable:
    return Unavailable(f"{store.name}:{tag} was moved while it was being removed", hint="run it again")

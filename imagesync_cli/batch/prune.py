"""The tags of destinations that nobody wants any more: which those are, and how they go.

1. Wanted are those that an entry fills, and those that an entry reads: by tag, or by the digest they are on or list.
2. A repository is left as it is where any entry that goes there has failed, or could not say which tags it wants.
3. What the others point at is looked at before anything is copied. A tag that moves after that is somebody's: it stays.
4. All else goes by the delete operation, once all that is wanted is there. Signatures and lists of referrers (tags
   sha256-…) go only with the image that they are about.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from imagesync_cli.batch.entry import ImageEntry
from imagesync_cli.batch.report import Outcome, RemovalResult
from imagesync_cli.concurrency import each_of, gather_few
from imagesync_cli.delete.delete import Policy, delete
from imagesync_cli.delete.delete_report import DeleteReport
from imagesync_cli.delete.readings import Readings
from imagesync_cli.delete.references import Reach, read_references, tags_apart_from
from imagesync_cli.delete.tags import read_tags
from imagesync_cli.look.tags import list_tags
from imagesync_cli.stores import Access, Side, Stores
from imagesync_cli.stores.places import place_of, those_of_one_registry
from imagesync_cli.values.digest import digest_in_tag, subject_of_tag
from imagesync_cli.values.errors import ImagesyncError, Refused, first_few
from imagesync_cli.values.progress import note
from imagesync_cli.values.reference import Reference
from imagesync_cli.values.tags.replacing import Replacing, keeps_by_some_template, tells_digest

if TYPE_CHECKING:
    from imagesync_cli.batch.plan import Plan

_MOST_TAGS = 10
_LISTS_AT_ONCE = 64
_PRUNED_AT_ONCE = 8  # each holds what all tags of a repository point at
_INTERRUPTED = "interrupted before it was known to be gone"

Place = tuple[str, str]  # see place_of
Listed = Mapping[Place, Sequence[str] | ImagesyncError]


@dataclass(frozen=True)
class Removals:
    """What is to go from one repository: ``tags``, of those ``listed``; ``error`` is why nobody knows.

    ``wanted`` are the tags that stay, whatever they are about. ``seen`` is what each of the tags pointed at.

    All ``entries``, those that go into this repository, must have succeeded before.
    """

    repository: Reference
    entries: Sequence[ImageEntry]
    listed: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    wanted: frozenset[str] = frozenset()
    seen: Mapping[str, str] = field(default_factory=dict)
    error: ImagesyncError | None = None

    @property
    def are_many(self) -> bool:
        """Whether so many go at once that it looks like a mistake, or like a source that has lost its tags."""
        return len(self.tags) > min(len(self.wanted), _MOST_TAGS)


async def list_pruned(stores: Stores, entries: Sequence[ImageEntry]) -> Listed:
    """The tags of each destination that is to be pruned, or why they are not known.

    They are listed before those of the sources: what another run brings meanwhile is not taken for unwanted.
    """

    async def listed(destination: Reference) -> Sequence[str] | ImagesyncError:
        try:
            return await list_tags(stores, destination, Side.DESTINATION)
        except ImagesyncError as error:
            return error.alone()

    pruned = {place_of(entry.destination): entry.destination for entry in entries if entry.prune}
    return dict(zip(pruned, await each_of(_LISTS_AT_ONCE, listed, pruned.values()), strict=True))


async def plan_removals(stores: Stores, made: Plan, replacing: Replacing, there: Listed) -> None:
    """Put into the plan what is to go of what is ``there``. ``replacing`` is for entries that do not say it."""
    pruned = {place_of(entry.destination): entry.destination for entry in made.entries if entry.prune}
    alike = await _alike_places(made, pruned)
    # A source without any tag may have lost them, and one that was not read may have all: what it has brought stays.
    left = {place_of(entry.destination) for entry in (*made.empty, *made.failed)}
    pruned = {place: destination for place, destination in pruned.items() if left.isdisjoint(alike[place])}
    read_too = {each for place in pruned for each in alike[place]}
    wanted: dict[Place, set[str]] = {}
    digests: dict[Place, set[str]] = {}
    for image in made.images:
        wanted.setdefault(place_of(image.destination), set()).add(image.destination.tag)
        source, place = image.source, place_of(image.source)
        if place in read_too:
            wanted.setdefault(place, set()).add(source.tag or ("" if source.digest else "latest"))
            digests.setdefault(place, set()).update({source.digest, image.selection.digest})
    filling: dict[Place, list[ImageEntry]] = {}
    for entry in made.entries:
        filling.setdefault(place_of(entry.destination), []).append(entry)
    ways = {(each.entry.replacing or replacing).keep_as for each in made.images}

    async def removals(place: Place) -> Removals:
        names = alike[place]
        here = [entry for each in names for entry in filling.get(each, ())]
        kept = _of_all(wanted, names)
        try:
            if unknown := next(filter(None, map(made.unknown_at, names)), None):
                return Removals(pruned[place], here, error=unknown)
            if isinstance(listed := there[place], ImagesyncError):
                return Removals(pruned[place], here, error=listed)
            only_there = kept.intersection(listed) - wanted.get(place, set())
            for host, path in names[1:]:
                if not only_there.isdisjoint(wanted.get((host, path), ())):
                    note(f"{pruned[place].name}: what is wanted at {host} stays, as that may be the same registry")
            others = (tag for tag in listed if tag not in kept and not subject_of_tag(tag))
            keeping = {tag: tuple(old.of for way in ways if way and (old := way.read(tag))) for tag in others}
            unwanted = [tag for tag, of in keeping.items() if kept.isdisjoint(of)]
            store = stores.open(pruned[place], side=Side.DESTINATION)
            like_kept = [tag for tag in unwanted if not keeping[tag] and tells_digest(tag)]
            at = await store.tagged(like_kept) if like_kept else {}
            earlier = {tag for tag, target in at.items() if keeps_by_some_template(tag, target.digest)}
            unwanted = [tag for tag in unwanted if tag not in earlier]
            read = _of_all(digests, names)
            going = await tags_apart_from(store, await store.tagged(unwanted), read) if read else unwanted
        except ImagesyncError as error:
            return Removals(pruned[place], here, error=error.alone())
        return Removals(pruned[place], here, tuple(listed), tuple(sorted(going)), frozenset(kept))

    made.removals = dict(zip(pruned, await each_of(_LISTS_AT_ONCE, removals, pruned), strict=True))


async def _alike_places(made: Plan, pruned: Collection[Place]) -> dict[Place, list[Place]]:
    """Each of these places, with those of the same path at what may be the same registry by another name."""
    at: dict[str, set[str]] = {}
    for reference in (each for entry in made.entries for each in (entry.source, entry.destination)):
        host, path = place_of(reference)
        at.setdefault(path, set()).add(host)
    folders = {side.place[0] for each in made.unknown for side in (each.folder.source, each.folder.destination)}

    others = {place: sorted((at[place[1]] | folders) - {place[0]}) for place in pruned}
    same = await those_of_one_registry({(host, other) for (host, _), hosts in others.items() for other in hosts})
    return {
        (host, path): [(host, path), *((other, path) for other in hosts if (host, other) in same)]
        for (host, path), hosts in others.items()
    }


def _of_all(named: Mapping[Place, Set[str]], places: Sequence[Place]) -> set[str]:
    return set[str]().union(*(named.get(each, ()) for each in places)) - {""}


async def look_at_removals(stores: Stores, plan: Plan, most: int | None, *, dry_run: bool) -> None:
    """Note in the plan what each tag that is to go points at; one that leads nowhere is gone.

    Refused if there are more than ``most``; None is for a number that looks like no mistake.
    """
    if most is not None and plan.removal_count > most:
        going = [f"{removals.repository.at(tag=tag)}" for removals in plan.removals.values() for tag in removals.tags]
        raise Refused(
            f"tags to remove: {plan.removal_count}, more than --max-removals {most}: {first_few(going)}",
            hint="nothing was changed; --dry-run without --max-removals lists all of them",
        )

    async def seen(removals: Removals) -> Removals:
        if not removals.tags or (removals.are_many and most is None and not dry_run):
            return removals
        try:
            there = await stores.open(removals.repository, side=Side.DESTINATION).tagged(removals.tags)
        except ImagesyncError as error:
            return replace(removals, tags=(), error=error.alone())
        digests = {tag: there[tag].digest for tag in removals.tags if tag in there}
        return replace(removals, tags=tuple(digests), seen=digests)

    looked = await each_of(_LISTS_AT_ONCE, seen, plan.removals.values())
    plan.removals = dict(zip(plan.removals, looked, strict=True))


async def prune(
    stores: Stores,
    plan: Plan,
    failed: Set[ImageEntry],
    results: list[RemovalResult],
    *,
    is_limited: bool,
    dry_run: bool,
) -> None:
    """Remove what the plan says, but nothing from where an entry has ``failed``; ``results`` has what was done.

    Where it ``is_limited``, nothing either from where more than half or more than a few would go.
    """
    every = plan.removals.items()
    stopped = {at: each for at, each in every if is_limited and each.are_many and failed.isdisjoint(each.entries)}
    going = [_Pruning(stores, each, dry_run=dry_run) for at, each in every if dry_run or at not in stopped]
    try:
        await gather_few(_PRUNED_AT_ONCE, (each.run(failed) for each in going))
    finally:  # also where it is interrupted: what is gone is told
        results += [result for each in going for result in each.results]
        results += [_stopped(each, plan.removal_count) for each in stopped.values()]


def _stopped(removals: Removals, total: int) -> RemovalResult:
    count = len(removals.tags)
    error = Refused(
        f"no tag removed, since {count} of {count + len(removals.wanted)} would go: {first_few(removals.tags)}",
        hint=f"if that is right, --max-removals {total} allows it",
    )
    return RemovalResult(removals.repository.name, Outcome.FAILED, str(error), error.exit_code)


def tags_unknown(removals: Removals, error: ImagesyncError) -> RemovalResult:
    """That nothing is removed from a repository, nor known to be unwanted there."""
    return RemovalResult(removals.repository.name, Outcome.FAILED, f"its tags are not known: {error}", error.exit_code)


class _Pruning:
    """The removals of one repository, and what became of each until now."""

    def __init__(self, stores: Stores, removals: Removals, *, dry_run: bool) -> None:
        self.removals = removals
        self._stores = stores
        # Where all that comes there comes with its referrers, these are the images' own.
        attached = all(entry.selection.has_all_referrers for entry in removals.entries)
        self._policy = Policy(dry_run=dry_run, on_replace="keep", referrers=attached, in_use=removals.wanted)
        self._going = [removals.repository.at(tag=tag) for tag in removals.tags]
        self.results = _alike(self._going, Outcome.NOT_RUN, _INTERRUPTED)

    async def run(self, failed: Set[ImageEntry]) -> None:
        """Remove them, unless something that is wanted there has failed."""
        if self.removals.error is not None:
            self.results = [tags_unknown(self.removals, self.removals.error)]
        elif not failed.isdisjoint(self.removals.entries):
            why = "not everything that is wanted there could be copied"
            self.results = _alike(self._going, Outcome.KEPT, why)
        elif self.removals.tags:
            await self._remove()

    async def _remove(self) -> None:
        going, reports, is_whole = list(self._going), list[DeleteReport](), False
        try:
            if not self._policy.referrers:
                going += await _companions(self._stores, self.removals)
            if self._policy.dry_run:  # what else uses their manifests is looked at when they go
                self.results = _alike(going, Outcome.REMOVED, "")
                return
            self.results = _alike(going, Outcome.NOT_RUN, _INTERRUPTED)
            as_seen = (each.at(tag=each.tag, digest=self.removals.seen.get(each.tag, "")) for each in going)
            await delete(self._stores, as_seen, self._policy, reports=reports)
            is_whole = True
        except ImagesyncError as error:
            self.results = _alike(going, Outcome.FAILED, str(error), error.exit_code)
        finally:
            for result, each, report in zip(self.results, going, reports, strict=False):
                _tell(result, report, "" if is_whole else self._left(each))

    def _left(self, reference: Reference) -> str:
        digest = self.removals.seen.get(reference.tag, "")
        how = f": imagesync delete {reference.at(digest=digest)} removes that" if digest else ""
        return f"interrupted, its manifest may be left{how}"


def _alike(references: Sequence[Reference], outcome: str, why: str, exit_code: int = 0) -> list[RemovalResult]:
    return [RemovalResult(str(each), outcome, why, exit_code) for each in references]


async def _companions(stores: Stores, removals: Removals) -> list[Reference]:
    """The tags of signatures and referrers of images that nothing keeps once the removals are done."""
    unwanted = (tag for tag in removals.listed if tag not in removals.wanted)
    companions = {tag: digest for tag in unwanted if (digest := digest_in_tag(tag))}
    if not companions:
        return []
    store = stores.open(removals.repository, Access.READ, Side.DESTINATION)
    now = await store.tagged(removals.tags)
    going = {tag: at.digest for tag, at in now.items() if at.digest == removals.seen[tag]}
    tags = await read_tags(store, {*going, *companions}, lambda _: None)
    leaving = set(going.values())
    references = await read_references(store, tags, Reach(Readings(store), leaving))
    leaving -= {digest for digest in leaving if references.user_of(digest)}
    return [removals.repository.at(tag=tag) for tag, digest in companions.items() if digest in leaving]


def _tell(result: RemovalResult, report: DeleteReport, left: str) -> None:
    """Put what became of the tag into its result; nothing where that is not known."""
    tag = next((item for item in report.items if item.kind == "tag"), None)
    if report.error is not None:
        result.outcome, result.why, result.exit_code = Outcome.FAILED, str(report.error), report.error.exit_code
    elif tag is not None:
        result.outcome = Outcome.KEPT if tag.outcome == "kept" else Outcome.REMOVED
        result.why = tag.why if tag.outcome == "kept" or (tag.outcome == "absent" and not left) else left

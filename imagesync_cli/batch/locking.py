"""Write down what each reference of a file is now: one HEAD request each, and more only for what is new.

A tag that has moved is taken when its new digest has been seen for ``min_age_hours``; until then the lock keeps the old
one and remembers since when the other is known. What cannot be read keeps its place in the lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from imagesync_cli.batch.entry import Entry
from imagesync_cli.batch.plan import Plan, plan
from imagesync_cli.concurrency import gather_few
from imagesync_cli.look.choose_platforms import choose_platforms, config_platform
from imagesync_cli.look.lockfile import Lock, Locked, Pending
from imagesync_cli.look.resolve import resolve
from imagesync_cli.look.selection import WHOLE
from imagesync_cli.look.walk import Place, Walk
from imagesync_cli.stores import Store, Stores
from imagesync_cli.stores.places import place_of
from imagesync_cli.values.errors import ImagesyncError
from imagesync_cli.values.manifest import Manifest
from imagesync_cli.values.platforms import Platform, read_platform
from imagesync_cli.values.progress import Progress, note
from imagesync_cli.values.reference import Reference, RegistryReference, as_meant, parse_reference
from imagesync_cli.values.times import parse_time, time_text

_AT_ONCE = 64  # what they read while they measure is bounded by the crowd


@dataclass(frozen=True)
class Change:
    """How a new lock differs.

    ``kind`` is new, moved, waiting (moved, and too young), platforms (others are wanted) or gone (from the file).
    """

    kind: str
    reference: str
    before: str = ""
    now: str = ""


@dataclass
class LockReport:
    """The new lock, how it differs from the old one, and what could not be read, by reference."""

    lock: Lock
    changes: list[Change] = field(default_factory=list)
    failed: dict[str, ImagesyncError] = field(default_factory=dict)


@dataclass
class _Wanted:
    """One reference, for all entries that name it."""

    source: Reference
    mirrors: tuple[RegistryReference, ...] = ()
    choices: dict[str, tuple[Platform, ...]] = field(default_factory=dict)  # by name, "" is the whole image
    min_age_hours: float = 0


async def lock(
    stores: Stores, entries: Sequence[Entry], old: Lock, now: datetime, progress: Progress | None = None
) -> LockReport:
    """The lock of these entries as of ``now``, from what they are and from the ``old`` lock."""
    made = await plan(stores, entries, prunes=False)
    report = LockReport(Lock())
    wanted = _wanted(made)
    _keep_unlisted(made, old, report)
    progress = progress or Progress()
    progress.doing, progress.unit, progress.total = "looking up images", "images", len(wanted)
    update = _Update(stores, old, now, report)
    await gather_few(_AT_ONCE, (update.take(each, progress) for each in wanted.values()))
    gone = [Change("gone", name, old.images[name].digest) for name in old.images if name not in report.lock.images]
    report.changes = sorted([*report.changes, *gone], key=lambda change: change.reference)
    return report


def _wanted(made: Plan) -> dict[str, _Wanted]:
    wanted: dict[str, _Wanted] = {}
    for image in made.images:
        entry = image.entry
        each = wanted.setdefault(as_meant(image.source), _Wanted(image.source, entry.mirrors))
        platforms = image.selection.platforms
        each.choices[",".join(sorted(map(str, platforms)))] = platforms
        each.min_age_hours = max(each.min_age_hours, entry.min_age_hours)
    return wanted


def _keep_unlisted(made: Plan, old: Lock, report: LockReport) -> None:
    """Where the tags could not be listed, those of the old lock stay."""
    for entry in (*made.failed, *made.empty):
        if entry in made.failed:
            report.failed[entry.source.name] = made.failed[entry]
        for tag in entry.tags.pick(old.tags(entry.source)) if entry.tags else ():
            name = as_meant(entry.source.at(tag=tag))
            report.lock.images[name] = old.images[name]
    for unknown in made.unknown:
        report.failed[unknown.source] = unknown.error
        folder = unknown.folder.source
        kept = (name for name in old.images if folder.rest(place_of(parse_reference(name))))
        report.lock.images.update((name, old.images[name]) for name in kept)


@dataclass(frozen=True)
class _Update:
    """What becomes of one reference."""

    stores: Stores
    old: Lock
    now: datetime
    report: LockReport

    async def take(self, wanted: _Wanted, progress: Progress) -> None:
        """Put the reference into the new lock, and note what changes by that."""
        name = as_meant(wanted.source)
        before = self.old.images.get(name)
        (answer,) = await resolve(self.stores, [(wanted.source, WHOLE)])
        try:
            if isinstance(answer, ImagesyncError):
                raise answer
            self.report.lock.images[name] = await self._locked(wanted, answer.source_digest, before)
        except ImagesyncError as error:
            self.report.failed[name] = error.alone()
            if before is not None:
                self.report.lock.images[name] = before
        progress.done += 1

    async def _locked(self, wanted: _Wanted, digest: str, before: Locked | None) -> Locked:
        name = as_meant(wanted.source)
        if before is not None and digest == before.digest:
            return await self._kept(wanted, before)
        pending = Pending(digest, time_text(self.now))
        if before is not None and before.pending is not None and before.pending.digest == digest:
            pending = before.pending
        seen = parse_time(pending.first_seen) or self.now
        if seen > self.now:  # a clock that is behind must not make it look old once it is right
            note(
                f"{pending.digest} was first seen at {pending.first_seen}, says the lock, and that is yet to come: "
                "check the clock, and if it is right, remove this pending from the lock"
            )
        if before is not None and self.now - seen < timedelta(hours=wanted.min_age_hours):
            if pending != before.pending:
                self.report.changes.append(Change("waiting", name, before.digest, digest))
            return await self._kept(wanted, before, pending)
        self.report.changes.append(Change("moved" if before else "new", name, before.digest if before else "", digest))
        return replace(await self._measure(wanted, digest, time_text(self.now)), first_seen=pending.first_seen)

    async def _kept(self, wanted: _Wanted, before: Locked, pending: Pending | None = None) -> Locked:
        """The same digest as before; read again only where the file chooses other platforms than it did."""
        if before.selected.keys() != {name for name in wanted.choices if name}:
            self.report.changes.append(Change("platforms", as_meant(wanted.source), before.digest, before.digest))
            before = await self._measure(wanted, before.digest, before.date)
        return replace(before, pending=pending)

    async def _measure(self, wanted: _Wanted, digest: str, date: str) -> Locked:
        source, store = wanted.source, self.stores.open(wanted.source)
        if wanted.mirrors and isinstance(source, RegistryReference):
            store = self.stores.mirrored(source, wanted.mirrors)
        return await self.stores.crowd.run(lambda: _measure(store, digest, wanted, date))


async def _measure(store: Store, digest: str, wanted: _Wanted, date: str) -> Locked:
    """What is wanted of the image: its bytes, each blob once, and its platforms."""
    root = await store.manifest(digest)
    selected, entries = dict[str, str](), {entry.digest: entry for entry in root.manifests}
    sizes, blobs = dict[str, int](), dict[str, int]()

    def note(manifest: Manifest) -> None:
        sizes[manifest.digest] = manifest.size
        blobs.update((blob.digest, blob.size) for blob in manifest.blobs if not blob.is_foreign)

    async def child(place: Place) -> None:
        # No deeper than this: an index in an index is rare, and a size serves to share the work.
        note(await walk.read(store, place))

    async with Walk(child) as walk:
        for name, platforms in wanted.choices.items():
            chosen = await choose_platforms(store, root, platforms, str(wanted.source))
            top = chosen.root or await store.manifest(chosen.descriptor.digest)
            note(top)
            entries |= {entry.digest: entry for entry in top.manifests if entry.digest not in entries}
            await walk.below(top)
            if name:
                selected[name] = top.digest
    has = [read_platform(entry.platform or {}) for entry in entries.values() if entry.digest in sizes]
    if not root.manifests:
        has.append(await config_platform(store, root))
    names = tuple(dict.fromkeys(str(each) for each in has if each and each.os != "unknown"))
    return Locked(digest, sum(sizes.values()) + sum(blobs.values()), names, date, selected)

"""Write down what each reference of a file is now: one HEAD request each, and more only for what is new.

A tag that has moved is taken when its new digest has been seen for ``min_age_hours``; until then the lock keeps the old
one and remembers since when the other is known. What cannot be read keeps its place in the lock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from imagesync_cli.entry import Entry
from imagesync_cli.errors import ContentError, ImagesyncError
from imagesync_cli.gather import gather
from imagesync_cli.lockfile import Lock, Locked, Pending
from imagesync_cli.manifest import Descriptor, Manifest
from imagesync_cli.operations.plan import Plan, plan
from imagesync_cli.operations.progress import Progress
from imagesync_cli.operations.resolve import Answer, resolve
from imagesync_cli.platforms import Platform, normal_platform
from imagesync_cli.reference import Reference
from imagesync_cli.selection import WHOLE
from imagesync_cli.stores import Store, Stores

_CONFIG_LIMIT_BYTES = 4 * 1024 * 1024
_NO_PLATFORM = "unknown"


@dataclass(frozen=True)
class Change:
    """How a new lock differs: ``kind`` is new, moved, waiting (moved, and too young) or gone (from the file)."""

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
    platforms: set[Platform] = field(default_factory=set)  # none for all
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
    found = await resolve(stores, [(each.source, WHOLE) for each in wanted.values()])
    await gather(
        _Update(stores, old, now, report).take(each, answer, progress)
        for each, answer in zip(wanted.values(), found, strict=True)
    )
    gone = [Change("gone", name, old.images[name].digest) for name in old.images if name not in report.lock.images]
    report.changes = sorted([*report.changes, *gone], key=lambda change: change.reference)
    return report


def _wanted(made: Plan) -> dict[str, _Wanted]:
    wanted: dict[str, _Wanted] = {}
    for image in made.images:
        new = str(image.source) not in wanted
        each = wanted.setdefault(str(image.source), _Wanted(image.source, set(image.selection.platforms)))
        if not image.selection.platforms:
            each.platforms = set()
        elif new or each.platforms:
            each.platforms |= set(image.selection.platforms)
        each.min_age_hours = max(each.min_age_hours, made.entries[image.entry].min_age_hours)
    return wanted


def _keep_unlisted(made: Plan, old: Lock, report: LockReport) -> None:
    """Where the tags could not be listed, those of the old lock stay."""
    for number, error in made.failed.items():
        entry = made.entries[number]
        report.failed[entry.source.name] = error
        for tag in entry.tags.pick(old.tags(entry.source)) if entry.tags else ():
            name = str(entry.source.at(tag=tag))
            report.lock.images[name] = old.images[name]


class _Update:
    """What becomes of one reference."""

    def __init__(self, stores: Stores, old: Lock, now: datetime, report: LockReport) -> None:
        self._stores = stores
        self._old = old
        self._now = now
        self._report = report

    async def take(self, wanted: _Wanted, answer: Answer, progress: Progress) -> None:
        """Put the reference into the new lock, and note what changes by that."""
        name = str(wanted.source)
        before = self._old.images.get(name)
        try:
            if isinstance(answer, ImagesyncError):
                raise answer
            self._report.lock.images[name] = await self._locked(wanted, answer.source_digest, before)
        except ImagesyncError as error:
            self._report.failed[name] = error
            if before is not None:
                self._report.lock.images[name] = before
        progress.advance()

    async def _locked(self, wanted: _Wanted, digest: str, before: Locked | None) -> Locked:
        name = str(wanted.source)
        if before is not None and digest == before.digest:
            return Locked(digest, before.size, before.platforms, before.date)
        pending = self._pending(digest, before)
        if before is not None and self._is_young(pending, wanted.min_age_hours):
            if pending != before.pending:
                self._report.changes.append(Change("waiting", name, before.digest, digest))
            return Locked(before.digest, before.size, before.platforms, before.date, pending)
        size, platforms = await _measure(self._stores.open(wanted.source), digest, wanted.platforms)
        self._report.changes.append(Change("moved" if before else "new", name, before.digest if before else "", digest))
        return Locked(digest, size, platforms, _text(self._now))

    def _pending(self, digest: str, before: Locked | None) -> Pending:
        """The new digest with the time at which it was first seen."""
        if before is not None and before.pending is not None and before.pending.digest == digest:
            return before.pending
        return Pending(digest, _text(self._now))

    def _is_young(self, pending: Pending, min_age_hours: float) -> bool:
        try:
            seen = datetime.fromisoformat(pending.first_seen.replace("Z", "+00:00"))
            return self._now - seen < timedelta(hours=min_age_hours)
        except (ValueError, TypeError) as error:
            raise ContentError(f"the lock's first_seen {pending.first_seen!r} is not a time in UTC") from error


async def _measure(store: Store, digest: str, platforms: Iterable[Platform]) -> tuple[int, tuple[str, ...]]:
    """The bytes of the image, each blob once, and its platforms; of an index only the ``platforms``, if any."""
    wanted = set(platforms)
    root = await store.manifest(digest)
    if not root.manifests:
        return root.size + sum(_blobs([root]).values()), await _own_platform(store, root)
    children = {child.digest: child for child in root.manifests if not wanted or _platform(child) in wanted}
    # No deeper: an index in an index is rare, and a size serves to share the work.
    read = await gather(store.manifest(child) for child in children)
    size = root.size + sum(manifest.size for manifest in read) + sum(_blobs(read).values())
    listed = dict.fromkeys(str(platform) for child in children.values() if (platform := _platform(child)))
    return size, tuple(listed)


def _blobs(manifests: Iterable[Manifest]) -> dict[str, int]:
    return {blob.digest: blob.size for manifest in manifests for blob in manifest.blobs if not blob.is_foreign}


def _platform(child: Descriptor) -> Platform | None:
    """What the index says that the manifest runs on; None for an attestation and its like."""
    said = child.raw.get("platform")
    return _read_platform(said) if isinstance(said, dict) else None


def _read_platform(said: dict[str, object]) -> Platform | None:
    os, architecture, variant = (said.get(key) or "" for key in ("os", "architecture", "variant"))
    if not (isinstance(os, str) and isinstance(architecture, str) and isinstance(variant, str)):
        return None
    return None if _NO_PLATFORM in (os, architecture) or not os else normal_platform(os, architecture, variant)


async def _own_platform(store: Store, image: Manifest) -> tuple[str, ...]:
    """What the configuration of a single image says; none for an artifact that is no image."""
    config = next((blob for blob in image.blobs if "config" in blob.media_type or "image" in blob.media_type), None)
    if config is None or config.size > _CONFIG_LIMIT_BYTES:
        return ()
    content = b"".join([chunk async for chunk in store.read_blob(config)])
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return ()
    platform = _read_platform(document) if isinstance(document, dict) else None
    return (str(platform),) if platform else ()


def _text(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

"""A plan in words: the line that sums it up, the changes, and what has to be said of the plan itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from imagesync_cli.output.console import counted, size_text
from imagesync_cli.terraform.explain.changes import KINDS, Change, changes_of
from imagesync_cli.terraform.explain.concealed import Concealing
from imagesync_cli.terraform.explain.copied import add_copied
from imagesync_cli.terraform.explain.outcome import DELETED, UNTAGGED
from imagesync_cli.terraform.explain.reading.members import text
from imagesync_cli.terraform.explain.reading.plan import UNREAD, Call, Plan
from imagesync_cli.terraform.explain.reading.stored import place_of
from imagesync_cli.terraform.explain.refusals import failures_of
from imagesync_cli.terraform.explain.sentence import Sentence, say

# GitHub cuts the description of a commit status there.
MOST_CHARACTERS = 140
_MOST_NOTES = 10
# Kinds that a count calls by another word.
_COUNTED_AS = {
    "not removed": "not removable",
    "policy": "with another policy",
    "settings": "with other settings",
    "held": "held back",
}
# Kinds that a line without room for all leaves out first.
_LEAST = (
    *("settings", "policy", "respelled", "replaced", "handed over", "waiting", "held", "kept", "forgotten", "adopted"),
    *("incomplete", "relocated", "undetermined", "renamed", "damaged", "not removed", "new", "moved"),
)


@dataclass(frozen=True)
class Explanation:
    """What a plan does to images; ``summary`` fits a commit status.

    ``images`` counts all that the plan knows. ``bytes_to_copy`` is None if no number is known; it adds up what is
    known, and blobs that images share count for each of them.
    """

    summary: str
    images: int
    bytes_to_copy: int | None
    has_unknown_sizes: bool
    can_be_applied: bool
    changes: list[Change]
    notes: list[Sentence]

    @property
    def counts(self) -> dict[str, int]:
        """How many changes there are of each kind."""
        counts = Counter(change.kind for change in self.changes)
        return {kind: counts[kind] for kind in KINDS if counts[kind]}

    @property
    def consumers(self) -> list[str]:
        """All resources that change with an image."""
        return sorted({address for change in self.changes for address in change.consumers})


def explain(plan: Plan) -> Explanation:
    """What the plan says, and nothing that it marks as sensitive."""
    if not plan.is_errored:
        add_copied(plan)
    concealing = Concealing(plan)
    found = changes_of(plan)
    changes = [concealing.change(change) for change in found]
    sizes = [change.copy.bytes_to_copy for change in changes if change.after]
    known = [size for size in sizes if size is not None]
    # Those that are there before or after; one that has another object or another entry now counts once.
    images = sum(len(call.wanted) + len(call.left_out) for call in plan.calls) + sum(not each.after for each in changes)
    notes = [*_notes(plan), *_sourceless(plan, found)]
    if (more := len(notes) - _MOST_NOTES) > 0:
        notes = [*notes[:_MOST_NOTES], say(f"And {counted(more, 'more note')}.")]
    explained = Explanation(
        summary="",
        images=images,
        changes=changes,
        notes=[note.mapped(concealing.text) for note in notes],
        bytes_to_copy=sum(known) if known or not sizes else None,
        has_unknown_sizes=len(known) < len(sizes) or any(change.copy.referrers_to_copy for change in changes),
        can_be_applied=not plan.is_errored and plan.document.get("applyable") is not False,
    )
    return replace(explained, summary=_summary(plan, explained))


def _summary(plan: Plan, explained: Explanation) -> str:
    none = "no images of imagesync's modules"
    if plan.is_errored:
        refused = explained.counts.get("refused", 0)
        why = f"{counted(refused, 'image')} refused" if refused else "no image was refused" if plan.calls else none
        return f"imagesync: this plan failed and cannot be applied: {why}"
    if not plan.calls:
        return f"imagesync: this plan has {none}"
    count = counted(explained.images, "image")
    if not any(call.changes for call in plan.calls):
        return f"imagesync: this plan leaves out its {count} (-refresh-only or -target)"
    if not explained.changes:
        return f"imagesync: {count}, no change"
    return _within_limit(explained)


def _within_limit(explained: Explanation) -> str:
    """As many kinds as there is room for; those that matter least are added up."""
    counts = explained.counts
    for left_out in range(len(_LEAST) + 1):
        told = [
            f"{number} {_COUNTED_AS.get(kind, kind)}"
            for kind, number in counts.items()
            if kind not in _LEAST[:left_out]
        ]
        rest = sum(number for kind, number in counts.items() if kind in _LEAST[:left_out])
        told += [f"{rest} more"] if rest else []
        line = "; ".join([f"imagesync: {', '.join(told)} of {counted(explained.images, 'image')}", *_ends(explained)])
        if len(line) <= MOST_CHARACTERS:
            break
    return line[:MOST_CHARACTERS]


def _ends(explained: Explanation) -> Iterator[str]:
    if size := explained.bytes_to_copy:
        several = sum(1 for change in explained.changes if change.copy.bytes_to_copy) > 1
        amount = f"{'up to ' if several else ''}{size_text(size)}"
        yield f"{size_text(size)} and more to copy" if explained.has_unknown_sizes else f"{amount} to copy"
    if count := len(explained.consumers):
        yield f"{counted(count, 'consumer')} {'changes' if count == 1 else 'change'}"


def _notes(plan: Plan) -> Iterator[Sentence]:
    if plan.is_errored:
        yield say("A failed plan shows what was refused, not what it would have changed.")
        for call in plan.calls:
            yield from (say("{}: {}", call.name, message) for message in failures_of(call))
        return
    left_out = [call for call in plan.calls if call.left_out]
    if left_out and len(left_out) < len(plan.calls):
        count = sum(len(call.left_out) for call in left_out)
        yield say(f"The plan leaves out {{}} with {counted(count, 'image')}.", _modules(left_out))
    elif plan.document.get("complete") is False:  # older Terraform does not say
        yield say("The plan is not complete: it leaves out or defers something.")
    late = [call for call in plan.calls if call.wanted and call.destination is UNREAD]
    if late:
        yield say("The plan does not know the present content of the destinations of {}.", _modules(late))
    for places in _shared(plan):
        yield say("{} and {} name the same destination, but different images.", *places[:2])


def _sourceless(plan: Plan, changes: list[Change]) -> Iterator[Sentence]:
    """What entries copy from and this plan removes: what they have copied stays, and nothing keeps a source."""
    ends = (old for change in changes for old in change.old if old.outcome.outcome in (DELETED, UNTAGGED))
    gone = {place for old in ends if (place := place_of(old.destination))}
    for call in plan.calls:
        for change in call.wanted:
            source = text(call.destination.asked.get(change.key), "copy", "source")
            if place_of(source) in gone:
                way_out = "give it another source, or later plans miss it"
                yield say(f"{{}} copies from {{}}, which goes: {way_out}.", change.entry, source)


def _modules(calls: list[Call]) -> str:
    return ", ".join(call.name for call in calls)


def _shared(plan: Plan) -> Iterator[list[str]]:
    """Entries that overwrite each other's image."""
    places: dict[object, dict[str, str]] = {}
    for call in plan.calls:
        for change in call.wanted:
            if change.place is not None:
                places.setdefault(change.place, {}).setdefault(change.digest, change.entry)
    yield from ([*entries.values()] for entries in places.values() if len(entries) > 1)

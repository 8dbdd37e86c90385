"""What a plan changes, an image at a time: what, why, how much, who signed it, and what becomes of the old image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from imagesync_cli.terraform.explain.consumers import Consumers
from imagesync_cli.terraform.explain.copied import why_copied
from imagesync_cli.terraform.explain.look import NOTHING, Copy, look_at
from imagesync_cli.terraform.explain.outcome import (
    DELETED,
    KEPT,
    REFUSED,
    RETAGGED,
    UNDECIDED,
    UNTAGGED,
    Outcome,
    Outcomes,
)
from imagesync_cli.terraform.explain.pairs import IMAGE, Predecessor, predecessors
from imagesync_cli.terraform.explain.reading.plan import ImageChange, Plan
from imagesync_cli.terraform.explain.reading.stored import HIDDEN, Stored
from imagesync_cli.terraform.explain.reasons import reason_of
from imagesync_cli.terraform.explain.refusals import refusals_of
from imagesync_cli.terraform.explain.sentence import Sentence, say

# In the order in which they are told: first what somebody has done outside, then what comes and goes in a registry, and
# last what touches no image.
KINDS = (
    *("refused", "overwritten", "missing", "damaged", "incomplete"),
    *("new", "moved", "renamed", "relocated", "undetermined", "removed", "not removed"),
    *("kept", "forgotten", "adopted", "handed over", "respelled", "replaced", "policy", "settings", "waiting", "held"),
)
_OF_REMOVAL = {
    **dict.fromkeys((DELETED, UNTAGGED, UNDECIDED), "removed"),
    **dict.fromkeys((KEPT, RETAGGED), "kept"),
    REFUSED: "not removed",
}
_WHY_GONE = {
    "": "this plan destroys it",
    "delete_because_each_key": "no entry or rule names it any more",
    "delete_because_no_module": "its call of the module is gone",
    "delete_because_no_resource_config": "its module block is gone",
}
_LEFT = Outcome(KEPT, say("stays where it was, and no entry has it any more"))
_MAYBE_LEFT = Outcome(UNDECIDED, say("stays where it was, if its entry goes elsewhere"))


@dataclass(frozen=True)
class Old:
    """An image that its tag or its entry leaves, and what becomes of it."""

    outcome: Outcome
    digest: str
    destination: str


@dataclass(frozen=True)
class Change:
    """One image that changes, or is held back; ``kind`` is one of KINDS.

    ``before`` is the digest that the destination has now as far as the plan knows, ``after`` the one that it gets; ""
    for none. ``old`` are the images that make room, or that the entry leaves elsewhere.
    """

    kind: str
    module: str
    key: str
    destination: str
    why: list[Sentence]
    before: str = ""
    after: str = ""
    source: str = ""
    copy: Copy = NOTHING
    signed: str = ""
    old: list[Old] = field(default_factory=list)
    consumers: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Where the image is, or the key where that is not known or not to be shown."""
        return self.key if self.destination in ("", HIDDEN) else self.destination


def changes_of(plan: Plan) -> list[Change]:
    """All of them, by module and kind. Of a plan that failed only what was refused: it says nothing of the rest."""
    if plan.is_errored:
        changes = [
            Change("refused", call.module, key, "", why) for call in plan.calls for key, why in refusals_of(call)
        ]
    else:
        changes = list(_Images(plan).changes())
    return sorted(changes, key=lambda each: (each.module, KINDS.index(each.kind), each.name))


class _Images:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._before = predecessors(plan)
        self._outcomes = Outcomes(plan)
        self._consumers = Consumers(plan)

    def changes(self) -> Iterator[Change]:
        followed = {predecessor.change.address for predecessor in self._before.values()}
        for call in self._plan.calls:
            for change in call.changes:
                if change.after is not None:
                    yield from self._wanted(change, change.after)
                elif change.before is not None and change.address not in followed:
                    yield self._going(change, change.before)

    def _going(self, change: ImageChange, stored: Stored) -> Change:
        outcome = self._outcomes.of(change, stored)
        is_forgotten = change.actions == ("forget",) or outcome.is_left_behind
        return Change(
            kind="forgotten" if is_forgotten else _OF_REMOVAL[outcome.outcome],
            module=change.module,
            key=change.key,
            destination=stored.shown,
            why=[say(self._why_gone(change, stored))],
            before=change.digest,
            old=[Old(outcome, change.digest, stored.shown)],
            consumers=self._consumers.of([stored]),
        )

    def _why_gone(self, change: ImageChange, stored: Stored) -> str:
        if wanted := self._outcomes.wanted_at(stored.place):
            return "another entry has it too" if stored.digest in wanted else "the tag has another image of this plan"
        return _WHY_GONE.get(change.reason, _WHY_GONE[""])

    def _wanted(self, change: ImageChange, after: Stored) -> Iterator[Change]:
        look = look_at(change.call, change.key, change.digest)
        predecessor = self._before.get(change.address)
        reason = reason_of(change, after, look, predecessor)
        if reason is None:
            return
        kind, why = reason
        going = predecessor.change.before if predecessor else change.before
        present = look.present
        if present is None:  # it was not read: what the entry has had there
            present = "" if going is None or (predecessor and predecessor.by == IMAGE) else going.digest
        yield Change(
            kind=kind,
            module=change.module,
            key=change.key,
            destination=after.shown,
            why=[
                *why,
                *([look.held] if look.held and look.held not in why else []),
                *why_copied(change, look),
            ],
            before=present,
            after=change.digest,
            source=look.source,
            copy=look.copy,
            signed=look.signed,
            old=list(self._old(change, after, look.present, predecessor)),
            consumers=self._consumers.of(filter(None, (going, after))),
        )

    def _old(
        self, change: ImageChange, after: Stored, present: str | None, predecessor: Predecessor | None
    ) -> Iterator[Old]:
        """What becomes of the image that the entry had, and of somebody else's that its tag has now."""
        going = predecessor.change if predecessor else None
        if going is not None and going.before is not None:
            outcome = self._outcomes.of(going, going.before)
            is_same = going.digest == change.digest and going.before.place == after.place
            if not (is_same and outcome.stays):
                yield Old(outcome, going.digest, going.before.shown)
        elif change.before is not None and change.before.place != after.place:
            yield Old(_LEFT if after.place else _MAYBE_LEFT, change.digest, change.before.shown)
        if (displaced := self._outcomes.displaced(change, after, present)) and present:
            yield Old(displaced, present, after.shown)

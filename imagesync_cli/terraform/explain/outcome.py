"""What becomes of an image whose object goes: what ``imagesync delete`` will find, and what it then does.

The policy is the one that the object remembers. In this order:

1. No command runs for an object that is forgotten, is tainted, or whose block is gone from the configuration.
2. An entry that is at another place now, or another entry that names the image too, keeps it (runs/claims.py), unless
   all images of its call go.
3. The tag tells which policy counts: another image is there (on_replace), or still this one (on_destroy).
4. What another entry has in the same repository stays for that one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from imagesync_cli.terraform.explain.reading.members import member, text
from imagesync_cli.terraform.explain.reading.plan import UNREAD, Call, ImageChange, Plan
from imagesync_cli.terraform.explain.reading.stored import Place, Stored, place_of
from imagesync_cli.terraform.explain.sentence import Sentence, say

DELETED, UNTAGGED, KEPT, RETAGGED = "deleted", "untagged", "kept", "retagged"
REFUSED, UNDECIDED = "refused", "undecided"
OUTCOMES = (DELETED, UNTAGGED, KEPT, RETAGGED, REFUSED, UNDECIDED)
# By on_replace and by on_destroy: in the end there is no difference.
_THE_SAME = ((DELETED, DELETED), (KEPT, KEPT), (KEPT, UNTAGGED), (RETAGGED, KEPT))
_NO_BLOCK = ("delete_because_no_resource_config", "delete_because_no_move_target")
_POLICY_HIDDEN = "is kept or removed by a policy that the plan does not tell"


@dataclass(frozen=True)
class Outcome:
    """One of OUTCOMES, and why in a sentence that goes on after "the old image".

    ``is_left_behind`` says that no command runs for it, unless somebody has written one.
    """

    outcome: str
    why: Sentence
    is_left_behind: bool = False

    @property
    def stays(self) -> bool:
        """Whether nothing takes the image or its tag away, as far as the plan knows."""
        return self.outcome in (KEPT, RETAGGED) or self.is_left_behind


class Outcomes:
    """Tells for each object that goes what becomes of its image."""

    def __init__(self, plan: Plan) -> None:
        self._entries = {(module, key): place for module, key, place, _ in _asked(plan)}
        comes = [change for call in plan.calls for change in call.wanted]
        self._entries |= {(each.module, each.key): each.place for each in comes}
        self._at: dict[Place, list[ImageChange]] = {}
        self._in_repository: dict[tuple[str, str], list[ImageChange]] = {}
        for named in comes:
            if named.place is not None:
                self._at.setdefault(named.place, []).append(named)
                self._in_repository.setdefault((named.place.repository, named.digest), []).append(named)
        self._perhaps = set(_perhaps(plan))
        self._found = dict(_found(plan))
        self._copied = {(place.repository, digest): entry for place, digest, entry in _copied(comes)}
        after = [change.after for change in comes if change.after]
        self._somewhere = {stored.digest for stored in after if stored.place is None and not stored.is_secret}
        goes = [change.before for call in plan.calls for change in call.changes if change.goes and change.before]
        self._going = {(stored.place, stored.digest) for stored in goes}
        self._keep_last = {stored.place: stored.keep_last for stored in goes}
        self._going_in = {(place.repository, digest) for place, digest in self._going if place is not None}

    def of(self, change: ImageChange, stored: Stored) -> Outcome:
        """What becomes of the image that ``stored`` tells of."""
        outcome = (
            _without_command(change)
            or self._relied_on(change, stored)
            or (None if stored.on_destroy else _will(UNDECIDED, _POLICY_HIDDEN))
            or self._by_policy(change.call, stored)
        )
        if outcome.outcome not in (DELETED, UNTAGGED) or not stored.claimant:
            return outcome
        if stored.digest in self._somewhere:
            return _will(UNDECIDED, "stays if an entry has it here whose place the plan does not know")
        copied = self._copied.get((stored.place.repository, stored.digest)) if stored.place else None
        if copied and copied.module != change.module:
            return _will(UNDECIDED, "stays if this comes before {} is copied from it", copied.entry)
        return outcome

    def displaced(self, change: ImageChange, after: Stored, present: str | None) -> Outcome | None:
        """What becomes of an image that the tag has now, if no object tells of it; None where there is none such."""
        if not present or present == change.digest or (after.place, present) in self._going:
            return None
        if change.call.retags:
            return _retagged(self._keep_last.get(after.place, ""))
        if after.place is not None and (after.place.repository, present) in self._going_in:
            return _will(UNDECIDED, "loses this tag, and is deleted if another object's removal finds it unused")
        return _will(UNTAGGED, "loses this tag, and is not deleted")

    def wanted_at(self, place: Place | None) -> set[str]:
        """The digests that entries of the plan have for this place."""
        return {named.digest for named in self._there(place)}

    def _relied_on(self, change: ImageChange, stored: Stored) -> Outcome | None:
        place = stored.place
        if not stored.claimant:
            return None
        is_read = change.reason != "" or change.call.ends or change.call.destination is not UNREAD
        now = self._entries.get((change.module, change.key), place if is_read else None)
        if now != place:
            if now is None:
                return _will(UNDECIDED, "stays if its entry gets another place, which the plan does not know")
            return _will(KEPT, "stays, as its entry is at another place now")
        for named in self._there(place):
            if named.digest == stored.digest:
                return _will(KEPT, f"stays, as {{}} has taken it over{self._noted(change, named)}", named.entry)
        if (place, stored.digest) in self._perhaps:
            return _will(UNDECIDED, "stays if an entry that this plan leaves out still names it")
        return None

    def _noted(self, change: ImageChange, named: ImageChange) -> str:
        """A call that copies in this apply notes again what it relies on; of others only the plan has noted it."""
        copies = any({"create", "delete"}.intersection(each.actions) for each in named.call.changes)
        return "" if copies or named.module == change.module else ", if this is applied where it was planned"

    def _by_policy(self, call: Call, stored: Stored) -> Outcome:
        there = self._there(stored.place)
        if not there:
            return self._removed(stored)
        replaced, removed = self._replaced(stored, there), self._removed(stored)
        is_anothers = any(named.call is not call for named in there)
        if call.orders_removals and not is_anothers:
            return replaced
        if stored.claimant and is_anothers:  # a removal that comes first leaves the tag to the other call: together.py
            if replaced.outcome != DELETED:
                return replaced
            return _will(UNDECIDED, "is deleted if the new image is there first, and stays without a tag otherwise")
        if (replaced.outcome, removed.outcome) in _THE_SAME:
            return replaced
        return _will(UNDECIDED, "is kept or removed: on_replace applies if the copy comes first, on_destroy otherwise")

    def _replaced(self, stored: Stored, there: list[ImageChange]) -> Outcome:
        """Where the tag has another image."""
        for named in there:
            if named.call.retags and named.present == stored.digest:
                return _retagged(stored.keep_last)
        if stored.on_replace != "delete":
            return _will(KEPT, "stays, and loses this tag, as on_replace is not delete")
        if other := self._elsewhere(stored):
            return _will(KEPT, "stays, as {} has it too", other.entry)
        return _will(DELETED, "is deleted, unless something else uses it")

    def _removed(self, stored: Stored) -> Outcome:
        """Where the tag has this image, as far as a plan knows: only a destroy looks at tags that nobody names."""
        present, wanted = self._found.get(stored.place, ("", "")) if not self._there(stored.place) else ("", "")
        if present not in ("", stored.digest) and (present == wanted or stored.on_replace != "delete"):
            return self._replaced(stored, [])
        if stored.on_destroy == "keep":
            return _will(KEPT, "stays, as on_destroy is keep")
        if stored.on_destroy == "refuse":
            return _will(REFUSED, "stays, and fails the apply unless the tag has moved, as on_destroy is refuse")
        if other := self._elsewhere(stored):
            return _will(UNTAGGED, "loses this tag, and stays, as {} has it too", other.entry)
        return _will(DELETED, "is deleted with its tag, unless the tag has moved or something else uses it")

    def _elsewhere(self, stored: Stored) -> ImageChange | None:
        """Another entry that has the same image in the same repository."""
        place = stored.place
        alike = self._in_repository.get((place.repository, stored.digest), []) if place else []
        return next((named for named in alike if named.place != place), None)

    def _there(self, place: Place | None) -> list[ImageChange]:
        return self._at.get(place, []) if place else []


def _will(outcome: str, words: str, *quoted: str) -> Outcome:
    return Outcome(outcome, say(words, *quoted))


def _retagged(keep_last: str) -> Outcome:
    """``keep_last`` is that of the object that goes: its command removes what is too old."""
    if keep_last == "0":
        return _will(DELETED, "gets a tag of its own first, and is deleted after the consumers, as keep_last is 0")
    more = f", and of such tags the last {keep_last} stay" if keep_last.isdecimal() else ""
    return _will(RETAGGED, f"gets a tag of its own first{more}")


def _without_command(change: ImageChange) -> Outcome | None:
    if change.actions == ("forget",):
        return _will(KEPT, "stays, as Terraform only forgets it")
    if change.reason in _NO_BLOCK:
        return Outcome(
            UNDECIDED,
            say("stays, as its command is gone too, unless a removed block has one"),
            is_left_behind=True,
        )
    if change.is_tainted:
        return _will(KEPT, "stays: its object is tainted, and Terraform runs no destroy command for tainted objects")
    return None


def _copied(comes: Iterable[ImageChange]) -> Iterator[tuple[Place, str, ImageChange]]:
    """What is copied in this apply, and for which entry."""
    for change in comes:
        copy = member(change.call.destination.asked.get(change.key), "copy")
        source = place_of(text(copy, "source")) if change.place else None
        if source is not None and change.present != change.digest:
            yield source, text(copy, "source_digest") or change.digest, change


def _found(plan: Plan) -> Iterator[tuple[Place | None, tuple[str, str]]]:
    """What the tag of each entry has now, and what the entry wants there."""
    for call in plan.calls:
        for key, question in call.destination.asked.items():
            present = text(call.destination.answer(key), "digest")
            yield place_of(text(question, "reference")), (present, text(question, "copy", "digest"))


def _perhaps(plan: Plan) -> Iterator[tuple[Place | None, str]]:
    """What may be relied on as well: by calls that are left out, and by entries that a destroy has read."""
    yield from ((stored.place, stored.digest) for call in plan.calls for stored in call.left_out)
    wanted = {(change.module, change.key) for call in plan.calls for change in call.wanted}
    goes = (change for call in plan.calls for change in call.changes if change.goes)
    gone = {(change.module, change.key, change.before and change.before.place, change.digest) for change in goes}
    yield from ((place, digest) for module, key, place, digest in {*_asked(plan)} - gone if (module, key) not in wanted)


def _asked(plan: Plan) -> Iterator[tuple[str, str, Place | None, str]]:
    """What each entry of each call wants, as it was read: its place and its digest. What ends wants nothing."""
    for call in plan.calls:
        for key, question in () if call.ends else call.destination.asked.items():
            if isinstance(member(question, "copy"), dict):
                yield call.module, key, place_of(text(question, "reference")), text(question, "copy", "digest")

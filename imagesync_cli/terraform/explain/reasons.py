"""Of what kind a change of an image is, and why it comes, in words."""

from __future__ import annotations

from imagesync_cli.output.console import counted
from imagesync_cli.terraform.explain.look import Look
from imagesync_cli.terraform.explain.pairs import ENTRY, IMAGE, Predecessor
from imagesync_cli.terraform.explain.reading.plan import ROOT, Call, ImageChange
from imagesync_cli.terraform.explain.reading.stored import Stored
from imagesync_cli.terraform.explain.sentence import Sentence, say

Reason = tuple[str, list[Sentence]]  # one of KINDS, and why
_LATE = say("the plan does not know its present content")


def reason_of(change: ImageChange, after: Stored, look: Look, predecessor: Predecessor | None) -> Reason | None:
    """Why this image changes or is held back; None where it is as it was."""
    if change.before is not None and change.before.place != after.place:
        if after.place is None:
            return "undetermined", [say("it is at {}, and the plan does not know its new place", change.before.shown)]
        return "relocated", [say("it was at {}", change.before.shown)]
    if predecessor is not None:
        return _followed(change, look, predecessor)
    if change.is_new:
        return _new(change, look)
    if reason := _drift(change, look) or _in_place(change, after):
        return reason
    kind = "waiting" if look.is_young else "held"
    return (kind, [look.held, say("it stays as it is")]) if look.held else None


def _in_place(change: ImageChange, after: Stored) -> Reason | None:
    if "create" in change.actions:
        request = " by request (-replace)" if change.reason == "replace_by_request" else ""
        return "replaced", [say(f"its object is replaced{request}")]
    return _settings(change.call, change.before, after) if change.before is not None else None


def _followed(change: ImageChange, look: Look, predecessor: Predecessor) -> Reason:
    going, is_same = predecessor.change, predecessor.change.digest == change.digest
    if predecessor.by == IMAGE:
        was = going.before.shown if going.before else going.key
        return "renamed", [say("the same image as {}, which no entry names any more", was), *_found(change, look, "")]
    if predecessor.by == ENTRY:
        why = say("its source gives another image now: {}", look.source)
    elif going.module == change.module:
        why = say("its entry was {}", going.key)
    else:
        why = say("its entry was {} of {}", going.key, going.module or ROOT)
    if not is_same:
        return "moved", [why, *_found(change, look, going.digest)]
    if drift := _drift(change, look):
        return drift[0], [*drift[1], why]
    return ("handed over" if going.module != change.module else "respelled"), [why]


def _found(change: ImageChange, look: Look, expected: str) -> list[Sentence]:
    """What the destination has now, where that is not what one would expect."""
    if look.present is None:
        return [_LATE]
    if look.present == change.digest:
        return [say("it is there already")]
    if not look.present:
        return [say("its tag is missing at the destination")] if expected else []
    return [] if look.present == expected else [say("the destination has another image, {}", short(look.present))]


def _new(change: ImageChange, look: Look) -> Reason:
    if not look.present:
        return "new", [say("from {}", look.source), *([_LATE] if look.present is None else [])]
    if look.present == change.digest:
        return "adopted", [say("it is there already, and is taken over")]
    return "moved", [say("the destination has another image")]


def _drift(change: ImageChange, look: Look) -> Reason | None:
    if look.present is None:
        return None
    if not look.present:
        return "missing", [say("it is missing at its destination")]
    if look.present != change.digest:
        return "overwritten", [say("the destination has another image")]
    if look.damage:
        return "damaged", [say("it is damaged: {}", look.damage)]
    if look.missing_referrers:
        are = "is" if look.missing_referrers == 1 else "are"
        return "incomplete", [say(f"{counted(look.missing_referrers, 'referrer')} {are} missing")]
    return None


def _settings(call: Call, before: Stored, after: Stored) -> Reason | None:
    old, new = ("retag" if stored.keep_last else stored.on_replace for stored in (before, after))
    new = "retag" if (call.on_replace, new) == ("retag", "keep") else new
    # An object without a keep_last remembers "keep" for both.
    alike = [("keep", "retag"), *([("retag", "keep")] if call.on_replace is None else [])]
    policies = [
        say(f"{name} was {{}} and is {{}}", was, now)
        for name, was, now in (("on_replace", old, new), ("on_destroy", before.on_destroy, after.on_destroy))
        if was != now and (was, now) not in alike
    ]
    if policies:
        return "policy", policies
    if before.destination != after.destination:
        return "respelled", [say("it was {}", before.shown)]
    if before.command != after.command:
        return "settings", [say("the command that removes it changes")]
    return None


def short(digest: str) -> str:
    """As much of a digest as people compare."""
    algorithm, colon, encoded = digest.partition(":")
    return f"{algorithm}{colon}{encoded[:12]}"

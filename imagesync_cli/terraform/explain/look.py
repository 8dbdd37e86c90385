"""What the reads of a plan tell of one image: what its source and its destination have, and what a copy comes to."""

from __future__ import annotations

from dataclasses import dataclass

from imagesync_cli.terraform.explain.reading.members import Document, items, mapping, text
from imagesync_cli.terraform.explain.reading.plan import UNREAD, Call
from imagesync_cli.terraform.explain.reading.stored import HIDDEN
from imagesync_cli.terraform.explain.sentence import Sentence, say

_UNAVAILABLE = ("missing", "unreachable")


@dataclass(frozen=True)
class Copy:
    """What is copied: numbers are None where they are not known, and ``error`` may say why.

    ``referrers_to_copy`` are copied as well, and no number has their bytes.
    """

    layers: int | None = None
    layers_to_copy: int | None = None
    bytes: int | None = None
    bytes_to_copy: int | None = None
    referrers_to_copy: int = 0
    error: str = ""


NOTHING = Copy(bytes_to_copy=0)


@dataclass(frozen=True)
class Look:
    """``present`` is the digest that the destination has now, "" for none and None where only the apply knows.

    ``held`` says why the source is not followed for now, and ``missing_referrers`` counts what the destination lacks.
    """

    source: str
    present: str | None
    damage: str
    missing_referrers: int
    held: Sentence | None
    is_young: bool
    copy: Copy
    signed: str


def look_at(call: Call, key: str, digest: str) -> Look:
    """What the reads of this call say of an entry whose image has this digest."""
    # Where the list of tags is away, what picks KEY:TAG is the answer about the rule KEY.
    wanted = call.source.answer(key) or call.source.answer(key.rpartition(":")[0] or ":")
    there = call.destination.answer(key)
    described = mapping(there, "copy")
    present = text(there, "digest") if isinstance(there.get("digest"), str) else None
    source, young = _source(call, key), text(described, "young")
    held = say("{} {}", source, young) if young and present else None
    if held is None and not text(wanted, "digest") and text(wanted, "kind") in _UNAVAILABLE:
        held = say("{} is {}", source, text(wanted, "kind"))
    is_whole = present == digest and not text(there, "damage")
    missing = 0 if held else len(_texts(wanted, "attached") - _texts(there, "attached"))
    return Look(
        source=source,
        present=present,
        damage="" if held else text(there, "damage"),
        missing_referrers=missing,
        held=held,
        is_young=bool(young),
        copy=NOTHING
        if is_whole and not missing
        else _copy(described, missing, hide=call.source.is_secret or call.destination.is_secret),
        signed=text(call.trust.answer(key), "signed"),
    )


def _source(call: Call, key: str) -> str:
    if (call.destination if call.source is UNREAD else call.source).is_secret:
        return HIDDEN
    return (
        text(call.source.asked, key, "reference") or text(call.destination.asked, key, "copy", "source") or "its source"
    )


def _copy(described: Document, referrers: int, *, hide: bool) -> Copy:
    """What the answer tells; a text in it is made of the question, which the plan may hide."""
    if error := text(described, "error"):
        return Copy(referrers_to_copy=referrers, error=HIDDEN if hide else error)
    layers, layers_to_copy, size, to_copy = (
        _count(described, name) for name in ("layers", "layers_to_copy", "bytes", "bytes_to_copy")
    )
    return Copy(layers, layers_to_copy, size, to_copy, referrers)


def _count(document: Document, name: str) -> int | None:
    value = document.get(name)
    return value if type(value) is int and 0 <= value < 2**63 else None


def _texts(document: Document, name: str) -> set[str]:
    return {each for each in items(document, name) if isinstance(each, str)}

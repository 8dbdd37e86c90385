"""What the reads of a plan tell of one image: what its source and its destination have, and what a copy comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from imagesync_cli.terraform.explain.reading.plan import Call, Document
from imagesync_cli.terraform.explain.reading.stored import HIDDEN
from imagesync_cli.terraform.explain.sentence import Sentence, say

_UNAVAILABLE = ("missing", "unreachable")


@dataclass(frozen=True)
class Copy:
    """What is copied: numbers are None where they are not known, and ``error`` may say why."""

    layers: int | None = None
    layers_to_copy: int | None = None
    bytes: int | None = None
    bytes_to_copy: int | None = None
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
    wanted = _wanted(call, key)
    there = call.destination.answers.get(key) if call.destination else None
    described = _dict(there, "copy")
    present = _text(there, "digest") if there and isinstance(there.get("digest"), str) else None
    source, young = _source(call, key), _text(described, "young")
    held = say("{} {}", source, young) if young and present else None
    if held is None and not _text(wanted, "digest") and _text(wanted, "kind") in _UNAVAILABLE:
        held = say("{} is {}", source, _text(wanted, "kind"))
    is_whole = present == digest and not _text(there, "damage")
    missing = 0 if held else len({*_texts(wanted, "attached")} - {*_texts(there, "attached")})
    return Look(
        source=source,
        present=present,
        damage="" if held else _text(there, "damage"),
        missing_referrers=missing,
        held=held,
        is_young=bool(young),
        copy=NOTHING if is_whole and not missing else _copy(described, hide=_hides(call)),
        signed=_text(call.trust.answers.get(key) if call.trust else None, "signed"),
    )


def _wanted(call: Call, key: str) -> Document:
    """The answer about the source; where the list of tags is away, that about the rule KEY that has picked KEY:TAG."""
    answers = call.source.answers if call.source else {}
    return answers.get(key) or answers.get(key.rpartition(":")[0] or ":", {})


def _source(call: Call, key: str) -> str:
    """Where the image comes from, as its entry spells it."""
    reading = call.source or call.destination
    if reading is None:
        return "its source"
    if reading.is_secret:
        return HIDDEN
    asked = _dict(call.source.asked, key) if call.source else {}
    copy = _dict(_dict(call.destination.asked, key), "copy") if call.destination else {}
    return _text(asked, "reference") or _text(copy, "source") or "its source"


def _hides(call: Call) -> bool:
    """Whether a text that an answer has made of a question may have what the plan hides."""
    return any(reading is not None and reading.is_secret for reading in (call.source, call.destination))


def _copy(described: Document, *, hide: bool) -> Copy:
    if error := _text(described, "error"):
        return Copy(error=HIDDEN if hide else error)
    layers, layers_to_copy, size, to_copy = (
        _count(described, name) for name in ("layers", "layers_to_copy", "bytes", "bytes_to_copy")
    )
    return Copy(layers, layers_to_copy, size, to_copy)


def _count(document: Document, name: str) -> int | None:
    value = document.get(name)
    return value if type(value) is int and 0 <= value < 2**63 else None


def _dict(document: Any, name: str) -> Document:
    value = document.get(name) if isinstance(document, dict) else None
    return value if isinstance(value, dict) else {}


def _text(document: Any, name: str) -> str:
    value = document.get(name) if isinstance(document, dict) else None
    return value if isinstance(value, str) else ""


def _texts(document: Any, name: str) -> list[str]:
    value = document.get(name) if isinstance(document, dict) else None
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []

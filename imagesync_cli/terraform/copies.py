"""What Terraform is told about a copy that it means to make: a part of the answer about its destination.

If they are asked for, ``layers``, ``layers_to_copy``, ``bytes``, ``bytes_to_copy`` and a ``summary`` in words;
``unsuitable`` and ``unsigned`` say what speaks against the copy, ``refused`` says it in sentences; ``error`` and
``kind`` why nothing of this is known.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from imagesync_cli.concurrency import within
from imagesync_cli.look.estimate import Estimate, Intent, estimate
from imagesync_cli.output.console import counted, size_text
from imagesync_cli.values.errors import ImagesyncError, Unavailable

if TYPE_CHECKING:
    from imagesync_cli.look.trust.age import MinimumAge
    from imagesync_cli.stores import Stores
    from imagesync_cli.values.reference import Reference


_UNCOMPARED = {**dict.fromkeys(("layers_to_copy", "bytes_to_copy")), "summary": ""}
_UNCOUNTED = {**dict.fromkeys(("layers", "bytes")), **_UNCOMPARED}
# A plan waits so long for numbers that decide nothing.
_NUMBERS_WITHIN_S = 10.0


async def described_copy(
    stores: Stores, destination: Reference, intent: Intent, present: str, ends: float
) -> dict[str, Any]:
    """The answer; ``present`` is the digest that the destination has now, ``ends`` is when there must be one."""
    left_s = ends - time.monotonic()
    young = {"young": "", "wait": list[str](), "refused": list[str]()}
    if intent.minimum_age is not None and intent.digest != present:
        young = await _young(stores, intent, intent.minimum_age, present, left_s)
        if young["young"] or not (intent.decides or intent.estimated):
            return _numbers(Estimate()) | _UNCOUNTED | {"error": "", "kind": ""} | young
    said = f"looking at {intent.source}: no end within the time that is left"
    late = Unavailable(said, hint="it has many parts; see IMAGESYNC_TIMEOUT")
    limit_s = left_s if intent.decides else min(left_s, _NUMBERS_WITHIN_S)
    try:
        estimated = await within(limit_s, estimate(stores, intent, destination, present), late)
    except ImagesyncError as error:
        described = _failed(intent, error)
    else:
        refused = _refusals(intent, estimated)
        unknown = _unknown(intent, present)
        described = _numbers(estimated) | unknown | {"error": "", "kind": "", "refused": refused}
    return described | young | {"refused": [*young["refused"], *described["refused"]]}


def _unknown(intent: Intent, present: str) -> dict[str, Any]:
    """Numbers that were not asked for, or not found out: what is there already may be damaged, or lack a referrer."""
    if intent.digest == present:
        return _UNCOMPARED if intent.sized else _UNCOUNTED
    return {} if intent.estimated or intent.sized else _UNCOUNTED


async def _young(stores: Stores, intent: Intent, rule: MinimumAge, present: str, limit_s: float) -> dict[str, Any]:
    """Why the image is not taken yet, "" where it is; ``wait`` is said where there is no other one to go on with."""
    from imagesync_cli.look.trust.age import why_not_yet

    asked = why_not_yet(stores, rule, intent.source, intent.selection.digest, is_new=not present)
    try:
        why = await within(limit_s, asked)
    except (ImagesyncError, asyncio.TimeoutError) as error:
        said = str(error) or "no answer within the time that is left"
        return {"young": "", "wait": [], "refused": [f"how old the source {intent.source} is, is not known: {said}"]}
    way_out = 'minimum_age_new = "take" takes a new image at any age, and ignore_age_for this digest.'
    wait = [f"minimum_age: the source {intent.source}: {why}; {way_out}"] if why else []
    return {"young": why, "wait": wait, "refused": []}


def _refusals(intent: Intent, estimated: Estimate) -> list[str]:
    most, names = intent.max_size_bytes, ", ".join(map(str, intent.required))
    size = f"the source {intent.source} has {estimated.size_bytes} bytes, more than max_size_bytes, {most}."
    return [
        *([f"required_platforms are {names}: {estimated.lacks}"] if estimated.lacks else []),
        *([size] if 0 < most < estimated.size_bytes else []),
        *([f"require_signature: {estimated.unsigned}"] if estimated.unsigned else []),
    ]


def _failed(intent: Intent, error: ImagesyncError) -> dict[str, Any]:
    """Nothing is known; a rule that could not be checked refuses the image."""
    rules = "max_size_bytes, required_platforms and require_signature"
    refused = [f"whether {rules} allow the source {intent.source} is not known: {error}"] if intent.decides else []
    return _numbers(Estimate()) | {"summary": "", "error": str(error), "kind": error.kind, "refused": refused}


def _numbers(estimated: Estimate) -> dict[str, Any]:
    """Numbers for programs, ``summary`` for people; ``mounts`` moves no bytes of what is missing."""
    return {
        "layers": estimated.layers,
        "layers_to_copy": estimated.layers_missing,
        "bytes": estimated.size_bytes,
        "bytes_to_copy": 0 if estimated.mounts else estimated.missing_bytes,
        "summary": _summary(estimated),
        "unsuitable": estimated.lacks,
        "unsigned": estimated.unsigned,
    }


def _summary(estimated: Estimate) -> str:
    """Such as "2 of 9 layers, 41.2 MB to copy; 7 are there already"."""
    there = estimated.layers - estimated.layers_missing
    if not estimated.missing_bytes:
        all_of = {0: "all is", 1: "its layer is"}.get(estimated.layers, f"all {estimated.layers} layers are")
        return f"nothing to copy; {all_of} there already"
    some = f"{estimated.layers_missing} of {_layers(estimated.layers)}" if there else _layers(estimated.layers)
    how = "to mount from another repository" if estimated.mounts else "to copy"
    rest = f"; {there} {'is' if there == 1 else 'are'} there already" if there else ""
    return f"{some}, {size_text(estimated.missing_bytes)} {how}{rest}"


def _layers(count: int) -> str:
    return counted(count, "layer") if count else "no layer"

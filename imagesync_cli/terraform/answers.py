"""The answer to Terraform's question, from what the registries say; all references are looked up at once."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagesync_cli.output.escape import as_printable
from imagesync_cli.values.errors import ContentError, ImagesyncError, Unavailable, UsageError, common_cause
from imagesync_cli.values.reference import as_meant

if TYPE_CHECKING:
    from imagesync_cli.look.estimate import Intent
    from imagesync_cli.look.lockfile import Lock
    from imagesync_cli.look.resolve import Answer
    from imagesync_cli.settings import Settings
    from imagesync_cli.stores import Stores
    from imagesync_cli.terraform.query import Image, Query
    from imagesync_cli.values.reference import Reference

# What the modules may ask of the command. It grows with them, and a plan refuses a command that has a smaller one.
PROTOCOL = 2

Described = dict[str, Any]
_REPEATED = frozenset({"reference", "media_type", "size"})
_EMPTY: tuple[object, ...] = ("", [], None)
_LEAST_S = 1.0  # for what is asked once tags are known, however late that was


async def answer(query: Query, stores: Stores, settings: Settings) -> str:
    """The answer as JSON text."""
    within_s = settings.external_timeout_s
    if query.compares:
        return json.dumps(as_printable(_compared(await _looked_up(query, stores, within_s), query)))
    beside = {"@call": os.urandom(16).hex(), "@protocol": str(PROTOCOL)} if query.new_call and not query.call else {}
    if query.call:
        from imagesync_cli.stores.files.runs.claims import Claims
        from imagesync_cli.terraform.relied_on import claim_found, claim_wanted

        begun = time.monotonic()
        try:
            rivals = await claim_wanted(query, settings.run_folder, within_s)
            query = replace(query, rivals=rivals, seen=Claims(settings.run_folder).seen())
        except Unavailable as late:
            query = replace(query, asked={**dict.fromkeys(query.sound, late), **query.wrong})
        within_s = max(within_s - (time.monotonic() - begun), _LEAST_S)
    answers = await _answers(query, stores, within_s)
    if query.call:
        claim_found(query, settings.run_folder, {key: each["digest"] for key, each in answers.items()})
        beside = {"@run_folder": settings.run_folder.as_posix()}
    texts = {key: json.dumps(as_printable(each), separators=(",", ":")) for key, each in answers.items()}
    return json.dumps(texts | beside)


async def _answers(query: Query, stores: Stores, deadline_s: float) -> dict[str, Described]:
    if any(image.tags for image in query.sound.values()):
        from imagesync_cli.terraform.picked import pick

        begun = time.monotonic()
        picks = await pick(query, stores, deadline_s)
        answers = await _answers(picks.query, stores, max(deadline_s - (time.monotonic() - begun), _LEAST_S))
        return answers | picks.answers(answers)
    if query.trust and not query.lock_file:
        from imagesync_cli.terraform.trusted import trusted_answers

        told = await trusted_answers(stores, query.sound, query.trust, deadline_s)
        return {key: {"signed": "", "refused": [str(error)]} for key, error in query.wrong.items()} | told
    described = _locked(query) if query.lock_file else await _looked_up(query, stores, deadline_s)
    if query.seen:
        from imagesync_cli.terraform.relied_on import note_seen

        note_seen(query.seen, query, described)
    _add_refusals(query, described)
    if not query.brief:
        return described
    # What keeps a destination from us is told by its refusals.
    untold = _REPEATED | {"error", "kind"} if query.call else _REPEATED
    return {key: _brief(each, untold) for key, each in described.items()}


def _locked(query: Query) -> dict[str, Described]:
    """What the lock says of each source; nobody is asked. A lock that cannot be read is an answer too."""
    from imagesync_cli.look.lockfile import read_lock

    try:
        lock = read_lock(Path(query.lock_file))
    except UsageError as error:
        told = {key: _described(error) for key in query.sound}
    else:
        told = {key: _pinned(image, lock, query.lock_file) for key, image in query.sound.items()}
    named = {key: {"reference": as_meant(image.reference)} for key, image in query.sound.items()}
    return _wrong(query) | {key: each | named[key] for key, each in told.items()}


def _pinned(image: Image, lock: Lock, lock_file: str) -> Described:
    locked = lock.find(image.reference)
    if locked is None:
        return _described(UsageError(f"{lock_file} does not have it; run imagesync lock with a file that does"))
    platforms = ",".join(sorted(map(str, image.selection.platforms)))
    selected = {**locked.selected, "": locked.digest}
    if platforms not in selected:
        others = f"{lock_file} has it for other platforms than {platforms.replace(',', ', ')}"
        return _described(UsageError(f"{others}; run imagesync lock with a file that has these"))
    told = {"digest": selected[platforms], "source_digest": locked.digest, "first_seen": locked.first_seen}
    return _described(None) | told


async def _looked_up(query: Query, stores: Stores, deadline_s: float) -> dict[str, Described]:
    from imagesync_cli.concurrency import gather

    # What is looked at whole goes by itself: it waits for no other answer, and none waits for it.
    alone = [{key: image} for key, image in query.sound.items() if image.deep]
    others = {key: image for key, image in query.sound.items() if not image.deep}
    parts = await gather(_resolved(stores, some, deadline_s) for some in (others, *alone))
    return _wrong(query) | {key: each for part in parts for key, each in part.items()}


def _wrong(query: Query) -> dict[str, Described]:
    return {key: _described(error) for key, error in query.wrong.items()}


async def _resolved(stores: Stores, asked: dict[str, Image], deadline_s: float) -> dict[str, Described]:
    from imagesync_cli.concurrency import gather
    from imagesync_cli.look.resolve import resolve

    ends = time.monotonic() + deadline_s
    questions = [(image.reference, image.selection) for image in asked.values()]
    resolved = await resolve(stores, questions, deadline_s)
    more = await gather(
        stores.crowd.run(partial(_looked_at, stores, image, each, ends))
        for image, each in zip(asked.values(), resolved, strict=True)
    )
    return dict(zip(asked, more, strict=True))


async def _looked_at(stores: Stores, image: Image, resolved: Answer, ends: float) -> Described:
    described = await _with_damage(stores, resolved, ends) if image.deep else _described(resolved)
    described["reference"] = as_meant(image.reference)
    error = described["error"]
    if error and (cause := common_cause(described["kind"], error, [str(image.reference)])):
        described["cause"] = cause
    if image.described:
        described |= await _parts(stores, image.reference, described["source_digest"], ends)
    intent = _intent(image, described)
    if intent is None:
        return described
    from imagesync_cli.terraform.copies import described_copy

    return described | {"copy": await described_copy(stores, image.reference, intent, described["digest"], ends)}


async def _parts(stores: Stores, reference: Reference, digest: str, ends: float) -> Described:
    """What the image is made of: ``platforms``, each with its image's digest, and ``bytes``, each layer's once.

    ``error`` and ``kind`` where it cannot be read.
    """
    parts: Described = {"platforms": {}, "bytes": 0}
    if not digest:
        return parts
    from imagesync_cli.concurrency import within
    from imagesync_cli.look.describe import describe

    late = Unavailable(f"reading {reference}: no end within the time that is left", hint="see IMAGESYNC_TIMEOUT")
    reading = describe(stores, reference.at(digest=digest), whole=False)
    try:
        description = await within(ends - time.monotonic(), reading, late)
        if description.left_out:
            raise ContentError(f"{reference} has more parts than can be told")
    except ImagesyncError as error:
        return parts | {"error": str(error), "kind": error.kind}
    platforms = {image.platform: image.digest for image in reversed(description.images) if image.platform}
    return {"platforms": dict(sorted(platforms.items())), "bytes": description.size}


async def _with_damage(stores: Stores, resolved: Answer, ends: float) -> Described:
    """What is there, with what is missing or wrong below its digest; what cannot be looked at is an error."""
    if isinstance(resolved, ImagesyncError):
        return _described(resolved) | {"damage": ""}
    from imagesync_cli.look.inspect import inspect_within
    from imagesync_cli.output.check import damage_text

    try:
        findings = await inspect_within(ends - time.monotonic(), stores, resolved)
    except ImagesyncError as error:
        return _described(error) | {"damage": ""}
    return _described(resolved) | {"damage": damage_text(findings)}


def _described(resolved: Answer | None) -> Described:
    answer = {"reference": "", "digest": "", "source_digest": "", "media_type": "", "size": 0, "error": "", "kind": ""}
    if isinstance(resolved, ImagesyncError):
        return answer | {"error": str(resolved), "kind": resolved.kind}
    if resolved is None:
        return answer
    answer |= {
        "digest": resolved.descriptor.digest,
        "source_digest": resolved.source_digest,
        "media_type": resolved.descriptor.media_type,
        "size": resolved.descriptor.size,
    }
    if resolved.attached is None:
        return answer
    return answer | {"referrers": resolved.attached.digests, "attached": resolved.attached.identities}


def _intent(image: Image, described: Described) -> Intent | None:
    """The copy that something is to be found out about. A destination that cannot be read fails the plan anyway."""
    intent, there = image.intent, described["digest"]
    if intent is None or described["kind"] not in ("", "missing"):
        return None
    if not intent.digest and there:
        chosen = replace(intent.selection, digest=there, platforms=())
        # The source is away: signatures can be looked for only if they were to be copied.
        intent = replace(intent, digest=there, selection=chosen, signed=intent.signed and chosen.referrers)
    return intent if intent.digest and intent.asks(there) else None


def _add_refusals(query: Query, described: dict[str, Described]) -> None:
    """Say in each answer what speaks against the image, where that was asked."""
    if query.rules is not None:
        pinned = bool(query.lock_file)  # what a lock pins counts as named by its digest
        rules = replace(query.rules, require_digest=query.rules.require_digest and not pinned)
        for key, image in query.sound.items():
            described[key]["refused"] = rules.refusals(image.reference, described[key]["source_digest"])
    if query.call:
        for key, refused in _destinations_refused(query, described).items():
            described[key]["refused"] = refused


def _destinations_refused(query: Query, described: dict[str, Described]) -> dict[str, list[str]]:
    from imagesync_cli.stores.places import tag_of
    from imagesync_cli.terraform.rules import destination_refusals

    keys: dict[tuple[str, str, str], list[str]] = {}
    for key, sound in query.sound.items():
        keys.setdefault(tag_of(sound.reference), []).append(key)
    refused = {}
    for key, image in query.asked.items():
        answer, sentences = described[key], list[str]()
        if not isinstance(image, ImagesyncError):
            others = [other for other in keys[tag_of(image.reference)] if other != key]
            source = image.intent.source if image.intent else None
            sentences = destination_refusals(image.reference, source, others, query.rivals.get(key, []))
        if answer["kind"] not in ("", "missing"):
            spelled = "" if isinstance(image, ImagesyncError) else f" {image.reference}"
            sentences.append(f"the destination{spelled} is {answer['kind']}: {answer['error']}")
        refused[key] = sentences + answer.get("copy", {}).get("refused", [])
    return refused


def _brief(answer: Described, untold: frozenset[str]) -> Described:
    """Without what is empty, except for the digest, and without a source_digest that is the same."""
    told = {name: value for name, value in answer.items() if name not in untold and value not in _EMPTY}
    if told.get("source_digest") == answer["digest"]:
        del told["source_digest"]
    if "copy" in told:
        told["copy"] = {name: value for name, value in told["copy"].items() if value not in _EMPTY}
    return {"digest": answer["digest"]} | told


def _compared(described: dict[str, Described], query: Query) -> dict[str, str]:
    wanted = query.sound["destination"].reference if "destination" in query.sound else None
    source, destination = (described.get(side) or _described(None) for side in ("source", "destination"))
    damage = destination.get("damage")
    failed = source if source["error"] else destination if destination["kind"] not in ("", "missing") else None
    same = source["digest"] and source["digest"] == destination["digest"] and not damage
    has_all = {*source.get("attached", ())} <= {*destination.get("attached", ())}
    return {
        "digest": source["digest"],
        "id": f"{wanted.name}@{source['digest']}" if wanted and not failed else "",
        "destination_digest": destination["digest"],
        "in_sync": "true" if same and has_all else "false",
        "error": str(failed["error"]) if failed else "",
        "kind": str(failed["kind"]) if failed else "",
    } | ({} if damage is None else {"damage": str(damage)})

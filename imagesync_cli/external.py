"""The protocol of Terraform's ``external`` data source: a JSON object of strings in, one out.

Two questions are understood. ``{"images": "<JSON object: key → reference>"}`` gives each key a JSON text with digest,
source_digest, media_type, size, error and kind; in place of a reference may stand an object with the reference and
with what of its image is wanted. Whoever asks for referrers gets those, and as ``attached`` what has to be found again
at a mirror. With ``"verify": "deep"`` all below the digest is looked at, and ``damage`` says in a sentence what is
missing or wrong, "" for nothing. ``{"source": …, "destination": …, "platforms": …, "referrers": …, "verify": …}`` gives
digest, id, destination_digest, in_sync, error and kind. What a registry answers, or that it does not, is part of the
result: a failing program would block ``terraform destroy``. Only a question that is itself wrong is an error. Nothing
is ever written to a registry.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagesync_cli.errors import ImagesyncError, UsageError
from imagesync_cli.output import Output
from imagesync_cli.output.console import plain
from imagesync_cli.process import exit_code, run
from imagesync_cli.reference import Reference, parse_reference
from imagesync_cli.selection import WHOLE, Selection
from imagesync_cli.settings import read_settings

if TYPE_CHECKING:
    from imagesync_cli.operations.resolve import Answer, Asked
    from imagesync_cli.platforms import Platform
    from imagesync_cli.stores import Stores

_EXAMPLE = 'ask {"images": "{\\"app\\": \\"registry.example.com/app:1.0\\"}"} or {"source": …, "destination": …}'
_IMAGE_EXAMPLE = 'like {"reference": "registry.example.com/app:1.0", "platforms": ["linux/amd64"]}'
_VERIFY = ("", "tag", "deep")
MAX_QUERY_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Query:
    """A question: what is asked by key, where one that makes no sense is the error that says so."""

    asked: dict[str, Asked | UsageError]
    compares: bool  # the form with source and destination
    deep: frozenset[str] = frozenset()  # the keys where all below the digest is looked at

    @property
    def sound(self) -> dict[str, Asked]:
        """Those that can be asked for."""
        return {key: found for key, found in self.asked.items() if not isinstance(found, UsageError)}


def main() -> None:
    """``imagesync external`` without the command line's parser, which would be a fifth of what a plan waits for."""
    sys.exit(exit_code(answer_terraform))


def answer_terraform() -> None:
    """Read one question from stdin and print the answer."""
    content = sys.stdin.buffer.read(MAX_QUERY_BYTES + 1)
    if len(content) > MAX_QUERY_BYTES:
        raise UsageError(f"the query is longer than {MAX_QUERY_BYTES} bytes")
    settings = read_settings()
    query = read_query(content.decode("utf-8", errors="replace"))
    references = [reference for reference, _ in query.sound.values()]
    Output().answer(run(settings, references, lambda stores: answer(query, stores, settings.external_timeout_s)))


def read_query(text: str) -> Query:
    """The question in a JSON text, or UsageError if it is none of the two."""
    asked = _object(text, "the query")
    if set(asked) == {"images"}:
        images = _object(asked["images"], "images", or_objects=True)
        return _query(images, compares=False)
    if "source" in asked and set(asked) <= {"source", "destination", "platforms", "referrers", "verify"}:
        # Terraform sends null as "": a side, or a choice, that is left out.
        source: dict[str, Any] = {"reference": asked["source"]}
        if asked.get("platforms"):
            source["platforms"] = asked["platforms"].split(",")
        destination: dict[str, Any] = {"reference": asked.get("destination", ""), "verify": asked.get("verify", "")}
        source["referrers"] = destination["referrers"] = _flag(asked.get("referrers", ""))
        sides = {"source": source, "destination": destination}
        return _query({side: wanted for side, wanted in sides.items() if asked.get(side)}, compares=True)
    raise UsageError(f"the query has the keys {', '.join(sorted(asked)[:5])[:200] or 'none'}", hint=_EXAMPLE)


def _query(asked: dict[str, Any], *, compares: bool) -> Query:
    deep = frozenset(
        key for key, wanted in asked.items() if isinstance(wanted, dict) and wanted.get("verify") == "deep"
    )
    return Query({key: _parsed(wanted) for key, wanted in asked.items()}, compares, deep)


async def answer(query: Query, stores: Stores, deadline_s: float) -> str:
    """The answer as JSON text; all references are looked up at once."""
    from imagesync_cli.gather import gather

    sound = query.sound
    # What is looked at whole goes by itself: it waits for no other answer, and none waits for it.
    alone = [_answers(stores, {key: sound[key]}, deadline_s, deep=True) for key in sound if key in query.deep]
    others = {key: question for key, question in sound.items() if key not in query.deep}
    parts = await gather([_answers(stores, others, deadline_s), *alone])
    found = {key: each for part in parts for key, each in part.items()}
    described = {
        key: _described(asked, deep=key in query.deep) if isinstance(asked, UsageError) else found[key]
        for key, asked in query.asked.items()
    }
    if query.compares:
        return json.dumps(_compared(described, sound["destination"][0] if "destination" in sound else None))
    return json.dumps({key: json.dumps(each) for key, each in described.items()})


async def _answers(
    stores: Stores, asked: dict[str, Asked], deadline_s: float, *, deep: bool = False
) -> dict[str, dict[str, Any]]:
    from imagesync_cli.operations.resolve import resolve

    ends = time.monotonic() + deadline_s
    found = dict(zip(asked, await resolve(stores, asked.values(), deadline_s), strict=True))
    if not deep:
        return {key: _described(each) for key, each in found.items()}
    return {key: await _with_damage(stores, each, ends - time.monotonic()) for key, each in found.items()}


async def _with_damage(stores: Stores, found: Answer, deadline_s: float) -> dict[str, Any]:
    """The same with what is missing or wrong below the digest; what cannot be looked at is an error."""
    if isinstance(found, ImagesyncError):
        return _described(found, deep=True)
    from imagesync_cli.operations.inspect import inspect_within
    from imagesync_cli.output.check import damage_text

    try:
        findings = await inspect_within(deadline_s, stores, found)
    except ImagesyncError as error:
        return _described(error, deep=True)
    return _described(found) | {"damage": damage_text(findings)}


def _compared(described: dict[str, dict[str, Any]], wanted: Reference | None) -> dict[str, str]:
    source, destination = (described.get(side) or _described(None) for side in ("source", "destination"))
    damage = destination.get("damage")
    failed = source if source["error"] else destination if destination["kind"] not in ("", "missing") else None
    return {
        "digest": source["digest"],
        "id": f"{wanted.name}@{source['digest']}" if wanted and not failed else "",
        "destination_digest": destination["digest"],
        "in_sync": "true" if _in_sync(source, destination) else "false",
        "error": str(failed["error"]) if failed else "",
        "kind": str(failed["kind"]) if failed else "",
    } | ({} if damage is None else {"damage": str(damage)})


def _in_sync(source: dict[str, Any], destination: dict[str, Any]) -> bool:
    same = source["digest"] and source["digest"] == destination["digest"] and not destination.get("damage")
    return same and set(source.get("attached", ())) <= set(destination.get("attached", ()))


def _parsed(wanted: str | dict[str, Any]) -> Asked | UsageError:
    try:
        return (parse_reference(wanted), WHOLE) if isinstance(wanted, str) else _parsed_image(wanted)
    except UsageError as error:
        return error


def _parsed_image(image: dict[str, Any]) -> Asked:
    """A reference with what of its image is wanted."""
    if unknown := image.keys() - {"reference", "platforms", "referrers", "verify"}:
        raise UsageError(f"an image has no {', '.join(map(repr, sorted(unknown)))}", hint=_IMAGE_EXAMPLE)
    reference = image.get("reference")
    if not isinstance(reference, str):
        raise UsageError("the 'reference' of an image is a string", hint=_IMAGE_EXAMPLE)
    if image.get("verify", "") not in _VERIFY:
        raise UsageError('the \'verify\' of an image is "tag" or "deep"', hint=_IMAGE_EXAMPLE)
    referrers = image.get("referrers", False)
    if not isinstance(referrers, bool):
        raise UsageError("the 'referrers' of an image are true or false", hint=_IMAGE_EXAMPLE)
    return parse_reference(reference), Selection("", _platforms(image.get("platforms", [])), referrers)


def _flag(text: str) -> bool:
    if text not in ("", "true", "false"):
        raise UsageError(f'referrers is "true" or "false", not {text!r}', hint=_EXAMPLE)
    return text == "true"


def _platforms(names: Any) -> tuple[Platform, ...]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UsageError("the 'platforms' of an image are a list of strings", hint=_IMAGE_EXAMPLE)
    if not names:
        return ()
    from imagesync_cli.platforms import parse_platform

    return tuple(parse_platform(name.strip()) for name in names)


def _described(found: Answer | None, *, deep: bool = False) -> dict[str, Any]:
    answer = {"digest": "", "source_digest": "", "media_type": "", "size": 0, "error": "", "kind": ""}
    answer |= {"damage": ""} if deep else {}
    if isinstance(found, ImagesyncError):
        return answer | {"error": plain(str(found)), "kind": found.kind}
    if found is None:
        return answer
    answer |= {
        "digest": found.descriptor.digest,
        "source_digest": found.source_digest,
        "media_type": found.descriptor.media_type,
        "size": found.descriptor.size,
    }
    if found.attached is None:
        return answer
    return answer | {"referrers": found.attached.digests, "attached": found.attached.identities}


def _object(text: str, what: str, *, or_objects: bool = False) -> dict[str, Any]:
    """A JSON object whose values are strings, ``or_objects``."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{what} is not JSON: {error}", hint=_EXAMPLE) from error
    if not isinstance(document, dict):
        raise UsageError(f"{what} is not a JSON object", hint=_EXAMPLE)
    for key, value in document.items():
        if not isinstance(value, str) and not (or_objects and isinstance(value, dict)):
            raise UsageError(f"{what}: the value of {key[:200]!r} is not a string", hint=_EXAMPLE)
    return document

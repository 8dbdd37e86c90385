"""The protocol of Terraform's ``external`` data source: a JSON object of strings in, one out.

Two questions are understood. ``{"images": "<JSON object: key → reference>"}`` gives each key a JSON text with digest,
media_type, size, error and kind. ``{"source": …, "destination": …}`` gives digest, id, destination_digest, in_sync,
error and kind. What a registry answers, or that it does not, is part of the result: a failing program would block
``terraform destroy``. Only a question that is itself wrong is an error. Nothing is ever written to a registry.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from imagesync_cli.errors import ImagesyncError, UsageError
from imagesync_cli.operations.resolve import Answer, resolve
from imagesync_cli.output import Output
from imagesync_cli.process import exit_code, run
from imagesync_cli.reference import Reference, parse_reference
from imagesync_cli.settings import read_settings
from imagesync_cli.stores import Stores

_EXAMPLE = 'ask {"images": "{\\"app\\": \\"registry.example.com/app:1.0\\"}"} or {"source": …, "destination": …}'
MAX_QUERY_BYTES = 16 * 1024 * 1024


def main() -> None:
    """``imagesync external`` without the command line's parser, which would be a fifth of what a plan waits for."""
    sys.exit(exit_code(answer_terraform))


def answer_terraform() -> None:
    """Read one question from stdin and print the answer."""
    query = sys.stdin.buffer.read(MAX_QUERY_BYTES + 1)
    if len(query) > MAX_QUERY_BYTES:
        raise UsageError(f"the query is longer than {MAX_QUERY_BYTES} bytes")
    settings = read_settings()
    text = query.decode("utf-8", errors="replace")
    Output().answer(run(settings, [], lambda stores: answer(text, stores, settings.external_timeout_s)))


async def answer(query: str, stores: Stores, deadline_s: float) -> str:
    """The answer to one question, both as JSON text; UsageError if the question is wrong."""
    asked = _object(query, "the query")
    if set(asked) == {"images"}:
        images = _object(asked["images"], "images")
        answers = await _ask(images, stores, deadline_s)
        return json.dumps({key: json.dumps(_described(found)) for key, found in answers.items()})
    if "source" in asked and set(asked) <= {"source", "destination"}:
        return json.dumps(await _compare(asked, stores, deadline_s))
    raise UsageError(f"the query has the keys {', '.join(sorted(asked)) or 'none'}", hint=_EXAMPLE)


async def _compare(asked: dict[str, str], stores: Stores, deadline_s: float) -> dict[str, str]:
    answers = await _ask({side: text for side, text in asked.items() if text}, stores, deadline_s)
    source, destination = (_described(answers.get(side)) for side in ("source", "destination"))
    failed = source if source["error"] else destination if destination["kind"] not in ("", "missing") else None
    name = parse_reference(asked["destination"]).name if asked.get("destination") and not failed else ""
    return {
        "digest": source["digest"],
        "id": f"{name}@{source['digest']}" if name else "",
        "destination_digest": destination["digest"],
        "in_sync": "true" if source["digest"] and source["digest"] == destination["digest"] else "false",
        "error": str(failed["error"]) if failed else "",
        "kind": str(failed["kind"]) if failed else "",
    }


async def _ask(images: Mapping[str, str], stores: Stores, deadline_s: float) -> dict[str, Answer]:
    """All references at once; one that cannot be read as a reference is its own answer."""
    parsed = {key: _parsed(text) for key, text in images.items()}
    references = {key: found for key, found in parsed.items() if not isinstance(found, UsageError)}
    answers = dict(zip(references, await resolve(stores, references.values(), deadline_s), strict=True))
    return {key: found if isinstance(found, UsageError) else answers[key] for key, found in parsed.items()}


def _parsed(text: str) -> Reference | UsageError:
    try:
        return parse_reference(text)
    except UsageError as error:
        return error


def _described(found: Answer | None) -> dict[str, Any]:
    if found is None or isinstance(found, ImagesyncError):
        error, kind = (str(found), found.kind) if found else ("", "")
        return {"digest": "", "media_type": "", "size": 0, "error": error, "kind": kind}
    return {
        "digest": found.digest,
        "media_type": found.media_type,
        "size": found.size,
        "error": "",
        "kind": "",
    }


def _object(text: str, what: str) -> dict[str, str]:
    """A JSON object whose values are strings."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{what} is not JSON: {error}", hint=_EXAMPLE) from error
    if not isinstance(document, dict):
        raise UsageError(f"{what} is not a JSON object", hint=_EXAMPLE)
    for key, value in document.items():
        if not isinstance(value, str):
            raise UsageError(f"{what}: the value of {key!r} is not a string", hint=_EXAMPLE)
    return document

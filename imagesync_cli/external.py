"""The protocol of Terraform's ``external`` data source: a JSON object of strings in, one out.

Two questions are understood. ``{"images": "<JSON object: key → reference>"}`` gives each key a JSON text with digest,
media_type, size, error and kind. ``{"source": …, "destination": …}`` gives digest, id, destination_digest, in_sync,
error and kind. What a registry answers, or that it does not, is part of the result: a failing program would block
``terraform destroy``. Only a question that is itself wrong is an error. Nothing is ever written to a registry.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagesync_cli.errors import ImagesyncError, UsageError
from imagesync_cli.output import Output
from imagesync_cli.process import exit_code, run
from imagesync_cli.reference import Reference, parse_reference
from imagesync_cli.settings import read_settings

if TYPE_CHECKING:
    from imagesync_cli.operations.resolve import Answer
    from imagesync_cli.stores import Stores

_EXAMPLE = 'ask {"images": "{\\"app\\": \\"registry.example.com/app:1.0\\"}"} or {"source": …, "destination": …}'
MAX_QUERY_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Query:
    """A question: references by key, where one that cannot be read as a reference is the error that says so."""

    asked: dict[str, Reference | UsageError]
    compares: bool  # the form with source and destination

    @property
    def references(self) -> dict[str, Reference]:
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
    references = query.references.values()
    Output().answer(run(settings, references, lambda stores: answer(query, stores, settings.external_timeout_s)))


def read_query(text: str) -> Query:
    """The question in a JSON text, or UsageError if it is none of the two."""
    asked = _object(text, "the query")
    if set(asked) == {"images"}:
        images = _object(asked["images"], "images")
        return Query({key: _parsed(reference) for key, reference in images.items()}, compares=False)
    if "source" in asked and set(asked) <= {"source", "destination"}:
        # Terraform sends null as "": a side that is left out.
        return Query({side: _parsed(reference) for side, reference in asked.items() if reference}, compares=True)
    raise UsageError(f"the query has the keys {', '.join(sorted(asked)) or 'none'}", hint=_EXAMPLE)


async def answer(query: Query, stores: Stores, deadline_s: float) -> str:
    """The answer as JSON text; all references are looked up at once."""
    from imagesync_cli.operations.resolve import resolve

    references = query.references
    found = dict(zip(references, await resolve(stores, references.values(), deadline_s), strict=True))
    answers = {key: asked if isinstance(asked, UsageError) else found[key] for key, asked in query.asked.items()}
    if query.compares:
        return json.dumps(_compared(answers, references.get("destination")))
    return json.dumps({key: json.dumps(_described(each)) for key, each in answers.items()})


def _compared(answers: dict[str, Answer], wanted: Reference | None) -> dict[str, str]:
    source, destination = (_described(answers.get(side)) for side in ("source", "destination"))
    failed = source if source["error"] else destination if destination["kind"] not in ("", "missing") else None
    return {
        "digest": source["digest"],
        "id": f"{wanted.name}@{source['digest']}" if wanted and not failed else "",
        "destination_digest": destination["digest"],
        "in_sync": "true" if source["digest"] and source["digest"] == destination["digest"] else "false",
        "error": str(failed["error"]) if failed else "",
        "kind": str(failed["kind"]) if failed else "",
    }


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

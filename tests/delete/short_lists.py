"""Lists in two pages, of which the first one does not tell what counts."""

from __future__ import annotations

from collections.abc import Callable

from tests.embedded_registry import Fault, Request, Response
from tests.embedded_registry.faults import refusal
from tests.embedded_registry.wire import json_response

# How the first page, which lacks what counts, names the second one, which has it.
NAMED = {
    "plain": '<{next}>; rel="next"',
    "unquoted": "<{next}>; rel=next",
    "upper-case": "<{next}>; rel=NEXT",
    "upper-case-name": '<{next}>; REL="next"',
    "several-relations": '<{next}>; rel="last next"',
    "quoted-semicolon": '<{next}>; title="a;b"; rel="next"',
    "quoted-comma": '<{next}>; title="a, b"; rel="next"',
    "quoted-relation": '<{next}>; title="rel=\\"prev\\""; rel="next"',
    "behind-another": '</v2/>; rel="first", <{next}>; rel="next"',
    "spaced": '  <{next}>  ;  rel = "next"',
    "relative": '<?page=2>; rel="next"',
}
# How a list never becomes known whole.
BROKEN = {
    "the-same-page-again": '<{here}>; rel="next"',
    "another-host": '<http://example.invalid{next}>; rel="next"',
    "unreadable": '<{next}; rel="next"',
    "gone": '<{next}&gone=1>; rel="next"',
    "denied": '<{next}&denied=1>; rel="next"',
}


class ShortList:
    """Answers a list in two pages: ``first`` and what the registry itself would say."""

    def __init__(self, ends_with: str, first: Callable[[Request], Response], link: str) -> None:
        self._ends_with = ends_with
        self._first = first
        self._link = link

    def __call__(self, request: Request) -> Fault | None:
        if self._ends_with not in request.path:
            return None
        if "gone" in request.query:
            return refusal(404, "NAME_UNKNOWN")
        if "denied" in request.query:
            return refusal(403, "DENIED")
        if "page" in request.query:
            return None
        answer = self._first(request)
        link = self._link.format(next=f"{request.path}?page=2", here=request.target)
        return Fault(answer=Response(answer.status, {**answer.headers, "Link": link}, answer.body))


def tags_answer(*tags: str) -> Callable[[Request], Response]:
    """A list of these tags."""
    return lambda _: json_response(200, {"tags": list(tags)}, {})

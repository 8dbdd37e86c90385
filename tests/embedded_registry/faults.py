"""What can go wrong with one request, told as a value.

A test sets ``registry.fault`` to a function from request to Fault or None; the server does what it says.
No plans or randomness here: plan.py has those.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from tests.embedded_registry.wire import Request, Response, compressed, json_response

NOT_EVEN_THE_HEAD = -1


@dataclass(frozen=True)
class Fault:
    """One fault; the fields take effect in the order in which they stand here."""

    drop_request_after: int | None = None
    """End the connection after so many bytes of the request's body, unhandled."""
    stall: threading.Event | None = None
    """Wait for this before handling (or, with ``cut_answer_after``, in the middle of the answer)."""
    answer: Response | None = None
    """Say this instead of handling the request."""
    unread: bool = False
    """Answer without reading the request's body, then close: an early 401 or 503 of a hurried proxy."""
    change: Callable[[Response], Response] | None = None
    """Handle the request, then answer this instead of the truth."""
    cut_answer_after: int | None = None
    """Handle the request, send so many bytes of the answer's body, then end (or stall)."""
    drops_every_s: float = 0
    """Send the answer's body a byte at a time, so many seconds apart, as long as the client stays."""
    ending: Literal["reset", "close"] = "reset"
    """How the connection ends where it does."""


FaultHook = Callable[[Request], "Fault | None"]


def refusal(status: int, code: str = "UNKNOWN", headers: dict[str, str] | None = None) -> Fault:
    """Answer an error in the registry's form, e.g. ``refusal(503, headers={"Retry-After": "1"})``."""
    errors = {"errors": [{"code": code, "message": "a fault on purpose"}]}
    return Fault(answer=json_response(status, errors, headers))


def reset_before_handling() -> Fault:
    return Fault(drop_request_after=0)


def drop_answer() -> Fault:
    """Do what was asked and reset before saying so."""
    return Fault(cut_answer_after=NOT_EVEN_THE_HEAD)


def flip_bit(position: int) -> Fault:
    """Turn one bit of the answer's body at this byte."""

    def flip(response: Response) -> Response:
        body = bytearray(response.body)
        if body:
            body[position % len(body)] ^= 1
        return replace(response, body=bytes(body))

    return Fault(change=flip)


def with_header(name: str, value: str) -> Fault:
    """Answer truthfully but for one header."""
    return Fault(change=lambda response: replace(response, headers={**response.headers, name: value}))


def cut_in_half() -> Fault:
    """Announce the whole answer, send the first half of its body, and close."""

    def announce(response: Response) -> Response:
        half = bytes(response.body[: len(response.body) // 2])
        return replace(response, body=half, length=str(len(response.body)), close=True)

    return Fault(change=announce)


def with_length(wrong_by: int) -> Fault:
    """Announce so many bytes more, or fewer, than there are."""
    return Fault(change=lambda answer: replace(answer, length=f"{max(0, len(answer.body) + wrong_by)}", close=True))


def without_length() -> Fault:
    """Announce no length: the body ends where the connection does."""
    return Fault(change=lambda answer: replace(answer, length="", close=True))


def with_two_lengths(second_is_more_by: int = 1) -> Fault:
    """Announce two lengths; with 0 they agree."""

    def twice(response: Response) -> Response:
        first = len(response.body)
        return replace(response, length=f"{first}\r\nContent-Length: {first + second_is_more_by}", close=True)

    return Fault(change=twice)


def gzip_added() -> Fault:
    """Compress the answer, as a proxy does that never asks whether it may."""
    return Fault(change=lambda response: compressed(response) if response.body else response)


def login_page() -> Fault:
    """Answer 200 with a page for people, as a captive portal does."""
    return Fault(answer=Response(200, {"Content-Type": "text/html"}, b"<html>please accept our terms</html>"))

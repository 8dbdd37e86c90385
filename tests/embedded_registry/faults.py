"""What can go wrong with one request, told as a value.

A test sets ``registry.fault`` to a function from request to Fault or None; the server does what it says.
No plans or randomness here: which request gets which fault is the test's affair.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from tests.embedded_registry.wire import Request, Response, json_response

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

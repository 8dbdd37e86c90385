"""How far an operation is, and what is to be said on the way; whoever prints reads it (output/progress.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Progress:
    """Sizes in bytes. ``doing`` is a verb phrase such as "copying host/app:1.0"; totals grow while it runs."""

    doing: str = ""
    done: int = 0
    total: int = 0
    unit: str = "blobs"
    moved_bytes: int = 0
    total_bytes: int = 0


_heard: dict[str, None] = {}
_listeners: list[Callable[[str], None]] = []


def note(text: str) -> None:
    """Say, once in a run, what no result tells and a user should know."""
    if text not in _heard:
        _heard[text] = None
        for listener in _listeners:
            listener(text)


def hear_notes(listener: Callable[[str], None]) -> None:
    """Have this called with every note of the run that begins."""
    _heard.clear()
    _listeners[:] = [listener]

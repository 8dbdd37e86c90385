"""How far an operation is, as plain numbers; whoever wants to show them reads them (output/progress.py)."""

from __future__ import annotations

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

    def advance(self) -> None:
        """One more is done."""
        self.done += 1

"""What a lock says of itself."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from imagesync_cli.batch.lock import Change, LockReport

_WORDS = {"waiting": "has moved, and is too young", "platforms": "other platforms are wanted"}


def change_line(change: Change) -> str:
    """One reference that is not as it was."""
    word = _WORDS.get(change.kind, change.kind)
    digests = " -> ".join(filter(None, (change.before, change.now)))
    return f"{word}: {change.reference} {digests}"


def lock_json(report: LockReport) -> dict[str, Any]:
    """All of it but the lock, which is in its file."""
    return {
        "images": len(report.lock.images),
        "changes": [asdict(change) for change in report.changes],
        "failed": {name: {"error": str(error), "kind": error.kind} for name, error in report.failed.items()},
    }

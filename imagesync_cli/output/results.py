"""What resolve, lock and delete say: lines for people, documents for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from imagesync_cli.output.console import size_text
from imagesync_cli.values.errors import ImagesyncError

if TYPE_CHECKING:
    from imagesync_cli.batch.lock import Change, LockReport
    from imagesync_cli.delete.delete_report import DeleteReport
    from imagesync_cli.look.resolve import Resolved

_WORDS = {"waiting": "has moved, and is too young", "platforms": "other platforms are wanted"}


def resolved_json(result: Resolved | ImagesyncError) -> dict[str, Any]:
    if isinstance(result, ImagesyncError):
        return {"error": str(result), "kind": result.kind}
    found = result.descriptor
    return {
        "reference": str(result.reference),
        "id": result.id,
        "digest": found.digest,
        "source_digest": result.source_digest,
        "media_type": found.media_type,
        "size": found.size,
    }


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


def delete_json(report: DeleteReport) -> dict[str, Any]:
    error = report.error
    return {
        "reference": report.reference,
        "dry_run": report.dry_run,
        "items": [asdict(item) for item in report.items],
        "freed_bytes": report.freed_bytes,
        "error": str(error) if error else "",
        "kind": error.kind if error else "",
    }


def delete_lines(report: DeleteReport) -> list[str]:
    lines = []
    for item in report.items:
        outcome = f"would be {item.outcome}" if report.dry_run and item.outcome == "removed" else item.outcome
        why = f" ({item.why})" if item.why else ""
        lines.append(f"{report.reference}: {outcome}: {item.kind} {item.name}{why}")
    if report.freed_bytes:
        when = "at once" if report.freed_at_once else "when the registry collects its garbage"
        come = "would come" if report.dry_run else "come"
        lines.append(f"{report.reference}: up to {size_text(report.freed_bytes)} {come} free {when}")
    return lines

"""What a delete says of itself."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from imagesync_cli.delete.delete_report import DeleteReport
from imagesync_cli.output.console import size_text


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

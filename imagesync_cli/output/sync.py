"""What a sync says of itself."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from imagesync_cli.operations.sync_report import SyncReport
from imagesync_cli.output.console import size_text


def sync_json(report: SyncReport) -> dict[str, Any]:
    blobs = {how.name.lower(): count for how, count in report.blobs.items()}
    return {**asdict(report), "blobs": blobs}


def sync_line(report: SyncReport) -> str:
    if not report.changed:
        return f"{report.destination} is in sync with {report.source}"
    counts = [f"{report.manifests} manifests", f"{sum(report.blobs.values())} blobs"]
    counts += [f"{count} {how.value}" for how, count in report.blobs.items() if how.name != "SENT"]
    if report.foreign:
        counts.append(f"{report.foreign} foreign layers left where they are")
    if report.damage:
        counts.append(f"{len(report.damage)} of them damaged before")
    verb = "would copy" if report.dry_run else "copied"
    return f"{verb} {report.source} to {report.destination}: {', '.join(counts)}, {size_text(report.sent_bytes)} sent"

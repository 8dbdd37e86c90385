"""What a sync says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from imagesync_cli.output import Result
from imagesync_cli.output.check import signed_text
from imagesync_cli.output.console import counted, size_text

if TYPE_CHECKING:
    from imagesync_cli.copy.sync import SyncReport


def synced(report: SyncReport) -> Result:
    """The id; beside it what was done, and who has signed it where that was verified."""
    blobs = {how.name.lower(): count for how, count in report.blobs.items()}
    done = ", ".join(filter(None, [_done(report), signed_text(report.signed_by)]))
    notes = [done, *_effort_lines(report), *_left_lines(report)]
    return Result(lambda: {**asdict(report), "blobs": blobs}, [report.id], notes)


def _done(report: SyncReport) -> str:
    attached = referrers_text(report.referrers)
    if report.held:
        return f"{report.destination} stays as it is: {report.held}"
    if not report.changed:
        brought = f", with {attached}" if attached else ""
        if report.foreign_copied:
            brought += f", with {counted(report.foreign_copied, 'more foreign layer')}"
        return f"{report.destination} is in sync with {report.source}{brought}"
    counts = [counted(report.manifests, "manifest"), counted(sum(report.blobs.values()), "blob")]
    counts += [f"{count} {how.value}" for how, count in report.blobs.items() if how.name != "SENT"]
    if report.foreign:
        counts.append(
            f"{counted(report.foreign, 'foreign layer')} left where {'it is' if report.foreign == 1 else 'they are'}"
        )
    if report.damage:
        counts.append(f"{len(report.damage)} of them damaged before")
    if report.foreign_copied:
        counts.append(f"{counted(report.foreign_copied, 'foreign layer')} among them")
    if attached:
        counts.append(f"with {attached}")
    if report.kept_as:
        counts.append(f"the old image kept as {report.kept_as}")
    verb, sent = ("would copy", "to send") if report.dry_run else ("copied", "sent")
    counts.append(f"{size_text(report.sent_bytes)} {sent}")
    return f"{verb} {report.source} to {report.destination}: {', '.join(counts)}"


def _left_lines(report: SyncReport) -> list[str]:
    return [
        f"{report.destination}: {tag} there holds signatures that the source does not have, so it stays as it is; "
        f"to have the source's instead, remove that tag"
        for tag in report.left
    ]


def referrers_text(kinds: Mapping[str, int]) -> str:
    """Such as "3 signatures, 1 SBOM, 2 attestations, 1 other"."""
    known = ("signature", "SBOM", "attestation")
    counts = [counted(kinds[kind], kind) for kind in known if kinds.get(kind)]
    return ", ".join([*counts, *([f"{kinds['other']} other"] if kinds.get("other") else [])])


def _effort_lines(report: SyncReport) -> list[str]:
    """What it took, nothing where everything went well at once."""
    counts = []
    if report.retries:
        counts.append("1 retry" if report.retries == 1 else f"{report.retries} retries")
    if report.resumed:
        counts.append(counted(report.resumed, "resumed download"))
    return [", ".join(counts)] if counts else []

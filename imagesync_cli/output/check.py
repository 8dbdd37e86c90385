"""What a check says of an image: whether it is there, whole, and signed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime, timezone
from itertools import groupby
from typing import TYPE_CHECKING, Any

from imagesync_cli.look.check import CheckReport
from imagesync_cli.look.inspect import Findings, Problem
from imagesync_cli.output.console import counted
from imagesync_cli.values.errors import first_few
from imagesync_cli.values.times import parse_time

if TYPE_CHECKING:
    from imagesync_cli.look.trust.judge import SignedBy, Verification

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60))


def check_json(report: CheckReport) -> dict[str, Any]:
    findings = report.findings or Findings()
    return {
        "source": report.source,
        "destination": report.destination,
        "digest": report.digest,
        "destination_digest": report.destination_digest,
        "in_sync": report.in_sync,
        "manifests": findings.manifests,
        "blobs": findings.blobs,
        "missing_referrers": list(report.missing),
        "problems": [asdict(problem) for problem in findings.problems],
    }


def check_lines(report: CheckReport) -> Iterator[str]:
    findings = report.findings
    if report.digest != report.destination_digest:
        there = report.destination_digest or "not there"
        yield f"{report.destination} is {there}; {report.source} is {report.digest}"
    elif report.in_sync:
        yield f"{report.destination} is {_good(report)} ({report.digest})"
    for digest in report.missing:
        yield f"{report.destination}: missing: referrer {digest}"
    for problem in findings.problems if findings else ():
        named = f", named by {problem.parent}" if problem.parent else ""
        yield f"{report.destination}: {problem}{named}: {problem.why}"


def _good(report: CheckReport) -> str:
    alike = [] if report.source == report.destination else [f"in sync with {report.source}"]
    if findings := report.findings:
        alike.append(f"whole: {counted(findings.manifests, 'manifest')}, {counted(findings.blobs, 'blob')}")
    return ", and ".join(alike)


def damage_text(findings: Findings) -> str:
    """The damage in a sentence, "" for none: "2 of 9 blobs are missing: sha256:… of linux/arm64, sha256:…"."""
    totals = {"manifest": findings.manifests, "blob": findings.blobs}

    def group(problem: Problem) -> tuple[str, str]:
        return problem.what, problem.kind

    parts = []
    for (what, kind), members in groupby(sorted(findings.problems, key=group), group):
        names = [f"{each.digest}{f' of {each.platform}' if each.platform else ''}" for each in members]
        verb = "is" if len(names) == 1 else "are"
        parts.append(f"{len(names)} of {totals[what]} {what}s {verb} {kind}: {first_few(names)}")
    return "; ".join(parts)


def signed_text(signed: Iterable[SignedBy]) -> str:
    """Such as "signed by https://… (issuer https://…), 3 days ago"; "" for nobody."""
    told = [each.signer + (f", {_ago(time)}" if (time := parse_time(each.time)) else "") for each in signed]
    return f"signed by {' and '.join(told)}" if told else ""


def verification_json(verification: Verification) -> dict[str, Any]:
    return {
        "reference": verification.reference,
        "digest": verification.digest,
        "verified": verification.error is None,
        "signed_by": [asdict(each) for each in verification.signed],
        "error": str(verification.error) if verification.error else "",
        "kind": verification.error.kind if verification.error else "",
    }


def verification_line(verification: Verification) -> str:
    who = signed_text(verification.signed) or "accepted, as no rule names it"
    return f"{verification.reference} is {who} ({verification.digest})"


def _ago(then: datetime) -> str:
    seconds = (datetime.now(timezone.utc) - then).total_seconds()
    for name, length in _UNITS:
        if count := int(seconds // length):
            return f"{counted(count, name)} ago"
    return "just now"

"""What a check says of an image: whether it is there, whole, and signed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from itertools import groupby
from typing import TYPE_CHECKING

from imagesync_cli.output import Result
from imagesync_cli.output.console import counted
from imagesync_cli.values.errors import first_few
from imagesync_cli.values.times import parse_time

if TYPE_CHECKING:
    from imagesync_cli.look.check import CheckReport
    from imagesync_cli.look.inspect import Findings, Problem
    from imagesync_cli.look.trust.judge import Verification
    from imagesync_cli.look.trust.statements import SignedBy

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60))


def checked(report: CheckReport) -> Result:
    """Whether all is well, and what is not."""
    findings = report.findings
    document = {
        "source": report.source,
        "destination": report.destination,
        "digest": report.digest,
        "destination_digest": report.destination_digest,
        "in_sync": report.in_sync,
        "manifests": findings.manifests if findings else 0,
        "blobs": findings.blobs if findings else 0,
        "missing_referrers": list(report.missing),
        "problems": [asdict(problem) for problem in (findings.problems if findings else ())],
    }
    return Result(lambda: document, _check_lines(report))


def _check_lines(report: CheckReport) -> Iterator[str]:
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


def verified(verifications: Sequence[Verification]) -> Result:
    """Who has signed each image."""
    documents = [
        {
            "reference": each.reference,
            "digest": each.digest,
            "verified": each.error is None,
            "signed_by": [asdict(signer) for signer in each.signed],
            "error": str(each.error) if each.error else "",
            "kind": each.error.kind if each.error else "",
        }
        for each in verifications
    ]
    who = (
        f"{each.reference} is {signed_text(each.signed) or 'accepted, as no rule names it'} ({each.digest})"
        for each in verifications
        if each.error is None
    )
    return Result(lambda: documents, who, errors=[each.error for each in verifications if each.error])


def _ago(then: datetime) -> str:
    seconds = (datetime.now(timezone.utc) - then).total_seconds()
    for name, length in _UNITS:
        if count := int(seconds // length):
            return f"{counted(count, name)} ago"
    return "just now"

"""A report of many images as a file: JSON for programs, Markdown for people, JUnit for CI, metrics for Prometheus."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, fields
from datetime import datetime, timezone
from pathlib import Path
from textwrap import indent
from typing import Any, TypeVar

from imagesync_cli.batch.report import FORMAT, BatchReport, ImageResult, Outcome, RegistryPulls, RemovalResult, totals
from imagesync_cli.output.console import counted, size_text
from imagesync_cli.output.escape import cell, json_text, xml
from imagesync_cli.stores.files.new_file import replace_file
from imagesync_cli.values.documents import MISREAD, read_file, why_misread
from imagesync_cli.values.errors import UsageError
from imagesync_cli.values.times import wait_text

_MOST_ROWS = 500
_BAD = (Outcome.FAILED, Outcome.DIFFERS, Outcome.UNWANTED)


def check_name(path: Path, read: Iterable[Path] = ()) -> None:
    """Raise UsageError where no report can be: its ending says none of the forms, or nothing can be written there.

    Nor may it take the place of what the same run has ``read``.
    """
    if path.suffix not in _FORMS:
        raise UsageError(f"report {path}: unknown file ending", hint=f"use one of {', '.join(_FORMS)}")
    try:
        why = _why_not_written(path, read)
    except (OSError, RuntimeError) as error:  # links in a circle
        why = getattr(error, "strerror", None) or str(error)
    if why:
        raise UsageError(f"report {path}: {why}", hint="name another file for it")


def _why_not_written(path: Path, read: Iterable[Path]) -> str:
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    if path.is_dir():
        return "it is a folder"
    if any(path.resolve() == each.resolve() for each in read):
        return "this run reads the file, and the report would replace it"
    is_replaced = path.is_file() or not path.exists()  # by a new file beside it
    if not os.access(path.parent if is_replaced else path, os.W_OK):
        return f"{path.parent if is_replaced else path} is not writable"
    return ""


def write_report(path: Path, report: BatchReport) -> None:
    """Write the report in the form that the name's ending says; UsageError where that is not possible."""
    check_name(path)
    replace_file(path, _FORMS[path.suffix](report, path))


def report_json(report: BatchReport) -> Iterator[str]:
    """Everything, in parts, for it may be long; ``read_report`` takes it back."""
    head = {
        "version": FORMAT,
        "dry_run": report.dry_run,
        "interrupted": report.interrupted,
        "totals": totals(report),
    }
    yield json_text(head, indent=2).removesuffix("\n}")
    for name in ("images", "removals", "registries"):
        yield f',\n  "{name}": ['
        parts = getattr(report, name)
        for number, part in enumerate(parts):
            yield f"{',' if number else ''}\n{indent(json_text(asdict(part), indent=2), '    ')}"
        yield "\n  ]" if parts else "]"
    yield "\n}\n"


def read_report(path: Path) -> BatchReport:
    """The report in a JSON file, or UsageError."""
    try:
        document: Any = json.loads(read_file(path))
        if document["version"] != FORMAT:
            raise UsageError(f"{path} is a report of version {document['version']!r}, not {FORMAT}")
        return _of_its_kinds(
            BatchReport(
                dry_run=document["dry_run"],
                images=[_of_its_kinds(ImageResult(**image)) for image in document["images"]],
                removals=[_of_its_kinds(RemovalResult(**removal)) for removal in document["removals"]],
                requests=document["totals"]["requests"],
                seconds=document["totals"]["seconds"],
                interrupted=document["interrupted"],
                registries=[_of_its_kinds(RegistryPulls(**each)) for each in document.get("registries", [])],
            )
        )
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except MISREAD as error:
        raise UsageError(
            f"{path} is not a report: {why_misread(error)}", hint="sync --report FILE.json writes one"
        ) from error


def _is_of_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


_KINDS: dict[str, Callable[[Any], bool]] = {
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: type(value) is int and 0 <= value < 2**63,
    "float": lambda value: type(value) in (int, float) and 0 <= value < 2**63,
    "str": lambda value: isinstance(value, str),
    "list[dict[str, str]]": lambda value: isinstance(value, list) and all(map(_is_of_texts, value)),
}
_Part = TypeVar("_Part", ImageResult, RemovalResult, RegistryPulls, BatchReport)


def _of_its_kinds(part: _Part) -> _Part:
    """The part of a report, or ValueError if one of its values is of another kind than a report's."""
    for each in fields(part):
        value = getattr(part, each.name)
        if not _KINDS.get(str(each.type), lambda _: True)(value):
            raise ValueError(f"{each.name} is {json.dumps(value)[:40]}")
    known = Outcome.OF_IMAGES + Outcome.OF_REMOVALS
    if isinstance(part, (ImageResult, RemovalResult)) and part.outcome not in known:
        raise ValueError(f"outcome is {part.outcome!r}")
    return part


def report_markdown(report: BatchReport) -> str:
    """A line that sums up, and a table of all that changed or failed; what was there already is only counted."""
    sums = totals(report)
    title = "What imagesync would do" if report.dry_run else "Images"
    words = ("copied", "skipped", "differs", "failed", "not_run", "removed", "unwanted")
    counts = ", ".join(f"{sums[word]} {word.replace('_', ' ')}" for word in words if sums[word]) or "nothing to do"
    lines = [
        f"### {title}",
        "",
        f"{counts}. {size_text(report.sent_bytes)} sent, {size_text(report.mounted_bytes)} saved by mounting, "
        f"{report.requests} requests, {report.seconds:.1f} s."
        + (" **Interrupted before it was done.**" if report.interrupted else ""),
    ]
    lines += [part for each in report.registries if each.limit for part in ("", f"{cell(pulls_text(each, report))}.")]
    rows = [*_failed_rows(report), *_changed_rows(report)]
    if rows:
        lines += ["", "| | Destination | Source | |", "|---|---|---|---|", *rows[:_MOST_ROWS]]
    if len(rows) > _MOST_ROWS:
        lines += ["", f"And {len(rows) - _MOST_ROWS} more."]
    return "\n".join(lines) + "\n"


def pulls_text(each: RegistryPulls, report: BatchReport) -> str:
    """Such as "docker.io: 140 pulls needed, 61 of 100 in 6 h left; with --wait-for-limit, the run waits at most …"."""
    said = f"{each.registry}: {counted(each.pulls, 'pull')} {'needed' if report.dry_run else 'made'}"
    if each.unread:
        said += f", and at least {each.unread} more for images not read yet"
    if each.least_s:
        said += f", about {counted(each.requests, 'request')} that take at least {wait_text(each.least_s)}"
        said += " with --requests-per-second"
    if not each.limit:
        return said
    said += f", {each.left} of {each.limit} in {wait_text(each.window_s)} left"
    said += f", reset in at most {wait_text(each.reset_s)}" if each.reset_s else ""
    if not report.dry_run:
        return said
    if not each.wait_s:
        return f"{said}; the run need not wait"
    return f"{said}; with --wait-for-limit, the run waits at most {wait_text(each.wait_s)}"


def _failed_rows(report: BatchReport) -> list[str]:
    bad = (image for image in report.images if image.outcome in (Outcome.FAILED, Outcome.DIFFERS))
    images = [_row(image.outcome, image.destination, image.source, image.error) for image in bad]
    return images + [
        _row("not removed", r.reference, "", r.why) for r in report.removals if r.outcome == Outcome.FAILED
    ]


def _changed_rows(report: BatchReport) -> list[str]:
    """Images in the order of the file, then tags."""
    images = [
        _row(i.action or i.outcome, i.destination, i.source, i.error or f"{size_text(i.sent_bytes)}, {i.digest[:19]}")
        for i in report.images
        if i.outcome not in (Outcome.FAILED, Outcome.DIFFERS, Outcome.SKIPPED)
    ]
    return images + [
        _row({Outcome.REMOVED: "remove", Outcome.KEPT: "keep"}.get(r.outcome, r.outcome), r.reference, "", r.why)
        for r in report.removals
        if r.outcome != Outcome.FAILED
    ]


def _row(outcome: str, *foreign: str) -> str:
    return f"| {' | '.join([outcome, *map(cell, foreign)])} |"


def report_junit(report: BatchReport) -> str:
    """A test case an image: what failed is a failure, what was not run is skipped."""
    cases = [
        *(_case(each.destination, each.source, each.outcome, each.error, each.seconds) for each in report.images),
        *(_case(f"remove {each.reference}", "prune", each.outcome, each.why) for each in report.removals),
    ]
    failed, skipped = sum(map(report.count, _BAD)), report.count(Outcome.NOT_RUN)
    head = (
        f'<testsuite name="imagesync" tests="{len(cases)}" failures="{failed}" skipped="{skipped}" '
        f'errors="0" time="{report.seconds:.3f}">'
    )
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *cases, "</testsuite>"]) + "\n"


def _case(name: str, group: str, outcome: str, why: str, seconds: float = 0.0) -> str:
    inner = f'<failure message="{xml(why)}">{xml(why)}</failure>' if outcome in _BAD else ""
    inner += f'<skipped message="{xml(why or outcome)}"/>' if outcome == Outcome.NOT_RUN else ""
    return f'  <testcase classname="{xml(group)}" name="{xml(name)}" time="{seconds:.3f}">{inner}</testcase>'


def _metrics(report: BatchReport, path: Path) -> str:
    from imagesync_cli.output.report.metrics import read_times, report_metrics

    return report_metrics(report, datetime.now(timezone.utc).timestamp(), read_times(path))


_FORMS: dict[str, Callable[[BatchReport, Path], str | Iterator[str]]] = {
    ".json": lambda report, _: report_json(report),
    ".md": lambda report, _: report_markdown(report),
    ".xml": lambda report, _: report_junit(report),
    ".prom": _metrics,
}

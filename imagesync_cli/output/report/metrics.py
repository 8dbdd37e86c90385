"""A report as metrics for Prometheus: a text that its text-file collector reads, and valid as OpenMetrics 1.0 too.

Everything is a gauge: each file tells one run. The time at which an image was last in sync outlives runs that fail: it
is taken over from the file that is replaced.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from imagesync_cli.batch.report import BatchReport, ImageResult, Outcome, totals
from imagesync_cli.output.escape import printable
from imagesync_cli.values.documents import read_file

Named = tuple[str, str]  # source and destination, as labels have them
Sample = tuple[Mapping[str, str], float]
_TIME = "imagesync_image_in_sync_timestamp_seconds"
_LABEL = r'"((?:[^"\\]|\\.)*)"'
_SAMPLE = re.compile(rf"{_TIME}\{{source={_LABEL},destination={_LABEL}\}} ([0-9]{{1,12}}(?:\.[0-9]{{1,6}})?)")
_KINDS = ("denied", "invalid", "missing", "unreachable", "unsuitable")


def report_metrics(report: BatchReport, now_s: float, before: Mapping[Named, float]) -> str:
    """The metrics of a run that has ended ``now_s``; ``before`` is when each image was last in sync, if it is not now.

    Times are seconds since 1970.
    """
    lines = [line for family in _families(report, now_s, before) for line in _lines(*family)]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _families(
    report: BatchReport, now_s: float, before: Mapping[Named, float]
) -> Iterator[tuple[str, str, Iterable[Sample]]]:
    sums = totals(report)
    failed = (image.kind or "invalid" for image in report.images if image.outcome == Outcome.FAILED)
    images_by_outcome = _counted(Outcome.OF_IMAGES, (each.outcome for each in report.images))
    yield "imagesync_images", "Images by outcome.", _by("outcome", images_by_outcome)
    removals = _counted(Outcome.OF_REMOVALS, (each.outcome for each in report.removals))
    yield "imagesync_removals", "Tags that no entry wants, by outcome.", _by("outcome", removals)
    yield "imagesync_failures", "Images that failed, by kind.", _by("kind", _counted(_KINDS, failed))
    yield "imagesync_sent_bytes", "Bytes that were sent.", [({}, sums["sent_bytes"])]
    yield "imagesync_mounted_bytes", "Bytes that were mounted from another repository.", [({}, sums["mounted_bytes"])]
    yield "imagesync_requests", "HTTP requests of the run.", [({}, sums["requests"])]
    yield "imagesync_run_seconds", "How long the run took.", [({}, sums["seconds"])]
    yield "imagesync_run_exit_code", "The exit code of the run, 0 for success.", [({}, report.exit_code)]
    yield "imagesync_run_interrupted", "Whether the run ended before it was done.", [({}, report.interrupted)]
    yield "imagesync_run_timestamp_seconds", "When the run ended.", [({}, round(now_s, 3))]
    told = [each for each in report.registries if each.limit]
    pulls = {each.registry: each.pulls for each in report.registries}
    yield "imagesync_pulls", "Manifests that were read.", _by("registry", pulls)
    left, most = ({each.registry: each.left for each in told}, {each.registry: each.limit for each in told})
    yield "imagesync_pulls_left", "Pulls that a registry still allows.", _by("registry", left)
    yield "imagesync_pulls_limit", "Pulls that a registry allows in its window.", _by("registry", most)
    images = {(printable(image.source), printable(image.destination)): image for image in report.images}
    dry = report.dry_run
    yield (
        "imagesync_image_drift",
        "0 if a destination was found as its entry says, otherwise 1.",
        [(_labels(name), not _in_sync(image, dry_run=dry)) for name, image in images.items()],
    )
    times = {name: now_s if _in_sync(image, dry_run=dry) else before.get(name) for name, image in images.items()}
    times |= {name: time for name, time in before.items() if name not in times and _is_unknown(name, report, images)}
    yield (
        _TIME,
        "When a destination was last in sync.",
        [(_labels(name), round(time, 3)) for name, time in times.items() if time is not None],
    )


def _counted(names: Iterable[str], seen: Iterable[str]) -> dict[str, int]:
    """How often each comes, those that are known also where they do not: an alert needs the series."""
    return {**dict.fromkeys(names, 0), **Counter(seen)}


def _is_unknown(name: Named, report: BatchReport, images: Mapping[Named, ImageResult]) -> bool:
    """Whether a run that has not named this image may still want it: it was interrupted, or could not read the tags."""
    repositories = [text.rpartition(":")[0] for text in name]
    here, there = ([repository, *_folders(repository)] for repository in repositories)
    listed = {(source, destination) for source in here for destination in there} & images.keys()
    return report.interrupted or any(images[each].outcome == Outcome.FAILED for each in listed)


def _folders(repository: str) -> Iterator[str]:
    """The folders that a repository is in, as results name them."""
    parts = repository.split("/")
    yield from (f"{'/'.join(parts[:count])}/**" for count in range(1, len(parts)))


def _in_sync(image: ImageResult, *, dry_run: bool) -> bool:
    return image.outcome == Outcome.SKIPPED or (image.outcome == Outcome.COPIED and not dry_run)


def _by(label: str, counts: Mapping[str, int]) -> list[Sample]:
    return [({label: name.replace(" ", "_")}, count) for name, count in counts.items()]


def _labels(name: Named) -> dict[str, str]:
    return dict(zip(("source", "destination"), name, strict=True))


def _lines(name: str, help_text: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {help_text}"
    yield f"# TYPE {name} gauge"
    for labels, value in samples:
        inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"{name}{f'{{{inner}}}' if inner else ''} {_number(value)}"


def _number(value: float) -> str:
    """Whole numbers without a point, others with as many digits as they have, and never with an exponent."""
    return str(int(value)) if value == int(value) else f"{value:.3f}"


def _escaped(text: str) -> str:
    """A label's value (OpenMetrics 1.0, "Text Format"); a line end cannot be in it, since the text is printable."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def read_times(path: Path) -> dict[Named, float]:
    """When each image was last in sync, as a file of these metrics says; nothing for a file that is not there."""
    try:
        text = read_file(path).decode("utf-8", "replace") if path.is_file() else ""  # a pipe would keep us waiting
    except OSError:
        return {}
    samples = (_SAMPLE.fullmatch(line) for line in text.splitlines() if line.startswith(_TIME))
    return {(_unescaped(each[1]), _unescaped(each[2])): float(each[3]) for each in samples if each}


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda each: "\n" if each[1] == "n" else each[1], text)

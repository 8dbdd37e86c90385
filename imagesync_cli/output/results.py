"""What resolve, inspect, lock, delete and errors say: lines for people, documents for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from imagesync_cli.output import Result
from imagesync_cli.output.console import AGAIN, counted, size_text
from imagesync_cli.values.errors import ImagesyncError

if TYPE_CHECKING:
    from imagesync_cli.batch.locking import LockReport
    from imagesync_cli.delete.delete_report import DeleteReport
    from imagesync_cli.look.describe import Description, ImageDescription
    from imagesync_cli.look.doctor import Diagnosis
    from imagesync_cli.look.resolve import Resolved
    from imagesync_cli.values.tags.rules import Judgement

_CONFIG_KEYS = ("Entrypoint", "Cmd", "User", "WorkingDir", "Env", "ExposedPorts", "Volumes", "StopSignal", "Labels")
_WORDS = {"waiting": "has moved, and is too young", "platforms": "other platforms are wanted"}


def error_json(error: ImagesyncError) -> dict[str, Any]:
    """An error that is all the answer there is."""
    return {
        "error": error.message,
        "hint": error.hint,
        "name": error.name,
        "kind": error.kind,
        "exit_code": error.exit_code,
    }


def resolved(results: Sequence[Resolved | ImagesyncError]) -> Result:
    """One line for each reference."""
    ids = (result.id for result in results if not isinstance(result, ImagesyncError))
    errors = [result for result in results if isinstance(result, ImagesyncError)]
    return Result(lambda: list(map(_resolved_json, results)), ids, errors=errors)


def _resolved_json(result: Resolved | ImagesyncError) -> dict[str, Any]:
    if isinstance(result, ImagesyncError):
        return {"error": str(result), "kind": result.kind}
    descriptor = result.descriptor
    return {
        "reference": str(result.reference),
        "id": result.id,
        "digest": descriptor.digest,
        "source_digest": result.source_digest,
        "media_type": descriptor.media_type,
        "size": descriptor.size,
    }


def tags(repository: str, judged: Sequence[Judgement], *, explain: bool = False) -> Result:
    """One tag a line, and how many there are. Explained, every tag with its reason."""
    picked, count = [each.tag for each in judged if each.picked], len(judged)
    explained = (f"{'pick' if each.picked else 'leave':<5}  {each.tag}  {each.why}" for each in judged)
    all_of = f"all {count} tags" if len(picked) == count > 1 else f"{len(picked)} of {counted(count, 'tag')}"
    note = f"{all_of} of {repository}" if count else f"{repository} has no tags"

    def document() -> dict[str, Any]:
        reasons = {"reasons": [asdict(each) for each in judged]} if explain else {}
        return {"repository": repository, "tags": picked, "count": count, **reasons}

    return Result(document, explained if explain else picked, [note])


def diagnosed(diagnoses: Sequence[Diagnosis]) -> Result:
    """A table for each reference, to be pasted into a report."""
    return Result(lambda: list(map(asdict, diagnoses)), (line for each in diagnoses for line in _diagnosis_lines(each)))


def _diagnosis_lines(diagnosis: Diagnosis) -> Iterator[str]:
    yield f"{diagnosis.reference}{f' as a {diagnosis.role}' if diagnosis.role else ''}"
    for step in diagnosis.steps:
        yield f"  {step.name:<9}  {step.outcome:<2}  {step.seen}"
        if step.advice:
            yield f"{'':<17}-> {step.advice}"


def locked(report: LockReport) -> Result:
    """What has changed; the lock itself is in its file."""
    document = {
        "images": len(report.lock.images),
        "changes": [asdict(change) for change in report.changes],
        "failed": {name: {"error": str(error), "kind": error.kind} for name, error in report.failed.items()},
    }
    summary = f"{counted(len(report.lock.images), 'image')} in the lock, {counted(len(report.changes), 'change')}"
    changes = (
        f"{_WORDS.get(each.kind, each.kind)}: {each.reference} {' -> '.join(filter(None, (each.before, each.now)))}"
        for each in report.changes
    )
    return Result(lambda: document, changes, errors=report.failed.values(), summary=[summary])


def described(image: Description) -> Result:
    """What an image is."""
    document = {
        "reference": image.reference,
        "id": image.id,
        "digest": image.digest,
        "media_type": image.media_type,
        "size": image.size,
        "platforms": image.platforms,
        "annotations": dict(image.annotations),
        "images": [_image_json(each) for each in image.images],
        "referrers": [
            {"digest": each.digest, "kind": each.kind, "media_type": each.target.media_type, "subject": each.subject}
            for each in image.referrers
        ],
        "left_out": image.left_out,
    }
    note = "some layers, configs or annotations are too many or too long, and were left out"
    return Result(lambda: document, _description_lines(image), [note] if image.left_out else [])


def _image_json(image: ImageDescription) -> dict[str, Any]:
    layers = [{"digest": blob.digest, "media_type": blob.media_type, "size": blob.size} for blob in image.layers]
    return {**vars(image), "layers": layers}


def _description_lines(image: Description) -> Iterator[str]:
    layers = {blob.digest for each in image.images for blob in each.layers}
    yield image.id
    yield f"  type        {image.media_type}"
    yield f"  platforms   {', '.join(image.platforms) or 'none'}"
    yield f"  size        {size_text(image.size)} in {counted(len(layers), 'layer')}"
    yield from _annotation_lines(image.annotations)
    for each in image.images:
        yield ""
        yield f"{each.platform or 'no platform'}  {each.digest}  {size_text(each.size)}"
        yield from (f"  layer       {blob.digest}  {size_text(blob.size)}" for blob in each.layers)
        yield from _config_lines(each.config)
        if each.digest != image.digest:
            yield from _annotation_lines(each.annotations)
    if image.referrers:
        yield ""
        yield "attached"
        yield from (f"  {each.kind:<11} {each.digest}" for each in image.referrers)


def _annotation_lines(annotations: Mapping[str, str]) -> Iterator[str]:
    yield from (f"  annotation  {key}={text}" for key, text in sorted(annotations.items()))


def _config_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """What a container of it starts with (image-spec v1.1, config.md)."""
    if isinstance(document.get("created"), str):
        yield f"  created     {document['created']}"
    config = document.get("config")
    if not isinstance(config, dict):
        return
    for key in _CONFIG_KEYS:
        told = config.get(key)
        if told:
            yield f"  {key.lower():<11} {told if isinstance(told, str) else json.dumps(told)}"


def interrupted_delete() -> str:
    """What is known of a removal that ends now, and how to go on."""
    return f"interrupted: what is reported as removed is gone, all else stays. {AGAIN}"


def deleted(reports: Sequence[DeleteReport]) -> Result:
    """What became of each item."""
    lines = (line for report in reports for line in _delete_lines(report))
    errors = [each.error for each in reports if each.error]
    return Result(lambda: list(map(_delete_json, reports)), lines, errors=errors)


def _delete_json(report: DeleteReport) -> dict[str, Any]:
    error = report.error
    return {
        "reference": report.reference,
        "dry_run": report.dry_run,
        "items": [asdict(item) for item in report.items],
        "freed_bytes": report.freed_bytes,
        "error": str(error) if error else "",
        "kind": error.kind if error else "",
    }


def _delete_lines(report: DeleteReport) -> Iterator[str]:
    for item in report.items:
        outcome = f"would be {item.outcome}" if report.dry_run and item.outcome == "removed" else item.outcome
        why = f" ({item.why})" if item.why else ""
        yield f"{report.reference}: {outcome}: {item.kind} {item.name}{why}"
    if report.freed_bytes:
        when = "at once" if report.freed_at_once else "when the registry collects its garbage"
        come = "would come" if report.dry_run else "come"
        yield f"{report.reference}: up to {size_text(report.freed_bytes)} {come} free {when}"


def logged_in(registry: str, where: str, *, checked: bool) -> Result:
    """Where the login is kept."""
    done = f"logged in to {registry}" if checked else f"{registry} did not ask for the login, so it was not checked"
    document = {"registry": registry, "kept_in": where, "checked": checked}
    return Result(lambda: document, [f"{done}; kept in {where}"])


def logged_out(registry: str, forgotten: Sequence[str], left: Sequence[str]) -> Result:
    """Where the login was forgotten."""
    where = f"forgotten in {', '.join(forgotten)}" if forgotten else "no login was kept"
    document = {"registry": registry, "forgotten_in": forgotten, "left_in": left}
    return Result(lambda: document, [f"{registry}: {where}"])

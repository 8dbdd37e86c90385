"""What resolve, inspect, lock, delete and errors say: lines for people, documents for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from imagesync_cli.output.console import counted, size_text
from imagesync_cli.values.errors import ImagesyncError

if TYPE_CHECKING:
    from imagesync_cli.batch.locking import Change, LockReport
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


def resolved_json(result: Resolved | ImagesyncError) -> dict[str, Any]:
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


def tags_json(repository: str, judged: Sequence[Judgement], *, explain: bool) -> dict[str, Any]:
    picked = [each.tag for each in judged if each.picked]
    reasons = {"reasons": [asdict(each) for each in judged]} if explain else {}
    return {"repository": repository, "tags": picked, "count": len(judged), **reasons}


def diagnoses_json(diagnoses: Sequence[Diagnosis]) -> list[dict[str, Any]]:
    return [asdict(each) for each in diagnoses]


def diagnosis_lines(diagnosis: Diagnosis) -> Iterator[str]:
    yield f"{diagnosis.reference}{f' as a {diagnosis.role}' if diagnosis.role else ''}"
    for step in diagnosis.steps:
        yield f"  {step.name:<9}  {step.outcome:<2}  {step.seen}"
        if step.advice:
            yield f"{'':<17}-> {step.advice}"


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


def description_json(image: Description) -> dict[str, Any]:
    return {
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


def _image_json(image: ImageDescription) -> dict[str, Any]:
    layers = [{"digest": blob.digest, "media_type": blob.media_type, "size": blob.size} for blob in image.layers]
    return {
        "digest": image.digest,
        "media_type": image.media_type,
        "platform": image.platform,
        "size": image.size,
        "layers": layers,
        "config": dict(image.config),
        "annotations": dict(image.annotations),
    }


def description_lines(image: Description) -> Iterator[str]:
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

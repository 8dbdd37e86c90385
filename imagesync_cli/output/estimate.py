"""What a copy would come to, in a sentence and as JSON."""

from __future__ import annotations

from typing import Any

from imagesync_cli.look.estimate import Estimate
from imagesync_cli.output.console import size_text


def estimate_json(found: Estimate) -> dict[str, Any]:
    """Numbers for programs, ``summary`` for people; ``mounts`` moves no bytes of what is missing."""
    return {
        "layers": found.layers,
        "layers_to_copy": found.layers_missing,
        "bytes": found.size_bytes,
        "bytes_to_copy": 0 if found.mounts else found.missing_bytes,
        "summary": estimate_text(found),
        "unsuitable": found.lacks,
        "unsigned": found.unsigned,
    }


def estimate_text(found: Estimate) -> str:
    """Such as "2 of 9 layers, 41.2 MB to copy; 7 are there already"."""
    there = found.layers - found.layers_missing
    if not found.missing_bytes:
        return f"nothing to copy; {_all(found.layers)} there already"
    some = f"{found.layers_missing} of {_layers(found.layers)}" if there else _layers(found.layers)
    how = "to mount from another repository" if found.mounts else "to copy"
    rest = f"; {there} {'is' if there == 1 else 'are'} there already" if there else ""
    return f"{some}, {size_text(found.missing_bytes)} {how}{rest}"


def _all(layers: int) -> str:
    return f"all {layers} layers are" if layers > 1 else "its layer is" if layers else "all is"


def _layers(count: int) -> str:
    return "1 layer" if count == 1 else f"{count} layers" if count else "no layer"

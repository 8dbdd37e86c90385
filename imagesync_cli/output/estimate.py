"""What a copy would come to, in a sentence and as JSON."""

from __future__ import annotations

from typing import Any

from imagesync_cli.look.estimate import Estimate
from imagesync_cli.output.console import counted, size_text


def estimate_json(estimated: Estimate) -> dict[str, Any]:
    """Numbers for programs, ``summary`` for people; ``mounts`` moves no bytes of what is missing."""
    return {
        "layers": estimated.layers,
        "layers_to_copy": estimated.layers_missing,
        "bytes": estimated.size_bytes,
        "bytes_to_copy": 0 if estimated.mounts else estimated.missing_bytes,
        "summary": estimate_text(estimated),
        "unsuitable": estimated.lacks,
        "unsigned": estimated.unsigned,
    }


def estimate_text(estimated: Estimate) -> str:
    """Such as "2 of 9 layers, 41.2 MB to copy; 7 are there already"."""
    there = estimated.layers - estimated.layers_missing
    if not estimated.missing_bytes:
        all_of = (
            f"all {estimated.layers} layers are"
            if estimated.layers > 1
            else "its layer is"
            if estimated.layers
            else "all is"
        )
        return f"nothing to copy; {all_of} there already"
    some = f"{estimated.layers_missing} of {_layers(estimated.layers)}" if there else _layers(estimated.layers)
    how = "to mount from another repository" if estimated.mounts else "to copy"
    rest = f"; {there} {'is' if there == 1 else 'are'} there already" if there else ""
    return f"{some}, {size_text(estimated.missing_bytes)} {how}{rest}"


def _layers(count: int) -> str:
    return counted(count, "layer") if count else "no layer"

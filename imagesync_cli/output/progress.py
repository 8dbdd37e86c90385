"""How far an operation is, in a line."""

from __future__ import annotations

from imagesync_cli.operations.progress import Progress
from imagesync_cli.output.console import plain, size_text


def progress_line(progress: Progress) -> str:
    line = f"{plain(progress.doing)}: {progress.done} of {progress.total} {progress.unit}"
    if progress.total_bytes:
        line += f", {size_text(progress.moved_bytes)} of {size_text(progress.total_bytes)}"
    return line

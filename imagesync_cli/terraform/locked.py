"""What a lock says of each source; nobody is asked. A lock that cannot be read is an answer too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagesync_cli.look.lockfile import read_lock
from imagesync_cli.values.errors import UsageError

if TYPE_CHECKING:
    from imagesync_cli.look.lockfile import Lock
    from imagesync_cli.terraform.query import Image


def locked_answers(asked: dict[str, Image], lock_file: str) -> dict[str, dict[str, Any]]:
    """Each image's digest and source_digest, or its error."""
    try:
        lock = read_lock(Path(lock_file))
    except UsageError as error:
        return {key: _failed(str(error)) for key in asked}
    return {key: _answer(image, lock, lock_file) for key, image in asked.items()}


def _answer(image: Image, lock: Lock, lock_file: str) -> dict[str, Any]:
    locked = lock.find(image.reference)
    if locked is None:
        return _failed(f"{lock_file} does not have it; run imagesync lock with a file that does")
    platforms = ",".join(sorted(map(str, image.selection.platforms)))
    selected = {**locked.selected, "": locked.digest}
    if platforms not in selected:
        wanted = platforms.replace(",", ", ")
        return _failed(
            f"{lock_file} has it for other platforms than {wanted}; run imagesync lock with a file that has these"
        )
    return {"digest": selected[platforms], "source_digest": locked.digest, "first_seen": locked.first_seen}


def _failed(why: str) -> dict[str, Any]:
    return {"kind": UsageError.kind, "error": why}

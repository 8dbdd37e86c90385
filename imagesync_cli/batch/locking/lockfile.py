"""Write a lock; its form is told where it is read (look/lockfile.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from imagesync_cli.look.lockfile import FORMAT, Lock, Locked
from imagesync_cli.stores.files.new_file import replace_file


def write_lock(path: Path, lock: Lock) -> None:
    """Write the file whole or not at all."""
    replace_file(path, lock_text(lock))


def lock_text(lock: Lock) -> str:
    """The lock as text, the same for the same images."""
    images = {name: _document(lock.images[name]) for name in sorted(lock.images)}
    return json.dumps({"version": FORMAT, "images": images}, indent=2) + "\n"


def _document(locked: Locked) -> dict[str, Any]:
    document: dict[str, Any] = {
        "digest": locked.digest,
        "size": locked.size,
        "platforms": list(locked.platforms),
        "date": locked.date,
    }
    if locked.selected:
        document["selected"] = dict(sorted(locked.selected.items()))
    if locked.first_seen not in ("", locked.date):
        document["first_seen"] = locked.first_seen
    if locked.pending:
        document["pending"] = {"digest": locked.pending.digest, "first_seen": locked.pending.first_seen}
    return document

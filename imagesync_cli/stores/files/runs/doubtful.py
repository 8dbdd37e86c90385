"""Removals that one run has left undone, as an entry may need the image: only the end of that entry's call tells.

A destroy reads the configuration as an apply does, so an entry that was edited, and never applied, keeps its image from
a removal. Once all images of its call are gone in the same run it keeps nothing, and what was left is looked at again.
What another run has left counts for nothing: an apply may have taken it over since. So does what its own entry relies
on again: two runs may have begun in one second.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from imagesync_cli.stores.files.folder import Place
from imagesync_cli.stores.files.lock import briefly_locked
from imagesync_cli.stores.files.new_file import replace_file
from imagesync_cli.stores.files.runs.wishes import said_by_us
from imagesync_cli.values.documents import MISREAD
from imagesync_cli.values.errors import ImagesyncError

Args = tuple[str, ...]


class Doubtful:
    """What one run has left, as the arguments of each removal; where that cannot be written or read, images stay."""

    def __init__(self, run_folder: Path, run: str) -> None:
        self._path = run_folder / "doubtful.json"
        self._run = run

    def leave(self, removals: Iterable[Args]) -> None:
        """Note these, too; nothing for a removal of no run, as a person calls it again."""
        if self._run and (more := [args for args in removals if args]):
            with contextlib.suppress(OSError, ImagesyncError), briefly_locked(Place(f"{self._path}.lock")):
                self._write([*self._read(), *more])

    def take(self) -> list[Args]:
        """All that is noted; nobody else takes it any more."""
        left: list[Args] = []
        if self._path.exists():
            with contextlib.suppress(OSError, ImagesyncError), briefly_locked(Place(f"{self._path}.lock")):
                left = self._read()
                self._write([])
        return list(dict.fromkeys(left))

    def _read(self) -> list[Args]:
        with contextlib.suppress(OSError, ImagesyncError, *MISREAD):
            with os.fdopen(Place(str(self._path)).open(), "rb") as file:
                document = said_by_us(file.fileno())  # it is carried out with our logins
            if document["run"] == self._run:
                return [tuple(map(str, args)) for args in document["removals"]]
        return []

    def _write(self, removals: Sequence[Args]) -> None:
        replace_file(self._path, json.dumps({"run": self._run, "removals": removals}))

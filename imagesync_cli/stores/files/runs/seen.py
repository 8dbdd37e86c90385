"""What a plan has seen at the destinations of a call: many removals that come right after it need not ask that again.

Only images that are as the configuration wants them, only until something is copied, and whoever reads it says how old
it may be. An apply copies before it removes, so it counts in a destroy, where these tags go themselves.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from imagesync_cli.stores.files.folder import Place
from imagesync_cli.stores.files.new_file import replace_file
from imagesync_cli.stores.files.runs.claimed import Claim
from imagesync_cli.values.digest import is_digest
from imagesync_cli.values.documents import MISREAD, MOST_FILE_BYTES
from imagesync_cli.values.errors import ImagesyncError
from imagesync_cli.values.manifest import Descriptor
from imagesync_cli.values.names import is_tag


class Seen:
    """What is seen from now on, in one run folder; ``copied_at`` is a number that is another one after every copy."""

    def __init__(self, run_folder: Path, copied_at: Callable[[], int]) -> None:
        self._folder = run_folder / "seen"
        self._copied_at = copied_at
        self._since = _clocks()
        self._copied_before = copied_at()

    def note(self, call: str, images: Mapping[Claim, Descriptor]) -> None:
        """Write down what a call's destinations have; nothing where that is not possible, then it is asked again."""
        at = [[each.repository, each.tag, each.digest, found.media_type, found.size] for each, found in images.items()]
        document = {"since": self._since, "copied": self._copied_before, "at": at}
        with contextlib.suppress(OSError, ImagesyncError):
            self._folder.mkdir(parents=True, exist_ok=True)
            replace_file(self._folder / f"{call}.json", json.dumps(document))

    def read(self, repository: str) -> dict[str, tuple[float, Descriptor]]:
        """What the tags of this repository point at, and how many seconds ago that was, by both clocks."""
        seen = dict[str, tuple[float, Descriptor]]()
        for path in sorted(self._folder.glob("*.json")):
            with contextlib.suppress(OSError, ImagesyncError, *MISREAD):
                seen |= self._read(path, repository)
        return seen

    def _read(self, path: Path, repository: str) -> dict[str, tuple[float, Descriptor]]:
        with os.fdopen(Place(str(path)).open(), "rb") as file:
            document = json.loads(file.read(MOST_FILE_BYTES))
        ages = [now - then for now, then in zip(_clocks(), document["since"], strict=True)]
        if min(ages) < 0 or document["copied"] != self._copied_at():  # a clock was set back, or begins anew
            return {}
        return {
            tag: (max(ages), Descriptor(str(media_type), digest, int(size)))
            for at, tag, digest, media_type, size in document["at"]
            if at == repository and is_tag(tag) and is_digest(digest)
        }


def _clocks() -> list[float]:
    return [time.time(), time.monotonic()]

"""How far an operation is, in one line, and how fast it goes, by what was seen of it in the last seconds."""

from __future__ import annotations

from collections import deque

from imagesync_cli.output.console import AGAIN, size_text
from imagesync_cli.output.escape import printable
from imagesync_cli.output.live import CUT
from imagesync_cli.output.terminal import width
from imagesync_cli.values.progress import Progress
from imagesync_cli.values.reference import ArchiveReference, Reference

_NAME = 12  # cells that a name and the signs around it have before the numbers beside it become fewer
_WINDOW_S = 15.0
_SEEN_FOR_S = 1.0


class Rate:
    """Is told now and then how far it is (bytes, images); what was long ago says nothing about now."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def note(self, now_s: float, so_far: float) -> None:
        """It is so far at this time."""
        self._seen.append((now_s, so_far))
        while now_s - self._seen[0][0] > _WINDOW_S:
            self._seen.popleft()

    @property
    def per_second(self) -> float:
        """0 before there is enough to tell by, and where nothing moves."""
        if not self._seen:
            return 0
        (since_s, at_first), (now_s, so_far) = self._seen[0], self._seen[-1]
        return max(0.0, so_far - at_first) / (now_s - since_s) if now_s - since_s >= _SEEN_FOR_S else 0

    def left_s(self, rest: float) -> float | None:
        """How many seconds the rest takes at this pace, None if that cannot be told."""
        return rest / self.per_second if self.per_second else None


def progress_line(progress: Progress) -> str:
    if not progress.total:  # not known yet, or nothing is counted
        return progress.doing
    return f"{progress.doing}: {', '.join([_count(progress), *_size(progress)])}"


def _count(progress: Progress) -> str:
    return f"{progress.done} of {progress.total} {progress.unit}"


def _size(progress: Progress) -> list[str]:
    if not progress.total_bytes:
        return []
    again = progress.moved_bytes - progress.total_bytes  # what failed on its way, or was refused, is sent once more
    more = [f"{size_text(again)} sent again"] if again > 0 else []
    moved = min(progress.moved_bytes, progress.total_bytes)
    return [f"{size_text(moved)} of {size_text(progress.total_bytes)}", *more]


def interrupted_copy(progress: Progress, destination: Reference) -> str:
    """What a copy that ends now leaves behind, and how to go on."""
    if isinstance(destination, ArchiveReference):
        return f"interrupted: {destination.name} stays as it was"
    there = f"{_count(progress)} are at {destination.name}" if progress.done else f"no blob is at {destination.name}"
    return f"interrupted: {there} by now, and its tag moves last. {AGAIN}"


class LiveProgress:
    """The same for a terminal, with the rate and the time left; in a narrow one, what matters most of that."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._pace = Rate()

    def __call__(self, columns: int, now_s: float) -> list[str]:
        """The line in so many columns."""
        progress, pace = self._progress, self._pace
        pace.note(now_s, progress.moved_bytes)
        verb, space, name = progress.doing.partition(" ")
        count, size = _count(progress), _size(progress)
        left = left_text(pace, progress.total_bytes - progress.moved_bytes)
        numbers = first_fitting(
            [[count, *size, *rate_text(pace), *left], [*size, *rate_text(pace), *left], [*size, *left], size, [count]],
            columns - width(verb) - _NAME,
        )
        return [fitting_name(verb + space, name, f": {numbers}", columns)]


def first_fitting(forms: list[list[str]], columns: int) -> str:
    """The first of these enumerations that says something in so many columns, the last one where none does."""
    texts = [", ".join(form) for form in forms if form]
    return next((text for text in texts if width(text) <= columns), texts[-1])


def fitting_name(before: str, name: str, after: str, columns: int) -> str:
    """All three in so many cells: what has to go is the beginning of the name, whose end tells one from another."""
    name = printable(name)
    room = columns - width(before) - width(after)
    if width(name) <= room:
        return before + name + after
    while name and width(CUT + name) > room:
        name = name[1:]
    return before + CUT + name + after


def rate_text(pace: Rate) -> list[str]:
    """Such as 4.1 MB/s; nothing if it cannot be told."""
    return [f"{size_text(int(pace.per_second))}/s"] if pace.per_second else []


def left_text(pace: Rate, rest: float) -> list[str]:
    """Such as 0:08 left; nothing if it cannot be told, or nothing is left."""
    left_s = pace.left_s(rest) if rest > 0 else None
    return [] if left_s is None else [f"{duration_text(left_s)} left"]


def duration_text(seconds: float) -> str:
    """Such as 0:08, 12:30 or 1:02:30; more than a day is not worth a number."""
    minutes, second = divmod(int(seconds + 0.5), 60)
    hours, minute = divmod(minutes, 60)
    if hours >= 24:
        return "more than a day"
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
